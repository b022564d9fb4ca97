"""Invoking a function with quarantined records, as the mapping of their stream once did."""

from __future__ import annotations

import json
import random
import time
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from include import names
from include.contracts.quarantine import QUARANTINED, REPLAY, Quarantined, Verdict
from include.contracts.times import parse

FUNCTIONS = {names.CLICK_STREAM: names.CLICK_FUNCTION, names.TRUCK_STREAM: names.TRUCK_FUNCTION}

# A batch that the function's stores refuse is tried so often, waiting in between with full jitter.
MAX_ATTEMPTS = 5
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 8.0


class ReplayError(RuntimeError):
    """The run can't go on; what it has not come to is as it was.  The message says what to change."""


@dataclass(frozen=True)
class Answered:
    """Everything is durable: in its sink, or still invalid as ``verdicts`` say, by (shard, sequence number)."""

    verdicts: dict[tuple[str, str], Verdict]


@dataclass(frozen=True)
class Raised:
    """The function raised or ran out of time: of the batch as a whole nothing is known."""

    detail: str


@dataclass(frozen=True)
class Refused:
    """The function's stores, or Lambda itself, did not take the batch, however often it was tried."""

    detail: str


Outcome = Answered | Raised | Refused


def event(records: Sequence[Quarantined], by: str) -> dict[str, Any]:
    """The Lambda event of a Kinesis mapping with these records, and who replays them.

    Envelope and payload are what they were.  The stream's account and region were never kept and are left empty in
    its ARN: functions read its name only.
    """
    return {"Records": [_event_record(record) for record in records], REPLAY: {"by": by}}


def _event_record(record: Quarantined) -> dict[str, Any]:
    envelope = record.envelope
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": envelope.partition_key,
            "sequenceNumber": envelope.sequence_number,
            "data": b64encode(record.payload).decode(),
            "approximateArrivalTimestamp": parse(envelope.arrival_time).timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{envelope.shard_id}:{envelope.sequence_number}",
        "eventName": "aws:kinesis:record",
        "eventSourceARN": f"arn:aws:kinesis:::stream/{envelope.stream}",
    }


class Invoker:
    """Invokes functions synchronously.  Thread-safe."""

    def __init__(self, lambda_: Any, by: str) -> None:
        self._lambda = lambda_
        self._by = by

    def process(self, stream: str, records: Sequence[Quarantined]) -> Outcome:
        """What became of ``records`` of one stream and shard, in order of their sequence numbers.

        Raises:
            ReplayError: the function is missing or too old to say what it quarantined.
        """
        payload = json.dumps(event(records, self._by)).encode()
        refused = Refused("")
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
                time.sleep(random.uniform(0, wait))  # noqa: S311
            try:
                outcome = self._invoke(FUNCTIONS[stream], payload)
            except (ClientError, BotoCoreError) as error:
                if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ResourceNotFoundException":
                    raise ReplayError(f"there is no function {FUNCTIONS[stream]}: run provision_resources") from error
                # boto3 has repeated what repeating can heal.
                return Refused(f"{type(error).__name__}: {error}")
            if not isinstance(outcome, Refused):
                return outcome
            refused = outcome
        return refused

    def take_in(self, bucket: str, key: str) -> str | None:
        """Has the intake take in one abandoned batch; None when done, otherwise why not."""
        # Keys in S3's events are encoded as in a form.
        told = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}}
        payload = json.dumps({"Records": [{"s3": told}]}).encode()
        try:
            answer = self._lambda.invoke(FunctionName=names.INTAKE_FUNCTION, Payload=payload)
        except (ClientError, BotoCoreError) as error:
            return f"{type(error).__name__}: {error}"
        body = answer["Payload"].read()
        return _error(body) if answer.get("FunctionError") else None

    def _invoke(self, function: str, payload: bytes) -> Outcome:
        answer = self._lambda.invoke(FunctionName=function, Payload=payload)
        body = answer["Payload"].read()
        if answer.get("FunctionError"):
            return Raised(_error(body))
        try:
            said = json.loads(body)
            if said["batchItemFailures"]:
                return Refused("the function's stores did not take the batch: see its log")
            verdicts = msgspec.convert(said[QUARANTINED], list[Verdict])
        except (ValueError, LookupError, TypeError) as error:
            raise ReplayError(
                f"{function} does not say what it quarantined, so nothing can be called resolved: "
                "publish the present bundles with provision_resources"
            ) from error
        return Answered({(verdict.shard_id, verdict.sequence_number): verdict for verdict in verdicts})


def _error(body: bytes) -> str:
    """A failed invocation's error in a line."""
    try:
        said = json.loads(body)
        return f"{said.get('errorType', 'error')}: {said.get('errorMessage', '')}"[:500]
    except (ValueError, AttributeError):
        return body[:500].decode(errors="replace")
