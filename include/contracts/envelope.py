"""A record's identity: where and when the stream accepted it."""

import msgspec


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """The identity of a record, (stream, shard_id, sequence_number), and what else the stream knows about it.

    ``arrival_time`` is Kinesis' ApproximateArrivalTimestamp as canonical UTC text.
    """

    stream: str
    shard_id: str
    sequence_number: str
    arrival_time: str
    partition_key: str
