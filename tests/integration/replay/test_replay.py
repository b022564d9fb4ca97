"""From a function that raises, through the on-failure destination and quarantine, to the sinks, and nothing doubled."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clicks_to_deliveries.operators.replay_quarantine import ReplayQuarantineOperator

from include import names
from include.contracts import times
from tests.fixtures.waiting import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

# The command line, killed after the first record was processed and before it is moved.
KILLED_BEFORE_THE_MOVE = """
import os, signal, sys
from include.replay import __main__, quarantine_store
quarantine_store.QuarantineStore._add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
sys.exit(__main__.main(sys.argv[1:]))
"""


def clicks(count: int, name: str) -> list[dict[str, Any]]:
    """The even ones by a fine clock; the odd ones share an instant, and have event ids."""
    start = datetime.now(UTC) - timedelta(minutes=1)
    return [
        {
            "Item_ID": name,
            "Item_Name": "A thing",
            "Timestamp": times.to_canonical(start if number % 2 else start + timedelta(microseconds=number)),
            "Click_Counts": 1,
        }
        | ({"Event_ID": f"event {number}"} if number % 2 else {})
        for number in range(count)
    ]


def readings(count: int) -> list[dict[str, Any]]:
    start = datetime.now(UTC) - timedelta(minutes=1)
    return [
        {"truck_id": f"TRK00{number}", "timestamp": times.to_canonical(start), "engine_rpm": 700.0}
        for number in range(count)
    ]


def abandon(pipeline: Any, stream: str, function: str, *payloads: Any) -> list[str]:
    """Send records while their function raises, until all of them are in quarantine; then repair it."""
    pipeline.break_(function)
    numbers = pipeline.put(stream, *payloads)
    wait_for(
        lambda: (
            set(pipeline.documents(names.QUARANTINE_PREFIX, stream)) >= set(numbers)
            and not pipeline.objects(names.ON_FAILURE_PREFIX)
        ),
        "every record in quarantine and no abandoned batch left",
    )
    pipeline.repair(function)
    return numbers


def outcomes(document: dict[str, Any]) -> list[str]:
    return [attempt["outcome"] for attempt in document["history"]]


def test_abandoned_clicks_are_taken_in_and_replayed_twice_nothing_is_doubled_and_the_invalid_stays(pipeline):
    stream, function = names.CLICK_STREAM, names.CLICK_FUNCTION
    *valid, invalid = abandon(pipeline, stream, function, *clicks(9, "replayed"), b'{"Item_ID": "MOB001"}')
    documents = pipeline.documents(names.QUARANTINE_PREFIX, stream)
    assert {documents[number]["reason"] for number in (*valid, invalid)} == {"not_processed"}
    assert "RetryAttemptsExhausted after" in documents[invalid]["rule"]
    assert documents[invalid]["function"] == function

    counted = pipeline.replay("--stream", stream)
    assert (counted.returncode, counted.stderr) == (0, "")
    assert f"{stream}: 10 in quarantine: not_processed 10" in counted.stdout
    assert pipeline.documents(names.QUARANTINE_PREFIX, stream) == documents

    for attempt in (1, 2):
        done = pipeline.replay("--stream", stream, "--execute")
        assert done.returncode == 0, done.stderr
        assert ("resolved 9, still_invalid 1" if attempt == 1 else "Replayed: still_invalid 1") in done.stdout
        assert pipeline.clicks() == sorted(valid)
        resolved = pipeline.documents(names.RESOLVED_PREFIX, stream)
        assert set(resolved) == set(valid)
        assert {tuple(outcomes(document)) for document in resolved.values()} == {("resolved",)}
        (kept,) = pipeline.documents(names.QUARANTINE_PREFIX, stream).values()
        assert kept["envelope"]["sequence_number"] == invalid
        assert (kept["reason"], kept["field"]) == ("missing", "Item_Name")
        assert outcomes(kept) == ["still_invalid"] * attempt


@pytest.mark.verify
def test_abandoned_readings_are_replayed_by_the_operator_and_land_once_in_distinct_envelopes(pipeline, monkeypatch):
    for name, value in pipeline.server.environment.items():
        monkeypatch.setenv(name, value)
    stream = names.TRUCK_STREAM
    numbers = abandon(pipeline, stream, names.TRUCK_FUNCTION, *readings(6))
    assert pipeline.landed() == []

    operator = ReplayQuarantineOperator(
        task_id="replay", bucket=pipeline.bucket, plan={"streams": [stream]}, count_only=False, aws_conn_id=None
    )
    assert operator.execute({"run_id": "a run"})["outcomes"] == {"resolved": 6}
    assert operator.execute({"run_id": "a run"})["outcomes"] == {}

    assert sorted(pipeline.landed()) == sorted(numbers)
    resolved = pipeline.documents(names.RESOLVED_PREFIX, stream)
    assert set(resolved) == set(numbers)
    assert resolved[numbers[0]]["history"][0]["by"] == "replay a run"
    states = pipeline.client("dynamodb").scan(TableName=names.TRUCK_STATE_TABLE)["Items"]
    assert {item["Sequence_Number"]["S"] for item in states} == set(numbers)


@pytest.mark.verify
def test_after_a_kill_between_invocation_and_move_the_next_replay_completes_it_without_doubling(pipeline):
    stream = names.TRUCK_STREAM
    before = set(pipeline.landed())
    numbers = abandon(pipeline, stream, names.TRUCK_FUNCTION, *readings(3))

    killed = pipeline.replay("--stream", stream, "--execute", program=("-c", KILLED_BEFORE_THE_MOVE))

    assert killed.returncode == -signal.SIGKILL
    assert set(pipeline.landed()) - before == set(numbers)
    assert set(pipeline.documents(names.QUARANTINE_PREFIX, stream)) == set(numbers)

    again = pipeline.replay("--stream", stream, "--execute")
    assert "Replayed: resolved 3" in again.stdout
    assert pipeline.documents(names.QUARANTINE_PREFIX, stream) == {}
    # The same records give the same landing object, so they do not land twice.
    assert sorted(number for number in pipeline.landed() if number in numbers) == sorted(numbers)


@pytest.mark.verify
def test_a_bisected_batch_that_the_notification_missed_is_taken_in_by_replay(pipeline):
    stream, bucket = names.CLICK_STREAM, names.abandoned_bucket(pipeline.bucket)
    notification = pipeline.s3.get_bucket_notification_configuration(Bucket=bucket)
    notification.pop("ResponseMetadata")
    pipeline.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        pipeline.map(BisectBatchOnFunctionError=True)
        pipeline.break_(names.CLICK_FUNCTION)
        numbers = pipeline.put(stream, *clicks(2, "missed"))
        # In two objects, or in one if the batch was cut before the driver saw the changed setting.
        wait_for(
            lambda: b"".join(pipeline.objects(names.ON_FAILURE_PREFIX).values()).count(b"eventID") == 2,
            "both records in the on-failure destination",
        )
        abandoned = len(pipeline.objects(names.ON_FAILURE_PREFIX))
        pipeline.repair(names.CLICK_FUNCTION)
    finally:
        pipeline.map(BisectBatchOnFunctionError=False)
        pipeline.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=notification)
    counted = pipeline.replay("--reason", "not_processed")
    assert f"{abandoned} abandoned batch" in counted.stdout

    done = pipeline.replay("--reason", "not_processed", "--execute")

    assert "Replayed: resolved 2" in done.stdout
    assert pipeline.objects(names.ON_FAILURE_PREFIX) == {}
    assert set(numbers) <= set(pipeline.clicks())
