"""List the archive objects that can have a stream's records of some time, and read them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from include import names
from include.contracts.archive import ArchivedRecord, decode_line
from include.s3_objects import list_objects

# An object is under the hour of its oldest record.  Firehose tries to store it for at most this long.
LONGEST_DELIVERY = timedelta(hours=24)
# How far S3's clock may be behind that of Kinesis.
CLOCK_DIFFERENCE = timedelta(minutes=5)


class ArchiveError(ValueError):
    """An object below raw-archive/ that cannot be read; the message names the object and the line."""


class ArchiveObject(NamedTuple):
    """One object of the archive."""

    key: str
    modified: datetime  # When it was stored: nothing in it arrived later.
    size: int


def objects(
    s3: Any, bucket: str, stream: str, since: datetime | None = None, until: datetime | None = None
) -> Iterator[ArchiveObject]:
    """Every object that can have records of ``stream`` with ``since`` <= arrival < ``until`` (aware; None: any).

    Sorted by hour, then by name.
    """
    prefix = f"{names.ARCHIVE_PREFIX}{stream}/"
    after = _hour(prefix, since - LONGEST_DELIVERY) if since else prefix
    last = _hour(prefix, until) if until else None
    oldest = since - CLOCK_DIFFERENCE if since else datetime.min.replace(tzinfo=UTC)
    for entry in list_objects(s3, bucket, prefix, after=after, last=last):
        if entry["LastModified"] >= oldest:
            yield ArchiveObject(entry["Key"], entry["LastModified"], entry["Size"])


def read(s3: Any, bucket: str, key: str) -> Iterator[ArchivedRecord]:
    """The records of one object, in its order; a record that Firehose delivered twice appears twice.

    Raises:
        ArchiveError: the object is damaged, or not an archive object.
    """
    number = 0
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    with body, gzip.open(body) as lines:
        try:
            for number, line in enumerate(lines, 1):  # noqa: B007
                yield decode_line(line)
        except (msgspec.MsgspecError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise ArchiveError(f"s3://{bucket}/{key}, line {number}: {error}") from error


def hour_of(key: str) -> datetime:
    """The hour (aware, UTC) in an archive object's key: that of its oldest record."""
    year, month, day, hour = key.removeprefix(names.ARCHIVE_PREFIX).split("/")[1:5]
    return datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC)


def _hour(prefix: str, moment: datetime) -> str:
    return f"{prefix}{moment.astimezone(UTC):%Y/%m/%d/%H}/"
