"""Counting: the archive is read once, hour by hour, and each hour is compared with the stores that should have it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from include import archive, names
from include.archive import ArchiveError, ArchiveObject
from include.archive.reader import hour_of
from include.aws import StoreClients
from include.contracts.archive import ArchivedRecord
from include.contracts.quarantine import hour_prefix
from include.contracts.times import to_canonical
from include.ledger import clicks, readings
from include.ledger.balance import Balance
from include.ledger.books import QUARANTINE, RESOLVED, Books

HOUR = timedelta(hours=1)
STREAMS = (names.CLICK_STREAM, names.TRUCK_STREAM)
# How long after its arrival a record may be on its way: Firehose's buffers, Snowpipe, a merge.
GRACE = timedelta(minutes=15)

PLACES = ((QUARANTINE, names.QUARANTINE_PREFIX), (RESOLVED, names.RESOLVED_PREFIX))


def hours_between(since: datetime, until: datetime) -> list[datetime]:
    """The hours (UTC) in which something can have arrived from ``since`` to before ``until`` (both aware)."""
    first = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    count = -((first - until.astimezone(UTC)) // HOUR)
    return [first + number * HOUR for number in range(count)]


def first_hour(s3: Any, bucket: str, stream: str) -> datetime | None:
    """The hour in which the archive of a stream begins; None while there is none."""
    prefix = f"{names.ARCHIVE_PREFIX}{stream}/"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents")
    return hour_of(found[0]["Key"]) if found else None


def reconcile(
    clients: StoreClients,
    connection: Any,
    bucket: str,
    hours: Sequence[datetime],
    *,
    streams: Sequence[str] = STREAMS,
    **options: Any,
) -> list[Balance]:
    """The balance of each stream and hour, by hour; arguments and errors are those of reconcile_stream."""
    found = (
        balance
        for stream in streams
        for balance in reconcile_stream(clients, connection, bucket, stream, hours, **options)
    )
    return sorted(found, key=lambda balance: (balance.hour, balance.stream))


def reconcile_stream(
    clients: StoreClients,
    connection: Any,
    bucket: str,
    stream: str,
    hours: Iterable[datetime],
    *,
    grace: timedelta = GRACE,
    index_shards: int = 1,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Balance]:
    """The balance of each of ``hours`` (of arrival, as hours_between gives them), in order.  Changes nothing.

    Each object of the archive is read once, however many of the hours it has records of.  Needs some 500 bytes of
    temporary disk for each record of an hour, and no memory that grows with traffic.

    Args:
        connection: a Snowflake connection with database and schema set.
        grace: an hour that ended less than this ago is open; a reading that waits for a merge for longer is overdue.
        index_shards: of the index of ClickStreamData (CTD_CLICK_INDEX_SHARDS).

    Raises:
        ArchiveError: an object of the archive can't be read.
        ClientError, BotoCoreError, snowflake.connector.Error: a store can't answer.
    """
    table = clicks.ClickTable(clients.dynamodb, index_shards)
    with tempfile.TemporaryDirectory(prefix="ledger-") as directory:
        for hour, books in _archived(clients.s3, bucket, stream, sorted(set(hours)), Path(directory)):
            now = clock()
            balance = Balance(stream=stream, hour=hour, is_open=hour + HOUR + grace > now)
            for place, prefix in PLACES:
                books.add("held", _held(clients.s3, bucket, hour_prefix(prefix, stream, to_canonical(hour)), place))
            if stream == names.CLICK_STREAM:
                clicks.count(books, balance, table, partial(clicks.reason_of, clients.s3, bucket))
            else:
                readings.count(books, balance, connection, clients.s3, bucket, now - grace)
            books.close()
            yield balance


def _archived(
    s3: Any, bucket: str, stream: str, hours: Sequence[datetime], directory: Path
) -> Iterator[tuple[datetime, Books]]:
    """Each hour with books that have all that is archived of it.

    An object is under the hour of its oldest record: when all objects up to an hour's are read, the hour is complete.
    What they have of later hours is kept in those hours' books.
    """
    row = clicks.archived_row if stream == names.CLICK_STREAM else readings.archived_row
    waiting = {hour: to_canonical(hour)[:13] for hour in hours}
    books: dict[str, Books] = {}

    def of(name: str) -> Books:
        if name not in books:
            books[name] = Books(directory / f"{name}.sqlite")
        return books[name]

    unread = iter(_objects(s3, bucket, stream, hours))
    ahead = next(unread, None)
    for hour in hours:
        while ahead is not None and hour_of(ahead.key) <= hour:
            by_hour: dict[str, list[ArchivedRecord]] = {}
            for record in archive.read(s3, bucket, ahead.key):
                by_hour.setdefault(record.arrival_time[:13], []).append(record)
            if early := min(by_hour, default="~") < to_canonical(hour_of(ahead.key))[:13]:
                raise ArchiveError(
                    f"s3://{bucket}/{ahead.key} has records of {early}, from before the hour in its name"
                )
            for name in by_hour.keys() & waiting.values():
                of(name).add("archived", map(row, by_hour[name]))
            ahead = next(unread, None)
        name = waiting.pop(hour)
        yield hour, of(name)
        del books[name]


def _objects(s3: Any, bucket: str, stream: str, hours: Sequence[datetime]) -> Iterator[ArchiveObject]:
    """Every object that can have records of the hours, once, in the order of their keys."""
    last = ""
    for since, until in _ranges(hours):
        # Not those of the hour that begins at `until`: their oldest record is younger.
        for each in archive.objects(s3, bucket, stream, since, until - timedelta(microseconds=1)):
            if each.key > last:
                last = each.key
                yield each


def _ranges(hours: Sequence[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Hours that follow each other, as ranges."""
    start = None
    for hour in hours:
        start = start or hour
        if hour + HOUR not in hours:
            yield start, hour + HOUR
            start = None


def _held(s3: Any, bucket: str, prefix: str, place: str) -> Iterator[tuple[str, str, str, str]]:
    """The envelopes of quarantine objects, which their names tell: not one is read."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        shard_id, _, sequence_number = entry["Key"].removeprefix(prefix).removesuffix(".json").rpartition("-")
        yield shard_id, sequence_number, place, entry["Key"]
