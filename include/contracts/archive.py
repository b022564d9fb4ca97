"""One line of the raw archive: a record exactly as the stream accepted it, valid or not."""

from __future__ import annotations

from binascii import a2b_base64
from datetime import UTC, datetime

import msgspec

from include.contracts.envelope import Envelope
from include.contracts.times import to_canonical


class ArchivedRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The fields of an envelope, and the payload in base64: it can be any bytes, or empty."""

    stream: str
    shard_id: str
    sequence_number: str
    arrival_time: str
    partition_key: str
    payload_base64: str
    sub_sequence_number: int = 0

    @property
    def envelope(self) -> Envelope:
        """The record's identity."""
        return Envelope(
            self.stream,
            self.shard_id,
            self.sequence_number,
            self.arrival_time,
            self.partition_key,
            self.sub_sequence_number,
        )

    @property
    def payload(self) -> bytes:
        """The bytes that the device sent.

        Raises:
            ValueError: ``payload_base64`` is not base64.
        """
        return a2b_base64(self.payload_base64, strict_mode=True)


_decoder = msgspec.json.Decoder(ArchivedRecord)
_encoder = msgspec.json.Encoder()


def encode_line(record: ArchivedRecord) -> bytes:
    """The record as one line of JSON, newline included.

    Raises:
        ValueError: a field holds text that UTF-8 cannot encode (a lone surrogate).
    """
    return _encoder.encode(record) + b"\n"


def decode_line(line: bytes) -> ArchivedRecord:
    """Decode a line of ``encode_line``, with or without the newline.

    Raises:
        msgspec.MsgspecError: it is not such a line.
    """
    return _decoder.decode(line)


def arrival_text(milliseconds: int) -> str:
    """Canonical text of an arrival time in milliseconds since the epoch, as Firehose passes it."""
    return to_canonical(datetime.fromtimestamp(milliseconds / 1000, UTC))
