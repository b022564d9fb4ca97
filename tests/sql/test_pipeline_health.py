"""The statements of the dashboard's page Pipeline health, on rows whose figures are known."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from include import names, sql
from tests.sql.test_ops import load, run_row

pytestmark = pytest.mark.sql

SECOND = timedelta(seconds=1)
START = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
RESULT_COLUMNS = ("RUN_ID", "RULE", "SEVERITY", "STATUS", "FAILED_COUNT", "SAMPLES", "MESSAGE", "CHECKED_AT")


def delays(snowflake, since):
    values = {"since": since.isoformat(), "hours": 2, "slice_seconds": 900, "limit": 10}
    return snowflake.execute(sql.render("dashboard/delays.sql"), values)


def test_each_step_of_a_reading_has_its_delay(empty_snowflake, telemetry_bucket):
    name = f"delays-{time.time_ns()}"
    arrival = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - 60 * SECOND
    loaded = load(empty_snowflake, telemetry_bucket, f"{name}-1.json.gz", {1: arrival, 2: arrival})
    # Number 2 lands again; its first landing counts.  The truck measured number 3 ten seconds before it arrived.
    load(empty_snowflake, telemetry_bucket, f"{name}-2.json.gz", {2: arrival})
    late = load(empty_snowflake, telemetry_bucket, f"{name}-3.json.gz", {3: arrival})
    table = names.RAW_TABLE
    empty_snowflake.execute(
        f"update {table} set EVENT_TIME = dateadd('second', -10, ARRIVAL_TIME) where SEQUENCE_NUMBER = '3'"
    )
    empty_snowflake.execute(
        f"update {table} set EVENT_TIME = dateadd('second', 5, ARRIVAL_TIME) where SEQUENCE_NUMBER = '1'"
    )
    record = sql.render("merge/record_run.sql")
    # The first run sees 1 and 2 only if it starts after their load; a repair covers only its scope.
    empty_snowflake.execute(record, run_row("early", arrival - SECOND, arrival + 50 * SECOND))
    empty_snowflake.execute(record, run_row("repair: x", late + SECOND, arrival + 80 * SECOND))
    empty_snowflake.execute(record, run_row("first", late + SECOND, arrival + 90 * SECOND))
    empty_snowflake.execute(record, run_row("second", late + 2 * SECOND, arrival + 95 * SECOND))

    ((start, readings, merged, *figures),) = delays(empty_snowflake, arrival - 2 * SECOND)
    assert (readings, merged) == (3, 3)
    assert start <= arrival < start + timedelta(minutes=15)
    sent, sent_95, stored, stored_95, _, _, total, total_95 = map(float, figures)
    assert (sent, sent_95) == (0, pytest.approx(9))  # Of 0 (a clock that runs ahead), 0 and 10 seconds.
    assert stored <= (loaded - arrival) / SECOND + 1
    assert stored <= stored_95 <= (late - arrival) / SECOND
    assert (total, total_95) == (90, 90)


def test_a_step_that_has_not_happened_has_no_delay(empty_snowflake, telemetry_bucket):
    arrival = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - 60 * SECOND
    load(empty_snowflake, telemetry_bucket, f"unmerged-{time.time_ns()}.json.gz", {1: arrival})
    ((_, readings, merged, sent, _, stored, *_, total, total_95),) = delays(empty_snowflake, arrival - SECOND)
    assert (readings, merged, float(sent), total, total_95) == (1, 0, 0, None, None)
    assert stored is not None


def test_readings_from_before_the_window_are_left_out(empty_snowflake, telemetry_bucket):
    arrival = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - 60 * SECOND
    load(empty_snowflake, telemetry_bucket, f"before-{time.time_ns()}.json.gz", {1: arrival})
    assert delays(empty_snowflake, arrival + SECOND) == []


def results(*rows):
    """Results of one rule after the other: (run, rule, status, minutes after START)."""
    return [
        (run, rule, "fail", status, 1, json.dumps([run]), "m", START + timedelta(minutes=minutes))
        for run, rule, status, minutes in rows
    ]


def test_the_newest_results_of_each_rule_come_first(empty_snowflake):
    empty_snowflake.insert(
        names.QUALITY_RESULTS_TABLE,
        RESULT_COLUMNS,
        results(
            ("old", "a", "fail", -3 * 24 * 60),  # Longer ago than the two days that are read.
            ("1", "a", "pass", 1),
            ("1", "gone", "fail", 1),
            ("2", "a", "fail", 2),
            ("2", "b", "pass", 2),
            ("2", "gone", "removed", 2),
            ("3", "a", "error", 3),
        ),
    )
    found = empty_snowflake.execute(
        sql.render("dashboard/quality_history.sql"),
        {"runs": 2, "limit": 100, "last_check": (START + timedelta(minutes=3)).isoformat()},
    )
    assert [(rule, status, run) for rule, _, status, _, _, run in found] == [
        ("a", "error", "3"),
        ("a", "fail", "2"),
        ("b", "pass", "2"),
        ("gone", "fail", "1"),
    ]


def test_the_runs_of_one_rule_have_their_samples(empty_snowflake):
    empty_snowflake.insert(
        names.QUALITY_RESULTS_TABLE,
        RESULT_COLUMNS,
        results(("1", "a", "pass", 1), ("2", "a", "fail", 2), ("2", "b", "fail", 2), ("3", "a", "removed", 3)),
    )
    found = empty_snowflake.execute(sql.render("dashboard/rule_results.sql"), {"rule": "a", "limit": 5})
    assert [(run, status, samples) for run, _, status, _, samples, *_ in found] == [
        ("2", "fail", '["2"]'),
        ("1", "pass", '["1"]'),
    ]


def test_the_pipe_says_its_state(snowflake):
    ((status,),) = snowflake.execute(sql.render("dashboard/pipe_status.sql"))
    assert json.loads(status)["executionState"] == "RUNNING"
