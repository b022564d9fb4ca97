"""Invoking a stream's function with archived records, as its mapping once did."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.contracts.archive import ArchivedRecord
from include.contracts.times import parse
from include.replay.invoker import FUNCTIONS

# A batch that the function's stores refuse is tried so often, waiting in between with full jitter.
MAX_ATTEMPTS = 6
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 10.0


class RebuildError(RuntimeError):
    """The rebuild can't go on; what is done is done, and a further run continues.  The message says where it is."""


def event(records: Sequence[ArchivedRecord]) -> dict[str, Any]:
    """The Lambda event of a Kinesis mapping with these records.

    The stream's account and region are in no archive and are left empty in its ARN: functions read its name only.
    """
    return {"Records": [_event_record(record) for record in records]}


def _event_record(record: ArchivedRecord) -> dict[str, Any]:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": record.sequence_number,
            "data": record.payload_base64,
            "approximateArrivalTimestamp": parse(record.arrival_time).timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{record.shard_id}:{record.sequence_number}",
        "eventName": "aws:kinesis:record",
        "eventSourceARN": f"arn:aws:kinesis:::stream/{record.stream}",
    }


def process(lambda_client: Any, stream: str, records: Sequence[ArchivedRecord]) -> None:
    """Everything of ``records``, of one shard and in order, is durable in its sink or in quarantine.

    Raises:
        RebuildError: it is not, however often it was tried.
    """
    function = FUNCTIONS[stream]
    payload = json.dumps(event(records), separators=(",", ":")).encode()
    reason = ""
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
            time.sleep(random.uniform(0, wait))  # noqa: S311
        try:
            answer = lambda_client.invoke(FunctionName=function, Payload=payload)
        except (ClientError, BotoCoreError) as error:
            # boto3 has repeated what repeating can heal.
            raise RebuildError(f"{function} can't be invoked: {error}") from error
        body = answer["Payload"].read()
        if answer.get("FunctionError"):
            reason = body[:300].decode(errors="replace")
        elif _is_done(function, body):
            return
        else:
            reason = "its stores did not take the batch: see its log"
    first, last = records[0], records[-1]
    raise RebuildError(
        f"{function} failed {MAX_ATTEMPTS} times on {first.stream} {first.shard_id}, {first.sequence_number} "
        f"({first.arrival_time}) to {last.sequence_number}: {reason}"
    )


def _is_done(function: str, body: bytes) -> bool:
    try:
        return not json.loads(body)["batchItemFailures"]
    except (ValueError, LookupError, TypeError) as error:
        raise RebuildError(f"{function} answers {body[:100]!r}, not a report of batch item failures") from error
