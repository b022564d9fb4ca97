"""The page Live clicks as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import data
from dashboard.app_pages.click_parts import periods
from tests.unit.dashboard.pages import DOWN, metrics, raising, run

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


def some_clicks(now: datetime) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": [pd.Timestamp(now - timedelta(seconds=seconds)) for seconds in (3, 90)],
            "item_id": ["MOB001", "LAP002"],
            "item_name": ["Mobile", "Laptop"],
            "clicks": [5, 2000],
            "delay": [0.5, 1.5],
        }
    )


def test_clicks_are_totalled(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(data, "clicks", lambda minutes: data.ClickWindow(some_clicks(now), None, 0))
    page = run("live_clicks")
    assert metrics(page) == {
        "Clicks": "2,005",
        "Click events": "2",
        "Clicks, last minute": "5",
        "Most clicked": "`Laptop`",
        "Delay, median": "1.0 s",
    }
    assert "Newest click **3 s ago** · 2026-11-22 14:30:17 UTC" in page.markdown[0].value


@pytest.mark.parametrize(
    ("counts", "total"),
    [
        ([2**53] * 1024, "9.22 × 10¹⁸"),
        ([10**38 - 1, 1], "1.00 × 10³⁸"),
        pytest.param([-(2**53)] * 1024, "-9.22 × 10¹⁸", marks=pytest.mark.verify),
        pytest.param([0, 0], "0", marks=pytest.mark.verify),
    ],
)
def test_no_sum_of_clicks_overflows(
    monkeypatch: pytest.MonkeyPatch, now: datetime, counts: list[int], total: str
) -> None:
    clicks = pd.DataFrame({"clicks": pd.Series(counts, dtype="object")}).assign(
        time=pd.Timestamp(now), item_id="MOB001", item_name="Mobile", delay=float("nan")
    )
    monkeypatch.setattr(data, "clicks", lambda minutes: data.ClickWindow(clicks, None, 0))
    page = run("live_clicks")
    shown = metrics(page)
    assert (shown["Clicks"], shown["Clicks, last minute"], shown["Delay, median"]) == (total, total, "–")
    assert f": {sum(counts):,}." in page.metric[0].help
    assert list(page.dataframe[0].value["clicks"]) == [float(count) for count in counts[:200]]


def test_clicks_left_out_are_said(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(data, "clicks", lambda minutes: data.ClickWindow(some_clicks(now), now, 3))
    captions = " ".join(caption.value for caption in run("live_clicks").caption)
    assert "Only the newest 2 click events" in captions
    assert "3 items beyond" in captions


@pytest.mark.parametrize(("newest", "step"), [(None, "seconds later"), ("old", "longer time window")])
def test_no_clicks_say_what_to_do(monkeypatch: pytest.MonkeyPatch, now: datetime, newest: Any, step: str) -> None:
    monkeypatch.setattr(data, "newest_click", lambda: newest and now - timedelta(hours=2))
    page = run("live_clicks")
    assert "No clicks in the last 15 minutes" in page.info[0].value
    assert step in page.info[0].value
    assert ("stale" in page.markdown[0].value) == (newest is not None)


def test_the_window_chosen_in_the_sidebar_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    nothing = data.clicks(0)
    monkeypatch.setattr(data, "clicks", lambda minutes: asked.append(minutes) or nothing)
    page = run("live_clicks")
    page.sidebar.selectbox[0].set_value("6 hours").run()
    assert asked == [15, 360]


def ranked_items(now: datetime, *rows: tuple[str, int, int]) -> data.PeriodSums:
    """From name, clicks and clicks before."""
    values = [(f"ID {name}", name, clicks, 1, before) for name, clicks, before in rows]
    columns = ["item_id", "item_name", "clicks", "events", "clicks_before"]
    start = pd.Timestamp(now.replace(second=0)) - pd.Timedelta(minutes=2)
    bars = [(start, start + pd.Timedelta(minutes=1), f"ID {name}", clicks) for name, clicks, _ in rows]
    return data.PeriodSums(
        items=pd.DataFrame(values, columns=columns, dtype="object"),
        over_time=pd.DataFrame(bars, columns=["start", "end", "item_id", "clicks"]).astype({"clicks": "object"}),
        not_read=0,
        reads_left=0,
        items_left_out=0,
        read_at=now,
        calls=1,
        rows=1,
    )


def test_the_ranking_says_what_rose_and_what_fell(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    asked = []
    answer = ranked_items(now, ("Laptop", 2**60, 2**60), ("Mobile", 30, 10), ("Camera", 0, 5))
    monkeypatch.setattr(data, "period_sums", lambda *arguments: asked.append(arguments) or answer)
    monkeypatch.setattr(data, "clicks", lambda minutes: pytest.fail("the part Live is not open"))
    page = run("live_clicks", view="ranking", find="a")
    assert not page.exception
    until = now.replace(second=0)
    period = data.Period(until - timedelta(minutes=15), until)
    assert asked == [(period, period.before(timedelta(minutes=15)), "a")]
    assert metrics(page) == {
        "Clicks": "1.15 × 10¹⁸",
        "Items clicked": "2 of 3",
        "Biggest rise": "`Mobile`",
        "Biggest fall": "`Camera`",
    }
    assert [metric.delta for metric in page.metric] == ["+0.0 %", "0 new, 1 gone", "+20 clicks", "-5 clicks"]
    shown = page.dataframe[0].value
    assert list(shown["clicks"]) == [f"{2**60:,}", "30", "0"]
    assert list(shown["trend"]) == ["same", "▲ 200 %", "gone"]
    said = " ".join(caption.value for caption in page.caption)
    assert "2026-11-22 14:15 to 14:30 UTC, compared with 2026-11-22 14:00 to 14:15 UTC" in said
    assert "arrived by 2026-11-22 14:30:20 UTC" in said


@pytest.mark.parametrize(
    ("kind", "since", "until"),
    [
        ("today", "22T00:00", "22T14:30"),
        ("yesterday", "21T00:00", "22T00:00"),
        ("7d", "15T14:30", "22T14:30"),
        ("window", "22T14:15", "22T14:30"),
    ],
)
def test_periods_by_name(now: datetime, kind: str, since: str, until: str) -> None:
    found = periods.named_period(kind, now.replace(second=0), 15)
    assert [f"{instant:%dT%H:%M}" for instant in found] == [since, until]


def test_a_day_that_has_just_begun_is_a_minute_long(now: datetime) -> None:
    midnight = now.replace(hour=0, minute=0, second=0)
    assert periods.named_period("today", midnight, 15).length == timedelta(minutes=1)


def test_a_typed_period_has_full_minutes_and_any_offset() -> None:
    found = periods.typed_period("2026-11-20 10:00:59", "2026-11-20T11:30+01:00")
    assert isinstance(found, data.Period)
    assert [f"{instant:%H:%M:%S}" for instant in found] == ["10:00:00", "10:30:00"]


@pytest.mark.parametrize(
    ("since", "until", "said"),
    [
        ("0001-01-01T00:00+05:00", "2026-11-22 10:00", "is not a date and time since 2000"),
        ("2026-11-22 10:00", "yesterday", "`yesterday` is not a date and time"),
        ("2026-11-22 10:00", "2026-11-22 10:00:59", "must be after the beginning"),
        ("2026-01-22 10:00", "2026-11-22 10:00", "at most 31 days"),
    ],
)
def test_what_is_no_period_is_said(since: str, until: str, said: str) -> None:
    assert said in str(periods.typed_period(since, until))


def test_a_ranking_without_clicks_says_what_to_do(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    asked: list[Any] = []
    nothing = data.period_sums()
    monkeypatch.setattr(data, "period_sums", lambda *arguments: asked.append(arguments) or nothing)
    page = run("live_clicks", view="ranking", period="custom", against="week", **{"from": "2026-11-20 10:00"})
    assert "No clicks in these periods" in page.info[0].value
    ((period, compared, _),) = asked
    assert period == data.Period(now.replace(day=20, hour=10, minute=0, second=0), now.replace(second=0))
    assert compared == period.before(timedelta(days=7))


def test_items_that_are_not_read_yet_are_said_and_the_page_goes_on_by_itself(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    answer = ranked_items(now, ("Mobile", 3, 1))._replace(not_read=3, reads_left=800, items_left_out=5)
    monkeypatch.setattr(data, "period_sums", lambda *_: answer)
    page = run("live_clicks", view="ranking")
    (progress,) = page.get("progress")
    assert progress.proto.value == 25
    assert "Complete for 1 of 4 items" in progress.proto.text
    assert "at least 800 more queries, at most 400 at a time" in progress.proto.text
    assert any("5 items are left out" in caption.value for caption in page.caption)
    assert page.session_state["clicks_being_read"]


def test_an_items_hours(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    hour = pd.Timestamp(now.replace(minute=0, second=0))
    hours = pd.DataFrame({"hour": [hour, hour - pd.Timedelta(hours=1)]}).assign(
        clicks=pd.Series([3, 50], dtype="object"), events=[1, 2], clicks_day_before=pd.Series([9, 40], dtype="object")
    )
    asked = []
    monkeypatch.setattr(data, "items", lambda: {"MOB001": "Mobile", "CAM003": "Camera"})
    monkeypatch.setattr(data, "item_hours", lambda *arguments: asked.append(arguments) or data.ItemHours(hours, 0, now))
    page = run("live_clicks", view="hours", item="CAM003", hours="72")
    assert not page.exception
    assert asked == [("CAM003", now.replace(minute=0, second=0) - timedelta(hours=71), now.replace(second=0))]
    assert metrics(page) == {"Clicks": "53", "Click events": "3", "Busiest hour, UTC": "2026-11-22 13:00"}
    # The hour that is not over has no trend.
    assert list(page.dataframe[0].value["trend"].isna()) == [True, False]


def test_before_the_first_click_there_is_no_item() -> None:
    assert "No item has been clicked yet" in run("live_clicks", view="hours").info[0].value


@pytest.mark.parametrize("view", ["ranking", "hours"])
def test_a_part_whose_store_is_down_says_so(monkeypatch: pytest.MonkeyPatch, view: str) -> None:
    for query in ("period_sums", "items"):
        monkeypatch.setattr(data, query, raising(DOWN))
    page = run("live_clicks", view=view)
    assert "is unreachable" in page.error[0].value
