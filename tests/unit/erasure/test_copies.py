"""Until when copies of an erased truck stay, to the day."""

from datetime import UTC, datetime, timedelta

import pytest

from include.erasure.copies import Erasure, TableFacts, copies

pytestmark = pytest.mark.unit

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
PERMANENT, TRANSIENT = TableFacts(False, 1), TableFacts(True, 1)


def days(erasure=None, tables=None, unread=()):
    """Store -> days after the erasure until which it may hold a copy."""
    erasure = erasure or Erasure(run_id="run", erased_at=AT, tables={"RAW": PERMANENT, "RESULTS": TRANSIENT})
    found = copies(erasure, tables or {}, unread, raw_table="RAW", stream_retention=timedelta(hours=24))
    assert found == sorted(found, key=lambda copy: copy.until)
    return {copy.store: (copy.until - AT) / timedelta(days=1) for copy in found}


def test_each_store_to_the_day():
    assert days() == {
        "Kinesis": 1,
        "Time Travel of RAW": 1 + 1,
        "Time Travel of RESULTS": 1 + 1,
        "Snowflake's values of bind variables": 7,
        "Fail-safe of RAW": 1 + 7 + 1,
        "DynamoDB's point-in-time recovery": 35,
    }


def test_a_longer_retention_counts_whether_it_was_then_or_is_now():
    for then, now in ((90, 1), (1, 90)):
        erasure = Erasure(run_id="run", erased_at=AT, tables={"RAW": TableFacts(False, then)})
        assert days(erasure, {"RAW": TableFacts(False, now)})["Fail-safe of RAW"] == 90 + 7 + 1


def test_a_table_that_was_moved_to_transient_keeps_its_old_fail_safe():
    erasure = Erasure(run_id="run", erased_at=AT, tables={"RESULTS": PERMANENT})
    assert days(erasure, {"RESULTS": TRANSIENT})["Fail-safe of RESULTS"] == 9


def test_a_stream_that_nobody_reads_holds_the_old_rows_of_raw():
    found = days(unread=["S"])
    assert found["Time Travel of RAW (at most: nobody has read S since)"] == 14 + 1
    assert found["Fail-safe of RAW"] == 14 + 7 + 1
    assert found["Time Travel of RESULTS"] == 2


def test_a_message_of_the_load_history_stays_for_a_year():
    erasure = Erasure(run_id="run", erased_at=AT, load_message_at=AT - timedelta(days=3))
    assert days(erasure)["messages of ACCOUNT_USAGE.COPY_HISTORY"] == 362
