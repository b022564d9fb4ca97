"""Readings and clicks decoded and validated against json.loads of the same bytes, which validates nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import islice

import pytest

from include.contracts import decode_click, decode_reading, times
from include.generator import payloads
from include.generator.trucks import FleetSimulation
from tests.benchmarks.traffic import clicks
from tests.fixtures.benchmarks import Benchmarks, Side, alternate

pytestmark = pytest.mark.benchmark

READINGS = 500
REPETITIONS = 20
ROUNDS = 15


@pytest.fixture(scope="module")
def readings() -> dict[str, list[bytes]]:
    """The same readings in each shape that devices send, as the generator writes them."""
    start = int((time.time() - 3600) * 1_000_000)
    simulation = FleetSimulation(seed=1, count=3, start=start)
    made: dict[str, list[bytes]] = {"upper": [], "lower": [], "nested": []}
    for number in range(READINGS):
        at = start + number * 100_000
        truck, values = simulation.reading(number % 3, at)
        timestamp = times.to_canonical(datetime.fromtimestamp(at / 1_000_000, UTC))
        for shape, document in {
            "upper": payloads.flat_document(truck, timestamp, values, upper=True),
            "lower": payloads.flat_document(truck, timestamp, values, upper=False),
            "nested": payloads.nested_document(truck, timestamp, values),
        }.items():
            made[shape].append(payloads.encode(document))
    return made


def each(decode: Callable[[bytes], object], data: Sequence[bytes]) -> Side:
    def work() -> None:
        for _ in range(REPETITIONS):
            for one in data:
                decode(one)

    return lambda: work


def test_telemetry_decode(benchmarks: Benchmarks, readings):
    now = datetime.now(UTC)
    measured = {}
    for shape, data in readings.items():
        seconds = alternate(
            ROUNDS,
            ours=each(lambda one: decode_reading(one, now=now), data),
            json_loads=each(json.loads, data),
        )
        measured[shape] = {side: taken / (REPETITIONS * READINGS) * 1e6 for side, taken in seconds.items()}

    assert len({decode_reading(data[0], now=now) for data in readings.values()}) == 1
    worst = max(measured, key=lambda shape: measured[shape]["ours"] / measured[shape]["json_loads"])
    for name, shape in {"": worst, "_upper": "upper", "_lower": "lower", "_nested": "nested"}.items():
        benchmarks.report(
            f"telemetry_decode_vs_json_loads{name}",
            measured[shape]["ours"],
            "µs",
            baseline=measured[shape]["json_loads"],
            must_be="" if name else "<= 1.0",
        )


@pytest.mark.parametrize("name", ["", "_with_event_id"])
def test_click_decode(benchmarks: Benchmarks, name):
    now, data = datetime.now(UTC), list(islice(clicks(), READINGS))
    if name:
        data = [b'%s,"Event_ID":"0193a1f2-7c3a-7b1d-9c0a-%012d"}' % (one[:-1], place) for place, one in enumerate(data)]
    seconds = alternate(
        ROUNDS, ours=each(lambda one: decode_click(one, now=now), data), json_loads=each(json.loads, data)
    )
    ours, json_loads = (taken / (REPETITIONS * READINGS) * 1e6 for taken in (seconds["ours"], seconds["json_loads"]))
    assert bool(decode_click(data[0], now=now).event_id) == bool(name)
    benchmarks.report(
        f"click_decode_vs_json_loads{name}", ours, "µs", baseline=json_loads, must_be="" if name else "<= 1.0"
    )
