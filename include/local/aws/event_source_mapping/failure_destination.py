"""Sends discarded records to a mapping's on-failure destination, in the form that AWS documents.

A queue or topic receives the invocation record, which has no payload; a bucket receives it together with the event.
See https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.local.aws.event_source_mapping.batcher import EventRecord, event_payload
from include.local.aws.event_source_mapping.invoker import Failed
from include.local.aws.event_source_mapping.settings import MappingSettings

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
RECORD_AGE_EXCEEDED = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class Discarded:
    """Discarded records, the reason, and the answer of their last invocation (None if they were never tried)."""

    records: Sequence[EventRecord]
    condition: str
    invocations: int
    last_failure: Failed | None


class UnknownDestinationError(ValueError):
    """The on-failure destination is not a bucket, a queue or a topic."""


class FailureDestination:
    """Sends to S3, SQS and SNS."""

    def __init__(self, *, s3: Any, sqs: Any, sns: Any) -> None:
        self._s3, self._sqs, self._sns = s3, sqs, sns

    def send(self, settings: MappingSettings, shard_id: str, discarded: Discarded, now: datetime) -> None:
        """Send the records to ``settings.on_failure``, which must be set.

        Raises:
            ClientError, BotoCoreError: the destination refused or could not be reached.
            UnknownDestinationError: a Kinesis mapping can't have a destination of this kind.
        """
        record = invocation_record(settings, shard_id, discarded, now)
        destination = settings.on_failure or ""
        service = destination.split(":")[2] if destination.count(":") >= 5 else ""
        name = destination.split(":")[-1]
        if service == "s3":
            # The whole event, as a JSON text inside the JSON document.
            record["payload"] = event_payload(discarded.records).decode()
            key = object_key(settings.uuid, shard_id, now)
            self._s3.put_object(Bucket=name, Key=key, Body=json.dumps(record).encode(), ContentType="application/json")
        elif service == "sqs":
            queue_url = self._sqs.get_queue_url(QueueName=name)["QueueUrl"]
            self._sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(record))
        elif service == "sns":
            self._sns.publish(TopicArn=destination, Message=json.dumps(record))
        else:
            raise UnknownDestinationError(f"on-failure destination {destination!r} is not a bucket, queue or topic")


def object_key(mapping_uuid: str, shard_id: str, now: datetime) -> str:
    """Name the object in S3 for records discarded at ``now``."""
    now = now.astimezone(UTC)
    return f"aws/lambda/{mapping_uuid}/{shard_id}/{now:%Y/%m/%d}/{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"


def invocation_record(settings: MappingSettings, shard_id: str, discarded: Discarded, now: datetime) -> dict[str, Any]:
    """Build the metadata about discarded records, without their payload."""
    failure = discarded.last_failure
    first, last = discarded.records[0].record, discarded.records[-1].record
    answer: dict[str, Any] = {
        "requestContext": {
            "requestId": failure.request_id if failure else str(uuid.uuid4()),
            "functionArn": settings.function_arn,
            "condition": discarded.condition,
            "approximateInvokeCount": discarded.invocations,
        },
    }
    if failure:
        answer["responseContext"] = {
            "statusCode": failure.status_code,
            "executedVersion": failure.executed_version,
            "functionError": failure.function_error,
        }
    return answer | {
        "version": "1.0",
        "timestamp": _milliseconds(now),
        "KinesisBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": _milliseconds(first.arrival),
            "approximateArrivalOfLastRecord": _milliseconds(last.arrival),
            "batchSize": len(discarded.records),
            "streamArn": settings.stream_arn,
        },
    }


def _milliseconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
