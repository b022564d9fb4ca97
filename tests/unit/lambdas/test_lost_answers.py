"""Every call of both functions, unanswered in every way a network has: nothing is acknowledged, nothing is lost.

Where the store had done what it was asked, the batch is delivered again and doubles nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from include import names

pytestmark = pytest.mark.unit

EVENTS = Path(__file__).parents[2] / "events"
# Package of the function -> its stream, and a valid payload of it.
STREAMS = {
    "kinesis_to_dynamodb": (names.CLICK_STREAM, (EVENTS / "click" / "valid" / "plain.json").read_bytes()),
    "truck_data": (names.TRUCK_STREAM, (EVENTS / "telemetry" / "valid" / "nested.json").read_bytes()),
}
CALLS = [
    ("kinesis_to_dynamodb", "BatchWriteItem"),
    ("kinesis_to_dynamodb", "PutObject"),
    ("truck_data", "PutObject"),
    ("truck_data", "BatchExecuteStatement"),
    ("truck_data", "PutItem"),
]
UNANSWERED = [
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
]


def no_answer(kind: type[Exception], request: Any) -> Exception:
    return kind(endpoint_url=request.url, error="no answer")


def carry_out(cloud: Any, operation: str, request: Any) -> None:
    """What the store does with the request."""
    if operation == "PutObject":
        url = urlsplit(request.url)
        bucket, key = url.netloc.partition(".s3")[0], unquote(url.path).removeprefix("/")
        # aws-chunked: one chunk with its size in front, and a checksum behind.
        size, chunk = request.body.read().split(b"\r\n", 1)
        cloud.s3.put_object(Bucket=bucket, Key=key, Body=chunk[: int(size, 16)])
        return
    method = "".join("_" + letter.lower() if letter.isupper() else letter for letter in operation).removeprefix("_")
    getattr(cloud.dynamodb, method)(**json.loads(request.body))


def stored(cloud: Any) -> Any:
    """Everything in every store, without the moment of its writing."""
    rows = {
        table: [{name: value for name, value in row.items() if name != "Ingested_At"} for row in cloud.rows(table)]
        for table in (names.CLICK_TABLE, names.CLICK_ITEM_TABLE, names.TRUCK_STATE_TABLE)
    }
    return rows, cloud.objects("")


@pytest.fixture
def batch(kinesis_event):
    def build(package: str) -> dict[str, Any]:
        stream, valid = STREAMS[package]
        return kinesis_event([b"poison", valid], stream=stream)

    return build


@pytest.mark.parametrize("kind", UNANSWERED)
@pytest.mark.parametrize(("package", "operation"), CALLS)
def test_call_without_an_answer_acknowledges_no_record_for_it(
    new_function, cloud, batch, no_waiting, package, operation, kind
):
    def fail(request: Any) -> None:
        raise no_answer(kind, request)

    function = new_function(package)
    function.on_wire(operation, fail)
    event = batch(package)

    # The first record is invalid: it is quarantined by PutObject, and needs no other call.
    left = event["Records"][operation != "PutObject"]["kinesis"]["sequenceNumber"]
    assert function(event) == {"batchItemFailures": [{"itemIdentifier": left}]}
    # Tried again a bounded number of times.
    assert 1 <= function.calls.count(operation) <= 6


@pytest.mark.parametrize(("package", "operation"), CALLS)
def test_write_whose_answer_was_lost_is_doubled_by_nothing(new_function, cloud, batch, no_waiting, package, operation):
    losing = True

    def lose_the_answer(request: Any) -> None:
        if losing:
            carry_out(cloud, operation, request)
            raise no_answer(ReadTimeoutError, request)

    event = batch(package)
    function = new_function(package)
    function.on_wire(operation, lose_the_answer)
    # A conditional PutItem that is repeated meets its own first attempt, and so knows that all is well.
    assert bool(function(event)["batchItemFailures"]) == (operation != "PutItem")
    losing = False
    # The next attempt is another container's, and then that one dies between its last write and the checkpoint.
    assert new_function(package)(event) == {"batchItemFailures": []}
    once = stored(cloud)
    assert new_function(package)(event) == {"batchItemFailures": []}

    assert stored(cloud) == once
    rows, objects = once
    main = names.CLICK_TABLE if package == "kinesis_to_dynamodb" else names.TRUCK_STATE_TABLE
    assert len(rows[main]) == 1
    assert len([key for key in objects if key.startswith(names.QUARANTINE_PREFIX)]) == 1
    landed = [key for key in objects if key.startswith(names.LANDING_PREFIX)]
    assert len(landed) == (package == "truck_data")
