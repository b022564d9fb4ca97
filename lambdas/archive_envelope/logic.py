"""The raw archive: the answer to one invocation by Firehose."""

from __future__ import annotations

from base64 import b64encode
from typing import Literal, NotRequired, TypedDict

import msgspec

from include.contracts.archive import ArchivedRecord, arrival_text, encode_line

# Lambda refuses an answer of more than 6 MB, and Firehose would then give up on the whole batch.  This leaves room for
# the JSON around the records.
MAX_ANSWER_BYTES = 6_000_000
# {"recordId":"","result":"Ok","data":""}, and a comma.
_BYTES_AROUND = 48


class RecordMetadata(TypedDict):
    """What Kinesis knows of a record; the arrival is in milliseconds since the epoch."""

    shardId: str
    partitionKey: str
    sequenceNumber: str
    # The position in the aggregate that Firehose took the record from; 0 for a record that came alone.
    subsequenceNumber: NotRequired[int | str | None]
    approximateArrivalTimestamp: int


class FirehoseRecord(TypedDict):
    """One record of a transformation event; ``data`` is base64."""

    recordId: str
    data: str
    kinesisRecordMetadata: RecordMetadata


class FirehoseEvent(TypedDict):
    """The part of a transformation event that is used here."""

    deliveryStreamArn: NotRequired[str]
    sourceKinesisStreamArn: NotRequired[str]
    records: list[FirehoseRecord]


class TransformedRecord(TypedDict):
    """One record of the answer; ``data`` is base64."""

    recordId: str
    result: Literal["Ok", "ProcessingFailed"]
    data: NotRequired[str]


class ArchiveAnswer(msgspec.Struct):
    """An answer to Firehose, and what happened to the records: received = archived + failed."""

    records: list[TransformedRecord]
    # Record id -> why it is not archived.  Firehose keeps its payload under the error prefix.
    failed: dict[str, str]
    # When the oldest record arrived, in milliseconds since the epoch.
    oldest_arrival: int | None

    @property
    def archived(self) -> int:
        return len(self.records) - len(self.failed)


def transform(event: FirehoseEvent, *, max_answer_bytes: int = MAX_ANSWER_BYTES) -> ArchiveAnswer:
    """Turn each record of a Firehose event into one line of the archive, in the event's order.

    The payload is not decoded: empty and malformed payloads are archived unchanged.  A record that fits no line, or for
    which the answer has no room, is marked as failed by itself; the others are not affected.
    """
    answer = ArchiveAnswer([], {}, None)
    stream = event.get("sourceKinesisStreamArn", "").rpartition(":stream/")[2]
    room = max_answer_bytes
    for record in event["records"]:
        record_id = record["recordId"]
        try:
            data = b64encode(encode_line(_archived(stream, record))).decode()
        except (KeyError, TypeError, ValueError) as error:
            _fail(answer, record_id, f"{type(error).__name__}: {error}")
            continue
        needed = len(record_id) + len(data) + _BYTES_AROUND
        if needed > room:
            _fail(answer, record_id, f"the answer would have more than {max_answer_bytes:,} bytes")
            continue
        room -= needed
        answer.records.append({"recordId": record_id, "result": "Ok", "data": data})
        arrival = record["kinesisRecordMetadata"]["approximateArrivalTimestamp"]
        answer.oldest_arrival = arrival if answer.oldest_arrival is None else min(answer.oldest_arrival, arrival)
    return answer


def _archived(stream: str, record: FirehoseRecord) -> ArchivedRecord:
    if not stream:
        raise ValueError("the event names no source stream")
    metadata = record["kinesisRecordMetadata"]
    return ArchivedRecord(
        stream=stream,
        shard_id=metadata["shardId"],
        sequence_number=metadata["sequenceNumber"],
        arrival_time=arrival_text(metadata["approximateArrivalTimestamp"]),
        partition_key=metadata["partitionKey"],
        payload_base64=record["data"],
        # AWS's own sample event has an empty text here.
        sub_sequence_number=int(metadata.get("subsequenceNumber") or 0),
    )


def _fail(answer: ArchiveAnswer, record_id: str, reason: str) -> None:
    answer.records.append({"recordId": record_id, "result": "ProcessingFailed"})
    answer.failed[record_id] = reason
