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
def newest_landing(hours: int = 3) -> datetime | None:
    """Return when the newest landing object of the last ``hours`` was written, or None if there is none.

    It lists the newest hour that has any, and at most :data:`MAX_KEYS_PER_HOUR` objects of it.

    Raises:
        StoreUnavailableError: S3 can't answer.
    """
    with errors_of(BUCKET_STORE):
        for prefix in reversed(_prefixes(names.LANDING_PREFIX, hours)):
            if listed := list_hour(prefix):
                return max(item.written for item in listed)
    return None


def list_hours(prefix: str, hours: int) -> list[BucketObject]:
    """List the objects under ``<prefix><yyyy>/<mm>/<dd>/<HH>/`` of this hour and the ``hours`` before it."""
    with errors_of(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        return [item for hour in pool.map(list_hour, _prefixes(prefix, hours)) for item in hour]


def _prefixes(prefix: str, hours: int) -> list[str]:
    instant = now()
    return [f"{prefix}{hour:%Y/%m/%d/%H}/" for hour in hours_between(instant - timedelta(hours=hours), instant)]


def list_hour(prefix: str) -> list[BucketObject]:
    """List the objects under ``prefix``, at most :data:`MAX_KEYS_PER_HOUR`.  A caller turns the errors of S3."""
    pages = (
        client("s3")
        .get_paginator("list_objects_v2")
        .paginate(Bucket=deployment().telemetry_bucket, Prefix=prefix, PaginationConfig={"MaxItems": MAX_KEYS_PER_HOUR})
    )
    return [
        BucketObject(item["Key"], item["LastModified"], item["Size"])
        for page in pages
        for item in page.get("Contents", [])
    ]
