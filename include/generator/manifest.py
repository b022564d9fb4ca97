"""The manifest: one JSON line for every record that Kinesis accepted, and for every event of an aggregated one.

Lines are written when a batch is acknowledged.  A batch whose answer never came may be in the stream or not: the call
failed on its way, or the generator was killed.  Its records are in files beside the manifest, without a place in the
stream; the archive says which of them arrived.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from include.generator.payloads import Shape
from include.generator.traffic import Kind


class ManifestError(ValueError):
    """A manifest holds a line that is not a record; the message names file and line."""


class ManifestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One record, or one event of an aggregated record, as it was sent and accepted.

    Attributes:
        kind: ``duplicate`` is the second and every later sending of the same bytes.
        key: the key of a click's row (timestamp, with the event id if there is one, and item id), or (truck id, event
            time) of a reading; times canonical; None if malformed.
        payload: the bytes sent; base64 in the file, as ``payload_base64``.
        sent_at: when the acknowledged call was made, canonical UTC text.
        field_case: name of the field case, if it is one (``field_cases``).
        expected_reason: why this field case has to be in quarantine; None if it is accepted.
        warned_by: the quality rules that warn of this field case.
        sub_sequence_number: the event's place in its aggregated record; 0 if it came alone.
    """

    stream: str
    kind: Kind
    malformed_kind: str | None
    shape: Shape
    late: bool
    out_of_order: bool
    key: tuple[str, str] | None
    payload: bytes = msgspec.field(name="payload_base64")
    shard_id: str
    sequence_number: str
    sent_at: str
    field_case: str | None = None
    expected_reason: str | None = None
    sub_sequence_number: int = 0
    warned_by: tuple[str, ...] = ()


_decode = msgspec.json.Decoder(ManifestRecord).decode


class ManifestWriter:
    """Appends to a manifest, with one system call per batch: the file never holds half a line.

    Raises:
        OSError: the file can't be opened or written, for example because the disk is full.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._unanswered, self._sending = unanswered_files(path)
        self._in_flight = self._sending.read_bytes() if self._sending.exists() else b""  # Of a writer that was killed.

    def sending(self, records: Iterable[ManifestRecord]) -> None:
        """Note the records of a call that is about to be made; ``append`` says that its answer came."""
        self._answer_is_lost()
        self._in_flight = _encode(records)
        self._sending.write_bytes(self._in_flight)

    def append(self, records: Iterable[ManifestRecord]) -> None:
        data = _encode(records)
        written = os.write(self._descriptor, data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes could be written to the manifest {self._path}")
        self._in_flight = b""

    def close(self) -> None:
        self._answer_is_lost()
        os.close(self._descriptor)
        self._sending.unlink(missing_ok=True)

    def _answer_is_lost(self) -> None:
        if self._in_flight:
            _append(self._unanswered, self._in_flight)
            self._in_flight = b""


def unanswered_files(manifest: Path) -> tuple[Path, Path]:
    """The files beside a manifest with records whose answer was lost, and with the call that is being made."""
    return manifest.with_name(f"{manifest.name}.unanswered"), manifest.with_name(f"{manifest.name}.sending")


def read_unanswered(manifest: Path) -> list[ManifestRecord]:
    """The records of the calls whose answer was lost, each as often as it was sent; they have no place in the stream.

    Raises:
        ManifestError: a line is not a record.
    """
    return [record for file in unanswered_files(manifest) if file.exists() for record in read_manifest(file)]


def _encode(records: Iterable[ManifestRecord]) -> bytes:
    return msgspec.json.Encoder().encode_lines(list(records))


def _append(file: Path, data: bytes) -> None:
    with file.open("ab", buffering=0) as lines:
        lines.write(data)


def read_manifest(path: Path) -> Iterator[ManifestRecord]:
    """The records of a manifest, in the order they were acknowledged.

    Raises:
        ManifestError: a line is not a record.
        OSError: no such file.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise ManifestError(f"{path}:{number}: {error}") from error
