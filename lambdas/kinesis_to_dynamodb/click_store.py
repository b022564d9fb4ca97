"""Clicks in DynamoDB: rows of ClickStreamData, and the items that they name in ClickItems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NotRequired, Protocol, TypedDict

from lambdas.common.aws import chunks, in_parallel, store_errors
from lambdas.common.deadline import Deadline, send_all
from lambdas.common.dynamodb import DynamoItem

# The limit of BatchWriteItem.
BATCH_ITEMS = 25
# Bounds the memory for the items that a container has already written.
MAX_KNOWN_ITEMS = 100_000


class _PutItem(TypedDict):
    """The item of a PutRequest."""

    Item: DynamoItem


class _WriteRequest(TypedDict):
    """One request of BatchWriteItem; this function sends only puts."""

    PutRequest: _PutItem


class _BatchWriteAnswer(TypedDict):
    """The part of BatchWriteItem's answer that is used here."""

    UnprocessedItems: NotRequired[dict[str, list[_WriteRequest]]]


class ClickTableClient(Protocol):
    """The call to DynamoDB."""

    def batch_write_item(self, *, RequestItems: dict[str, list[_WriteRequest]]) -> _BatchWriteAnswer: ...


# A table and a request for it.
_Put = tuple[str, _WriteRequest]


class ClickStore:
    """Both tables.  Create it once per container: it remembers which items it has written."""

    def __init__(self, client: ClickTableClient, click_table: str, item_table: str) -> None:
        self._client = client
        self._click_table = click_table
        self._item_table = item_table
        self._known_items: dict[str, str] = {}

    def write(self, clicks: Iterable[DynamoItem], items: Mapping[str, str], deadline: Deadline) -> None:
        """Write ``clicks`` (distinct keys), and those ``items`` (id -> name) that this container has not written yet.

        Raises:
            StoreError: not everything was written.  All of it can be written again.
        """
        new_items = {item: name for item, name in items.items() if self._known_items.get(item) != name}
        puts: list[_Put] = [(self._click_table, {"PutRequest": {"Item": click}}) for click in clicks]
        puts += [
            (self._item_table, {"PutRequest": {"Item": {"Item_ID": {"S": item}, "Item_Name": {"S": name}}}})
            for item, name in new_items.items()
        ]
        in_parallel(lambda chunk: send_all(self._batch_write, chunk, deadline), chunks(puts, BATCH_ITEMS), deadline)
        if len(self._known_items) + len(new_items) > MAX_KNOWN_ITEMS:
            self._known_items.clear()
        self._known_items.update(new_items)

    def _batch_write(self, puts: Sequence[_Put]) -> list[_Put]:
        requests: dict[str, list[_WriteRequest]] = {}
        for table, request in puts:
            requests.setdefault(table, []).append(request)
        with store_errors("BatchWriteItem"):
            response = self._client.batch_write_item(RequestItems=requests)
        return [(table, request) for table, rest in response.get("UnprocessedItems", {}).items() for request in rest]
