"""The page Truck history as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data, times
from dashboard.app_pages.truck_history.instants import explain
from dashboard.app_pages.truck_history.timeline import brushed
from tests.unit.dashboard.pages import DOWN, history_answers, metrics, raising, reading, run, typed, version

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


STATE, TABLE = "State and changes", "All versions"


@pytest.fixture
def has_history(monkeypatch: pytest.MonkeyPatch) -> Callable[[pd.DataFrame], None]:
    """Gives the trucks of these versions (newest first) a history."""

    def replace(versions: pd.DataFrame) -> None:
        for name, answer in history_answers(versions).items():
            monkeypatch.setattr(data, name, answer)

    return replace


@pytest.fixture
def one_truck(has_history: Callable[[pd.DataFrame], None], now: datetime) -> pd.DataFrame:
    versions = typed([version(now, 10, None, fuel_level=39.0), version(now, 70, 10), version(now, 130, 70)])
    versions.loc[2, "vehicle_speed"] = 10.0
    has_history(versions)
    return versions


def opened(part: str) -> AppTest:
    """The page with one of its parts open."""
    page = run("truck_history")
    page.segmented_control(key="part").set_value(part).run()
    assert not page.exception
    return page


def test_versions_tell_what_changed(one_truck: pd.DataFrame) -> None:
    page = opened(TABLE)
    assert metrics(page)["Versions"] == "3"
    table = page.dataframe[0].value
    assert list(table["changed"]) == ["Fuel level", "Vehicle speed", "–"]
    assert list(table["lasted"]) == ["", "1 min", "1 min"]


@pytest.mark.parametrize(
    ("text", "said", "rows"),
    [
        ("2026-11-22 14:30:15", "until now (current)", [["Fuel level", "40.0 %", "39.0 %", "▼ -1.0 %"]]),
        (
            "2026-11-22T15:29:40+01:00",
            "until 2026-11-22 14:30:10 UTC",
            [["Vehicle speed", "10.0 mph", "50.0 mph", "▲ +40.0 mph"]],
        ),
    ],
)
def test_as_of_an_instant(one_truck: pd.DataFrame, text: str, said: str, rows: list[list[str]]) -> None:
    page = opened(STATE)
    page.text_input(key="at").set_value(text).run()
    assert any(said in markdown.value and "1 of 21 fields differ" in markdown.value for markdown in page.markdown)
    assert page.dataframe[0].value.to_numpy().tolist() == rows
    # What is the same is there too, folded.
    assert len(page.dataframe[1].value) == 20


def test_as_of_an_instant_beside_another_one(one_truck: pd.DataFrame) -> None:
    page = opened(STATE)
    page.selectbox(key="with").set_value("another instant").run()
    page.text_input(key="other").set_value("2026-11-22 14:28:30").run()
    assert list(page.dataframe[0].value["field"]) == ["Vehicle speed", "Fuel level"]
    page.text_input(key="other").set_value("noon").run()
    assert "`noon` is not a date and time" in page.warning[0].value
    # Both instants are in the newest version.
    page.text_input(key="other").set_value("").run()
    assert any("the same version" in caption.value for caption in page.caption)


def test_as_of_before_the_first_version(one_truck: pd.DataFrame) -> None:
    page = opened(STATE)
    page.text_input(key="at").set_value("2020-01-01").run()
    assert "no version at that instant" in page.info[0].value
    page.text_input(key="at").set_value("2026-11-22 14:28:30").run()
    assert any("the first version of this truck" in caption.value for caption in page.caption)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("noon", ". Enter"),
        ("yesterday", ". Enter"),
        ("9999", "a month and a day are missing"),
        ("14:05", "a day is missing"),
        ("0001-01-01T00:00+05:00", "from the year 1 to the year 9999 in UTC"),
        ("9999-12-31T23:59:59-05:00", "from the year 1 to the year 9999 in UTC"),
        ("10000-01-01", "from the year 1 to the year 9999"),
        ("2026-02-30", "no such day"),
        ("2026-11-22T24:01", "24:00 is 00:00 of the next day"),
        ("22.11.2026 14:05", "the year comes first"),
    ],
)
def test_something_that_is_no_instant_is_explained(now: datetime, text: str, reason: str) -> None:
    assert times.typed(text) is None
    assert f"`{text}` is not a date and time" in explain(text)
    assert reason in explain(text)
    assert "2026-11-22 14:30:20, in UTC" in explain(text)


def test_as_of_something_that_is_no_time(one_truck: pd.DataFrame) -> None:
    page = run("truck_history")
    page.text_input(key="at").set_value("0001-01-01T00:00+05:00").run()
    assert not page.exception
    assert "`0001-01-01T00:00+05:00` is not a date and time" in page.warning[0].value
    # The rest of the page goes on.
    assert any("3 versions start" in markdown.value for markdown in page.markdown)


def test_many_versions_are_shown_by_slices(
    monkeypatch: pytest.MonkeyPatch, one_truck: pd.DataFrame, now: datetime
) -> None:
    counts = pd.DataFrame({"slice": [0, 7], "versions": [9_000, 1_000]}).assign(**dict.fromkeys(data.METRIC_NAMES, 1))
    monkeypatch.setattr(data, "version_slices", lambda *_: counts)
    asked: list[str] = []

    def metric_slices(truck: str, metric: str, since: datetime, until: datetime, width: timedelta) -> pd.DataFrame:
        asked.append(metric)
        row = {"first_start": pd.Timestamp(since), "lowest": 1.0, "highest": 3.0, "area": 4.0, "lasted": 2.0}
        return pd.DataFrame([row | {"slice": 0, "last_value": 3.0}])

    monkeypatch.setattr(data, "metric_slices", metric_slices)
    page = run("truck_history")
    assert not page.exception
    assert any("**10,000 versions start**" in markdown.value for markdown in page.markdown)
    assert asked == ["vehicle_speed", "fuel_level"]
    # Not asked for while another part is open.
    asked.clear()
    page.segmented_control(key="part").set_value(STATE).run()
    assert asked == []


def test_the_buttons_zoom_and_pages_of_the_table_turn(
    monkeypatch: pytest.MonkeyPatch, one_truck: pd.DataFrame, now: datetime
) -> None:
    monkeypatch.setattr(data, "MAX_VERSIONS", 2)
    page = opened(TABLE)
    assert list(page.dataframe[0].value["lasted"]) == ["", "1 min"]
    next(button for button in page.button if button.label == "Older").click().run()
    assert list(page.dataframe[0].value["lasted"]) == ["1 min"]
    next(button for button in page.button if button.label == "Newest").click().run()
    next(button for button in page.button if button.label == "Zoom in").click().run()
    assert page.selectbox(key="span").value == "own"
    # The quarters in the middle of 14:28:10 to 14:30:30.
    assert (page.text_input(key="from").value, page.text_input(key="until").value) == (
        "2026-11-22 14:28:45Z", "2026-11-22 14:29:55Z",
    )  # fmt: skip
    page.text_input(key="until").set_value("soon").run()
    assert "`soon` is not a date and time" in page.warning[0].value


@pytest.mark.parametrize(
    ("event", "span"),
    [
        ({}, None),
        ({"selection": {"brush": {}}}, None),
        ({"selection": {"brush": {"start": [5000.0, 1000.0]}}}, (1, 5)),
    ],
)
def test_dragging_over_the_time_line_selects_a_span(event: dict[str, Any], span: tuple[int, int] | None) -> None:
    ends = span and tuple(datetime.fromtimestamp(second, UTC) for second in span)
    assert brushed(event) == ends


FAR = [
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1677, 9, 21, 0, 12, 43, tzinfo=UTC),  # Nanoseconds in 64 bits begin here,
    datetime(2262, 4, 11, 23, 47, 17, tzinfo=UTC),  # and end here.
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]
# `make test` opens a page for one end of the calendar, which is asked for every one of these instants; `make verify`
# opens one for each of them.
FAR_CLOCKS = [pytest.param(far, marks=[] if far == FAR[0] else pytest.mark.verify) for far in FAR]


@pytest.mark.parametrize("far", FAR_CLOCKS)
def test_a_truck_whose_clock_is_centuries_off_has_a_page(
    has_history: Callable[[pd.DataFrame], None], now: datetime, far: datetime
) -> None:
    first, last = sorted((far, now))
    versions = typed([version(now, 0, None), version(now, 0, 0)]).assign(
        effective_start_date=pd.to_datetime([last, first], utc=True),
        effective_end_date=pd.to_datetime([None, last], utc=True),
    )
    has_history(versions)
    page = opened(STATE)
    assert metrics(page)["First version starts, UTC"] == first.replace(tzinfo=None).isoformat(" ", "seconds")
    page.selectbox(key="span").set_value("all").run()
    for instant in FAR:
        page.text_input(key="at").set_value(instant.isoformat()).run()
        assert not page.exception
        assert len(page.warning) == 0
    for part in ("Metrics over time", TABLE):
        page.segmented_control(key="part").set_value(part).run()
        assert not page.exception
    # The span that a button proposes can be read again, at the end of the calendar too.
    next(button for button in page.button if button.label == "Zoom in").click().run()
    assert not page.exception
    assert len(page.warning) == 0


@pytest.mark.parametrize("far", FAR_CLOCKS)
def test_a_fleet_with_a_clock_that_is_centuries_off_has_a_page(
    monkeypatch: pytest.MonkeyPatch, now: datetime, far: datetime
) -> None:
    states = typed([reading("TRK001", now), reading("TRK002", now)]).assign(
        event_time=pd.to_datetime([now.isoformat(), far.isoformat()], utc=True, format="ISO8601")
    )
    monkeypatch.setattr(data, "truck_states", lambda: states)
    track = states.assign(slice_start=states["event_time"], last_time=states["event_time"])
    monkeypatch.setattr(data, "tracks", lambda minutes: track)
    # Both have just been heard from, whatever their clocks say.
    assert (metrics(run("fleet"))["Moving"], metrics(run("fleet"))["Silent"]) == ("2", "0")


def test_no_history_says_what_to_do() -> None:
    assert "scd2_merge" in run("truck_history").info[0].value


def test_history_without_snowflake_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "truck_ids", raising(DOWN))
    assert "**Snowflake** is unreachable" in run("truck_history").error[0].value


# test_choices.py has the same of the trucks of another page.
@pytest.mark.verify
def test_the_truck_and_the_instant_chosen_are_kept(
    monkeypatch: pytest.MonkeyPatch, now: datetime, one_truck: pd.DataFrame
) -> None:
    def trucks(*names: str) -> None:
        monkeypatch.setattr(data, "truck_ids", lambda: list(names))

    def chosen(page: AppTest) -> tuple[str, str]:
        assert not page.exception
        return page.selectbox(key="truck").value, page.text_input(key="at").value

    trucks("TRK001", "TRK002")
    page = run("truck_history")
    page.selectbox(key="truck").set_value("TRK002").run()
    page.text_input(key="at").set_value("2026-11-22 14:30:15").run()
    trucks("TRK000", "TRK002", "TRK003")
    assert chosen(page.run()) == ("TRK002", "2026-11-22 14:30:15")
    monkeypatch.setattr(data, "truck_ids", raising(DOWN))
    assert len(page.run().text_input) == 0
    trucks("TRK000", "TRK002")
    assert chosen(page.run()) == ("TRK002", "2026-11-22 14:30:15")
    trucks("TRK000")
    assert chosen(page.run())[0] == "TRK000"
    trucks("TRK000", "TRK002")
    page.switch_page("app_pages/live_clicks.py").run()
    assert chosen(page.switch_page("app_pages/truck_history/page.py").run()) == ("TRK002", "2026-11-22 14:30:15")
