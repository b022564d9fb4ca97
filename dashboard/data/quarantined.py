"""Queries of the quarantine: how many records are in it and why, and one record as it was sent.

Listing finds objects by their hour of arrival.  The reason is in an object's body, so the newest objects are read; each
of them once, however often the page refreshes.  An object has one record, or those of a batch: then its name says how
many, and the first and the last of them.  A record of a batch is named by the key that it has once a replay has given
it an object of its own, so its address stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st
from botocore.exceptions import ClientError

from dashboard.data import lifetimes
from dashboard.data.aws import WORKERS, client, errors_of
from dashboard.data.s3 import MAX_KEYS_PER_HOUR, BucketObject, list_hour, list_hours
from dashboard.data.settings import deployment
from dashboard.data.stores import BUCKET_STORE
from include import names
from include.contracts.envelope import by_value
from include.contracts.quarantine import (
    Quarantined,
    decode,
    decode_all,
    encode,
    is_batch,
    object_key,
    records_in,
)
from include.s3_objects import GONE_CODES, error_code, read_if_there

# The limits of one answer.  A page says when it shows less than there is.
MAX_QUARANTINE_READS = 500
# Of every object, so many records count before the rest of any: a large one must not hide the reasons in the others.
FIRST_OF_AN_OBJECT = 100
# A record of Kinesis has up to 10 MiB, and a third more as base64.
MAX_RECORD_BYTES = 16 * 2**20
# How much is read of an object that is larger, and so is no record.
FIRST_BYTES = 2**16

# The reason of an object that was not read, and of one that is no record.
NOT_READ, NOT_A_RECORD = "not read", "not a record"
RECORD_COLUMNS = ("stream", "hour", "reason", "key", "written", "size")


class QuarantineSize(NamedTuple):
    """How many records are in quarantine, and whether there are more in objects beyond :data:`MAX_KEYS_PER_HOUR`."""

    records: int
    is_cut: bool


class QuarantineCounts(NamedTuple):
    """Quarantined records of the last hours.

    Attributes:
        frame: stream, hour, reason, records.
        listed: the number of records found.
        unread: the number of records, of those found, with the reason :data:`NOT_READ`: only the newest
            :data:`MAX_QUARANTINE_READS` are read, and of a large object only the first.
        records: one row per record in :data:`RECORD_COLUMNS`, the last written first: stream, hour of arrival, reason,
            key, when it was written (UTC) and its size in bytes.  Records of a batch that was not read are not in it.
        cut_off: the streams of which an hour has more than :data:`MAX_KEYS_PER_HOUR` objects; nothing here has those
            beyond.
    """

    frame: pd.DataFrame
    listed: int
    unread: int
    records: pd.DataFrame = pd.DataFrame(columns=list(RECORD_COLUMNS))
    cut_off: tuple[str, ...] = ()


class QuarantineObject(NamedTuple):
    """One object below quarantine/, or one record of a batch.

    Attributes:
        key: its key in the bucket; see above for a record of a batch.
        size: in bytes.
        body: its first bytes, and all of them unless it is too large for a record.
        record: the record in it, or None if it is not a quarantine object.
    """

    key: str
    size: int
    body: bytes
    record: Quarantined | None


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def quarantine_size(hours: int) -> QuarantineSize:
    """Return how many records arrived and were quarantined in the last ``hours``, without reading them.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    listed, cut_off = _listed(hours)
    return QuarantineSize(sum(records_in(item.key) for _, item in listed), bool(cut_off))


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def quarantine(hours: int) -> QuarantineCounts:
    """Return the records that arrived and were quarantined in the last ``hours``.

    An object that a replay moves meanwhile is left out.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    listed, cut_off = _listed(hours)
    listed.sort(key=lambda row: row[1].written, reverse=True)
    records = pd.DataFrame(_rows(listed), columns=[*RECORD_COLUMNS, "records"])
    for column in ("hour", "written"):
        records[column] = pd.to_datetime(records[column], utc=True)
    counts = records.groupby(["stream", "hour", "reason"], as_index=False)["records"].sum()
    total, unread = int(records["records"].sum()), int(records.loc[records["reason"] == NOT_READ, "records"].sum())
    listable = records.loc[~records["key"].map(is_batch).astype(bool), list(RECORD_COLUMNS)].reset_index(drop=True)
    return QuarantineCounts(counts, total, unread, listable, cut_off)


@st.cache_data(ttl=lifetimes.CHECKS, max_entries=5, show_spinner=False)
def quarantine_object(key: str) -> QuarantineObject | None:
    """Read one record below quarantine/, or return None if it is gone: a replay resolved it.

    Raises:
        ValueError: the key is outside quarantine/.
        StoreUnavailableError: S3 can't answer.
    """
    if not key.startswith(names.QUARANTINE_PREFIX):
        raise ValueError(f"not below {names.QUARANTINE_PREFIX}: {key!r}")
    with errors_of(BUCKET_STORE):
        try:
            answer = client("s3").get_object(Bucket=deployment().telemetry_bucket, Key=key)
        except ClientError as error:
            if error_code(error) in GONE_CODES:
                return _of_a_batch(key)
            raise
        size = int(answer["ContentLength"])
        if size > MAX_RECORD_BYTES:
            return QuarantineObject(key, size, answer["Body"].read(FIRST_BYTES), None)
        body = answer["Body"].read()
    try:
        return QuarantineObject(key, size, body, decode(body))
    except ValueError:  # Someone put another file there.
        return QuarantineObject(key, size, body, None)


def _of_a_batch(key: str) -> QuarantineObject | None:
    """Return the record that will have this key, from the batch that has it; None if no batch has it any more."""
    s3, bucket = client("s3"), deployment().telemetry_bucket
    hour, _, name = key.rpartition("/")
    shard_id, _, number = name.removesuffix(".json").rpartition("-")
    for item in list_hour(f"{hour}/{shard_id}-", MAX_KEYS_PER_HOUR).objects:
        body = read_if_there(s3, bucket, item.key) if _spans(item.key, number) else None
        for record in [] if body is None else _records(body):
            if object_key(names.QUARANTINE_PREFIX, record.envelope) == key:
                line = encode(record)
                return QuarantineObject(key, len(line), line, record)
    return None


def _spans(key: str, number: str) -> bool:
    """Return whether ``key`` is that of a batch which can have the record with this number: no other need be read."""
    parts = key.rsplit("-", 4)
    if not is_batch(key) or len(parts) < 5:
        return False
    _, first, last, _, _ = parts
    return by_value(first) <= by_value(number) <= by_value(last)


def _records(body: bytes) -> list[Quarantined]:
    """Return the records in an object's bytes; none if someone put another file there."""
    try:
        return decode_all(body)
    except ValueError:
        return []


def _rows(listed: list[tuple[str, BucketObject]]) -> Iterable[tuple[Any, ...]]:
    """Return :data:`RECORD_COLUMNS` and the number of records, from objects of which the newest comes first.

    A record that is read has a row of its own; all others of an object have one together.
    """
    s3, bucket = client("s3"), deployment().telemetry_bucket
    shares = _shares([records_in(item.key) for _, item in listed])
    asked = [item for (_, item), share in zip(listed, shares, strict=True) if share]
    with errors_of(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        read = dict(zip(asked, pool.map(lambda item: _contents(s3, bucket, item), asked), strict=True))
    # By key: while a replay unpacks a batch, a record is in two objects.
    rows: dict[str, tuple[Any, ...]] = {}
    for (stream, item), share in zip(listed, shares, strict=True):
        first, held = read.get(item, _Contents([], records_in(item.key)))
        shown, hour = first[:share], _hour_of(item.key)
        for entry in shown:
            rows[entry.key] = (stream, hour, entry.reason, entry.key, item.written, entry.size, 1)
        if unread := held - len(shown):
            rows.setdefault(item.key, (stream, hour, NOT_READ, item.key, item.written, item.size, unread))
    return rows.values()


def _shares(held: list[int]) -> list[int]:
    """Return how many records of each object are read, from the number that each holds; the newest object is first."""
    shares, left = [0] * len(held), MAX_QUARANTINE_READS
    for most in (FIRST_OF_AN_OBJECT, MAX_QUARANTINE_READS):
        for place, records in enumerate(held):
            more = min(min(records, most) - shares[place], left)
            shares[place] += more
            left -= more
    return shares


def _listed(hours: int) -> tuple[list[tuple[str, BucketObject]], tuple[str, ...]]:
    """Return the stream and the object of the records of the last ``hours``, and the streams that have more objects."""
    listings = {
        stream: list_hours(f"{names.QUARANTINE_PREFIX}{stream}/", hours)
        for stream in (names.CLICK_STREAM, names.TRUCK_STREAM)
    }
    found = [(stream, item) for stream, listing in listings.items() for item in listing.objects]
    return found, tuple(stream for stream, listing in listings.items() if listing.is_cut)


class _Entry(NamedTuple):
    """A record of an object: the key of its own object, its reason and its size in bytes."""

    key: str
    reason: str
    size: int


class _Contents(NamedTuple):
    """The first records of an object, at most :data:`MAX_QUARANTINE_READS`, and how many it has."""

    first: list[_Entry]
    records: int


# The cache key includes the time written, so an object that was replaced is read again.
@lru_cache(maxsize=2_000)
def _contents(s3: Any, bucket: str, item: BucketObject) -> _Contents:
    """Return what is in one quarantine object; nothing if it is gone."""
    body = read_if_there(s3, bucket, item.key)
    if body is None:
        return _Contents([], 0)
    try:
        if not is_batch(item.key):
            return _Contents([_Entry(item.key, decode(body).reason, item.size)], 1)
        found = decode_all(body)
        first = [
            _Entry(object_key(names.QUARANTINE_PREFIX, record.envelope), record.reason, len(line))
            for record, line in zip(found[:MAX_QUARANTINE_READS], body.splitlines(), strict=False)
        ]
    except ValueError:  # Someone put another file there.
        return _Contents([_Entry(item.key, NOT_A_RECORD, item.size)], 1)
    return _Contents(first, len(found))


def _hour_of(key: str) -> str:
    year, month, day, hour = key.split("/")[-5:-1]
    return f"{year}-{month}-{day}T{hour}:00:00"
