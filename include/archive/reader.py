"""Which objects hold a stream's records of some time, and what is in them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from include import names
from include.contracts.archive import ArchivedRecord, decode_line

# An object is under the hour of its oldest record.  Firehose keeps trying to store one for at most so long.
LONGEST_DELIVERY = timedelta(hours=24)
# By how much S3's clock may be behind that of Kinesis.
CLOCK_DIFFERENCE = timedelta(minutes=5)


class ArchiveError(ValueError):
    """An object below raw-archive/ that can't be read; the message names it and the line."""


class ArchiveObject(NamedTuple):
    """One object of the archive."""

    key: str
    modified: datetime  # when it was stored: nothing in it arrived later
    size: int


def objects(
    s3: Any, bucket: str, stream: str, since: datetime | None = None, until: datetime | None = None
) -> Iterator[ArchiveObject]:
    """Every object that may hold records of ``stream`` with ``since`` <= arrival < ``until`` (aware; None: any).

    In order of their hours, each hour's in order of their names.
    """
    prefix = f"{names.ARCHIVE_PREFIX}{stream}/"
    after = _hour(prefix, since - LONGEST_DELIVERY) if since else prefix
    last = _hour(prefix, until) if until else None
    oldest = since - CLOCK_DIFFERENCE if since else datetime.min.replace(tzinfo=UTC)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, StartAfter=after)
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        if last is not None and entry["Key"] > last and not entry["Key"].startswith(last):
            return
        if entry["LastModified"] >= oldest:
            yield ArchiveObject(entry["Key"], entry["LastModified"], entry["Size"])


def read(s3: Any, bucket: str, key: str) -> Iterator[ArchivedRecord]:
    """The records of one object, in its order; a record that Firehose delivered twice comes twice.

    Raises:
        ArchiveError: it is not an object of the archive, or is damaged.
    """
    number = 0
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    with body, gzip.open(body) as lines:
        try:
            for number, line in enumerate(lines, 1):  # noqa: B007
                yield decode_line(line)
        except (msgspec.MsgspecError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise ArchiveError(f"s3://{bucket}/{key}, line {number}: {error}") from error


def _hour(prefix: str, moment: datetime) -> str:
    return f"{prefix}{moment.astimezone(UTC):%Y/%m/%d/%H}/"
