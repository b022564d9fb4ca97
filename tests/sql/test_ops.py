"""The statements that people run by hand, and the small ones around the merge."""

import gzip
import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from include import names, sql
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.sql

START = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.


def run_row(run_id, started_at, finished_at, inserted=1):
    return {
        "run_id": run_id,
        "started_at": started_at,
        "finished_at": finished_at,
        "rows_inserted": inserted,
        "rows_updated": 2,
        "rows_deleted": 3,
    }


def test_a_run_is_recorded_once_however_often(empty_snowflake):
    record = sql.render("merge/record_run.sql")
    empty_snowflake.execute(record, run_row("run", START, START + timedelta(seconds=1), inserted=7))
    again = run_row("run", START, START + timedelta(seconds=2), inserted=8)
    empty_snowflake.execute(record, again)
    assert empty_snowflake.execute(f"select * from {names.MERGE_RUNS_TABLE}") == [tuple(again.values())]


def load(snowflake, bucket, name, arrivals):
    """Put a landing file and wait until Snowpipe has loaded it; return when, in UTC."""
    lines = [
        {
            "truck_id": "TRK001",
            "event_time": arrival.isoformat(),
            "stream_name": names.TRUCK_STREAM,
            "shard_id": "shardId-000000000000",
            "sequence_number": str(number),
            "arrival_time": arrival.isoformat(),
            "partition_key": "TRK001",
        }
        for number, arrival in arrivals.items()
    ]
    bucket.put(f"{names.LANDING_PREFIX}{name}", gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    snowflake.execute(f"alter pipe {names.PIPE} refresh")
    (found, *_) = wait_for(
        lambda: [row for row in loads_since(snowflake, timedelta(minutes=5)) if row[0].endswith(name)],
        f"the load of {name}",
    )
    assert found[1:4] == ("Loaded", len(lines), 0)
    return datetime.now(UTC).replace(tzinfo=None)


def loads_since(snowflake, ago):
    now = datetime.now(UTC)
    window = {"since": (now - ago).isoformat(), "until": now.isoformat()}
    return snowflake.execute(sql.render("ops/loads_since.sql"), window)


def test_latency_goes_from_arrival_to_the_first_merge_after_the_load(empty_snowflake, telemetry_bucket):
    name = f"latency-{time.time_ns()}"
    arrival = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(seconds=60)
    before = datetime.now(UTC).replace(tzinfo=None)
    load(empty_snowflake, telemetry_bucket, f"{name}-1.json.gz", {1: arrival, 2: arrival})
    # Number 2 lands again; its first landing counts.
    loaded = load(empty_snowflake, telemetry_bucket, f"{name}-2.json.gz", {2: arrival, 3: arrival})
    record = sql.render("merge/record_run.sql")
    second = timedelta(seconds=1)
    # The first run is too early to see them, the second sees all, and the third sees them again.
    empty_snowflake.execute(record, run_row("early", before - second, before + second))
    empty_snowflake.execute(record, run_row("first", loaded + second, arrival + timedelta(seconds=90)))
    empty_snowflake.execute(record, run_row("second", loaded + 2 * second, arrival + timedelta(seconds=95)))
    ((readings, p50, p95),) = empty_snowflake.execute(sql.render("ops/reading_to_current_row.sql"))
    assert (readings, float(p50), float(p95)) == (3, 90.0, 90.0)


def test_latency_of_nothing_is_nothing(empty_snowflake):
    assert empty_snowflake.execute(sql.render("ops/reading_to_current_row.sql")) == [(0, None, None)]


def test_loads_are_listed_within_the_window_only(empty_snowflake, telemetry_bucket):
    name = f"window-{time.time_ns()}.json.gz"
    load(empty_snowflake, telemetry_bucket, name, {1: START})
    assert any(row[0].endswith(name) for row in loads_since(empty_snowflake, timedelta(minutes=30)))
    assert not any(row[0].endswith(name) for row in loads_since(empty_snowflake, -timedelta(minutes=1)))
