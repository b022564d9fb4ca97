"""The event that a Lambda function receives from a Kinesis event source mapping: its shape, read and built.

Replay and rebuild build such events to send stored records through their function again.
"""

from __future__ import annotations

from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

from include.contracts import aggregates
from include.contracts.envelope import Envelope
from include.contracts.times import parse, to_canonical

# How the base64 of every aggregate begins.
_AGGREGATE_BASE64 = b64encode(aggregates.MAGIC)[:5].decode()


class KinesisData(TypedDict):
    """What Kinesis itself knows of a record; ``data`` is base64, the time is in seconds since the epoch."""

    kinesisSchemaVersion: str
    partitionKey: str
    sequenceNumber: str
    data: str
    approximateArrivalTimestamp: float
    # Ours: ``data`` is one user record, and this its position in its aggregate (0 if it came alone).
    subSequenceNumber: NotRequired[int]


class KinesisEventRecord(TypedDict):
    """One entry of the event's ``Records``."""

    kinesis: KinesisData
    eventSource: str
    eventVersion: str
    # "<shard id>:<sequence number>"
    eventID: str
    eventName: str
    eventSourceARN: str


class ReplayedBy(TypedDict):
    """Who replays the records of an event."""

    by: str


class KinesisEvent(TypedDict):
    """The whole event.  The other keys are ours.

    ``replay``: only a replay sets it (include.contracts.quarantine.REPLAY).  ``is_stored``: the records come from a
    store, so any of them may already be in quarantine.
    """

    Records: list[KinesisEventRecord]
    replay: NotRequired[ReplayedBy]
    is_stored: NotRequired[bool]


def user_records(records: Iterable[KinesisEventRecord]) -> Iterator[KinesisEventRecord]:
    """The entries of ``Records`` with each aggregate replaced by its user records, in its place and order.

    A broken aggregate stays as it is, for the contract to reject.  An entry with a sub-sequence number is a user record
    already.
    """
    for record in records:
        if record["kinesis"]["data"].startswith(_AGGREGATE_BASE64) and "subSequenceNumber" not in record["kinesis"]:
            yield from _taken_apart(record)
        else:
            yield record


def envelope_of(record: KinesisEventRecord) -> Envelope:
    """The envelope of one entry of ``Records``.

    Raises:
        KeyError, IndexError: it is not such an entry.
        ValueError: it arrived at a time that no clock has.
    """
    kinesis = record["kinesis"]
    # arn:aws:kinesis:<region>:<account>:stream/<name>, followed by /consumer/… for enhanced fan-out.
    stream = record["eventSourceARN"].split(":stream/", 1)[1].split("/", 1)[0]
    shard_id, _, _sequence_number = record["eventID"].partition(":")
    try:
        arrival = datetime.fromtimestamp(kinesis["approximateArrivalTimestamp"], UTC)
    except (OverflowError, OSError) as error:
        raise ValueError(f"approximateArrivalTimestamp: {error}") from error
    return Envelope(
        stream,
        shard_id,
        kinesis["sequenceNumber"],
        to_canonical(arrival),
        kinesis["partitionKey"],
        kinesis.get("subSequenceNumber", 0),
    )


def kinesis_event(records: Iterable[tuple[Envelope, str]]) -> KinesisEvent:
    """The event with these user records: each an envelope and its payload in base64.

    An envelope does not hold the stream's account and region, so its ARN leaves them empty.  Functions read only the
    stream's name from it.
    """
    return {
        "Records": [_event_record(envelope, payload_base64) for envelope, payload_base64 in records],
        "is_stored": True,
    }


def _taken_apart(record: KinesisEventRecord) -> Iterator[KinesisEventRecord]:
    kinesis = record["kinesis"]
    try:
        found = aggregates.user_records(a2b_base64(kinesis["data"]))
    # Not only a ContractError: if our own code fails, the contract meets the same failure, and names it.
    except Exception:  # noqa: BLE001
        yield record
        return
    for number, (partition_key, payload) in enumerate(found):
        data = b64encode(payload).decode()
        yield {
            **record,
            "kinesis": {**kinesis, "partitionKey": partition_key, "data": data, "subSequenceNumber": number},
        }


def _event_record(envelope: Envelope, payload_base64: str) -> KinesisEventRecord:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": envelope.partition_key,
            "sequenceNumber": envelope.sequence_number,
            "data": payload_base64,
            "approximateArrivalTimestamp": parse(envelope.arrival_time).timestamp(),
            "subSequenceNumber": envelope.sub_sequence_number,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{envelope.shard_id}:{envelope.sequence_number}",
        "eventName": "aws:kinesis:record",
        "eventSourceARN": f"arn:aws:kinesis:::stream/{envelope.stream}",
    }
