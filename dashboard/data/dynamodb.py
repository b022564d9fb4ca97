"""Queries of DynamoDB: clicks, and the newest reading of every truck."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard.data import lifetimes
from dashboard.data.aws import WORKERS, client, errors_of
from dashboard.data.clock import hours_between, now
from dashboard.data.settings import deployment
from dashboard.data.stores import CLICK_STORE, STATE_STORE
from dashboard.data.trucks import MAX_TRUCKS, METRIC_NAMES, NUMERIC_METRICS
from include import click_table, names
from include.contracts import MAX_CLOCK_SKEW
from include.contracts.click import time_of_row
from include.contracts.times import to_canonical

# The limits of one answer.  A page says when it shows less than there is.
MAX_CLICKS = 20_000
MAX_ITEMS = 200
MAX_CATALOGUE = 20_000

# Every refresh reads the clicks of this last period again.  All are read once a minute.
RECENT = timedelta(minutes=1)


class ClickWindow(NamedTuple):
    """The clicks of a time window.

    Attributes:
        frame: time, item_id, item_name, clicks, delay (seconds from arrival in the stream to DynamoDB); newest first.
        complete_since: None if ``frame`` has every click of the window; otherwise the instant before which clicks are
            left out because there are more than :data:`MAX_CLICKS`.
        items_left_out: the number of items in the catalogue beyond the first :data:`MAX_ITEMS`; their clicks are not
            read.
    """

    frame: pd.DataFrame
    complete_since: datetime | None
    items_left_out: int


class IndexedClick(NamedTuple):
    """One click in the index.  Times are canonical UTC text, so rows sort by time."""

    time: str
    item_id: str
    clicks: int
    arrival: str
    ingested: str


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def items() -> dict[str, str]:
    """Return item names by item ID, sorted by ID; empty before the first click."""
    with errors_of(CLICK_STORE):
        known = click_table.known_items(client("dynamodb"), at_most=MAX_CATALOGUE)
        found = {item["Item_ID"]["S"]: item["Item_Name"]["S"] for item in known}
    return dict(sorted(found.items()))


def clicks(minutes: int) -> ClickWindow:
    """Return the clicks with a timestamp in the last ``minutes``, newest first.

    The last one to two minutes are current to the second, older clicks to the minute: reading a busy day again at every
    refresh would cost more than writing it.  A click that arrives late appears within a minute.

    Raises:
        StoreUnavailableError: DynamoDB can't answer.
    """
    edge = now().replace(second=0, microsecond=0) - RECENT
    whole = _all_clicks(edge + RECENT - timedelta(minutes=minutes))
    if now() - whole.read_at <= timedelta(seconds=lifetimes.LIVE):
        return whole.window
    recent = _recent_clicks(edge).window
    if recent.complete_since:
        return recent
    older = whole.window.frame[whole.window.frame["time"] < edge]
    # If there are more clicks than the limit, it may have left out all older ones.
    complete_since = whole.window.complete_since and min(whole.window.complete_since, edge)
    return ClickWindow(pd.concat([recent.frame, older], ignore_index=True), complete_since, recent.items_left_out)


class _ReadWindow(NamedTuple):
    """A window, and when its reading began."""

    window: ClickWindow
    read_at: datetime


@st.cache_data(ttl=lifetimes.LIVE, show_spinner=False)
def _recent_clicks(since: datetime) -> _ReadWindow:
    return _clicks(since)


@st.cache_data(ttl=60, max_entries=20, show_spinner=False)
def _all_clicks(since: datetime) -> _ReadWindow:
    return _clicks(since)


def _clicks(since: datetime) -> _ReadWindow:
    """Query the index for clicks with since <= timestamp: one partition per item, hour and shard."""
    read_at = now()
    catalogue = items()
    shards = deployment().click_index_shards
    asked = list(catalogue)[:MAX_ITEMS]
    dynamodb = client("dynamodb")
    rows: list[IndexedClick] = []
    complete_since: datetime | None = None
    hours = hours_between(since, read_at + MAX_CLOCK_SKEW)
    with errors_of(CLICK_STORE), ThreadPoolExecutor(WORKERS) as pool:
        for hour in reversed(hours):
            partitions = click_table.partitions(asked, hour, shards)
            for found in pool.map(lambda key: _partition(dynamodb, key, since), partitions):
                rows += found
            if len(rows) > MAX_CLICKS:
                rows = sorted(rows, reverse=True)[:MAX_CLICKS]
                complete_since = pd.Timestamp(rows[-1].time, tz="UTC").to_pydatetime()
                break
    rows.sort(reverse=True)
    window = ClickWindow(_click_frame(rows, catalogue), complete_since, len(catalogue) - len(asked))
    return _ReadWindow(window, read_at)


def _partition(dynamodb: Any, key: str, since: datetime) -> list[IndexedClick]:
    """Return the clicks of one partition of the index, newest first.

    It reads one click more than :data:`MAX_CLICKS`, so the caller knows that there are more.
    """
    # Timestamps begin with fixed-width UTC text, so they compare as text.
    pages = dynamodb.get_paginator("query").paginate(
        TableName=names.CLICK_TABLE,
        IndexName=names.CLICK_INDEX,
        KeyConditionExpression="Item_Hour_Shard = :partition AND #time >= :since",
        ExpressionAttributeNames={"#time": "Timestamp"},
        ExpressionAttributeValues={":partition": {"S": key}, ":since": {"S": to_canonical(since)}},
        ProjectionExpression="#time, Item_ID, Click_Counts, Arrival_Time, Ingested_At",
        ScanIndexForward=False,
        PaginationConfig={"MaxItems": MAX_CLICKS + 1},
    )
    return [
        IndexedClick(
            time_of_row(item["Timestamp"]["S"]),
            item["Item_ID"]["S"],
            int(Decimal(item["Click_Counts"]["N"])),
            item["Arrival_Time"]["S"],
            item["Ingested_At"]["S"],
        )
        for page in pages
        for item in page["Items"]
    ]


def _click_frame(rows: list[IndexedClick], catalogue: dict[str, str]) -> pd.DataFrame:
    """Return the frame of a :class:`ClickWindow`; its columns keep their types when it is empty."""
    frame = pd.DataFrame(rows, columns=list(IndexedClick._fields))
    for column in ("time", "arrival", "ingested"):
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
    # Python's integers: the sum of a thousand valid counts can exceed 64 bits.
    frame["clicks"] = frame["clicks"].astype("object")
    frame["item_name"] = frame["item_id"].map(catalogue).astype("object")
    frame["delay"] = (frame["ingested"] - frame["arrival"]).dt.total_seconds()
    return frame[["time", "item_id", "item_name", "clicks", "delay"]]


@st.cache_data(ttl=lifetimes.PROGRESS, show_spinner=False)
def newest_click() -> datetime | None:
    """Return the timestamp of the newest click of the last 24 hours, or None if there is none.

    Only the first :data:`MAX_ITEMS` items of the catalogue are asked.

    Raises:
        StoreUnavailableError: DynamoDB can't answer.
    """
    dynamodb, shards = client("dynamodb"), deployment().click_index_shards
    asked = list(items())[:MAX_ITEMS]
    with errors_of(CLICK_STORE), ThreadPoolExecutor(WORKERS) as pool:
        for hour in reversed(hours_between(now() - timedelta(hours=24), now() + MAX_CLOCK_SKEW)):
            partitions = click_table.partitions(asked, hour, shards)
            if found := [time for time in pool.map(lambda key: _newest_in(dynamodb, key), partitions) if time]:
                newest: datetime = pd.Timestamp(max(found), tz="UTC").to_pydatetime()
                return newest
    return None


def _newest_in(dynamodb: Any, partition: str) -> str | None:
    """Return the timestamp of the newest click in one partition of the index, or None if it is empty."""
    answer = dynamodb.query(
        TableName=names.CLICK_TABLE,
        IndexName=names.CLICK_INDEX,
        KeyConditionExpression="Item_Hour_Shard = :partition",
        ExpressionAttributeNames={"#time": "Timestamp"},
        ExpressionAttributeValues={":partition": {"S": partition}},
        ProjectionExpression="#time",
        ScanIndexForward=False,
        Limit=1,
    )["Items"]
    return time_of_row(answer[0]["Timestamp"]["S"]) if answer else None


@st.cache_data(ttl=lifetimes.LIVE, show_spinner=False)
def truck_states() -> pd.DataFrame:
    """Return the newest reading of every truck: truck_id, event_time, arrival_time and the 21 metrics.

    Raises:
        StoreUnavailableError: DynamoDB can't answer.
    """
    with errors_of(STATE_STORE):
        # The table has one small item per truck and the page shows them all, so a scan is the right query.
        pages = (
            client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=names.TRUCK_STATE_TABLE, PaginationConfig={"MaxItems": MAX_TRUCKS})
        )
        rows = [
            {name.lower(): value.get("S", value.get("N")) for name, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]
    frame = pd.DataFrame(rows).reindex(columns=["truck_id", "event_time", "arrival_time", *METRIC_NAMES])
    for column in ("event_time", "arrival_time"):
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
    numbers = list(NUMERIC_METRICS)
    frame[numbers] = frame[numbers].astype("float64")
    return frame.sort_values("truck_id", ignore_index=True)
