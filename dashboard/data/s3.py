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

# The limits of one answer.  A page says when it shows less than there is.
MAX_KEYS_PER_HOUR = 5_000


class BucketObject(NamedTuple):
    """An object's key, when it was written, and its size in bytes."""

    key: str
    written: datetime
    size: int


@st.cache_data(ttl=lifetimes.PROGRESS, show_spinner=False)
def newest_landing(hours: int = 3) -> tuple[datetime | None, int]:
    """Return when the newest landing object of the last ``hours`` was written, and how many objects there are.

    It counts at most :data:`MAX_KEYS_PER_HOUR` objects per hour.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    listed = list_hours(names.LANDING_PREFIX, hours)
    return max((item.written for item in listed), default=None), len(listed)


def list_hours(prefix: str, hours: int) -> list[BucketObject]:
    """List the objects under ``<prefix><yyyy>/<mm>/<dd>/<HH>/`` of this hour and the ``hours`` before it."""
    bucket, s3, instant = deployment().telemetry_bucket, client("s3"), now()
    prefixes = [f"{prefix}{hour:%Y/%m/%d/%H}/" for hour in hours_between(instant - timedelta(hours=hours), instant)]

    def list_hour(hour_prefix: str) -> list[BucketObject]:
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=hour_prefix, PaginationConfig={"MaxItems": MAX_KEYS_PER_HOUR}
        )
        return [
            BucketObject(item["Key"], item["LastModified"], item["Size"])
            for page in pages
            for item in page.get("Contents", [])
        ]

    with errors_of(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        return [item for hour in pool.map(list_hour, prefixes) for item in hour]
