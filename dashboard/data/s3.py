"""Queries of the telemetry bucket: landing objects and quarantined records, found by their hour of arrival."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard.data import lifetimes
from dashboard.data.aws import WORKERS, client, errors_of
from dashboard.data.clock import hours_between, now
from dashboard.data.settings import deployment
from dashboard.data.stores import BUCKET_STORE
from include import names

# The limits of one answer.  A page says when it shows less than there is.
MAX_KEYS_PER_HOUR = 5_000
MAX_QUARANTINE_READS = 500


class QuarantineCounts(NamedTuple):
    """Quarantined records of the last hours.

    Attributes:
        frame: stream, hour, reason, records.
        listed: the number of objects found.
        unread: the number of objects, of those found, with the reason "not read": a page reads only the newest
            :data:`MAX_QUARANTINE_READS`.
    """

    frame: pd.DataFrame
    listed: int
    unread: int


class BucketObject(NamedTuple):
    """An object's key, and when it was written."""

    key: str
    written: datetime


@st.cache_data(ttl=lifetimes.PROGRESS, show_spinner=False)
def newest_landing(hours: int = 3) -> tuple[datetime | None, int]:
    """Return when the newest landing object of the last ``hours`` was written, and how many objects there are.

    It counts at most :data:`MAX_KEYS_PER_HOUR` objects per hour.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    listed = _list_hours(names.LANDING_PREFIX, hours)
    return max((item.written for item in listed), default=None), len(listed)


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def quarantine(hours: int) -> QuarantineCounts:
    """Count the records that arrived and were quarantined in the last ``hours``, by stream, hour and reason.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    bucket = deployment().telemetry_bucket
    listed = [
        (stream, item)
        for stream in (names.CLICK_STREAM, names.TRUCK_STREAM)
        for item in _list_hours(f"{names.QUARANTINE_PREFIX}{stream}/", hours)
    ]
    listed.sort(key=lambda row: row[1].written, reverse=True)
    read, rest = listed[:MAX_QUARANTINE_READS], listed[MAX_QUARANTINE_READS:]
    s3 = client("s3")
    with errors_of(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        reasons = list(pool.map(lambda row: _reason(s3, bucket, row[1]), read))
    reasons += ["not read"] * len(rest)
    rows = [(stream, _hour_of(item.key), reason) for (stream, item), reason in zip(listed, reasons, strict=True)]
    frame = pd.DataFrame(rows, columns=["stream", "hour", "reason"])
    frame["hour"] = pd.to_datetime(frame["hour"], utc=True)
    counts = frame.groupby(["stream", "hour", "reason"], as_index=False).size().rename(columns={"size": "records"})
    return QuarantineCounts(counts, len(listed), len(rest))


# The cache key includes the time written, so an object that was replaced is read again.
@lru_cache(maxsize=20_000)
def _reason(s3: Any, bucket: str, item: BucketObject) -> str:
    """Return the reason in one quarantine object."""
    body = s3.get_object(Bucket=bucket, Key=item.key)["Body"].read()
    return str(json.loads(body).get("reason", "unknown"))


def _list_hours(prefix: str, hours: int) -> list[BucketObject]:
    """List the objects under ``<prefix><yyyy>/<mm>/<dd>/<HH>/`` of this hour and the ``hours`` before it."""
    bucket, s3, instant = deployment().telemetry_bucket, client("s3"), now()
    prefixes = [f"{prefix}{hour:%Y/%m/%d/%H}/" for hour in hours_between(instant - timedelta(hours=hours), instant)]

    def list_hour(hour_prefix: str) -> list[BucketObject]:
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=hour_prefix, PaginationConfig={"MaxItems": MAX_KEYS_PER_HOUR}
        )
        return [BucketObject(item["Key"], item["LastModified"]) for page in pages for item in page.get("Contents", [])]

    with errors_of(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        return [item for hour in pool.map(list_hour, prefixes) for item in hour]


def _hour_of(key: str) -> str:
    year, month, day, hour = key.split("/")[-5:-1]
    return f"{year}-{month}-{day}T{hour}:00:00"
