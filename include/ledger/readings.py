"""Readings of an hour: the archive's against RAW, landing zone, quarantine and history."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from include import names, sql
from include.contracts.archive import ArchivedRecord
from include.contracts.times import to_canonical
from include.ledger.balance import SAMPLES_KEPT, Balance
from include.ledger.books import IN_ORDER, Books

HOUR = timedelta(hours=1)
READINGS = "ledger/readings_of_hour.sql"
FETCHED_AT_ONCE = 10_000
# A landing object is under the hour of its first record's arrival.  In a stream with few records a batch after an
# outage can span hours, but no more than the mapping keeps trying.
LONGEST_BATCH = timedelta(hours=24)

# Landed counts before resolved and quarantined: who is replayed is in two places (docs/adr/0010).
PLACES = """
    CREATE TEMP TABLE places AS
    SELECT
        archived.shard, archived.seq,
        CASE
            WHEN readings.seq IS NOT NULL THEN 'raw'
            WHEN resolved.seq IS NOT NULL THEN 'resolved'
            WHEN quarantined.seq IS NOT NULL THEN 'quarantine'
            ELSE 'missing'
        END AS place
    FROM archived
    LEFT JOIN readings USING (shard, seq)
    LEFT JOIN held AS quarantined
        ON (quarantined.shard, quarantined.seq, quarantined.place) = (archived.shard, archived.seq, 'quarantine')
    LEFT JOIN held AS resolved
        ON (resolved.shard, resolved.seq, resolved.place) = (archived.shard, archived.seq, 'resolved')
"""
UNARCHIVED = f"""
    SELECT coalesce(min(key), '{names.RAW_TABLE} ' || shard || ' ' || seq) FROM (
        SELECT shard, seq, key FROM held UNION ALL SELECT shard, seq, NULL FROM readings
    )
    WHERE (shard, seq) NOT IN (SELECT shard, seq FROM archived) GROUP BY shard, seq
"""
MISSING = """
    CREATE TEMP TABLE missing AS
    SELECT shard, length(seq) AS size, seq FROM places WHERE place = 'missing' ORDER BY shard, size, seq
"""
# Whether one of them is in an object that begins and ends with these sequence numbers.
CAN_BE_IN = """
    SELECT 1 FROM missing
    WHERE shard = ? AND (size, seq) >= (length(?), ?) AND (size, seq) <= (length(?), ?) LIMIT 1
"""


class _Line(msgspec.Struct):
    """What a line of a landing object says of its envelope."""

    shard_id: str
    sequence_number: str


class _Landed(NamedTuple):
    """A landing object's name taken apart."""

    key: str
    shard_id: str
    first: str
    last: str


def archived_row(record: ArchivedRecord) -> tuple[Any, ...]:
    """The record as ``archived`` of the books has it."""
    return record.shard_id, record.sequence_number, None, None, None


def count(books: Books, balance: Balance, connection: Any, s3: Any, bucket: str, overdue_before: datetime) -> None:
    """Fills in ``balance`` from the books, which have what is archived and held, and from RAW and the history.

    ``overdue_before``: what was loaded before it should have been merged by now.
    """
    books.add("readings", _readings(connection, balance.hour))
    books.execute(PLACES)
    balance.archived = books.count("SELECT 1 FROM archived")
    for place, field in (("raw", "landed"), ("resolved", "resolved"), ("quarantine", "quarantined")):
        setattr(balance, field, books.count("SELECT 1 FROM places WHERE place = ?", place))
    balance.missing = books.count("SELECT 1 FROM places WHERE place = 'missing'")
    balance.unexpected = books.count(UNARCHIVED)

    state = f"SELECT shard, seq, what FROM readings WHERE state = ? {IN_ORDER}"
    overdue = f"SELECT shard, seq, what FROM readings WHERE state = 'waiting' AND loaded < ? {IN_ORDER}"
    long_ago = to_canonical(overdue_before)
    balance.covered, balance.waiting, balance.uncovered = (
        books.count(state, each) for each in ("covered", "waiting", "uncovered")
    )
    balance.overdue = books.count(overdue, long_ago)
    balance.samples |= {
        kind: found
        for kind, found in (
            ("unexpected", books.samples(UNARCHIVED)),
            ("overdue", books.samples(overdue, long_ago)),
            ("uncovered", books.samples(state, "uncovered")),
        )
        if found
    }
    if balance.missing:
        _trace(books, balance, s3, bucket)


def _readings(connection: Any, hour: datetime) -> Iterator[tuple[str, str, str, str, str]]:
    bounds = {"since": to_canonical(hour), "until": to_canonical(hour + HOUR)}
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql.render(READINGS), bounds)
        while rows := cursor.fetchmany(FETCHED_AT_ONCE):
            for shard_id, sequence_number, loaded, truck_id, event_time, state in rows:
                yield shard_id, sequence_number, state, _text(loaded), f"{truck_id} {_text(event_time)}"


def _text(moment: datetime) -> str:
    """A TIMESTAMP_NTZ, UTC by convention, as canonical text."""
    return to_canonical(moment.replace(tzinfo=UTC))


def _trace(books: Books, balance: Balance, s3: Any, bucket: str) -> None:
    """Where the missing ones were seen last: in which landing objects, or nowhere behind the archive."""
    books.execute(MISSING)
    books.execute("CREATE INDEX temp.missing_in_order ON missing (shard, size, seq)")
    books.execute("CREATE TEMP TABLE landed (shard TEXT, seq TEXT, key TEXT, PRIMARY KEY (shard, seq)) WITHOUT ROWID")
    unreadable = []
    for landed in _landing_objects(s3, bucket, balance.hour):
        if books.count(CAN_BE_IN, landed.shard_id, *2 * [landed.first], *2 * [landed.last]):
            envelopes, error = _lines(s3, bucket, landed.key)
            books.add("landed", [(*each, landed.key) for each in envelopes])
            if error:
                unreadable.append(f"{landed.key} can't be read ({error})")
    balance.not_loaded = books.count("SELECT 1 FROM missing JOIN landed USING (shard, seq)")
    files = books.execute(
        "SELECT key, count(*) FROM missing JOIN landed USING (shard, seq) GROUP BY key ORDER BY 2 DESC LIMIT ?",
        SAMPLES_KEPT,
    )
    not_loaded = [f"{key} is not loaded ({count:,} readings)" for key, count in files]
    not_landed = books.samples(
        "SELECT shard, seq, 'is in no landing object' FROM missing "
        "WHERE (shard, seq) NOT IN (SELECT shard, seq FROM landed) ORDER BY shard, size, seq"
    )
    balance.samples["missing"] = [*unreadable, *not_loaded, *not_landed][:SAMPLES_KEPT]


def _landing_objects(s3: Any, bucket: str, hour: datetime) -> Iterator[_Landed]:
    """Objects that can hold readings which arrived in ``hour``."""
    after, last = (f"{names.LANDING_PREFIX}{moment:%Y/%m/%d/%H}/" for moment in (hour - LONGEST_BATCH, hour))
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=names.LANDING_PREFIX, StartAfter=after)
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        key = entry["Key"]
        if key > last and not key.startswith(last):
            return
        # <shard>-<first>-<last>-<digest>.json.gz, as lambdas/truck_data names it.
        parts = key.rpartition("/")[2].rsplit("-", 3)
        if len(parts) == 4:
            yield _Landed(key, *parts[:3])


def _lines(s3: Any, bucket: str, key: str) -> tuple[list[tuple[str, str]], str | None]:
    """Envelopes of a landing object, and what kept it from being read to its end."""
    envelopes: list[tuple[str, str]] = []
    decoder = msgspec.json.Decoder(_Line)
    body = s3.get_object(Bucket=bucket, Key=key)["Body"]
    with body, gzip.open(body) as lines:
        try:
            for line in lines:
                found = decoder.decode(line)
                envelopes.append((found.shard_id, found.sequence_number))
        except (msgspec.MsgspecError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
            return envelopes, f"line {len(envelopes) + 1}: {error}"
    return envelopes, None
