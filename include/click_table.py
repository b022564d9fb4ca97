"""ClickStreamData as all its readers read it: the items there are, their partitions of the index, and clicks by key."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from include import names
from include.contracts.click import item_hour_shard
from include.contracts.times import to_canonical

# A quota of BatchGetItem, and how often what it hands back is asked for again, waiting with full jitter.
BATCH_KEYS = 100
MAX_ATTEMPTS = 8
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 5.0

# In DynamoDB's own notation.
Item = dict[str, dict[str, Any]]


def known_items(dynamodb: Any, at_most: int | None = None) -> Iterator[Item]:
    """ClickItems, the one small table that exists so that the large one is never scanned."""
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=names.CLICK_ITEM_TABLE, PaginationConfig={"MaxItems": at_most}
    )
    return (item for page in pages for item in page["Items"])


def partitions(items: Sequence[str], hour: datetime, shards: int) -> list[str]:
    """Where the index has the clicks of these items in the (aware) ``hour``."""
    text = to_canonical(hour)
    return [item_hour_shard(item, text, shard) for item in items for shard in range(shards)]


def batches(keys: Iterable[Item]) -> Iterator[list[Item]]:
    """The keys, as many at a time as :func:`batch_get` takes."""
    left = iter(keys)
    while batch := list(islice(left, BATCH_KEYS)):
        yield batch


def batch_get(dynamodb: Any, keys: Sequence[Item], **options: Any) -> list[Item]:
    """The clicks of up to BATCH_KEYS keys that there are; ``options`` are BatchGetItem's of a table.

    Raises:
        TimeoutError: DynamoDB left some unread, again and again.
    """
    found: list[Item] = []
    request: dict[str, Any] = {names.CLICK_TABLE: {"Keys": keys, **options}}
    for attempt in range(MAX_ATTEMPTS):
        if attempt:
            longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
            time.sleep(random.uniform(0, longest))  # noqa: S311 - jitter, no secret
        answer = dynamodb.batch_get_item(RequestItems=request)
        found += answer["Responses"].get(names.CLICK_TABLE, [])
        request = answer.get("UnprocessedKeys", {})
        if not request:
            return found
    left = len(request[names.CLICK_TABLE]["Keys"])
    raise TimeoutError(
        f"{left} of {len(keys)} clicks stayed unprocessed {MAX_ATTEMPTS} times: {names.CLICK_TABLE} is throttled"
    )
