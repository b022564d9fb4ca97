"""Clicks in DynamoDB: rows of ClickStreamData, and the items that they name in ClickItems."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, NotRequired, Protocol, TypedDict

from include.contracts import Envelope
from lambdas.common.aws import send_apart_from_refused, send_in_calls, store_errors
from lambdas.common.deadline import Deadline
from lambdas.common.dynamodb import DynamoItem
from lambdas.common.processing import Written

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


class _Put(NamedTuple):
    """A request for a table, and the record that it is for."""

    table: str
    request: _WriteRequest
    envelope: Envelope

    @property
    def key(self) -> tuple[str, ...]:
        return _key(self.table, self.request)


class ClickStore:
    """Both tables.  Create it once per container: it remembers which items it has written."""

    def __init__(self, client: ClickTableClient, click_table: str, item_table: str) -> None:
        self._client = client
        self._click_table = click_table
        self._item_table = item_table
        self._known_items: dict[str, str] = {}

    def write(self, rows: Iterable[tuple[DynamoItem, Envelope]], deadline: Deadline) -> Written:
        """Write ``rows`` (distinct keys), and the items that they name and this container has not written yet.

        Everything can be written again.
        """
        new_items: dict[str, str] = {}
        puts = self._puts(rows, new_items)
        refused: list[tuple[_Put, str]] = []
        undone, error = send_in_calls(
            lambda call: send_apart_from_refused(self._batch_write, call, refused), puts, BATCH_ITEMS, deadline
        )
        written = Written([put.envelope for put in undone], error=str(error) if error else None)
        if refused:
            self._judge(puts, undone, refused, written)
        if not undone and not refused:
            if len(self._known_items) + len(new_items) > MAX_KNOWN_ITEMS:
                self._known_items.clear()
            self._known_items.update(new_items)
        return written

    def _puts(self, rows: Iterable[tuple[DynamoItem, Envelope]], new_items: dict[str, str]) -> list[_Put]:
        """The puts in the order of the records; fills ``new_items`` (id -> the last name of it)."""
        puts: list[_Put] = []
        first: dict[str, tuple[int, Envelope]] = {}
        for row, envelope in rows:
            item, name = row["Item_ID"]["S"], row["Item_Name"]["S"]
            if self._known_items.get(item) != name:
                new_items[item] = name
                first.setdefault(item, (len(puts), envelope))
            puts.append(_Put(self._click_table, {"PutRequest": {"Item": row}}, envelope))
        # From the last one on, so that the places of the others stay.
        for item, (place, envelope) in reversed(first.items()):
            named: DynamoItem = {"Item_ID": {"S": item}, "Item_Name": {"S": new_items[item]}}
            puts.insert(place, _Put(self._item_table, {"PutRequest": {"Item": named}}, envelope))
        return puts

    def _batch_write(self, puts: Sequence[_Put]) -> list[_Put]:
        """Make one call; return the puts that are to be repeated."""
        requests: dict[str, list[_WriteRequest]] = {}
        for put in puts:
            requests.setdefault(put.table, []).append(put.request)
        with store_errors("BatchWriteItem"):
            response = self._client.batch_write_item(RequestItems=requests)
        unprocessed = response.get("UnprocessedItems")
        if not unprocessed:
            return []
        left = {_key(table, request) for table, rest in unprocessed.items() for request in rest}
        return [put for put in puts if put.key in left]

    def _judge(
        self, puts: Sequence[_Put], undone: Sequence[_Put], refused: Sequence[tuple[_Put, str]], written: Written
    ) -> None:
        """A put that its table refuses, beside others that it accepts, is refused; without others, the table fails."""
        not_accepted = {id(put) for put in undone} | {id(put) for put, _ in refused}
        accepting = {put.table for put in puts if id(put) not in not_accepted}
        if self._known_items:
            accepting.add(self._item_table)
        for put, words in refused:
            if put.table in accepting:
                written.refused.append((put.envelope, words))
            else:
                written.undone.append(put.envelope)
                written.error = written.error or words


def _key(table: str, request: _WriteRequest) -> tuple[str, ...]:
    """What a request is known by; DynamoDB returns it with its unprocessed items."""
    item = request["PutRequest"]["Item"]
    return table, item["Item_ID"]["S"], item["Timestamp"]["S"] if "Timestamp" in item else ""
