"""Clicks of a period by item: what is read of the index, how often, and what is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import streamlit as st

from dashboard import data
from dashboard.data import aws as dashboard_aws
from dashboard.data import click_sums
from tests.unit.dashboard.data.test_dynamodb import put_click

pytestmark = pytest.mark.unit

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def queries(aws: Any) -> list[str]:
    """The partition of each query of the index, in order."""
    asked: list[str] = []

    def note(params: dict[str, Any], model: Any, **_: Any) -> None:
        if model.name == "Query":
            asked.append(params["ExpressionAttributeValues"][":partition"]["S"])

    dashboard_aws.client("dynamodb").meta.events.register("before-parameter-build.dynamodb", note)
    return asked


@pytest.fixture
def last_hour(now: datetime) -> data.Period:
    until = now.replace(second=0)
    return data.Period(until - HOUR, until)


def sums(period: data.Period, matching: str = "", offset: timedelta = HOUR) -> data.PeriodSums:
    """As a view a moment later gets them."""
    st.cache_data.clear()
    return data.period_sums(period, period.before(offset), matching)


def counted(answer: data.PeriodSums) -> dict[str, tuple[int, int, int]]:
    """Clicks, events and clicks before, of each item."""
    rows = answer.items.to_dict("records")
    return {row["item_id"]: (row["clicks"], row["events"], row["clicks_before"]) for row in rows}


def test_clicks_of_both_periods_by_item_and_minute(aws: Any, now: datetime, last_hour: data.Period) -> None:
    put_click(aws, "A", last_hour.until, 100)  # The minute that is not over.
    put_click(aws, "A", last_hour.until - timedelta(microseconds=1), 1, shard=1)
    put_click(aws, "A", last_hour.since, 2)
    put_click(aws, "A", last_hour.since - timedelta(microseconds=1), 4)
    put_click(aws, "B", last_hour.since - HOUR, 8, shard=1)
    put_click(aws, "B", last_hour.since - HOUR - timedelta(microseconds=1), 16)
    answer = sums(last_hour)
    assert counted(answer) == {"A": (3, 2, 4), "B": (0, 0, 8)}
    assert (answer.not_read, answer.items_left_out, answer.read_at) == (0, 0, now)
    bars = answer.over_time.to_dict("records")
    assert [(bar["start"], bar["end"], bar["item_id"], bar["clicks"]) for bar in bars] == [
        (last_hour.since, last_hour.since + 2 * MINUTE, "A", 2),
        (last_hour.until - 2 * MINUTE, last_hour.until, "A", 1),
    ]


def test_only_matching_items_are_read(queries: list[str], aws: Any, last_hour: data.Period) -> None:
    for item in ("MOB1", "MOB2", "CAM"):
        put_click(aws, item, last_hour.since)
    assert set(counted(sums(last_hour, "mob"))) == {"MOB1", "MOB2"}
    assert set(counted(sums(last_hour, "Name of c"))) == {"CAM"}
    assert {asked.split("#")[0] for asked in queries[:12]} == {"MOB1", "MOB2"}


def test_a_past_hour_is_read_once_and_an_open_one_from_its_last_minutes_on(
    queries: list[str], aws: Any, now: datetime, stop_clock: Callable[[datetime], None]
) -> None:
    put_click(aws, "A", now - 2 * DAY - MINUTE, 1)
    put_click(aws, "A", now - timedelta(minutes=20), 2)
    put_click(aws, "A", now - MINUTE, 4)
    day = data.Period(now.replace(second=0) - DAY, now.replace(second=0))
    assert counted(sums(day, offset=2 * DAY)) == {"A": (6, 2, 1)}
    first, hours = len(queries), 24 + 24 + 2
    assert first == 2 * hours  # The shards.

    stop_clock(now + MINUTE)
    put_click(aws, "A", now - timedelta(seconds=90), 8)
    put_click(aws, "A", now + timedelta(seconds=5), 16)
    day = data.Period(day.since + MINUTE, day.until + MINUTE)
    assert counted(sums(day, offset=2 * DAY)) == {"A": (6 + 8 + 16, 4, 1)}
    assert [asked[-4:] for asked in queries[first:]] == ["14#0", "14#1"]


@pytest.mark.parametrize(("late", "minutes"), [(5, 10), (40, 40), (12 * 60, 6 * 60)])
def test_a_late_click_appears_after_as_long_as_it_was_late_within_limits(
    aws: Any, now: datetime, stop_clock: Callable[[datetime], None], late: int, minutes: int
) -> None:
    """The hour was over for ``late`` minutes when it was read; it is read again after ``minutes``."""
    hour = now.replace(hour=1, minute=0, second=0)
    period = data.Period(hour, hour + HOUR)
    stop_clock(period.until + late * MINUTE)
    put_click(aws, "A", hour, 1)
    assert counted(sums(period)) == {"A": (1, 1, 0)}
    put_click(aws, "A", hour + MINUTE, 2)
    stop_clock(period.until + (late + minutes) * MINUTE - timedelta(seconds=1))
    assert counted(sums(period)) == {"A": (1, 1, 0)}
    stop_clock(period.until + (late + minutes) * MINUTE)
    assert counted(sums(period)) == {"A": (3, 2, 0)}


def test_a_view_reads_no_more_than_its_share_and_the_next_reads_on(
    queries: list[str], aws: Any, last_hour: data.Period, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click_sums, "READ_CALLS", 9)
    for item in "ABC":
        put_click(aws, item, last_hour.since, 1)
    # Three hours and two shards for each of three items.
    answer = sums(last_hour)
    assert (set(counted(answer)), answer.not_read, answer.reads_left, answer.calls) == (set(), 3, 9, 9)
    answer = sums(last_hour)
    assert (set(counted(answer)), answer.not_read, answer.reads_left, answer.calls) == (set("ABC"), 0, 0, 9)
    assert len(queries) == len(set(queries)) == 18


def test_a_partition_of_more_rows_than_a_view_may_read_is_read_in_parts(
    queries: list[str], aws: Any, last_hour: data.Period, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click_sums, "READ_ROWS", 3)
    query = click_sums._page
    monkeypatch.setattr(click_sums, "_page", lambda dynamodb, key, after: query(Short(dynamodb), key, after))
    for second in range(10):
        put_click(aws, "A", last_hour.since + timedelta(seconds=second), 1)
    rows = []
    for _ in range(30):
        answer = sums(last_hour)
        rows.append(answer.rows)
        if not answer.not_read:
            break
    assert counted(answer) == {"A": (10, 10, 0)}
    assert sum(rows) == 10
    assert max(rows) <= 3 + click_sums.WORKERS * 2  # Calls that were under way.


class Short:
    """A client whose pages have two rows."""

    def __init__(self, dynamodb: Any) -> None:
        self.dynamodb = dynamodb

    def query(self, **arguments: Any) -> Any:
        return self.dynamodb.query(**arguments, Limit=2)


def test_items_that_do_not_fit_are_left_out(aws: Any, last_hour: data.Period, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.data import click_periods

    monkeypatch.setattr(click_periods, "MAX_PARTITIONS", 12)
    for item in "ABC":
        put_click(aws, item, last_hour.since)
    answer = sums(last_hour)
    assert (set(counted(answer)), answer.items_left_out) == (set("AB"), 1)


def test_what_no_view_asks_for_is_forgotten_when_there_is_no_room(
    queries: list[str], aws: Any, last_hour: data.Period, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click_sums, "MAX_KEPT", 5)
    put_click(aws, "A", last_hour.since)
    put_click(aws, "B", last_hour.since)
    for item in "ABA":
        assert set(counted(sums(last_hour, f"of {item}"))) == {item}
    assert len(queries) == 3 * 6


@pytest.mark.parametrize("count", [2**53, 10**37])
def test_sums_of_periods_are_exact(aws: Any, last_hour: data.Period, count: int) -> None:
    for second in range(3):
        put_click(aws, "A", last_hour.since + timedelta(seconds=second), count)
    answer = sums(last_hour)
    assert counted(answer) == {"A": (3 * count, 3, 0)}
    assert list(answer.over_time["clicks"]) == [3 * count]


def test_an_items_hours_are_read_alone_and_stand_beside_the_day_before(
    queries: list[str], aws: Any, now: datetime
) -> None:
    put_click(aws, "A", now, 3)
    put_click(aws, "A", now - 2 * HOUR, 5, shard=1)
    put_click(aws, "A", now - DAY, 7)
    put_click(aws, "B", now, 100)
    answer = data.item_hours("A", now - 2 * HOUR, now)
    rows = answer.hours.to_dict("records")
    hour = now.replace(minute=0, second=0)
    assert [(row["hour"], row["clicks"], row["events"], row["clicks_day_before"]) for row in rows] == [
        (hour, 3, 1, 7),
        (hour - HOUR, 0, 0, 0),
        (hour - 2 * HOUR, 5, 1, 0),
    ]
    assert (answer.not_read, answer.read_at) == (0, now)
    assert {asked[0] for asked in queries} == {"A"}
    assert len(queries) == (24 + 3) * 2


@pytest.mark.parametrize(("minutes", "bar"), [(5, 1), (15, 1), (60, 2), (360, 10), (1440, 60), (10_080, 60)])
def test_the_width_of_a_bar(minutes: int, bar: int) -> None:
    assert data.bar_of(minutes * MINUTE) == bar * MINUTE


def test_items_clicked_most_in_the_newest_hour_are_complete_first(
    queries: list[str], aws: Any, now: datetime, last_hour: data.Period, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(click_sums, "READ_CALLS", 6)
    for item, clicks in (("A", 1), ("B", 2), ("C", 3)):
        put_click(aws, item, now - 2 * MINUTE, clicks)
    complete = [set(counted(sums(last_hour))) for _ in range(3)]
    assert complete == [set(), {"C"}, {"A", "B", "C"}]
    assert {asked[0] for asked in queries[6:10]} == {"C"}
