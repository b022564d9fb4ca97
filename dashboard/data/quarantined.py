"""Queries of the quarantine: how many records are in it and why, and one record as it was sent.

Listing finds objects by their hour of arrival.  The reason is in an object's body, so the newest objects are read; each
of them once, however often the page refreshes.  An object has one record, or those of a batch: then its name says how
many.  A record of a batch is named by the key that it has once a replay has given it an object of its own, so its
address stays.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import accumulate
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
            :data:`MAX_QUARANTINE_READS` are read.
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
    bucket = deployment().telemetry_bucket
    listed, cut_off = _listed(hours)
    listed.sort(key=lambda row: row[1].written, reverse=True)
    # The records of an object count together: it is read whole or not at all.
    up_to = list(accumulate(records_in(item.key) for _, item in listed))
    reads = max(1, sum(records <= MAX_QUARANTINE_READS for records in up_to))
    s3 = client("s3")
    with errors_of(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        entries = list(pool.map(lambda row: _entries(s3, bucket, row[1]), listed[:reads]))
    rows = {
        entry.key: (stream, _hour_of(item.key), entry.reason, entry.key, item.written, entry.size, 1)
        for (stream, item), found in zip(listed, entries, strict=False)
        for entry in found
    }
    for stream, item in listed[reads:]:
        held = records_in(item.key)
        rows.setdefault(item.key, (stream, _hour_of(item.key), NOT_READ, item.key, item.written, item.size, held))
    records = pd.DataFrame(rows.values(), columns=[*RECORD_COLUMNS, "records"])
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
    shard_id = name.rpartition("-")[0]
    for item in list_hour(f"{hour}/{shard_id}-", MAX_KEYS_PER_HOUR).objects:
        if is_batch(item.key) and any(entry.key == key for entry in _entries(s3, bucket, item)):
            body = read_if_there(s3, bucket, item.key)
            for record in [] if body is None else decode_all(body):
                if object_key(names.QUARANTINE_PREFIX, record.envelope) == key:
                    line = encode(record)
                    return QuarantineObject(key, len(line), line, record)
    return None


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


# The cache key includes the time written, so an object that was replaced is read again.
@lru_cache(maxsize=2_000)
def _entries(s3: Any, bucket: str, item: BucketObject) -> list[_Entry]:
    """Return the records in one quarantine object; none if it is gone."""
    body = read_if_there(s3, bucket, item.key)
    if body is None:
        return []
    try:
        if not is_batch(item.key):
            return [_Entry(item.key, str(json.loads(body)["reason"]), item.size)]
        return [
            _Entry(object_key(names.QUARANTINE_PREFIX, record.envelope), record.reason, len(line))
            for record, line in zip(decode_all(body), body.splitlines(), strict=True)
        ]
    except (ValueError, KeyError, TypeError):  # Someone put another file there.
        return [_Entry(item.key, NOT_A_RECORD, item.size)]


def _hour_of(key: str) -> str:
    year, month, day, hour = key.split("/")[-5:-1]
    return f"{year}-{month}-{day}T{hour}:00:00"
