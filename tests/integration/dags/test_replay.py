"""The DAG replay: the values of its form as the operator gets them, and its alert."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from include import names
from include.contracts import Envelope
from include.contracts.quarantine import Quarantined, decode, encode, object_key
from include.settings import settings

pytestmark = pytest.mark.integration

# Quarantines payloads that ask for it, and raises on others.
FUNCTION = """
import base64

def handler(event, context):
    print(event["replay"])
    quarantined = []
    for record in event["Records"]:
        payload = base64.b64decode(record["kinesis"]["data"])
        if payload == b"raise":
            raise ValueError("asked to")
        if payload == b"invalid":
            shard, _, number = record["eventID"].partition(":")
            found = {"reason": "missing", "field": "Item_ID", "value": None, "rule": "must be there"}
            quarantined.append({"shard_id": shard, "sequence_number": number, **found})
    return {"batchItemFailures": [], "quarantined": quarantined}
"""


@pytest.fixture
def quarantine(stack: Any) -> Iterator[Any]:
    """The settings' telemetry bucket with a function for clicks; ``(number, payload, hour)`` puts a record."""
    bucket, s3, lambda_ = settings().telemetry_bucket, stack.aws("s3"), stack.aws("lambda")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("function.py", FUNCTION)
    for each in (bucket, names.abandoned_bucket(bucket)):
        s3.create_bucket(Bucket=each)
    lambda_.create_function(
        FunctionName=names.CLICK_FUNCTION,
        Runtime="python3.11",
        Handler="function.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": code.getvalue()},
    )

    def put(number: int, payload: bytes, hour: int = 14) -> str:
        arrival = f"2026-11-22T{hour}:00:00.000000"
        envelope = Envelope(names.CLICK_STREAM, "shardId-000000000000", str(number), arrival, "key")
        record = Quarantined(
            reason="bad_time", field=None, value=None, rule="", envelope=envelope, payload=payload, function=""
        )
        key = object_key(names.QUARANTINE_PREFIX, envelope)
        s3.put_object(Bucket=bucket, Key=key, Body=encode(record))
        return key

    def keys() -> list[str]:
        return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    put.keys = keys
    put.read = lambda key: decode(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    yield put
    lambda_.delete_function(FunctionName=names.CLICK_FUNCTION)
    for key in keys():
        s3.delete_object(Bucket=bucket, Key=key)
    s3.delete_bucket(Bucket=bucket)


def test_counts_by_default_and_replays_what_the_form_chooses(run, quarantine):
    early, good, bad = quarantine(1, b"valid", 13), quarantine(2, b"valid"), quarantine(3, b"invalid")
    assert run("replay").state == "success"
    assert quarantine.keys() == [early, good, bad]

    chosen = {
        "streams": [names.CLICK_STREAM],
        "reasons": ["bad_time"],
        "since": "2026-11-22T15:00:00+01:00",
        "until": "2026-11-22T15:00:00Z",
        "limit": 5,
        "dry_run": False,
    }
    finished = run("replay", **chosen)
    assert finished.state == "success"

    assert quarantine.keys() == [good.replace(names.QUARANTINE_PREFIX, names.RESOLVED_PREFIX), early, bad]
    kept = quarantine.read(bad)
    assert (kept.reason, [attempt.outcome for attempt in kept.history]) == ("missing", ["still_invalid"])
    assert kept.history[0].by == f"replay {finished.run_id}"


def test_records_that_make_the_function_raise_fail_the_run_once_with_an_alert(run, quarantine, stack):
    stack.failed_runs()
    key = quarantine(1, b"raise")
    assert run("replay", dry_run=False).state == "failed"
    (attempt,) = quarantine.read(key).history
    assert attempt.detail.endswith(": asked to")
    (failed,) = stack.failed_runs()
    assert (failed.dag_id, failed.tasks, failed.is_manual) == ("replay", ("replay",), True)
    assert "Replayed: raised 1" in failed.error
    assert f"raised: {attempt.detail}" in failed.error


def test_a_reason_that_is_no_list_is_refused_before_anything_is_tried(run, quarantine):
    key = quarantine(1, b"valid")
    with pytest.raises(ValueError, match="reasons"):
        run("replay", reasons="bad_time", dry_run=False)
    assert quarantine.keys() == [key]
