"""A record's identity: where and when the stream accepted it."""

import msgspec


class Envelope(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The identity of a record, (stream, shard_id, sequence_number, sub_sequence_number), and what else is known of it.

    ``arrival_time`` is Kinesis' ApproximateArrivalTimestamp as canonical UTC text.

    ``sub_sequence_number`` is the record's position in its aggregate (include.contracts.aggregates).  It is 0 for the
    first one and for every record that is not aggregated, as in Firehose's events, and 0 is never written: so whatever
    is stored of an ordinary record does not name it.
    """

    stream: str
    shard_id: str
    sequence_number: str
    arrival_time: str
    partition_key: str
    sub_sequence_number: int = 0

    @property
    def number(self) -> str:
        """``<sequence number>``, or ``<sequence number>.<sub-sequence number>`` where that is not 0."""
        return numbered(self.sequence_number, self.sub_sequence_number)


def numbered(sequence_number: str, sub_sequence_number: int) -> str:
    """The text that names a record within its shard (see Envelope.number)."""
    return f"{sequence_number}.{sub_sequence_number}" if sub_sequence_number else sequence_number


def read_number(number: str) -> tuple[str, int]:
    """The sequence and sub-sequence number in a text of ``numbered``; any other text comes back whole, with 0."""
    sequence_number, _, sub_sequence_number = number.partition(".")
    return (sequence_number, int(sub_sequence_number)) if sub_sequence_number.isdecimal() else (number, 0)


def by_value(number: str) -> tuple[int, str, int]:
    """What sorts texts of ``numbered`` by value: a sequence number is decimal, without leading zeros."""
    sequence_number, sub_sequence_number = read_number(number)
    return len(sequence_number), sequence_number, sub_sequence_number
