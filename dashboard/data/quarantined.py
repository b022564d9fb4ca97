"""Queries of the quarantine: how many records are in it and why, and one record as it was sent.

Listing finds objects by their hour of arrival.  The reason is in an object's body, so the newest objects are read; each
of them once, however often the page refreshes.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st
from botocore.exceptions import ClientError

from dashboard.data import lifetimes
from dashboard.data.aws import WORKERS, client, errors_of
from dashboard.data.s3 import BucketObject, list_hours
from dashboard.data.settings import deployment
from dashboard.data.stores import BUCKET_STORE
from include import names
from include.contracts.quarantine import Quarantined, decode

# The limits of one answer.  A page says when it shows less than there is.
MAX_QUARANTINE_READS = 500
# A record of Kinesis has up to 10 MiB, and a third more as base64.
MAX_RECORD_BYTES = 16 * 2**20
# How much is read of an object that is larger, and so is no record.
FIRST_BYTES = 2**16

# The reason of an object that was not read, and of one that is no record.
NOT_READ, NOT_A_RECORD = "not read", "not a record"
RECORD_COLUMNS = ("stream", "hour", "reason", "key", "written", "size")


class QuarantineCounts(NamedTuple):
    """Quarantined records of the last hours.

    Attributes:
        frame: stream, hour, reason, records.
        listed: the number of objects found.
        unread: the number of objects, of those found, with the reason :data:`NOT_READ`: only the newest
            :data:`MAX_QUARANTINE_READS` are read.
        records: one row per object in :data:`RECORD_COLUMNS`, the last written first: stream, hour of arrival, reason,
            key, when it was written (UTC) and its size in bytes.
    """

    frame: pd.DataFrame
    listed: int
    unread: int
    records: pd.DataFrame = pd.DataFrame(columns=list(RECORD_COLUMNS))


class QuarantineObject(NamedTuple):
    """One object below quarantine/.

    Attributes:
        key: its key in the bucket.
        size: in bytes.
        body: its first bytes, and all of them unless it is too large for a record.
        record: the record in it, or None if it is not a quarantine object.
    """

    key: str
    size: int
    body: bytes
    record: Quarantined | None


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def quarantine_size(hours: int) -> int:
    """Return how many records arrived and were quarantined in the last ``hours``, without reading them.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    return len(_listed(hours))


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def quarantine(hours: int) -> QuarantineCounts:
    """Return the records that arrived and were quarantined in the last ``hours``.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    bucket = deployment().telemetry_bucket
    listed = _listed(hours)
    listed.sort(key=lambda row: row[1].written, reverse=True)
    read, rest = listed[:MAX_QUARANTINE_READS], listed[MAX_QUARANTINE_READS:]
    s3 = client("s3")
    with errors_of(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        reasons = list(pool.map(lambda row: _reason(s3, bucket, row[1]), read))
    reasons += [NOT_READ] * len(rest)
    rows = [
        (stream, _hour_of(item.key), reason, item.key, item.written, item.size)
        for (stream, item), reason in zip(listed, reasons, strict=True)
    ]
    records = pd.DataFrame(rows, columns=list(RECORD_COLUMNS))
    for column in ("hour", "written"):
        records[column] = pd.to_datetime(records[column], utc=True)
    counts = records.groupby(["stream", "hour", "reason"], as_index=False).size().rename(columns={"size": "records"})
    return QuarantineCounts(counts, len(listed), len(rest), records)


@st.cache_data(ttl=lifetimes.CHECKS, max_entries=5, show_spinner=False)
def quarantine_object(key: str) -> QuarantineObject | None:
    """Read one object below quarantine/, or return None if it is gone: a replay resolved it.

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
            if error.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        size = int(answer["ContentLength"])
        if size > MAX_RECORD_BYTES:
            return QuarantineObject(key, size, answer["Body"].read(FIRST_BYTES), None)
        body = answer["Body"].read()
    try:
        return QuarantineObject(key, size, body, decode(body))
    except ValueError:  # Someone put another file there.
        return QuarantineObject(key, size, body, None)


def _listed(hours: int) -> list[tuple[str, BucketObject]]:
    """Return the stream and the object of each record of the last ``hours``."""
    return [
        (stream, item)
        for stream in (names.CLICK_STREAM, names.TRUCK_STREAM)
        for item in list_hours(f"{names.QUARANTINE_PREFIX}{stream}/", hours)
    ]


# The cache key includes the time written, so an object that was replaced is read again.
@lru_cache(maxsize=20_000)
def _reason(s3: Any, bucket: str, item: BucketObject) -> str:
    """Return the reason in one quarantine object."""
    body = s3.get_object(Bucket=bucket, Key=item.key)["Body"].read()
    try:
        return str(json.loads(body)["reason"])
    except (ValueError, KeyError, TypeError):  # Someone put another file there.
        return NOT_A_RECORD


def _hour_of(key: str) -> str:
    year, month, day, hour = key.split("/")[-5:-1]
    return f"{year}-{month}-{day}T{hour}:00:00"
