"""Who a record is: where and when the stream accepted it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from include.contracts.times import to_canonical


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """The identity of a record, (stream, shard_id, sequence_number), with what else the stream knows of it.

    ``arrival_time`` is Kinesis' ApproximateArrivalTimestamp as canonical UTC text.
    """

    stream: str
    shard_id: str
    sequence_number: str
    arrival_time: str
    partition_key: str

    @classmethod
    def from_kinesis_record(cls, record: Mapping[str, Any]) -> "Envelope":
        """The envelope of one entry of a Lambda event's ``Records`` from a Kinesis event source mapping.

        Raises:
            KeyError, IndexError: not such an entry.
        """
        kinesis = record["kinesis"]
        # arn:aws:kinesis:<region>:<account>:stream/<name>, and behind it /consumer/… for enhanced fan-out.
        stream = record["eventSourceARN"].split(":stream/", 1)[1].split("/", 1)[0]
        shard_id, _, _sequence_number = record["eventID"].partition(":")
        arrival = datetime.fromtimestamp(kinesis["approximateArrivalTimestamp"], UTC)
        return cls(stream, shard_id, kinesis["sequenceNumber"], to_canonical(arrival), kinesis["partitionKey"])
