"""Invokes the processor function with a batch, and reads its answer as Firehose does."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import ClientError

from include.contracts import ContractError, aggregates
from include.contracts.envelope import numbered
from include.local.aws.firehose_delivery.objects import milliseconds
from include.local.aws.firehose_delivery.settings import DeliverySettings
from include.local.aws.shard_reader import StreamRecord

# The largest payload of a synchronous invocation, and of its answer, in bytes.
PAYLOAD_LIMIT = 6 * 1024 * 1024

PROCESSING_FAILED_STATUS = ("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
MISSING = ("Lambda.MissingRecordId", "One or more record Ids were not returned")
DUPLICATED = ("Lambda.DuplicatedRecordId", "Multiple records were returned with the same record Id")

# A code and a message, as Firehose writes them.
RecordError = tuple[str, str]


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """A record, and the shard that it came from.

    Attributes:
        sub_sequence_number: its position among the user records of its aggregate.
        is_last: whether the Kinesis record has no further user records, so that it can be checkpointed.
    """

    shard_id: str
    record: StreamRecord
    sub_sequence_number: int = 0
    is_last: bool = True

    @property
    def record_id(self) -> str:
        """The id by which the processor knows the record."""
        return f"{self.shard_id}{numbered(self.record.sequence_number, self.sub_sequence_number)}"


@dataclass(frozen=True, slots=True)
class Transformed:
    """The outcome of a batch: the data to deliver, in order, and the single records that failed."""

    data: list[bytes]
    failed: list[tuple[SourceRecord, RecordError]]


class InvocationError(Exception):
    """The whole batch was not transformed, and should be tried again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.error: RecordError = (code, message)


def source_records(shard_id: str, record: StreamRecord) -> list[SourceRecord]:
    """Take an aggregate apart, as Firehose does; one that is broken, like any other record, is passed on whole."""
    if not aggregates.is_aggregate(record.data):
        return [SourceRecord(shard_id, record)]
    try:
        found = aggregates.user_records(record.data)
    except ContractError:
        return [SourceRecord(shard_id, record)]
    return [
        SourceRecord(shard_id, replace(record, partition_key=key, data=data), number, number == len(found) - 1)
        for number, (key, data) in enumerate(found)
    ]


def invoke(
    lambda_client: Any, settings: DeliverySettings, function_arn: str, batch: Sequence[SourceRecord]
) -> Transformed:
    """Transform a batch with one invocation.

    Raises:
        InvocationError: Lambda refused it, the function failed, or its answer can't be read.
        BotoCoreError: Lambda could not be reached.
    """
    payload = event(settings, batch)
    if len(payload) > PAYLOAD_LIMIT:
        raise InvocationError("Lambda.InvalidPayload", f"the event has {len(payload):,} bytes")
    try:
        answer = lambda_client.invoke(FunctionName=function_arn, Payload=payload)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        raise InvocationError(f"Lambda.{code.removesuffix('Exception')}", message) from error
    body = answer["Payload"].read()
    if answer.get("FunctionError"):
        raise InvocationError("Lambda.FunctionError", body[:500].decode(errors="replace"))
    if len(body) > PAYLOAD_LIMIT:
        raise InvocationError("Lambda.FunctionError", f"the answer has {len(body):,} bytes")
    return read_answer(body, batch)


def event(settings: DeliverySettings, batch: Sequence[SourceRecord]) -> bytes:
    """Build the event of a transformation whose source is a Kinesis stream."""
    return json.dumps(
        {
            "invocationId": str(uuid.uuid4()),
            "sourceKinesisStreamArn": settings.stream_arn,
            "deliveryStreamArn": settings.arn,
            "region": settings.region,
            "records": [
                {
                    "recordId": each.record_id,
                    "approximateArrivalTimestamp": milliseconds(each.record.arrival),
                    "data": base64.b64encode(each.record.data).decode(),
                    "kinesisRecordMetadata": {
                        "sequenceNumber": each.record.sequence_number,
                        "subsequenceNumber": each.sub_sequence_number,
                        "partitionKey": each.record.partition_key,
                        "shardId": each.shard_id,
                        "approximateArrivalTimestamp": milliseconds(each.record.arrival),
                    },
                }
                for each in batch
            ],
        },
        separators=(",", ":"),
    ).encode()


def read_answer(body: bytes, batch: Sequence[SourceRecord]) -> Transformed:
    """Read the function's answer by record id.

    Raises:
        InvocationError: the answer is not a list of records.
    """
    try:
        answered = json.loads(body)["records"]
        by_id: dict[str, list[dict[str, Any]]] = {}
        for each in answered:
            by_id.setdefault(each["recordId"], []).append(each)
    except (ValueError, KeyError, TypeError) as error:
        raise InvocationError("Lambda.JsonProcessingException", f"unreadable answer: {error!r}") from error
    transformed = Transformed([], [])
    for source in batch:
        answers = by_id.get(source.record_id, [])
        if len(answers) != 1:
            transformed.failed.append((source, DUPLICATED if answers else MISSING))
            continue
        match answers[0].get("result"):
            case "Dropped":
                continue
            case "Ok":
                try:
                    transformed.data.append(base64.b64decode(answers[0]["data"], validate=True))
                except (KeyError, TypeError, binascii.Error):
                    transformed.failed.append((source, ("Lambda.JsonProcessingException", "data is not base64")))
            case "ProcessingFailed":
                transformed.failed.append((source, PROCESSING_FAILED_STATUS))
            case other:
                transformed.failed.append((source, ("Lambda.JsonProcessingException", f"unknown result {other!r}")))
    return transformed
