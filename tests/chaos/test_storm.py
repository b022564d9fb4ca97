"""Everything at once, as a seed decides: faults on every call, kills, other batch sizes, other lanes."""

from random import Random

import pytest

from include import names
from tests.fixtures.fault_proxy import Fault, by_chance
from tests.fixtures.waiting import wait_for

pytestmark = [pytest.mark.chaos, pytest.mark.verify]

ROUNDS = 3
BROKEN = (Fault.THROTTLED, Fault.ERROR, Fault.RESET, Fault.PARTIAL, Fault.LOST_ANSWER, Fault.ERROR_AFTER)


def test_any_mixture_of_faults_loses_and_doubles_nothing(path, records, seed):
    chance = Random(seed)
    met = 0
    for number in range(ROUNDS):
        path.configure(BatchSize=chance.choice([5, 20, 60]), ParallelizationFactor=chance.choice([1, 2, 4]))
        kinds = chance.sample(BROKEN, 3)
        path.proxy.set(by_chance(f"{seed} {number}", {kind: chance.uniform(0.05, 0.2) for kind in kinds}))
        for stream in (names.CLICK_STREAM, names.TRUCK_STREAM):
            path.put(stream, records.mixture(stream, chance.randrange(40, 120)))
        wanted = chance.randrange(3, 10)
        wait_for(lambda wanted=wanted: len(path.proxy.log) >= wanted or path.delivered(), f"round {number}")
        met += len(path.proxy.log)
        if chance.random() < 0.5:
            path.driver.restart()
    path.calm()
    path.wait_until_delivered()
    path.check()
    assert met >= ROUNDS
