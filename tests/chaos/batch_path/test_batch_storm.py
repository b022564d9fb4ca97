"""Everything at once, as a seed decides: faults on every call, kills, notifications as they like, files cut anew."""

from contextlib import ExitStack, suppress
from random import Random
from threading import Thread

import pytest
from snowflake.connector.errors import Error as SnowflakeError

from include import names
from tests.fixtures.batch_path import BatchPath, Fleet
from tests.fixtures.crashing_snowflake import MOMENTS
from tests.fixtures.fault_proxy import Fault, by_chance

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.verify,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]

ROUNDS = 3
OF_AWS = (Fault.THROTTLED, Fault.ERROR, Fault.RESET, Fault.CUT_ANSWER, Fault.LOST_ANSWER)
OF_SNOWFLAKE = (Fault.THROTTLED, Fault.ERROR, Fault.RESET, Fault.CUT_ANSWER, Fault.LOST_ANSWER, Fault.ERROR_AFTER)


def test_any_mixture_of_faults_gives_the_history_of_the_readings(path, fleet, seed):
    chance = Random(seed)
    met = 0
    for number in range(ROUNDS):
        for proxy, kinds in ((path.aws_proxy, OF_AWS), (path.sql_proxy, OF_SNOWFLAKE)):
            chances = {kind: chance.uniform(0.05, 0.15) for kind in chance.sample(kinds, 3)}
            proxy.set(by_chance(f"{seed} {number}", chances))
        if chance.random() < 0.7:
            path.server.die_at(chance.choice(sorted(MOMENTS)))
        with ExitStack() as ending:
            merges = Thread(target=merge_twice, args=(path,))
            merges.start()
            ending.callback(merges.join, timeout=90)
            task = ending.enter_context(path.tasks.merge_process()) if chance.random() < 0.5 else None
            announce(path, land(path, fleet, chance), chance)
            if task:
                # Then it is killed, wherever it is.
                task.join(timeout=chance.uniform(0, 1))
            merges.join(timeout=chance.uniform(0, 2))
            met += len(path.aws_proxy.log) + len(path.sql_proxy.log)
            if chance.random() < 0.3:
                path.restart_server()
            path.calm()
        if chance.random() < 0.3:
            path.query(f"drop pipe {names.PIPE}")
            path.run("ddl/060_pipe.sql")
            path.run("ddl/090_roles.sql")
            path.pipes += 1
    # As the runbook says: notifications may be lost.
    path.refresh()
    path.check()
    # How many calls a round has is chance: a server that dies at once answers few.
    assert met, "no call met a fault: this was no storm"


def merge_twice(path: BatchPath) -> None:
    """Two runs of the task, which may fail: what they did not merge waits in the stream."""
    for _ in range(2):
        with suppress(SnowflakeError):
            path.tasks.merge()


def land(path: BatchPath, fleet: Fleet, chance: Random) -> list[str]:
    """New readings, some of them landed again in other files, and one file damaged and mended; S3's notifications."""
    with path.notifications_held():
        records = fleet.records(chance.randrange(30, 80), seconds=chance.choice([20, 120, 900]))
        keys = path.land(records, batch_size=chance.choice([4, 15, 60]))
        if chance.random() < 0.5:
            path.process(chance.sample(records, len(records) // 2), batch_size=chance.choice([3, 20]))
        if chance.random() < 0.5:
            key = chance.choice(keys)
            path.put_bytes(key.replace(".json.gz", "-mended.json.gz"), path.cut(key))
        return path.held()


def announce(path: BatchPath, bodies: list[str], chance: Random) -> None:
    """Each message once, twice or never, in any order."""
    often = [body for body in bodies for _ in range(chance.choices([0, 1, 2], [1, 8, 2])[0])]
    chance.shuffle(often)
    path.deliver(often)
