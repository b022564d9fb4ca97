"""The rules over consecutive readings, beside the MERGE of the same readings into the same history."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection

from include import names, quality, sql
from include.contracts import METRICS
from include.contracts.telemetry import Metric
from include.quality.findings import record_statement
from tests.benchmarks.test_history import EARLIEST, MERGE, Account, Batch, execute, landing, timed
from tests.fixtures.benchmarks import Benchmarks

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

ROUNDS = 5
ROWS = 1_000_000
SINCE = "2026-10-30T00:00:00"
RULES = {
    relation: record_statement(relation, [rule for rule in quality.rules() if rule.relation == relation])
    for relation in ("new_readings", "last_hour")
}
OPEN = sql.render("quality/findings/open.sql")


def plausible(metric: Metric, index: int) -> str:
    """A value of a truck that drives, in SQL over TRUCK and TURN: it changes a little from turn to turn."""
    if metric.kind == "text":
        return f"iff(mod(TRUCK + TURN + {index}, 10) = 0, 'Needs Inspection', 'Good')"
    share = f"mod(TRUCK * 7919 + {index * 1299709}, 10007)::float / 10007"
    span = metric.maximum - metric.minimum
    return {
        "gps_latitude": f"-55 + 110 * {share} + TURN * 0.01",
        "gps_longitude": f"-170 + 340 * {share} + TURN * 0.01",
        "gps_altitude": f"1000 * {share} + TURN",
        "gps_speed": "30 + mod(TRUCK, 40) + TURN * 0.1",
        "vehicle_speed": "30.3 + mod(TRUCK, 40) + TURN * 0.1",
        "engine_temperature": f"70 + 30 * {share} + TURN * 0.1",
        "odometer_reading": f"10000 + 400000 * {share} + TURN * 2.5",
        "environment_temperature": f"-10 + 40 * {share} + TURN * 0.01",
    }.get(metric.name, f"{metric.minimum + 0.1 * span} + {0.4 * span} * {share} + TURN * 0.001")


VALUES = ", ".join(plausible(metric, index) for index, metric in enumerate(METRICS))


@pytest.fixture(scope="module")
def believable(snowflake_tls: Any) -> Iterator[Account]:
    """A history in which nothing is implausible, so that what is measured is the check."""
    with tempfile.TemporaryDirectory(prefix="plausibility-benchmark-") as directory:
        yield Account(Path(directory), snowflake_tls, ROWS, VALUES)


def seconds(connection: SnowflakeConnection, *statements: str) -> float:
    begun = time.perf_counter()
    for statement in statements:
        execute(connection, statement, **({"since": SINCE} if "%(since)s" in statement else {}))
    return time.perf_counter() - begun


@pytest.mark.parametrize("trucks", [1_000, 100_000])
def test_rules_beside_the_merge(benchmarks: Benchmarks, believable: Account, trucks: int):
    merges, checks, hours = [], [], []
    for _ in range(ROUNDS):
        believable.restore()
        with believable.running() as connection:
            # A running server has compiled the statements long ago.
            execute(connection, EARLIEST)
            execute(connection, MERGE, earliest="2026-11-01T00:00:00")
            seconds(connection, *RULES.values(), OPEN)
            execute(connection, landing(Batch(believable.turns, trucks, values=VALUES)))
            took, changed = timed(connection)
            assert changed == (trucks, trucks, 0)
            merges.append(float(took))
            checks.append(seconds(connection, RULES["new_readings"], OPEN))
            hours.append(seconds(connection, RULES["last_hour"]))
            assert execute(connection, f"select count(*) from {names.FINDINGS_TABLE}") == [(0,)]
            assert execute(connection, f"select count(*) from {names.PLAUSIBILITY_STREAM}") == [(0,)]
    name = "plausibility_rules_vs_merge" if trucks > 1_000 else "plausibility_rules_1000_vs_merge"
    merge, check, hour = map(statistics.median, (merges, checks, hours))
    benchmarks.report(name, check, "s", baseline=merge, must_be="<= 0.2")
    if trucks > 1_000:
        benchmarks.report("plausibility_last_hour", hour, "s")
