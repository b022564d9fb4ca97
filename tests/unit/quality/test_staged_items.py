"""The items staged for the rules: all states, and a bounded number of the newest clicks, by query."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include import names, quality
from include.contracts import METRICS, ClickEvent, Envelope
from include.contracts.times import to_canonical
from include.quality import staged_items
from lambdas.kinesis_to_dynamodb.logic import click_item
from tests.fixtures.tables import tables

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
REGION = "us-east-1"


@pytest.fixture
def dynamodb() -> Iterator[Any]:
    with mock_aws(), tables(boto3.client("dynamodb", REGION)) as client:
        yield client


def click(
    dynamodb: Any, ago: timedelta, item: str = "MOB001", shards: int = 1, event_id: str | None = None, **changes: Any
) -> str:
    """Put a click as the function does; return its timestamp."""
    at = to_canonical(NOW - ago)
    envelope = Envelope(names.CLICK_STREAM, "shardId-000000000000", "49", at, "key", 7)
    stored = click_item(ClickEvent(item, "Mobile", at, 3, event_id), envelope, ingested_at=at, index_shards=shards)
    dynamodb.put_item(TableName=names.CLICK_TABLE, Item=stored | changes)
    dynamodb.put_item(TableName=names.CLICK_ITEM_TABLE, Item={"Item_ID": {"S": item}, "Item_Name": {"S": "Mobile"}})
    return at


def rows(dynamodb: Any, source: str, shards: int = 1) -> list[dict[str, Any]]:
    found = quality.ItemReader(dynamodb, NOW, shards).rows(source)
    return [dict(zip(quality.SOURCES[source].columns, row, strict=True)) for row in found]


def test_every_state_with_every_metric_and_null_where_there_is_none(dynamodb: Any) -> None:
    for number in range(3):
        item = {"Truck_ID": {"S": f"TRK{number}"}, "fuel_level": {"N": "42.125"}, "brake_status": {"S": "Good"}}
        # Of another type than the contract's, so it counts as absent.
        item |= {"engine_rpm": {"S": "fast"}}
        dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item=item)
    found = rows(dynamodb, "truck_states")
    assert sorted(row["TRUCK_ID"] for row in found) == ["TRK0", "TRK1", "TRK2"]
    assert {(row["FUEL_LEVEL"], row["BRAKE_STATUS"], row["ENGINE_RPM"], row["EVENT_TIME"]) for row in found} == {
        ("42.125", "Good", None, None)
    }
    assert {metric.name.upper() for metric in METRICS} <= found[0].keys()


def test_a_click_comes_whole_though_the_index_has_no_envelope(dynamodb: Any) -> None:
    at = click(dynamodb, timedelta(minutes=1))
    assert rows(dynamodb, "recent_clicks") == [
        {
            "STORED_TIMESTAMP": at,
            "CLICK_TIME": at,
            "EVENT_ID": None,
            "ITEM_ID": "MOB001",
            "ITEM_NAME": "Mobile",
            "CLICK_COUNTS": "3",
            "ITEM_HOUR_SHARD": "MOB001#2026-11-22T14#0",
            "INGESTED_AT": at,
            "STREAM_NAME": "ClickDataStream",
            "SHARD_ID": "shardId-000000000000",
            "SEQUENCE_NUMBER": "49",
            "SUB_SEQUENCE_NUMBER": "7",
            "ARRIVAL_TIME": at,
        }
    ]


def test_a_click_with_an_event_id_has_its_time_and_its_id_apart(dynamodb: Any) -> None:
    at = click(dynamodb, timedelta(minutes=1), event_id="a b")
    (row,) = rows(dynamodb, "recent_clicks")
    assert (row["STORED_TIMESTAMP"], row["CLICK_TIME"], row["EVENT_ID"]) == (f"{at}#a b", at, "a b")


def test_clicks_of_the_last_hour_of_every_item_and_shard(dynamodb: Any) -> None:
    expected = {
        click(dynamodb, timedelta(minutes=minutes, seconds=second), item, shards=3)
        for minutes in (-5, 0, 29, 31, 59)
        for second, item in enumerate(("MOB001", "LAP002"))
    }
    click(dynamodb, timedelta(minutes=61), shards=3)
    assert {row["CLICK_TIME"] for row in rows(dynamodb, "recent_clicks", shards=3)} == expected


def test_no_more_than_the_newest_of_a_partition_and_in_all(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_items, "CLICKS_PER_PARTITION", 3)
    monkeypatch.setattr(staged_items, "MAX_CLICKS", 5)
    monkeypatch.setattr(staged_items, "CLICKS_PER_ITEM", 2)
    by_item = {
        item: [click(dynamodb, timedelta(seconds=10 * second + offset), item) for second in range(6)]
        for offset, item in enumerate(("A", "B"))
    }
    newest = sorted(by_item["A"][:3] + by_item["B"][:3], reverse=True)[:5]
    assert sorted((row["CLICK_TIME"] for row in rows(dynamodb, "recent_clicks")), reverse=True) == newest


def test_the_newest_of_an_item_that_fell_silent_while_others_are_busy(
    dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staged_items, "MAX_CLICKS", 4)
    monkeypatch.setattr(staged_items, "CLICKS_PER_ITEM", 3)
    busy = [click(dynamodb, timedelta(seconds=second), "BUSY", shards=2) for second in range(6)]
    # In two hours, and in several shards.
    silent = [click(dynamodb, timedelta(minutes=29, seconds=30 * n), "SILENT", shards=2) for n in range(6)]
    few = [click(dynamodb, timedelta(minutes=50), "FEW", shards=2)]
    found = [(row["ITEM_ID"], row["CLICK_TIME"]) for row in rows(dynamodb, "recent_clicks", shards=2)]
    assert sorted(found) == sorted(
        [*(("BUSY", at) for at in busy[:4]), *(("SILENT", at) for at in silent[:3]), ("FEW", few[0])]
    )


def test_as_many_clicks_of_an_item_are_kept_as_the_rule_about_silence_needs() -> None:
    (rule,) = (rule for rule in quality.rules() if rule.name == "clicks_keep_coming")
    assert f"count(*) >= {staged_items.CLICKS_PER_ITEM}\n" in rule.statement


def test_of_a_large_catalogue_other_items_every_day(dynamodb: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged_items, "MAX_ITEMS", 2)
    asked: set[str] = set()
    for item in "ABCDEF":
        click(dynamodb, timedelta(minutes=1), item)
    for day in range(30):
        now = NOW + timedelta(days=day)
        partitions: list[str] = []
        reader = quality.ItemReader(dynamodb, now, 1)
        monkeypatch.setattr(reader, "_newest_keys", lambda key, seen=partitions: seen.append(key) or [])
        assert reader.rows("recent_clicks") == []
        items = {key.split("#")[0] for key in partitions}
        assert len(items) == 2
        asked |= items
    assert asked == set("ABCDEF")


def test_what_dynamodb_leaves_over_is_asked_for_again_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    class Throttled:
        def __init__(self, times: int) -> None:
            self.times = times

        def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:
            self.times -= 1
            if self.times >= 0:
                return {"Responses": {}, "UnprocessedKeys": RequestItems}
            keys = RequestItems[names.CLICK_TABLE]["Keys"]
            return {"Responses": {names.CLICK_TABLE: keys}, "UnprocessedKeys": {}}

    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    assert quality.ItemReader(Throttled(3), NOW, 1)._get([{"Timestamp": {"S": "t"}}]) == [{"Timestamp": {"S": "t"}}]
    assert len(slept) == 3
    with pytest.raises(quality.ItemsError, match="1 of 1 clicks stayed unprocessed"):
        quality.ItemReader(Throttled(99), NOW, 1)._get([{"Timestamp": {"S": "t"}}])
