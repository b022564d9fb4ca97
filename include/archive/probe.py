"""Probe records: they show that a stream's records reach the archive, before real records are sent.

Firehose starts to read a stream at its tip, some time after the delivery stream reports that it is active.  Only a
probe in the archive proves that records are archived.

A probe is an invalid record like any other.  Its function quarantines it, so everything that counts records counts it.
Its sender then moves it to quarantine-resolved/ (docs/adr/0006).
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, NamedTuple

from include.contracts.probe import PARTITION_KEY, payload


class Probe(NamedTuple):
    """One probe as the stream accepted it."""

    stream: str
    shard_id: str
    sequence_number: str
    sent: datetime  # A moment before the stream accepted it.


def send(kinesis: Any, stream: str, sent: datetime) -> list[Probe]:
    """Send a probe to each open shard: Firehose starts to read each shard at its own time."""
    return [_send_to(kinesis, stream, shard, sent) for shard in _open_shards(kinesis, stream)]


def _send_to(kinesis: Any, stream: str, shard: dict[str, Any], sent: datetime) -> Probe:
    answer = kinesis.put_record(
        StreamName=stream,
        Data=payload(str(uuid.uuid4())),
        PartitionKey=PARTITION_KEY,
        ExplicitHashKey=shard["HashKeyRange"]["StartingHashKey"],
    )
    return Probe(stream, answer["ShardId"], answer["SequenceNumber"], sent)


def _open_shards(kinesis: Any, stream: str) -> list[dict[str, Any]]:
    pages = kinesis.get_paginator("list_shards").paginate(StreamName=stream)
    shards = [shard for page in pages for shard in page["Shards"]]
    return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]
