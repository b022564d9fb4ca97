"""No two clicks become one, and none becomes two: events with and without ids, in any order, batches and retries.

The rules alone, without a store: the function's batches, a table by key, the ledger, and a page's sums of the index.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from dashboard.data.click_sums import ClickSums, Partition
from include import names
from include.contracts import Envelope, TimeLimits
from include.contracts.archive import ArchivedRecord
from include.contracts.click import item_hour_shard, time_of_row
from include.contracts.times import to_canonical
from include.ledger.balance import Balance
from include.ledger.click_balance import ClickRow, archived_click, balance_clicks, click_key, content_digest, row_key
from include.ledger.hour_database import HourDatabase
from lambdas.common.batch import BatchRecord
from lambdas.kinesis_to_dynamodb import logic

pytestmark = pytest.mark.unit

HOUR = datetime(2026, 11, 27, 13, tzinfo=UTC)
SHARD = "shardId-000000000000"
SHARDS = 2
ROUNDS = 25

# Few of each, so that they meet; some look like a key that is put together from others.
ITEMS = ["A", "A#1", "A 1", "#", "1 A", "1#A", "2026-11-27T13:00:00.001000", "\U0001f69a" * 3]
EVENT_IDS = [None, "1", "1 A", "A", "A#1", "#", "1#1", "2026-11-27T13:00:00.001000 A", "é \U0001f69a"]
TIMES = ["13:00:00.001", "13:00:00.002", "13:00:59.999999", "13:01:00", "13:59:59.999"]


class Table:
    """ClickStreamData and its index, as DynamoDB keeps them."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], dict[str, Any]] = {}
        self.quarantined: list[BatchRecord] = []

    def process(self, batch: list[BatchRecord]) -> None:
        """What the function does with a batch."""
        prepared = logic.prepare(batch, TimeLimits(), ingested_at="now", index_shards=SHARDS)
        keys = [(row["Timestamp"]["S"], row["Item_ID"]["S"]) for row, _ in prepared.rows]
        assert len(set(keys)) == len(keys), "BatchWriteItem refuses a request that names a key twice"
        self.rows |= zip(keys, (row for row, _ in prepared.rows), strict=True)
        self.quarantined += [rejected.record for rejected in prepared.rejected]

    def query(self, ExpressionAttributeValues: dict[str, Any], **_: Any) -> dict[str, Any]:
        """A page of a partition of the index: three rows."""
        partition, after = (ExpressionAttributeValues[name]["S"] for name in (":partition", ":after"))
        found = [row for row in self.rows.values() if row["Item_Hour_Shard"]["S"] == partition]
        left = sorted((row for row in found if row["Timestamp"]["S"] > after), key=lambda row: row["Timestamp"]["S"])
        return {"Items": left[:3]} | ({"LastEvaluatedKey": {}} if len(left) > 3 else {})

    # The ledger's ways to read.

    def around(self, hour: datetime) -> Iterator[ClickRow]:
        """Every other row, as if the index lagged."""
        return (_ledger_row(row) for number, row in enumerate(self.rows.values()) if number % 2)

    def by_key(self, clicks: Iterable[str]) -> Iterator[ClickRow]:
        return (_ledger_row(self.rows[key]) for key in map(row_key, clicks) if key in self.rows)


def _ledger_row(row: dict[str, Any]) -> ClickRow:
    content = content_digest(row["Item_Name"]["S"], int(row["Click_Counts"]["N"]))
    return click_key(row["Timestamp"]["S"], row["Item_ID"]["S"]), content, row["Arrival_Time"]["S"]


def _event(item: str, time: str, event_id: str | None, counts: int) -> dict[str, Any]:
    event = {"Item_ID": item, "Item_Name": f"Name of {item}", "Timestamp": f"2026-11-27T{time}", "Click_Counts": counts}
    return event if event_id is None else event | {"Event_ID": event_id}


def _events(rng: Random) -> list[dict[str, Any]]:
    """Distinct events: with ids distinct (item, id), without one distinct (item, time)."""
    made: dict[tuple[object, ...], dict[str, Any]] = {}
    for _ in range(rng.randrange(1, 60)):
        item, time, event_id = rng.choice(ITEMS), rng.choice(TIMES), rng.choice(EVENT_IDS)
        identity = (item, event_id) if event_id is not None else (item, None, time)
        made.setdefault(identity, _event(item, time, event_id, rng.randrange(3)))
    return list(made.values())


def _records(payloads: Iterable[dict[str, Any]]) -> list[BatchRecord]:
    """The records of a stream, each with an envelope of its own."""
    records = []
    for number, payload in enumerate(payloads):
        arrival = HOUR + timedelta(minutes=59, seconds=50, milliseconds=number)
        envelope = Envelope(names.CLICK_STREAM, SHARD, str(number), to_canonical(arrival), "key")
        records.append(BatchRecord(json.dumps(payload).encode(), envelope, arrival))
    return records


def _batches(records: list[BatchRecord], rng: Random) -> Iterator[list[BatchRecord]]:
    """The stream cut anywhere; some batches are delivered again, cut otherwise."""
    start = 0
    while start < len(records):
        end = start + rng.randrange(1, 12)
        yield records[start:end]
        start = end if rng.random() < 0.7 else max(0, start - rng.randrange(3))


def _balance(table: Table, records: Iterable[BatchRecord], path: Path) -> Balance:
    database, balance = HourDatabase(path), Balance(stream=names.CLICK_STREAM, hour=HOUR, is_open=False)
    database.add("archived", (archived_click(_archived(record)) for record in records))
    quarantined = {record.envelope.number for record in table.quarantined}
    database.add("held", ((SHARD, number, 0, "quarantine", f"quarantine/{number}") for number in quarantined))
    balance_clicks(database, balance, table, lambda key: "key_conflict")
    database.close()
    return balance


def _archived(record: BatchRecord) -> ArchivedRecord:
    payload = b64encode(record.payload).decode()
    return ArchivedRecord(
        names.CLICK_STREAM, SHARD, record.envelope.number, record.envelope.arrival_time, "key", payload
    )


def _content(row: dict[str, Any]) -> tuple[str | None, ...]:
    """The event that a row is of; the test's events have no more."""
    time, event_id = time_of_row(row["Timestamp"]["S"]), row.get("Event_ID", {}).get("S")
    return time, row["Item_ID"]["S"], event_id, row["Click_Counts"]["N"]


def _expected(event: dict[str, Any]) -> tuple[str | None, ...]:
    time = to_canonical(datetime.fromisoformat(event["Timestamp"]).replace(tzinfo=UTC))
    return time, event["Item_ID"], event.get("Event_ID"), str(event["Click_Counts"])


def _sums(table: Table, item: str) -> tuple[int, int, int]:
    """Clicks and events of the item's hour as a page sums them, read twice; and the events of its first minute."""
    sums = ClickSums()
    partitions = [Partition(item_hour_shard(item, to_canonical(HOUR), shard), HOUR, True) for shard in range(SHARDS)]
    # In the hour's second minute, and a moment later: the second time, only the newest minutes are read again.
    for now in (HOUR + timedelta(minutes=3, seconds=1), HOUR + timedelta(minutes=3, seconds=30)):
        sums.read(table, partitions, now)
    found = [sums.of(partition) for partition in partitions]
    assert all(found)
    return tuple(map(sum, zip(*((*each.between(0, 60), each.between(0, 1)[1]) for each in found if each), strict=True)))


def test_each_event_is_one_row_in_every_order_batch_and_retry(seed: int, tmp_path: Path) -> None:
    print(f"seed {seed}")
    for number in range(ROUNDS):
        rng = Random(f"{seed}:{number}")
        events = _events(rng)
        sent = [event for event in events for _ in range(rng.choice((1, 1, 2, 3)))]
        rng.shuffle(sent)
        records = _records(sent)

        table = Table()
        for batch in _batches(records, rng):
            table.process(batch)
        rebuilt = Table()
        for batch in _batches(sorted(records, key=lambda _: rng.random()), rng):
            rebuilt.process(batch)

        expected = sorted(map(_expected, events), key=repr)
        for found in (table, rebuilt):
            assert sorted(map(_content, found.rows.values()), key=repr) == expected
            assert found.quarantined == []
        assert rebuilt.rows.keys() == table.rows.keys()

        balance = _balance(table, records, tmp_path / f"{number}.sqlite")
        assert (balance.archived, balance.landed) == (len(sent), len(events))
        assert (balance.duplicates, balance.differences()) == (len(sent) - len(events), [])

        for item in ITEMS:
            of_item = [event for event in events if event["Item_ID"] == item]
            in_first_minute = sum("T13:00:" in event["Timestamp"] for event in of_item)
            assert _sums(table, item) == (
                sum(event["Click_Counts"] for event in of_item),
                len(of_item),
                in_first_minute,
            )


def test_of_a_thousand_clicks_in_a_second_by_a_clock_of_milliseconds_none_is_merged(seed: int) -> None:
    print(f"seed {seed}")
    rng = Random(seed)
    instants = [f"13:00:00.{rng.randrange(1000):03}" for _ in range(1000)]

    def rows(events: Iterable[dict[str, Any]]) -> int:
        table = Table()
        table.process(_records(events))
        return len(table.rows)

    assert rows(_event("A", time, str(number), 1) for number, time in enumerate(instants)) == 1000
    # Without event ids: at random they use 1 - 1/e of the milliseconds.
    assert 580 < rows(_event("A", time, None, 1) for time in instants) < 680


def test_a_lost_event_is_missing_though_others_share_its_item_and_time(tmp_path: Path) -> None:
    records = _records(_event("A", TIMES[0], event_id, 1) for event_id in EVENT_IDS)
    table = Table()
    table.process(records[:4] + records[5:])
    balance = _balance(table, records, tmp_path / "hour.sqlite")
    assert (balance.landed, balance.missing, balance.samples["missing"]) == (8, 1, [f"{SHARD} 4"])


@pytest.mark.parametrize("change", [{"Timestamp": f"2026-11-27T{TIMES[1]}"}, {"Click_Counts": 2}, {"Item_Name": "B"}])
def test_an_event_id_with_two_contents_is_quarantined_in_a_batch_and_a_conflict_across_batches(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    event = _event("A", TIMES[0], "1", 1)
    records = _records([event, event | change, _event("A", TIMES[1], "2", 1), _event("B", TIMES[1], "1", 1)])

    together = Table()
    together.process(records)
    assert (len(together.rows), together.quarantined) == (3, [records[1]])
    assert _balance(together, records, tmp_path / "together.sqlite").balanced

    apart = Table()
    for record in records:
        apart.process([record])
    assert apart.quarantined == []
    balance = _balance(apart, records, tmp_path / "apart.sqlite")
    assert balance.conflicts == 1
    (sample,) = balance.samples["conflicts"]
    assert sample.startswith("2026-11-27T13:00:00.001000#1 A (")
    assert f"{SHARD} 0" in sample
    assert f"{SHARD} 1" in sample


def test_a_text_of_the_ledger_names_one_row() -> None:
    rows = {(time, item) for time in (f"{HOUR:%Y-%m-%dT%H:%M:%S}.000000",) for item in ITEMS}
    rows |= {(f"{time}#{event_id}", item) for time, item in rows for event_id in EVENT_IDS if event_id}
    assert {row_key(click_key(*row)) for row in rows} == rows
    assert len({click_key(*row) for row in rows}) == len(rows)
