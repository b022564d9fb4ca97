"""The page Truck history as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.unit.dashboard.pages import DOWN, metrics, raising, reading, run, typed, version

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


@pytest.fixture
def one_truck(monkeypatch: pytest.MonkeyPatch, now: datetime) -> pd.DataFrame:
    versions = typed([version(now, 10, None, fuel_level=39.0), version(now, 70, 10), version(now, 130, 70)])
    versions.loc[2, "vehicle_speed"] = 10.0
    monkeypatch.setattr(data, "current_rows", lambda: versions.head(1))
    monkeypatch.setattr(data, "versions", lambda truck: versions.copy())
    monkeypatch.setattr(
        data, "history_span", lambda truck: (3, now - timedelta(seconds=130), now - timedelta(seconds=10))
    )

    def as_of(truck: str, instant: datetime) -> pd.DataFrame:
        started = versions["effective_start_date"] <= instant
        ended = versions["effective_end_date"] <= instant
        return versions[started & ~ended]

    monkeypatch.setattr(data, "as_of", as_of)
    return versions


def test_versions_tell_what_changed(one_truck: pd.DataFrame) -> None:
    page = run("truck_history")
    assert metrics(page)["Versions"] == "3"
    table = page.dataframe[0].value
    assert list(table["changed"]) == ["Fuel level", "Vehicle speed", "–"]
    assert list(table["lasted"]) == ["", "1 min", "1 min"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-22 14:30:15", "until now (current)"),
        ("2026-11-22T15:29:40+01:00", "until 2026-11-22 14:30:10"),
    ],
)
def test_as_of_an_instant(one_truck: pd.DataFrame, text: str, said: str) -> None:
    page = run("truck_history")
    page.text_input[0].set_value(text).run()
    assert any(said in caption.value for caption in page.caption)


def test_as_of_before_the_first_version(one_truck: pd.DataFrame) -> None:
    page = run("truck_history")
    page.text_input[0].set_value("2020-01-01").run()
    assert "no version at that instant" in page.info[0].value


@pytest.mark.parametrize(
    "text",
    ["noon", "0001-01-01T00:00+05:00", "9999-12-31T23:59:59-05:00", "10000-01-01", "2026-02-30", "2026-11-22T24:01"],
)
def test_as_of_something_that_is_no_time(one_truck: pd.DataFrame, text: str) -> None:
    page = run("truck_history")
    page.text_input[0].set_value(text).run()
    assert not page.exception
    assert f"`{text}` is not a date and time" in page.warning[0].value


FAR = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1677, 9, 21, 0, 12, 43, tzinfo=UTC),  # Nanoseconds in 64 bits begin here,
    datetime(2262, 4, 11, 23, 47, 17, tzinfo=UTC),  # and end here.
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]


@pytest.mark.parametrize("far", FAR)
def test_a_truck_whose_clock_is_centuries_off_has_a_page(
    monkeypatch: pytest.MonkeyPatch, now: datetime, far: datetime
) -> None:
    first, last = sorted((far, now))
    versions = typed([version(now, 0, None), version(now, 0, 0)]).assign(
        effective_start_date=pd.to_datetime([last, first], utc=True),
        effective_end_date=pd.to_datetime([None, last], utc=True),
    )
    monkeypatch.setattr(data, "current_rows", lambda: versions.head(1))
    monkeypatch.setattr(data, "versions", lambda truck: versions.copy())
    monkeypatch.setattr(data, "history_span", lambda truck: (2, first, last))
    monkeypatch.setattr(data, "as_of", lambda truck, instant: versions[versions["effective_start_date"] <= instant])
    page = run("truck_history")
    assert metrics(page)["First version starts, UTC"] == first.replace(tzinfo=None).isoformat(" ", "seconds")
    # The instant that the page proposes can be read again.
    assert first < datetime.fromisoformat(page.text_input[0].value).replace(tzinfo=UTC) < last
    for instant in FAR:
        page.text_input[0].set_value(instant.isoformat()).run()
        assert not page.exception
        assert len(page.warning) == 0


@pytest.mark.parametrize("far", FAR)
def test_a_fleet_with_a_clock_that_is_centuries_off_has_a_page(
    monkeypatch: pytest.MonkeyPatch, now: datetime, far: datetime
) -> None:
    states = typed([reading("TRK001", now), reading("TRK002", now)]).assign(
        event_time=pd.to_datetime([now.isoformat(), far.isoformat()], utc=True, format="ISO8601")
    )
    monkeypatch.setattr(data, "truck_states", lambda: states)
    track = states.assign(slice_start=states["event_time"], last_time=states["event_time"])
    monkeypatch.setattr(data, "tracks", lambda minutes: track)
    # A clock that runs ahead is no reason to call a truck silent.
    assert metrics(run("fleet"))["Reporting"] == ("2 of 2" if far > now else "1 of 2")


def test_no_history_says_what_to_do() -> None:
    assert "scd2_merge" in run("truck_history").info[0].value


def test_history_without_snowflake_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "current_rows", raising(DOWN))
    assert "**Snowflake** is unreachable" in run("truck_history").error[0].value


def test_the_truck_and_the_instant_chosen_are_kept(
    monkeypatch: pytest.MonkeyPatch, now: datetime, one_truck: pd.DataFrame
) -> None:
    def trucks(*names: str) -> None:
        current = pd.concat([one_truck.head(1).assign(truck_id=name) for name in names])
        monkeypatch.setattr(data, "current_rows", lambda: current)

    def chosen(page: AppTest) -> tuple[str, str]:
        assert not page.exception
        return page.selectbox(key="truck").value, page.text_input[0].value

    trucks("TRK001", "TRK002")
    page = run("truck_history")
    page.selectbox(key="truck").set_value("TRK002").run()
    page.text_input[0].set_value("2026-11-22 14:30:15").run()
    trucks("TRK000", "TRK002", "TRK003")
    assert chosen(page.run()) == ("TRK002", "2026-11-22 14:30:15")
    monkeypatch.setattr(data, "current_rows", raising(DOWN))
    assert len(page.run().text_input) == 0
    trucks("TRK000", "TRK002")
    assert chosen(page.run()) == ("TRK002", "2026-11-22 14:30:15")
    trucks("TRK000")
    assert chosen(page.run())[0] == "TRK000"
    trucks("TRK000", "TRK002")
    page.switch_page("app_pages/live_clicks.py").run()
    assert chosen(page.switch_page("app_pages/truck_history.py").run()) == ("TRK002", "2026-11-22 14:30:15")
