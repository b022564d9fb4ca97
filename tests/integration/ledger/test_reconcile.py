"""The DAG reconcile over real functions, stores, Snowpipe and history: it reports a difference once, and its end."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from include import names

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

HOUR = timedelta(hours=1)
CLICKS, TRUCKS = names.CLICK_STREAM, names.TRUCK_STREAM
COUNTS = ("ARCHIVED", "LANDED", "DUPLICATES", "QUARANTINED", "RESOLVED", "MISSING")
NOWHERE = "archived, but neither in the sink nor in quarantine"


def click(pipeline: Any, second: int, counts: int = 1) -> bytes:
    at = (pipeline.first + timedelta(seconds=second)).isoformat()
    return json.dumps({"Item_ID": "MOB001", "Item_Name": "Mobile", "Timestamp": at, "Click_Counts": counts}).encode()


def reading(pipeline: Any, second: int, hour: int = 0) -> bytes:
    at = (pipeline.first + hour * HOUR + timedelta(seconds=second)).isoformat()
    return json.dumps({"truck_id": f"TRK{second % 2}", "timestamp": at, "vehicle_speed": second // 4}).encode()


def counts(row: dict[str, Any]) -> tuple[int, ...]:
    return tuple(row[name] for name in COUNTS)


@pytest.mark.verify
def test_lost_records_are_named_reported_once_and_reported_as_recovered(pipeline: Any) -> None:
    first, second = pipeline.first, pipeline.first + HOUR
    sent = [click(pipeline, number) for number in range(30)]
    clicks = pipeline.arrive(CLICKS, [*sent, sent[3], click(pipeline, 5, counts=9), b"no JSON"], first)
    readings = pipeline.arrive(TRUCKS, [*(reading(pipeline, number) for number in range(40)), b"{", b""], first)
    pipeline.process(first)
    pipeline.wait_for_rows(40)
    pipeline.merge()

    # Healthy: the ledger counts what the stores have.
    state, run_id = pipeline.reconcile()
    assert (state, pipeline.alerts()) == ("success", [])
    ledger = pipeline.ledger()
    assert counts(ledger[CLICKS, 0]) == (33, 30, 1, 2, 0, 0)
    assert counts(ledger[TRUCKS, 0]) == (42, 40, 0, 2, 0, 0)
    assert (ledger[TRUCKS, 0]["COVERED"], ledger[TRUCKS, 0]["UNCOVERED"]) == (40, 0)
    assert len(pipeline.keys(f"{names.QUARANTINE_PREFIX}{CLICKS}/")) == 2
    # Every closed hour since the archive began is there, the open one is not.
    assert {hour for _, hour in ledger} in ({0, 1, 2, 3}, {0, 1, 2, 3, 4})
    assert all(row["BALANCED"] and not row["IS_OPEN"] and row["RUN_ID"] == run_id for row in ledger.values())

    # One of each: a lost notification, a lost quarantine object, a lost row, a version gone, a key with two contents.
    pipeline.s3.put_bucket_notification_configuration(Bucket=pipeline.bucket, NotificationConfiguration={})
    late = pipeline.arrive(TRUCKS, [reading(pipeline, number, hour=1) for number in range(10)], second)
    pipeline.process(second)
    (lost_file,) = pipeline.keys(f"{names.LANDING_PREFIX}{second:%Y/%m/%d/%H}/")
    lost_object = f"{names.QUARANTINE_PREFIX}{TRUCKS}/{first:%Y/%m/%d/%H}/shardId-000000000000-{readings[40]}.json"
    pipeline.s3.delete_object(Bucket=pipeline.bucket, Key=lost_object)
    key = {"Timestamp": {"S": f"{(first + timedelta(seconds=7)).isoformat()[:19]}.000000"}, "Item_ID": {"S": "MOB001"}}
    lost_row = pipeline.client("dynamodb").delete_item(TableName=names.CLICK_TABLE, Key=key, ReturnValues="ALL_OLD")
    assert lost_row["Attributes"]["Sequence_Number"]["S"] == clicks[7]
    pipeline.query(f"delete from {names.HISTORY_TABLE} where TRUCK_ID = 'TRK1' and VEHICLE_SPEED = 3")
    (other,) = pipeline.arrive(CLICKS, [click(pipeline, 11, counts=5)], first + timedelta(minutes=30))

    state, run_id = pipeline.reconcile(since=first.isoformat(), until=(second + HOUR).isoformat())
    assert state == "failed"
    (alert,) = pipeline.alerts()
    assert alert["Subject"] == f"[failed] reconcile: {CLICKS} {first:%Y-%m-%dT%H} and 2 more"
    message = alert["Message"]
    for part in (
        "3 of 4 hours do not balance",
        f"1 missing ({NOWHERE}): shardId-000000000000 {clicks[7]}\n",
        f"MOB001 (shardId-000000000000 {clicks[11]}, shardId-000000000000 {other}; the row arrived",
        f"1 missing ({NOWHERE}): shardId-000000000000 {readings[40]} is in no landing object",
        f"10 missing ({NOWHERE}): {lost_file} is not loaded (10 readings)",
        f"2 uncovered (readings in RAW that the history does not have): shardId-000000000000 {readings[13]} TRK1",
        "docs/runbooks/reconcile.md",
    ):
        assert part in message, message
    ledger = pipeline.ledger()
    assert counts(ledger[CLICKS, 0]) == (34, 29, 2, 2, 0, 1)
    assert counts(ledger[TRUCKS, 0]) == (42, 40, 0, 1, 0, 1)
    assert counts(ledger[TRUCKS, 1]) == (10, 0, 0, 0, 0, 10)
    assert ledger[TRUCKS, 1]["NOT_LOADED"] == 10
    assert [ledger[key]["BALANCED"] for key in ((CLICKS, 0), (TRUCKS, 0), (TRUCKS, 1))] == [False] * 3
    assert json.loads(ledger[CLICKS, 0]["DETAILS"])["missing"] == [f"shardId-000000000000 {clicks[7]}"]
    assert len(late) == 10

    # The next scheduled run counts them again and sends no alert.  As if the archive's objects, which this test stores
    # hours after their records arrived, had been there at the last count.
    pipeline.pretend_counts_were(timedelta(minutes=10))
    state, again = pipeline.reconcile()
    assert (state, pipeline.alerts()) == ("success", [])
    ledger = pipeline.ledger()
    # Hour 4 closes fifteen minutes after its end: while this test runs, if it runs at that minute.
    counted_again = {(stream, hour) for (stream, hour), row in ledger.items() if row["RUN_ID"] == again and hour < 4}
    assert counted_again == {(CLICKS, 0), (TRUCKS, 0), (TRUCKS, 1)}
    assert counts(ledger[CLICKS, 0]) == (34, 29, 2, 2, 0, 1)

    # What the runbook says: refresh the pipe, rebuild the hour, repair the history.  In one batch the first of the two
    # contents is kept, and the other one is quarantined.
    pipeline.query(f"alter pipe {names.PIPE} refresh")
    pipeline.process(first)
    pipeline.wait_for_rows(50)
    pipeline.merge()
    state, last = pipeline.reconcile()
    assert state == "success"
    (alert,) = pipeline.alerts()
    assert alert["Subject"] == f"[recovered] reconcile: {CLICKS} {first:%Y-%m-%dT%H} and 2 more"
    ledger = pipeline.ledger()
    assert [key for key, row in ledger.items() if not row["BALANCED"]] == []
    assert counts(ledger[CLICKS, 0]) == (34, 30, 1, 3, 0, 0)
    assert counts(ledger[TRUCKS, 0]) == (42, 40, 0, 2, 0, 0)
    assert counts(ledger[TRUCKS, 1]) == (10, 10, 0, 0, 0, 0)
    assert {
        (stream, hour) for (stream, hour), row in ledger.items() if row["RUN_ID"] == last and hour < 4
    } == counted_again

    # While S3 refused writes, the archive and the function held a click: its hour was counted, and balanced without it.
    pipeline.pretend_counts_were(timedelta(hours=-1))
    held = first + 2 * HOUR
    pipeline.arrive(CLICKS, [click(pipeline, 2 * 3600)], held)
    pipeline.process(held)
    assert (ledger[CLICKS, 2]["ARCHIVED"], ledger[CLICKS, 2]["BALANCED"]) == (0, True)
    state, _ = pipeline.reconcile()
    assert state == "success"
    assert counts(pipeline.ledger()[CLICKS, 2]) == (1, 1, 0, 0, 0, 0)
