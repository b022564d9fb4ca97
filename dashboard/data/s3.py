"""Queries of the telemetry bucket: objects found by their hour of arrival."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple

import streamlit as st

from dashboard.data import lifetimes
from dashboard.data.aws import WORKERS, client, errors_of
from dashboard.data.clock import hours_between, now
from dashboard.data.settings import deployment
from dashboard.data.stores import BUCKET_STORE
from include import names
from include.ledger.landing_zone import LONGEST_BATCH

# The limits of one answer.  A page says when it shows less than there is.
MAX_KEYS_PER_HOUR = 5_000
# The keys of an hour sort by shard, and those of a shard by time.  A full shard has 7,200 landing objects an hour
# (docs/load.md), so this reaches the end of two of them, and their newest object is as new as that of any other shard.
# A call lists 1,000.
MAX_LANDING_KEYS = 20_000

# Landing objects are looked for in this hour and so many before.  An object is under the hour of its first record, and
# after an outage a batch spans hours: so any record of this hour and the three before is in an object that is found.
RECENT_HOURS = 3
LANDING_HOURS = RECENT_HOURS + LONGEST_BATCH // timedelta(hours=1)


class BucketObject(NamedTuple):
    """An object's key, when it was written, and its size in bytes."""

    key: str
    written: datetime
    size: int


class Listing(NamedTuple):
    """Objects, and whether there are more than may be listed."""

    objects: list[BucketObject]
    is_cut: bool


@st.cache_data(ttl=lifetimes.PROGRESS, show_spinner=False)
def newest_landing() -> datetime | None:
    """Return when the newest landing object of the last :data:`LANDING_HOURS` was written, or None if there is none.

    It lists the newest hour that has any, and at most :data:`MAX_LANDING_KEYS` objects of it.  While no truck reports,
    that is five calls.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    prefixes = _prefixes(names.LANDING_PREFIX, LANDING_HOURS)
    with errors_of(BUCKET_STORE):
        for hours_ago, prefix in enumerate(reversed(prefixes)):
            if hours_ago == RECENT_HOURS + 1 and not list_hour(names.LANDING_PREFIX, 1, after=prefixes[0]).objects:
                break
            if listed := list_hour(prefix, MAX_LANDING_KEYS).objects:
                return max(item.written for item in listed)
    return None


def landing_asked_since(instant: datetime) -> datetime:
    """Return the arrival from which on :func:`newest_landing`, asked at ``instant``, finds the object of any record."""
    return hours_between(instant - timedelta(hours=LANDING_HOURS), instant)[0] + LONGEST_BATCH


def list_hours(prefix: str, hours: int) -> Listing:
    """List the objects under ``<prefix><yyyy>/<mm>/<dd>/<HH>/`` of this hour and the ``hours`` before it.

    Of each hour it lists at most :data:`MAX_KEYS_PER_HOUR`.
    """
    prefixes, most = _prefixes(prefix, hours), MAX_KEYS_PER_HOUR
    with errors_of(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        listings = list(pool.map(lambda hour: list_hour(hour, most), prefixes))
    return Listing(
        [item for listing in listings for item in listing.objects], any(listing.is_cut for listing in listings)
    )


def _prefixes(prefix: str, hours: int) -> list[str]:
    instant = now()
    return [f"{prefix}{hour:%Y/%m/%d/%H}/" for hour in hours_between(instant - timedelta(hours=hours), instant)]


def list_hour(prefix: str, most: int, *, after: str = "") -> Listing:
    """List the objects under ``prefix`` with keys ``after`` this one, at most ``most``.  A caller turns S3's errors."""
    pages = (
        client("s3")
        .get_paginator("list_objects_v2")
        .paginate(
            Bucket=deployment().telemetry_bucket, Prefix=prefix, StartAfter=after, PaginationConfig={"MaxItems": most}
        )
    )
    objects = [
        BucketObject(item["Key"], item["LastModified"], item["Size"])
        for page in pages
        for item in page.get("Contents", [])
    ]
    # boto3 knows where to resume only if it stopped before the end.
    return Listing(objects, pages.resume_token is not None)
