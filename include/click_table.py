"""Reading ClickStreamData, for all its readers: the known items, their partitions of the index, and clicks by key."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from include import names
from include.contracts.click import item_hour_shard
from include.contracts.times import to_canonical
from include.retry import backoff

# A quota of BatchGetItem.
BATCH_KEYS = 100
# Attempts on keys that it returns unprocessed, with full jitter in between.
MAX_ATTEMPTS = 8
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 5.0

# An item, or its key, in DynamoDB's notation.
DynamoItem = dict[str, dict[str, Any]]


def known_items(dynamodb: Any, at_most: int | None = None) -> Iterator[DynamoItem]:
    """The items of ClickItems, a small table that exists so that no reader scans the large one."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=names.CLICK_ITEM_TABLE, PaginationConfig={"MaxItems": at_most}
    )
    return (item for page in pages for item in page["Items"])


def partitions(items: Sequence[str], hour: datetime, shards: int) -> list[str]:
    """The partitions of the index that have these items' clicks of the (aware) ``hour``."""
    text = to_canonical(hour)
    return [item_hour_shard(item, text, shard) for item in items for shard in range(shards)]


def batches(keys: Iterable[DynamoItem]) -> Iterator[list[DynamoItem]]:
    """The keys, as many at a time as :func:`batch_get` accepts."""
    left = iter(keys)
    while batch := list(islice(left, BATCH_KEYS)):
        yield batch


def batch_get(dynamodb: Any, keys: Sequence[DynamoItem], **options: Any) -> list[DynamoItem]:
    """The existing clicks of up to BATCH_KEYS keys; ``options`` are those of BatchGetItem for a table.

    Raises:
        TimeoutError: DynamoDB left some keys unprocessed in every attempt.
    """
    found: list[DynamoItem] = []
    request: dict[str, Any] = {names.CLICK_TABLE: {"Keys": keys, **options}}
    for failures in range(MAX_ATTEMPTS):
        if failures:
            time.sleep(backoff(failures, first=FIRST_WAIT_SECONDS, longest=LONGEST_WAIT_SECONDS))
        answer = dynamodb.batch_get_item(RequestItems=request)
        found += answer["Responses"].get(names.CLICK_TABLE, [])
        request = answer.get("UnprocessedKeys", {})
        if not request:
            return found
    left = len(request[names.CLICK_TABLE]["Keys"])
    raise TimeoutError(
        f"{left} of {len(keys)} clicks stayed unprocessed {MAX_ATTEMPTS} times: {names.CLICK_TABLE} is throttled"
    )
