"""ClickStreamData as the ledger reads it: by its index hour by hour, and by key for the clicks that the index lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from include import click_table, names
from include.click_table import DynamoItem
from include.contracts.times import MAX_CLOCK_SKEW, to_canonical
from include.ledger.balance import HOUR
from include.ledger.click_balance import ClickRow, click_key, content_digest, row_key

WORKERS = 16
# The index has a click's own time, not its arrival: rows are read from this long before the hour until this long after.
AROUND = MAX_CLOCK_SKEW
# The attributes that are read.
READ = {
    "ProjectionExpression": "#time, Item_ID, Item_Name, Click_Counts, Arrival_Time",
    "ExpressionAttributeNames": {"#time": "Timestamp"},
}

Request = TypeVar("Request")


class DynamoClickRows:
    """The rows of the table, with several requests in flight."""

    def __init__(self, dynamodb: Any, index_shards: int) -> None:
        self._dynamodb = dynamodb
        self._index_shards = index_shards
        self._items: list[str] | None = None

    def around(self, hour: datetime) -> Iterator[ClickRow]:
        """Rows of clicks whose own time is in ``hour`` or shortly before or after: almost all that arrived in it.

        This finds rows that were never archived, and costs a small part of reading by key.
        """
        first, last = to_canonical(hour - AROUND), to_canonical(hour + HOUR + AROUND)
        requests = (
            {
                "TableName": names.CLICK_TABLE,
                "IndexName": names.CLICK_INDEX,
                "KeyConditionExpression": "Item_Hour_Shard = :partition AND #time BETWEEN :first AND :last",
                "ExpressionAttributeValues": {
                    ":partition": {"S": partition},
                    ":first": {"S": first},
                    ":last": {"S": last},
                },
                **READ,
            }
            for offset in (-1, 0, 1)
            for partition in click_table.partitions(self._known_items(), hour + offset * HOUR, self._index_shards)
        )
        return _rows(self._query, requests)

    def by_key(self, clicks: Iterable[str]) -> Iterator[ClickRow]:
        """The rows that exist of these clicks, consistently read."""
        return _rows(self._batch_get, click_table.batches(map(_table_key, clicks)))

    def _known_items(self) -> list[str]:
        if self._items is None:
            self._items = [item["Item_ID"]["S"] for item in click_table.known_items(self._dynamodb)]
        return self._items

    def _query(self, request: dict[str, Any]) -> tuple[list[DynamoItem], dict[str, Any] | None]:
        answer = self._dynamodb.query(**request)
        last = answer.get("LastEvaluatedKey")
        return answer["Items"], {**request, "ExclusiveStartKey": last} if last else None

    def _batch_get(self, keys: list[DynamoItem]) -> tuple[list[DynamoItem], None]:
        # The index lags behind the table: a row that it does not have yet is not missing.
        return click_table.batch_get(self._dynamodb, keys, ConsistentRead=True, **READ), None


def _rows(
    ask: Callable[[Request], tuple[list[DynamoItem], Request | None]], requests: Iterable[Request]
) -> Iterator[ClickRow]:
    """The rows of all answers; WORKERS requests are in flight at a time, and as many answers in memory.

    ``ask`` returns the items of one answer, and the request for the rest or None.
    """
    waiting = iter(requests)

    def asked_rows(request: Request) -> tuple[list[ClickRow], Request | None]:
        # Its items take several times the memory of the rows.
        items, more = ask(request)
        return list(map(_row, items)), more

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="ledger-dynamodb") as pool:
        asked: set[Future[tuple[list[ClickRow], Request | None]]] = set()
        while True:
            asked |= {pool.submit(asked_rows, request) for request in islice(waiting, WORKERS - len(asked))}
            if not asked:
                return
            done, asked = wait(asked, return_when=FIRST_COMPLETED)
            for future in done:
                rows, more = future.result()
                if more is not None:
                    asked.add(pool.submit(asked_rows, more))
                yield from rows


def _row(item: DynamoItem) -> ClickRow:
    content = content_digest(item["Item_Name"]["S"], int(item["Click_Counts"]["N"]))
    return click_key(item["Timestamp"]["S"], item["Item_ID"]["S"]), content, item["Arrival_Time"]["S"]


def _table_key(click: str) -> DynamoItem:
    timestamp, item_id = row_key(click)
    return {"Timestamp": {"S": timestamp}, "Item_ID": {"S": item_id}}
