"""The DynamoDB items that a quality rule can read: a bounded set, as rows for a temporary table in Snowflake.

Values come as text and are not trusted.  An attribute that is absent, or of another DynamoDB type than the contract's,
is NULL, so that a rule finds it.  ``sql/quality/staging/<source>.sql`` creates the tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from heapq import nlargest
from typing import Any
from zlib import crc32

import msgspec

from include import click_table, names
from include.click_table import DynamoItem
from include.contracts import MAX_CLOCK_SKEW, METRICS
from include.contracts.click import time_of_row
from include.contracts.times import to_canonical
from include.quality.look_alikes import looks_like, spelled_out

# How old a click may be; the newest of each partition (item, hour, shard) come first.
CLICK_WINDOW = timedelta(hours=1)
CLICKS_PER_PARTITION = 50
# At most this many items per run.  From a larger catalogue, each day takes others.
MAX_ITEMS = 200
# Each whole click costs a read, so the newest clicks of all items are enough.  But while others are busy, none of these
# is of an item that fell silent: so many of its newest are read in any case, as clicks_keep_coming needs.
MAX_CLICKS = 2_000
CLICKS_PER_ITEM = 20
WORKERS = 8

Row = tuple[str | None, ...]

_TEXT, _NUMBER = "S", "N"
# No attribute of a click, but the part of Timestamp that is a time.
CLICK_TIME = "Click_Time"
_ENVELOPE = (
    ("STREAM_NAME", "Stream", _TEXT),
    ("SHARD_ID", "Shard_ID", _TEXT),
    ("SEQUENCE_NUMBER", "Sequence_Number", _TEXT),
    ("SUB_SEQUENCE_NUMBER", "Sub_Sequence_Number", _NUMBER),
    ("ARRIVAL_TIME", "Arrival_Time", _TEXT),
)


class ItemsError(RuntimeError):
    """The items can't be read: there is no connection, or DynamoDB repeatedly returned fewer than it was asked for."""


class ItemSource(msgspec.Struct, frozen=True):
    """Items that a rule can read: (column, attribute, DynamoDB type) of each column of the table ``STAGED_<NAME>``.

    A source with ``id_attribute`` has two columns more, of that attribute: SPELLED_OUT and LOOKS_LIKE.
    """

    name: str
    attributes: tuple[tuple[str, str, str], ...]
    id_attribute: str | None = None

    @property
    def table(self) -> str:
        return f"STAGED_{self.name.upper()}"

    @property
    def ddl(self) -> str:
        """The file below ``sql/`` that creates the table."""
        return f"quality/staging/{self.name}.sql"

    @property
    def columns(self) -> tuple[str, ...]:
        own = tuple(column for column, _, _ in self.attributes)
        return own if self.id_attribute is None else (*own, "SPELLED_OUT", "LOOKS_LIKE")

    def row(self, item: DynamoItem) -> Row:
        """Return the item's values in the order of the columns, numbers as the text that DynamoDB keeps."""
        own = tuple(item.get(attribute, {}).get(kind) for _, attribute, kind in self.attributes)
        if self.id_attribute is None:
            return own
        # A key: it is there, and it is text.
        id_ = item[self.id_attribute][_TEXT]
        return (*own, spelled_out(id_), looks_like(id_))


SOURCES = {
    source.name: source
    for source in (
        ItemSource(
            "truck_states",
            (
                ("TRUCK_ID", "Truck_ID", _TEXT),
                ("EVENT_TIME", "Event_Time", _TEXT),
                ("RECENCY", "Recency", _TEXT),
                ("INGESTED_AT", "Ingested_At", _TEXT),
                *_ENVELOPE,
                *((each.name.upper(), each.name, _NUMBER if each.kind == "number" else _TEXT) for each in METRICS),
            ),
            id_attribute="Truck_ID",
        ),
        ItemSource(
            "click_items",
            (("ITEM_ID", "Item_ID", _TEXT), ("ITEM_NAME", "Item_Name", _TEXT)),
            id_attribute="Item_ID",
        ),
        ItemSource(
            "recent_clicks",
            (
                ("STORED_TIMESTAMP", "Timestamp", _TEXT),
                ("CLICK_TIME", CLICK_TIME, _TEXT),
                ("EVENT_ID", "Event_ID", _TEXT),
                ("ITEM_ID", "Item_ID", _TEXT),
                ("ITEM_NAME", "Item_Name", _TEXT),
                ("CLICK_COUNTS", "Click_Counts", _NUMBER),
                ("ITEM_HOUR_SHARD", "Item_Hour_Shard", _TEXT),
                ("INGESTED_AT", "Ingested_At", _TEXT),
                *_ENVELOPE,
            ),
        ),
    )
}


class ItemReader:
    """Reads the sources.  Only the bounds above leave items out; every method raises what boto3 raises.

    :param client: boto3's client for DynamoDB.
    :param now: aware; click times are compared with it.
    :param index_shards: number of shards of ClickStreamData's index.
    """

    def __init__(self, client: Any, now: datetime, index_shards: int) -> None:
        self._client = client
        self._now = now
        self._index_shards = index_shards

    def rows(self, source: str) -> list[Row]:
        """Return the rows of ``source``, a key of :data:`SOURCES`.

        Raises:
            ItemsError: DynamoDB repeatedly returned fewer items than it was asked for.
        """
        read = {
            "truck_states": self._truck_states,
            "click_items": lambda: self._click_items,
            "recent_clicks": self._recent_clicks,
        }[source]
        return [SOURCES[source].row(item) for item in read()]

    def newest(self) -> str:
        """Return a text that changes when an item comes or changes, and when the last recent click ages out.

        It reads less than the sources' rows: of the clicks, the newest.
        """
        rows = [*self.rows("truck_states"), *self.rows("click_items")]
        newest = max((_stored_at(key) for keys in self._recent_keys().values() for key in keys), default="")
        return sha256(msgspec.json.encode([sorted(rows, key=str), newest])).hexdigest()

    def _truck_states(self) -> Iterator[DynamoItem]:
        # One small item per truck, and the rules need all of them: a scan is the right query here.
        pages = self._client.get_paginator("scan").paginate(TableName=names.TRUCK_STATE_TABLE)
        return (item for page in pages for item in page["Items"])

    @cached_property
    def _click_items(self) -> list[DynamoItem]:
        return list(click_table.known_items(self._client))

    def _recent_clicks(self) -> list[DynamoItem]:
        """Whole items of the newest clicks: their keys from the index, which has no envelope, then the items by key."""
        by_item = self._recent_keys()
        newest = _newest(MAX_CLICKS, (key for keys in by_item.values() for key in keys))
        of_each = [key for keys in by_item.values() for key in _newest(CLICKS_PER_ITEM, keys)]
        # DynamoDB refuses a batch that names a key twice.
        keys = {(_stored_at(key), key["Item_ID"][_TEXT]): key for key in (*newest, *of_each)}
        with ThreadPoolExecutor(WORKERS) as pool:
            return [
                item | {CLICK_TIME: {_TEXT: time_of_row(item["Timestamp"][_TEXT])}}
                for items in pool.map(self._get, click_table.batches(keys.values()))
                for item in items
            ]

    def _recent_keys(self) -> dict[str, list[DynamoItem]]:
        """The keys of the newest clicks of each partition, by the item that the partition is of."""
        day = f"{self._now:%Y-%m-%d}"
        known = [item["Item_ID"]["S"] for item in self._click_items]
        asked = sorted(known, key=lambda item: crc32(f"{day} {item}".encode()))[:MAX_ITEMS]
        partitions = {
            partition: item
            for hour in self._hours()
            for item in asked
            for partition in click_table.partitions([item], hour, self._index_shards)
        }
        by_item: dict[str, list[DynamoItem]] = defaultdict(list)
        with ThreadPoolExecutor(WORKERS) as pool:
            for item, found in zip(partitions.values(), pool.map(self._newest_keys, partitions), strict=True):
                by_item[item] += found
        return by_item

    def _hours(self) -> list[datetime]:
        """The hours that the window touches, up to the skew of a device whose clock is ahead."""
        hour = (self._now - CLICK_WINDOW).replace(minute=0, second=0, microsecond=0)
        hours = []
        while hour <= self._now + MAX_CLOCK_SKEW:
            hours.append(hour)
            hour += timedelta(hours=1)
        return hours

    def _newest_keys(self, partition: str) -> list[DynamoItem]:
        answer = self._client.query(
            TableName=names.CLICK_TABLE,
            IndexName=names.CLICK_INDEX,
            KeyConditionExpression="Item_Hour_Shard = :partition AND #time > :since",
            ExpressionAttributeNames={"#time": "Timestamp"},
            ExpressionAttributeValues={
                ":partition": {"S": partition},
                ":since": {"S": to_canonical(self._now - CLICK_WINDOW)},
            },
            ProjectionExpression="#time, Item_ID",
            ScanIndexForward=False,
            Limit=CLICKS_PER_PARTITION,
        )
        return [{"Timestamp": item["Timestamp"], "Item_ID": item["Item_ID"]} for item in answer["Items"]]

    def _get(self, keys: list[DynamoItem]) -> list[DynamoItem]:
        try:
            return click_table.batch_get(self._client, keys)
        except TimeoutError as error:
            raise ItemsError(str(error)) from error


def _stored_at(key: DynamoItem) -> str:
    text: str = key["Timestamp"][_TEXT]
    return text


def _newest(count: int, keys: Iterable[DynamoItem]) -> list[DynamoItem]:
    return nlargest(count, keys, key=_stored_at)
