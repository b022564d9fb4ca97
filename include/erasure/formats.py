"""The formats of the stores' objects: count the truck's records in one, and write the object without them.

Objects are read and written as streams.  Records that stay are kept byte for byte.
"""

from __future__ import annotations

import gzip
import json
import zlib
from binascii import a2b_base64
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO

import msgspec

from include import names
from include.contracts.archive import decode_line
from include.contracts.envelope import Envelope
from include.contracts.kinesis_event import KinesisEventRecord, envelope_of, user_records
from include.contracts.quarantine import decode_all
from include.erasure.attribution import Attribution
from include.s3_objects import UnreadableObjectError

GZIP_MAGIC = b"\x1f\x8b"


class RecordCounts(msgspec.Struct):
    """Records of one object, by owner."""

    truck: int = 0
    others: int = 0
    unattributable: int = 0

    def add(self, belongs: bool | None) -> None:
        if belongs:
            self.truck += 1
        elif belongs is None:
            self.unattributable += 1
        else:
            self.others += 1

    @property
    def kept(self) -> int:
        return self.others + self.unattributable


# (object, output or None) -> counts; writes the object without the truck's records to the output.
Format = Callable[[IO[bytes], IO[bytes] | None], RecordCounts]


def landing(truck_id: str) -> Format:
    """Landing objects of TruckDataProcessor: one line per valid reading."""

    class Line(msgspec.Struct):
        truck_id: str

    decoder = msgspec.json.Decoder(Line)
    return _lines(lambda line: decoder.decode(line).truck_id == truck_id)


def archive(belongs: Attribution) -> Format:
    """Objects of the raw archive: one line per record (include.contracts.archive)."""

    def judge(line: bytes) -> bool | None:
        record = decode_line(line)
        return belongs(record.payload, record.partition_key)

    return _lines(judge)


def archive_errors(belongs: Attribution) -> Format:
    """Records that Firehose could not transform: one line per record, payload only.

    https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html#data-transformation-failure-handling
    """

    class Line(msgspec.Struct):
        raw_data: str = msgspec.field(name="rawData")

    decoder = msgspec.json.Decoder(Line)
    return _lines(lambda line: belongs(a2b_base64(decoder.decode(line).raw_data), None))


def quarantine(belongs: Attribution, found: Callable[[Envelope], None] = lambda envelope: None) -> Format:
    """Quarantine objects: one record, or one per line (include.contracts.quarantine).

    ``found`` is called with each record of the truck.
    """

    def split(body: IO[bytes], rest: IO[bytes] | None) -> RecordCounts:
        counts = RecordCounts()
        data = body.read()
        try:
            records = decode_all(data)
        except msgspec.DecodeError as error:
            raise UnreadableObjectError(str(error)) from error
        # One record may have line breaks, if a person has written it.
        lines = data.splitlines(keepends=True) if len(records) > 1 else [data]
        for record, line in zip(records, lines, strict=True):
            whose = belongs(record.payload, record.envelope.partition_key)
            counts.add(whose)
            if whose:
                found(record.envelope)
            if rest and not whose:
                rest.write(line)
        return counts

    return split


def abandoned_batches(
    belongs: Attribution, is_stray: Attribution, found_stray: Callable[[Envelope], None] = lambda envelope: None
) -> Format:
    """Batches that a mapping gave up on: one object per batch, with its event.  A batch of clicks may have strays.

    Aggregates are taken apart, and stay so: the readings of other trucks are kept.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """

    def judge(record: KinesisEventRecord) -> bool | None:
        envelope = envelope_of(record)
        judge_of_stream = {names.TRUCK_STREAM: belongs, names.CLICK_STREAM: is_stray}.get(envelope.stream)
        if judge_of_stream is None:
            return False
        whose = judge_of_stream(a2b_base64(record["kinesis"]["data"]), envelope.partition_key)
        if whose and envelope.stream == names.CLICK_STREAM:
            found_stray(envelope)
        return whose

    def split(body: IO[bytes], rest: IO[bytes] | None) -> RecordCounts:
        counts = RecordCounts()
        kept = []
        try:
            written = json.load(body)
            is_text = isinstance(written["payload"], str)
            event = json.loads(written["payload"]) if is_text else written["payload"]
            for record in user_records(event["Records"]):
                whose = judge(record)
                counts.add(whose)
                if not whose:
                    kept.append(record)
        # Anything that bytes can hold instead of such a batch.
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise UnreadableObjectError(f"{type(error).__name__}: {error}") from error
        if rest:
            event["Records"] = kept
            written["payload"] = json.dumps(event) if is_text else event
            rest.write(json.dumps(written).encode())
        return counts

    return split


def _lines(judge: Callable[[bytes], bool | None]) -> Format:
    """Objects of lines, gzipped or not; a line that ``judge`` cannot read stays as unattributable."""

    def split(body: IO[bytes], rest: IO[bytes] | None) -> RecordCounts:
        counts = RecordCounts()
        compressed = body.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        body.seek(0)
        try:
            with _reading(body, compressed) as lines, _writing(rest, compressed) as keep:
                for line in lines:
                    try:
                        whose = judge(line)
                    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError):
                        whose = None
                    counts.add(whose)
                    if not whose:
                        keep(line)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise UnreadableObjectError(f"after {counts.kept + counts.truck} lines: {error}") from error
        return counts

    return split


@contextmanager
def _reading(body: IO[bytes], compressed: bool) -> Iterator[Iterable[bytes]]:
    if compressed:
        with gzip.open(body) as lines:
            yield lines
    else:
        yield body


@contextmanager
def _writing(rest: IO[bytes] | None, compressed: bool) -> Iterator[Callable[[bytes], object]]:
    if rest is None:
        yield lambda line: None
    elif compressed:
        # As its writer does it: the same lines give the same bytes.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=rest, mtime=0) as lines:
            yield lines.write
    else:
        yield rest.write
