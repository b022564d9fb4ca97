"""The MERGE beside other sessions, with real landing files: loads in between, concurrent merges, time zones."""

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from include import names, sql
from sql.merge.history_oracle import history
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.sql

START = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.


def at(second):
    return START + timedelta(seconds=second)


def line(second, speed, number, arrived=None, truck="TRK001"):
    """A line of a landing file, as TruckDataProcessor writes it."""
    return {
        "truck_id": truck,
        "event_time": at(second).isoformat(timespec="microseconds"),
        "vehicle_speed": speed,
        "stream_name": names.TRUCK_STREAM,
        "shard_id": "shardId-000000000000",
        "sequence_number": str(number),
        "arrival_time": at(second if arrived is None else arrived).isoformat(timespec="microseconds"),
        "partition_key": truck,
    }


@pytest.fixture
def snowpipe(open_session, telemetry_bucket):
    """Puts a landing file, has the pipe load it, and waits until another session can read its rows."""
    looking = open_session()

    def load(*lines):
        name = f"{time.time_ns()}.json.gz"
        telemetry_bucket.put(names.LANDING_PREFIX + name, gzip.compress("\n".join(map(json.dumps, lines)).encode()))
        looking.execute(f"alter pipe {names.PIPE} refresh")
        loaded = f"select count(*) from {names.RAW_TABLE} where FILE_NAME = '{names.LANDING_PREFIX}{name}'"
        wait_for(lambda: looking.execute(loaded) == [(len(lines),)], f"the load of {name}")

    return load


def begin(session):
    """Fix what the stream shows: in an account BEGIN does that, the local server waits for the first DML."""
    session.execute("begin")
    session.execute(f"delete from {names.HISTORY_TABLE} where false")


def waiting(snowflake):
    ((rows,),) = snowflake.execute(f"select count(*) from {names.RAW_STREAM}")
    return rows


def test_the_files_that_wait_are_named_with_their_newest_arrival_until_they_are_merged(empty_snowflake, snowpipe):
    files = sql.render("merge/waiting_files.sql")
    snowpipe(*(line(second, 1.0, 100 + second) for second in range(3)))
    snowpipe(line(5, 2.0, 200, arrived=60))
    first, second = empty_snowflake.execute(files)
    assert (first[1:], second[1:]) == ((3, 2, at(60)), (1, 2, at(60)))
    assert first[0] < second[0]
    assert first[0].startswith(names.LANDING_PREFIX)
    empty_snowflake.merge()
    assert empty_snowflake.execute(files) == []


def test_a_load_commits_between_the_streams_snapshot_and_the_merge(empty_snowflake, open_session, snowpipe):
    snowpipe(*(line(second, float(second // 3), 100 + second) for second in range(9)))
    merging = open_session()
    begin(merging)
    assert waiting(merging) == 9
    # Late, corrected, and from another truck: each changes what the merge is about to write.
    snowpipe(line(4, 7.0, 200, arrived=60), line(20, 1.0, 201), line(1, 5.0, 202, truck="TRK002"))
    assert waiting(merging) == 9
    merging.merge()
    merging.execute("commit")
    assert waiting(empty_snowflake) == 3
    empty_snowflake.merge()
    assert empty_snowflake.history() == history(empty_snowflake.readings())
    assert len(empty_snowflake.history()) == 7


def test_a_load_between_the_snapshot_and_a_merge_that_is_rolled_back(empty_snowflake, open_session, snowpipe):
    snowpipe(line(0, 1.0, 100), line(5, 2.0, 101))
    merging = open_session()
    begin(merging)
    assert waiting(merging) == 2
    snowpipe(line(3, 2.0, 102))
    assert waiting(merging) == 2
    merging.merge()
    merging.execute("rollback")
    assert empty_snowflake.history() == []
    assert waiting(empty_snowflake) == 3
    empty_snowflake.merge()
    assert [version.start for version in empty_snowflake.history()] == [at(0), at(3)]


def test_two_merges_at_once_are_as_one(empty_snowflake, open_session, snowpipe):
    for part in range(3):
        snowpipe(*(line(second, float(second), 100 + second) for second in range(part, 30, 3)))
        sessions = [open_session(), open_session()]
        with ThreadPoolExecutor(len(sessions)) as threads:
            changed = list(threads.map(lambda session: session.merge(), sessions))
        assert sorted(changed)[0] == 0
        assert waiting(empty_snowflake) == 0
        assert empty_snowflake.history() == history(empty_snowflake.readings())


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/Los_Angeles"])
def test_all_times_are_utc_whatever_the_accounts_time_zone(
    empty_snowflake, administrator, open_session, snowpipe, zone
):
    before = empty_snowflake.execute("show parameters like 'timezone' in account")[0][1]
    administrator.execute(f"alter account set timezone = '{zone}'")
    try:
        session = open_session()
        assert session.execute("show parameters like 'timezone'")[0][1] == zone
        earliest = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
        snowpipe(line(0, 1.0, 100), line(5, 2.0, 101))
        session.merge()
        latest = datetime.now(UTC).replace(tzinfo=None)
        stored = session.history()
        assert [(version.start, version.end) for version in stored] == [(at(0), at(5)), (at(5), None)]
        assert all(earliest <= version.load_timestamp <= latest for version in stored)
        # A value bound as UTC is read as UTC.
        session.execute(f"update {names.HISTORY_TABLE} set VEHICLE_SPEED = 9 where VEHICLE_SPEED = 2")
        assert session.repair(since=at(6)) == 2
        assert session.history() == stored == history(session.readings())
    finally:
        administrator.execute(f"alter account set timezone = '{before}'")
