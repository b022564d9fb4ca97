"""Probe records: sent to see that what a stream takes reaches the archive, before anything that matters is sent.

Firehose reads a stream from its tip, from some moment after the delivery stream says that it is active: until a probe
has come through, nobody knows whether records are archived.

A probe is an invalid record like any other: its function quarantines it, so that everything that counts records
counts it.  Then whoever sent it moves it to quarantine-resolved/ (docs/adr/0007).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

PARTITION_KEY = "pipeline-probe"


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    pipeline_probe: str


class Probe(NamedTuple):
    """One probe as the stream took it."""

    stream: str
    shard_id: str
    sequence_number: str
    sent: datetime  # just before


def payload() -> bytes:
    """What a probe says: nothing that a click or a reading could."""
    return msgspec.json.encode(_Payload(str(uuid.uuid4())))


def is_probe(data: bytes) -> bool:
    """Whether a record's payload is a probe's."""
    try:
        msgspec.json.decode(data, type=_Payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def send(kinesis: Any, stream: str, sent: datetime) -> list[Probe]:
    """One probe into each open shard: Firehose starts with every shard by itself."""
    return [_send_to(kinesis, stream, shard, sent) for shard in _open_shards(kinesis, stream)]


def _send_to(kinesis: Any, stream: str, shard: dict[str, Any], sent: datetime) -> Probe:
    answer = kinesis.put_record(
        StreamName=stream,
        Data=payload(),
        PartitionKey=PARTITION_KEY,
        ExplicitHashKey=shard["HashKeyRange"]["StartingHashKey"],
    )
    return Probe(stream, answer["ShardId"], answer["SequenceNumber"], sent)


def _open_shards(kinesis: Any, stream: str) -> list[dict[str, Any]]:
    pages = kinesis.get_paginator("list_shards").paginate(StreamName=stream)
    shards = [shard for page in pages for shard in page["Shards"]]
    return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
