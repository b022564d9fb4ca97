"""The page Trips as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.data import trip_queries
from tests.unit.dashboard.pages import DOWN, metrics, period, periods_of, raising, run

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]

DAY = datetime(2026, 11, 22, tzinfo=UTC)
PERIODS = periods_of(
    [
        period(DAY, 0, "stop", began_earlier=True),
        period(DAY, 1, "trip", odometer_miles=14.0),
        period(DAY, 2, "silent"),
        period(DAY, 3, "trip", miles=None, odometer_miles=None, gallons=None),
        period(DAY, 4, "stop", refuelled=30.0, is_last=True),
    ]
)


@pytest.fixture
def one_truck(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(data, "truck_ids", lambda: ["TRK001"])
    monkeypatch.setattr(data, "history_span", lambda truck: (9, DAY - timedelta(days=9), DAY + timedelta(hours=14)))
    monkeypatch.setattr(
        data,
        "periods_of_day",
        lambda truck, begins, ends: PERIODS.copy() if begins == DAY else PERIODS.head(0),
    )


def table(page: AppTest) -> pd.DataFrame:
    return page.dataframe[0].value


def test_a_day_of_one_truck(one_truck: None) -> None:
    page = run("trips")
    shown = metrics(page)
    assert (shown["Distance"], shown["Driving, 2 trips"]) == ("10.0 mi", "2 h 00 min")
    assert (shown["Standing"], shown["Idling"], shown["Fuel used"]) == ("2 h 00 min", "5 min", "8.0 gal")
    assert list(table(page)["what"]) == [
        "■ Stop 1 (since the day before)", "▶ Trip 1", "? No readings", "▶ Trip 2", "■ Stop 2 (goes on)",
    ]  # fmt: skip
    assert table(page)["fuel"].iloc[4] == "60 → 58, refuelled 30"
    assert any("The odometer counted 14.0 mi" in caption.value for caption in page.caption)
    assert any("at least 10.0 mi" in caption.value for caption in page.caption)
    # At first, the time line is at its end.
    assert any("2026-11-22 05:00:00 UTC · Stop 2: 04:00 to 05:00, 1 h 00 min" in each.value for each in page.caption)


def test_one_trip_is_shown_alone_and_played(one_truck: None) -> None:
    page = run("trips")
    page.selectbox(key="trip").set_value("2026-11-22T01:00:00").run()
    assert any("2026-11-22 02:00:00 UTC · Trip 1" in each.value for each in page.caption)
    play = next(button for button in page.button if button.label == "Play")
    play.click().run()
    assert not page.exception
    # From its beginning, and every run is one step of 15 s on: the click's own, and that of the page.
    assert any("2026-11-22 01:00:30 UTC · Trip 1" in each.value for each in page.caption)
    assert "Pause" in [button.label for button in page.button]


def test_the_day_before_has_nothing_and_says_where_to_look(one_truck: None) -> None:
    page = run("trips")
    page.selectbox(key="trip").set_value("2026-11-22T01:00:00").run()
    next(button for button in page.button if button.label == "Day before").click().run()
    assert "Nothing is known of `TRK001` on 2026-11-21" in page.info[0].value
    next(button for button in page.button if button.label == "Day after").click().run()
    assert not page.exception
    assert len(table(page)) == len(PERIODS)


def test_a_truck_without_positions_has_a_table(one_truck: None, monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = dict.fromkeys(("first_latitude", "first_longitude", "last_latitude", "last_longitude"), float("nan"))
    monkeypatch.setattr(data, "periods_of_day", lambda *_: PERIODS.assign(**nowhere))
    page = run("trips")
    assert "there is no map" in page.info[0].value
    assert len(table(page)) == len(PERIODS)


def test_no_history_says_what_to_do() -> None:
    assert "scd2_merge" in run("trips").info[0].value


def test_without_snowflake_the_page_names_it(one_truck: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "periods_of_day", raising(DOWN))
    page = run("trips")
    assert "**Snowflake** is unreachable" in page.error[0].value
    assert not page.exception


@pytest.mark.parametrize("far", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_a_clock_that_is_centuries_off(one_truck: None, monkeypatch: pytest.MonkeyPatch, far: datetime) -> None:
    monkeypatch.setattr(data, "history_span", lambda truck: (1, min(far, DAY), max(far, DAY)))
    page = run("trips")
    page.date_input[0].set_value(far.date()).run()
    assert not page.exception
    assert f"on {far.date().isoformat()}" in page.info[0].value


def test_queries_bind_an_hour_around_the_day_as_far_as_there_is_one(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def answer(path: str, values: dict[str, object]) -> pd.DataFrame:
        asked.append((path, values))
        return PERIODS

    monkeypatch.setattr(trip_queries, "query", answer)
    trip_queries.periods_of_day("TRK001", DAY, DAY + timedelta(days=1))
    trip_queries.track_of_day("TRK001", DAY, DAY + timedelta(days=1))
    first = datetime(1, 1, 1, tzinfo=UTC)
    trip_queries.periods_of_day("TRK001", first, first + timedelta(days=1))
    (path, values), (_, sliced), (_, far) = asked
    assert path == "trips.sql"
    assert (values["since"], values["until"]) == ("2026-11-21T23:00:00.000000", "2026-11-23T01:00:00.000000")
    assert values["instant"] == "2026-11-22T14:30:20.000000"
    assert sliced["slice_seconds"] == 87
    assert far["since"] == far["begins"] == "0001-01-01T00:00:00.000000"
