"""The page Live clicks as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import data
from tests.unit.dashboard.pages import metrics, run

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
        ([-(2**53)] * 1024, "-9.22 × 10¹⁸"),
        ([0, 0], "0"),
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
