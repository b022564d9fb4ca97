"""One line of the raw archive: a record as a stream took it, whatever it holds."""

from __future__ import annotations

from binascii import a2b_base64
from datetime import UTC, datetime

import msgspec

from include.contracts.envelope import Envelope
from include.contracts.times import to_canonical


class ArchivedRecord(msgspec.Struct, frozen=True, gc=False):
    """The envelope's fields, and the payload in base64 because it can be any bytes, none included."""

    stream: str
    shard_id: str
    sequence_number: str
    arrival_time: str
    partition_key: str
    payload_base64: str

    @property
    def envelope(self) -> Envelope:
        """Who the record is."""
        return Envelope(self.stream, self.shard_id, self.sequence_number, self.arrival_time, self.partition_key)

    @property
    def payload(self) -> bytes:
        """What the device sent.

        Raises:
            ValueError: ``payload_base64`` is not base64.
        """
        return a2b_base64(self.payload_base64, strict_mode=True)


_decoder = msgspec.json.Decoder(ArchivedRecord)
_encoder = msgspec.json.Encoder()


def encode_line(record: ArchivedRecord) -> bytes:
    """The record as one line of JSON, newline included.

    Raises:
        ValueError: a text holds what UTF-8 cannot say (a lone surrogate).
    """
    return _encoder.encode(record) + b"\n"


def decode_line(line: bytes) -> ArchivedRecord:
    """What ``encode_line`` wrote, with or without the newline.

    Raises:
        msgspec.MsgspecError: not such a line.
    """
    return _decoder.decode(line)


def arrival_text(milliseconds: int) -> str:
    """Canonical text of a time as Firehose gives it: milliseconds since the epoch, Kinesis' own precision."""
    return to_canonical(datetime.fromtimestamp(milliseconds / 1000, UTC))
