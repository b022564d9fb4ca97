"""Clicks of an hour: the archive's against ClickStreamData and quarantine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import islice
from typing import Any

from include import click_table, names
from include.click_table import DynamoItem
from include.contracts import ContractError, decode_click
from include.contracts.archive import ArchivedRecord
from include.contracts.quarantine import decode
from include.contracts.times import MAX_CLOCK_SKEW, parse, to_canonical
from include.ledger.balance import SAMPLES_KEPT, Balance
from include.ledger.books import IN_ORDER, RESOLVED, Books

HOUR = timedelta(hours=1)
WORKERS = 16
# The index knows a click's own time, not its arrival: rows are looked for so far around the hour.
AROUND = MAX_CLOCK_SKEW
# What is read of a click.
READ = {
    "ProjectionExpression": "#time, Item_ID, Item_Name, Click_Counts, Arrival_Time",
    "ExpressionAttributeNames": {"#time": "Timestamp"},
}

Row = tuple[str, bytes, str]

# Where each archived envelope is; `row` is the one of its click.  Resolved means that its function took it, so it
# counts as processed; a quarantined one whose very content the row has was written as well (docs/adr/0010).
PLACES = """
    CREATE TEMP TABLE places AS
    SELECT
        archived.shard, archived.seq, archived.valid, archived.click, archived.content,
        clicks.content AS row_content, clicks.arrival AS row_arrival,
        quarantined.seq IS NOT NULL AND resolved.seq IS NULL AS is_quarantined,
        CASE
            WHEN archived.valid AND clicks.click IS NOT NULL
                AND (quarantined.seq IS NULL OR resolved.seq IS NOT NULL OR archived.content = clicks.content)
                THEN 'table'
            WHEN resolved.seq IS NOT NULL AND NOT archived.valid THEN 'resolved'
            WHEN quarantined.seq IS NOT NULL AND resolved.seq IS NULL THEN 'quarantine'
            ELSE 'missing'
        END AS place
    FROM archived
    LEFT JOIN clicks ON clicks.click = archived.click
    LEFT JOIN held AS quarantined
        ON (quarantined.shard, quarantined.seq, quarantined.place) = (archived.shard, archived.seq, 'quarantine')
    LEFT JOIN held AS resolved
        ON (resolved.shard, resolved.seq, resolved.place) = (archived.shard, archived.seq, 'resolved')
"""
HELD_UNARCHIVED = (
    "SELECT min(key) FROM held WHERE (shard, seq) NOT IN (SELECT shard, seq FROM archived) GROUP BY shard, seq"
)
ROWS_UNARCHIVED = f"""
    SELECT '{names.CLICK_TABLE} ' || click FROM clicks
    WHERE arrival >= ? AND arrival < ? AND click NOT IN (SELECT click FROM archived WHERE valid)
"""
# What is in quarantine did not try to become the row.
CONFLICTING = """
    SELECT click FROM (
        SELECT click, content FROM places WHERE valid AND NOT is_quarantined
        UNION
        SELECT click, row_content FROM places WHERE valid AND row_content IS NOT NULL
    )
    GROUP BY click HAVING count(*) > 1
"""


def archived_row(record: ArchivedRecord) -> tuple[Any, ...]:
    """The record as ``archived`` of the books has it: judged at its arrival, as its function did (docs/adr/0002)."""
    try:
        click = decode_click(record.payload, now=parse(record.arrival_time))
    except ContractError:
        return record.shard_id, record.sequence_number, False, None, None
    key = _key(click.timestamp, click.item_id)
    return record.shard_id, record.sequence_number, True, key, _content(click.item_name, click.click_counts)


def count(books: Books, balance: Balance, table: ClickTable, resolved_reason: Callable[[str], str]) -> None:
    """Fills in ``balance`` from the books, which have what is archived and held, and from the table."""
    books.add("clicks", table.around(balance.hour))
    books.execute(
        "CREATE TEMP TABLE wanted AS SELECT DISTINCT click FROM archived WHERE valid EXCEPT SELECT click FROM clicks"
    )
    books.add("clicks", table.get(click for (click,) in books.execute("SELECT click FROM wanted")))
    books.execute(PLACES)
    books.execute("CREATE INDEX temp.places_of_click ON places (click)")

    bounds = to_canonical(balance.hour), to_canonical(balance.hour + HOUR)
    in_table = "SELECT click FROM places WHERE place = 'table'"
    balance.archived = books.count("SELECT 1 FROM archived")
    balance.landed = books.count(
        f"SELECT DISTINCT click FROM ({in_table} AND row_arrival >= ? AND row_arrival < ?)", *bounds
    )
    balance.duplicates = books.count(in_table) - balance.landed
    balance.quarantined = books.count("SELECT 1 FROM places WHERE place = 'quarantine'")
    balance.resolved = books.count("SELECT 1 FROM places WHERE place = 'resolved'")
    missing = f"SELECT shard, seq FROM places WHERE place = 'missing' {IN_ORDER}"
    balance.missing = books.count(missing)
    balance.unexpected = books.count(HELD_UNARCHIVED) + books.count(ROWS_UNARCHIVED, *bounds)
    unexpected = books.samples(HELD_UNARCHIVED) + books.samples(ROWS_UNARCHIVED, *bounds)
    balance.samples |= {
        kind: found[:SAMPLES_KEPT]
        for kind, found in (("missing", books.samples(missing)), ("unexpected", unexpected))
        if found
    }
    _find_conflicts(books, balance, resolved_reason)


def _find_conflicts(books: Books, balance: Balance, resolved_reason: Callable[[str], str]) -> None:
    for (click,) in books.execute(CONFLICTING):
        # Whoever had a key_conflict replayed wanted the row to change.
        replayed = books.execute(
            "SELECT held.key FROM places JOIN held USING (shard, seq) WHERE click = ? AND held.place = ?",
            click,
            RESOLVED,
        )
        if any(resolved_reason(key) == "key_conflict" for (key,) in replayed):
            continue
        balance.conflicts += 1
        told = balance.samples.setdefault("conflicts", [])
        if len(told) < SAMPLES_KEPT:
            senders = books.samples(f"SELECT shard, seq FROM places WHERE click = ? {IN_ORDER}", click)
            (kept,) = books.execute("SELECT max(row_arrival) FROM places WHERE click = ?", click)
            told.append(f"{click} ({', '.join(senders)}; kept is what arrived {kept[0]})")


class ClickTable:
    """ClickStreamData, read in parallel: by its index hour by hour, and by key what the index did not have."""

    def __init__(self, dynamodb: Any, index_shards: int) -> None:
        self._dynamodb = dynamodb
        self._index_shards = index_shards
        self._items: list[str] | None = None

    def around(self, hour: datetime) -> Iterator[Row]:
        """Rows whose click has a time in ``hour`` or shortly before or after: almost all that arrived in it.

        Finds what nobody archived, and costs a small part of reading by key.
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
            for each in (-1, 0, 1)
            for partition in click_table.partitions(self._catalogue(), hour + each * HOUR, self._index_shards)
        )
        return _answers(self._query, requests)

    def get(self, clicks: Iterable[str]) -> Iterator[Row]:
        """The rows of these that there are, as of now."""
        return _answers(self._batch_get, click_table.batches(map(_table_key, clicks)))

    def _catalogue(self) -> list[str]:
        if self._items is None:
            self._items = [item["Item_ID"]["S"] for item in click_table.known_items(self._dynamodb)]
        return self._items

    def _query(self, request: dict[str, Any]) -> tuple[list[DynamoItem], dict[str, Any] | None]:
        answer = self._dynamodb.query(**request)
        last = answer.get("LastEvaluatedKey")
        return answer["Items"], {**request, "ExclusiveStartKey": last} if last else None

    def _batch_get(self, keys: list[DynamoItem]) -> tuple[list[DynamoItem], None]:
        # The index lags behind the table: a row that it did not have yet is no missing row.
        return click_table.batch_get(self._dynamodb, keys, ConsistentRead=True, **READ), None


def _answers(ask: Callable[[Any], tuple[list[DynamoItem], Any]], requests: Iterable[Any]) -> Iterator[Row]:
    """Rows of all answers; WORKERS requests are in flight at a time, and as many answers in memory.

    ``ask`` gives what it found, and the request for the rest or None.
    """
    waiting = iter(requests)
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="ledger-dynamodb") as pool:
        asked: set[Future[tuple[list[DynamoItem], Any]]] = set()
        while True:
            asked |= {pool.submit(ask, request) for request in islice(waiting, WORKERS - len(asked))}
            if not asked:
                return
            done, asked = wait(asked, return_when=FIRST_COMPLETED)
            for future in done:
                items, more = future.result()
                if more is not None:
                    asked.add(pool.submit(ask, more))
                yield from map(_row, items)


def _row(item: DynamoItem) -> Row:
    content = _content(item["Item_Name"]["S"], int(item["Click_Counts"]["N"]))
    return _key(item["Timestamp"]["S"], item["Item_ID"]["S"]), content, item["Arrival_Time"]["S"]


def _key(timestamp: str, item_id: str) -> str:
    """Canonical times are 26 characters long, so both can be had back."""
    return f"{timestamp} {item_id}"


def _table_key(click: str) -> DynamoItem:
    return {"Timestamp": {"S": click[:26]}, "Item_ID": {"S": click[27:]}}


def _content(item_name: str, click_counts: int) -> bytes:
    return blake2b(f"{click_counts} {item_name}".encode(), digest_size=16).digest()


def reason_of(s3: Any, bucket: str, key: str) -> str:
    """Why the record of a quarantine object was quarantined."""
    return decode(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).reason
