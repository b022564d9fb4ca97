"""Reconcile hours: read the archive once, hour by hour, and compare each hour with the stores that should have it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include import archive, names
from include.archive import ArchiveError, ArchiveObject
from include.archive.archive_objects import hour_of
from include.aws_clients import StoreClients
from include.contracts.archive import ArchivedRecord
from include.contracts.times import to_canonical
from include.ledger.balance import HOUR, Balance
from include.ledger.click_balance import archived_click, balance_clicks
from include.ledger.click_rows import DynamoClickRows
from include.ledger.due_hours import RECHECKED_FOR
from include.ledger.held_records import held_rows, reason_of
from include.ledger.hour_database import HourDatabase
from include.ledger.landing_zone import S3LandingZone
from include.ledger.raw_readings import nulled_readings, raw_readings
from include.ledger.reading_balance import archived_reading, balance_readings

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

STREAMS = (names.CLICK_STREAM, names.TRUCK_STREAM)
# How long a record may be on its way after its arrival: Firehose's buffers, Snowpipe, a merge.
GRACE = timedelta(minutes=15)
# Records of the archive in memory.
RECORDS_AT_ONCE = 20_000


def hours_between(since: datetime, until: datetime) -> list[datetime]:
    """The hours (UTC) that ``since`` <= arrival < ``until`` touches (both aware)."""
    first = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    count = -((first - until.astimezone(UTC)) // HOUR)
    return [first + number * HOUR for number in range(count)]


def first_hour(s3: Any, bucket: str, stream: str) -> datetime | None:
    """The hour in which the archive of a stream begins; None while it is empty."""
    prefix = f"{names.ARCHIVE_PREFIX}{stream}/"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents")
    return hour_of(found[0]["Key"]) if found else None


def stored_lately(s3: Any, bucket: str, stream: str, now: datetime) -> Iterator[ArchiveObject]:
    """The objects of the archive by which due_hours sees that an hour gained records after it was counted.

    Only a listing, of three days of keys: a request per thousand objects.
    """
    return archive.objects(s3, bucket, stream, now - RECHECKED_FOR)


def reconcile(
    clients: StoreClients,
    connection: SnowflakeConnection,
    bucket: str,
    hours: Sequence[datetime],
    *,
    streams: Sequence[str] = STREAMS,
    grace: timedelta = GRACE,
    index_shards: int = 1,
    click_ttl_days: int = 0,
) -> list[Balance]:
    """The balance of each stream and hour, by hour; arguments and errors are those of reconcile_stream."""
    found = (
        balance
        for stream in streams
        for balance in reconcile_stream(
            clients,
            connection,
            bucket,
            stream,
            hours,
            grace=grace,
            index_shards=index_shards,
            click_ttl_days=click_ttl_days,
        )
    )
    return sorted(found, key=lambda balance: (balance.hour, balance.stream))


def reconcile_stream(
    clients: StoreClients,
    connection: SnowflakeConnection,
    bucket: str,
    stream: str,
    hours: Iterable[datetime],
    *,
    grace: timedelta = GRACE,
    index_shards: int = 1,
    click_ttl_days: int = 0,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Balance]:
    """The balance of each of ``hours`` (of arrival, as hours_between returns them), in order.  Changes nothing.

    Each object of the archive is read once, however many of the hours it has records of.  An hour needs temporary disk
    for each record, and memory that does not grow with traffic (docs/scale.md has both).

    Args:
        connection: a Snowflake connection with database and schema set.
        grace: an hour that ended less than this ago is open; a reading that waits longer for a merge is overdue.
        index_shards: of the index of ClickStreamData (CTD_CLICK_INDEX_SHARDS).
        click_ttl_days: how long ClickStreamData keeps a click (CTD_CLICK_TTL_DAYS); 0 for ever.

    Raises:
        ArchiveError: an object of the archive cannot be read.
        ClientError, BotoCoreError, snowflake.connector.Error: a store does not answer.
    """
    s3 = clients.s3
    click_rows = DynamoClickRows(clients.dynamodb, index_shards)
    with tempfile.TemporaryDirectory(prefix="ledger-") as directory:
        for hour, database in _archived_hours(s3, bucket, stream, sorted(set(hours)), Path(directory)):
            now = clock()
            balance = Balance(stream=stream, hour=hour, is_open=hour + HOUR + grace > now)
            database.add("held", held_rows(s3, bucket, stream, hour))
            if stream == names.CLICK_STREAM:
                # A row may go while the hour is counted.
                oldest = to_canonical(now + HOUR - timedelta(days=click_ttl_days)) if click_ttl_days else ""
                balance_clicks(database, balance, click_rows, partial(reason_of, s3, bucket), oldest)
            else:
                rows, landing = raw_readings(connection, hour), S3LandingZone(s3, bucket)
                balance_readings(database, balance, rows, landing, now - grace)
                balance.nulled = nulled_readings(connection, hour)
            database.close()
            yield balance


def _archived_hours(
    s3: Any, bucket: str, stream: str, hours: Sequence[datetime], directory: Path
) -> Iterator[tuple[datetime, HourDatabase]]:
    """Each hour with a database of everything archived in it.

    An object is under the hour of its oldest record: when all objects up to an hour's are read, the hour is complete.
    Records of later hours are kept in those hours' databases.
    """
    row = archived_click if stream == names.CLICK_STREAM else archived_reading
    waiting = {hour: _hour_text(hour) for hour in hours}
    databases: dict[str, HourDatabase] = {}

    def database_of(name: str) -> HourDatabase:
        if name not in databases:
            databases[name] = HourDatabase(directory / f"{name}.sqlite")
        return databases[name]

    unread = iter(_objects(s3, bucket, stream, hours))
    ahead = next(unread, None)
    for hour in hours:
        while ahead is not None and hour_of(ahead.key) <= hour:
            for name, records in _by_hour(s3, bucket, ahead.key):
                if name in waiting.values():
                    database_of(name).add("archived", map(row, records))
            ahead = next(unread, None)
        name = waiting.pop(hour)
        yield hour, database_of(name)
        del databases[name]


def _by_hour(s3: Any, bucket: str, key: str) -> Iterator[tuple[str, list[ArchivedRecord]]]:
    """The records of an object with their hour of arrival, as ``_hour_text`` writes it; a part of the object at a time.

    Firehose's objects have up to 64 MB, which are several times as much as Python's objects.
    """
    hour_of_object = _hour_text(hour_of(key))
    unread = archive.read(s3, bucket, key)
    while part := list(islice(unread, RECORDS_AT_ONCE)):
        records: dict[str, list[ArchivedRecord]] = {}
        for record in part:
            records.setdefault(record.arrival_time[:13], []).append(record)
        if (earliest := min(records)) < hour_of_object:
            raise ArchiveError(f"s3://{bucket}/{key} has records of {earliest}, from before the hour in its name")
        yield from records.items()


def _hour_text(hour: datetime) -> str:
    return to_canonical(hour)[:13]


def _objects(s3: Any, bucket: str, stream: str, hours: Sequence[datetime]) -> Iterator[ArchiveObject]:
    """Every object that can have records of the hours, once, in the order of keys."""
    last = ""
    for since, until in _ranges(hours):
        # Without objects under the hour that begins at `until`: their oldest record arrived then or later.
        for each in archive.objects(s3, bucket, stream, since, until - timedelta(microseconds=1)):
            if each.key > last:
                last = each.key
                yield each


def _ranges(hours: Sequence[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """The hours as ranges of consecutive ones."""
    start = None
    for hour in hours:
        start = start or hour
        if hour + HOUR not in hours:
            yield start, hour + HOUR
            start = None
