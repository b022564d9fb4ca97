"""Aggregated records as the Kinesis Producer Library writes them: several events in one record.

https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5

MAGIC = bytes.fromhex("F3899AC2")


def aggregate(events: Iterable[tuple[str, bytes]]) -> bytes:
    """One record that holds these (partition key, data) pairs."""
    keys, records = [], []
    for number, (key, data) in enumerate(events):
        keys.append(bytes_field(1, key.encode()))
        records.append(bytes_field(3, number_field(1, number) + bytes_field(3, data)))
    return sealed(b"".join([*keys, *records]))


def sealed(message: bytes) -> bytes:
    """The aggregate with this protobuf message."""
    return MAGIC + message + md5(message, usedforsecurity=False).digest()


def number_field(number: int, value: int) -> bytes:
    """A field of a protobuf message that holds a whole number."""
    return _varint(number << 3) + _varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """A field of a protobuf message that holds bytes, a text or another message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
