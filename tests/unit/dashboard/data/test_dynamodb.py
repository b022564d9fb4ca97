"""Clicks and truck states: which queries DynamoDB gets, and how the dashboard frames the answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import data
from dashboard.data import aws as dashboard_aws
from dashboard.data import dynamodb
from include import names
from include.contracts.times import to_canonical

pytestmark = pytest.mark.unit


def put_click(aws: Any, item: str, when: datetime, count: int = 1, shard: int = 0, event_id: str | None = None) -> None:
    text = to_canonical(when)
    aws["dynamodb"].put_item(
        TableName=names.CLICK_TABLE,
        Item={
            "Timestamp": {"S": f"{text}#{event_id}" if event_id else text},
            "Item_ID": {"S": item},
            "Click_Counts": {"N": str(count)},
            "Item_Hour_Shard": {"S": f"{item}#{text[:13]}#{shard}"},
            "Arrival_Time": {"S": text},
            "Ingested_At": {"S": to_canonical(when + timedelta(seconds=1.5))},
        },
    )
    aws["dynamodb"].put_item(
        TableName=names.CLICK_ITEM_TABLE, Item={"Item_ID": {"S": item}, "Item_Name": {"S": f"Name of {item}"}}
    )


def test_clicks_of_all_items_hours_and_shards_newest_first(aws: Any, now: datetime) -> None:
    put_click(aws, "MOB001", now - timedelta(seconds=5), 3, shard=1)
    put_click(aws, "LAP002", now - timedelta(minutes=40), 2)  # The hour before.
    put_click(aws, "MOB001", now - timedelta(minutes=10), 4)
    answer = data.clicks(60)
    assert list(answer.frame["clicks"]) == [3, 4, 2]
    assert list(answer.frame["item_id"]) == ["MOB001", "MOB001", "LAP002"]
    assert answer.frame["item_name"].iloc[2] == "Name of LAP002"
    assert answer.frame["time"].iloc[0] == now - timedelta(seconds=5)
    assert list(answer.frame["delay"]) == [1.5, 1.5, 1.5]
    assert answer.complete_since is None
    assert answer.items_left_out == 0


def test_clicks_of_one_item_and_instant_are_all_there_and_keep_their_time(aws: Any, now: datetime) -> None:
    for event_id, count in ((None, 1), ("1", 2), ("2 x", 4)):
        put_click(aws, "MOB001", now, count, event_id=event_id)
    frame = data.clicks(5).frame
    assert (sorted(frame["clicks"]), set(frame["time"])) == ([1, 2, 4], {now})
    assert data.newest_click() == now


@pytest.mark.parametrize("count", [2**53, 10**37, -(2**53)])
def test_the_sum_of_any_counts_is_exact(aws: Any, now: datetime, count: int) -> None:
    for second in range(3):
        put_click(aws, "MOB001", now - timedelta(seconds=second), count)
    counts = data.clicks(5).frame["clicks"]
    assert counts.sum() == 3 * count
    assert data.clicks(5).frame.head(0)["clicks"].sum() == 0


def test_a_click_before_the_window_is_not_counted(aws: Any, now: datetime) -> None:
    put_click(aws, "MOB001", now - timedelta(minutes=6))
    assert data.clicks(5).frame.empty
    assert len(data.clicks(15).frame) == 1


def test_no_click_is_counted_twice_where_recent_and_older_meet(
    aws: Any, now: datetime, stop_clock: Callable[[datetime], None]
) -> None:
    edge = now.replace(second=0) - data.RECENT
    for offset in (-1, 0, 1):
        put_click(aws, "MOB001", edge + timedelta(microseconds=offset))
    assert len(data.clicks(5).frame) == 3
    # Later, only the recent ones are read again, and a new one is among them.
    stop_clock(now + timedelta(seconds=2))
    dynamodb._recent_clicks.clear()
    put_click(aws, "MOB001", now + timedelta(seconds=1), 9)
    assert list(data.clicks(5).frame["clicks"]) == [9, 1, 1, 1]


def test_more_recent_clicks_than_the_limit_leave_no_gap(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch, stop_clock: Callable[[datetime], None]
) -> None:
    monkeypatch.setattr(dynamodb, "MAX_CLICKS", 2)
    edge = now.replace(second=0) - data.RECENT
    for seconds, count in ((-1, 1), (10, 2), (20, 3), (30, 4)):
        put_click(aws, "MOB001", edge + timedelta(seconds=seconds), count)
    assert list(data.clicks(5).frame["clicks"]) == [4, 3]
    monkeypatch.setattr(dynamodb, "MAX_CLICKS", 4)
    stop_clock(now + timedelta(seconds=2))
    answer = data.clicks(5)
    assert list(answer.frame["clicks"]) == [4, 3, 2]
    assert answer.complete_since == edge


def test_a_click_of_a_fast_clock_in_the_next_hour_is_seen(
    aws: Any, now: datetime, stop_clock: Callable[[datetime], None]
) -> None:
    late = now.replace(minute=58)
    stop_clock(late)
    put_click(aws, "MOB001", late + timedelta(minutes=5))
    assert len(data.clicks(5).frame) == 1


def test_more_clicks_than_the_limit_say_since_when_they_are_complete(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamodb, "MAX_CLICKS", 2)
    for minute in (5, 6, 7):
        put_click(aws, "MOB001", now - timedelta(minutes=minute), minute)
    answer = data.clicks(15)
    assert list(answer.frame["clicks"]) == [5, 6]
    assert answer.complete_since == now - timedelta(minutes=6)


def test_items_beyond_the_limit_are_reported(aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamodb, "MAX_ITEMS", 1)
    put_click(aws, "A", now)
    put_click(aws, "B", now)
    answer = data.clicks(5)
    assert list(answer.frame["item_id"]) == ["A"]
    assert answer.items_left_out == 1


def test_no_clicks_give_an_empty_frame_with_its_columns(aws: Any, now: datetime) -> None:
    answer = data.clicks(15)
    assert answer.frame.empty
    assert list(answer.frame.columns) == ["time", "item_id", "item_name", "clicks", "delay"]
    assert data.newest_click() is None


def test_the_click_table_itself_is_never_scanned(aws: Any, now: datetime) -> None:
    put_click(aws, "MOB001", now)
    asked = []
    dashboard_aws.client("dynamodb").meta.events.register(
        "before-parameter-build.dynamodb", lambda params, model, **_: asked.append((model.name, params["TableName"]))
    )
    data.clicks(60)
    data.newest_click()
    assert {table for operation, table in asked if operation == "Scan"} == {names.CLICK_ITEM_TABLE}
    assert ("Query", names.CLICK_TABLE) in asked


def test_newest_click_reaches_beyond_the_window(aws: Any, now: datetime) -> None:
    put_click(aws, "MOB001", now - timedelta(hours=5))
    put_click(aws, "LAP002", now - timedelta(hours=6))
    assert data.newest_click() == now - timedelta(hours=5)


def test_truck_states_have_numbers_text_and_gaps(aws: Any) -> None:
    aws["dynamodb"].put_item(
        TableName=names.TRUCK_STATE_TABLE,
        Item={
            "Truck_ID": {"S": "TRK001"},
            "Event_Time": {"S": "2026-11-22T14:30:00.250000"},
            "Arrival_Time": {"S": "2026-11-22T14:30:01.000000"},
            "vehicle_speed": {"N": "51.5"},
            "brake_status": {"S": "Good"},
        },
    )
    row = data.truck_states().iloc[0]
    assert row["vehicle_speed"] == 51.5
    assert row["brake_status"] == "Good"
    assert pd.isna(row["fuel_level"])
    assert row["event_time"] == pd.Timestamp("2026-11-22T14:30:00.25Z")


def test_no_truck_states_keep_columns_and_types(aws: Any) -> None:
    frame = data.truck_states()
    assert frame.empty
    assert str(frame["vehicle_speed"].dtype) == "float64"
    assert {"truck_id", "event_time", *data.METRIC_NAMES} <= set(frame.columns)
