"""Each page as Streamlit runs it, with data.py's answers replaced: what is shown, when empty, when a store is down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.unit.dashboard.pages import DOWN, metrics, raising, reading, run, typed, version

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


# --- Live clicks -----------------------------------------------------------------------------------------------------
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


# --- Fleet -----------------------------------------------------------------------------------------------------------
def test_the_fleet_is_summed_up_and_flagged(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    rows = [
        reading("TRK001", now - timedelta(seconds=4)),
        reading("TRK002", now - timedelta(hours=1), vehicle_speed=0.0, fuel_level=9.0),
    ]
    monkeypatch.setattr(data, "truck_states", lambda: typed(rows))
    page = run("fleet")
    assert metrics(page) == {
        "Reporting": "1 of 2",
        "Moving": "1",
        "Mean speed": "25 mph",
        "Lowest fuel": "9 %",
        "Need attention": "1",
    }
    assert any("▲ TRK002: fuel 9 %" in text.value for text in page.text)
    assert any("No history in the last 15 minutes" in info.value for info in page.info)


def test_the_fleet_without_snowflake_says_so_once_and_shows_dynamodb(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading("TRK001", now)]))
    for name in ("tracks", "current_rows"):
        monkeypatch.setattr(data, name, raising(DOWN))
    page = run("fleet")
    assert [error.value for error in page.error] == ["**Snowflake** is unreachable\n\nCheck that it runs."]
    assert metrics(page)["Reporting"] == "1 of 1"


def test_the_fleet_without_dynamodb_shows_the_historys_current_rows(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr(
        data, "truck_states", raising(data.StoreUnavailableError("DynamoDB table X", "is unreachable", "Check."))
    )
    current = typed([version(now, 5, None)]).drop(columns=["event_time", "arrival_time"])
    monkeypatch.setattr(data, "current_rows", lambda: current)
    page = run("fleet")
    assert "DynamoDB table X" in page.error[0].value
    assert metrics(page)["Reporting"] == "1 of 1"


def test_what_a_truck_did_not_send_is_not_called_none(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    nothing = dict.fromkeys(data.METRIC_NAMES)
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading("T" * 64, now, **nothing)]))
    current = typed([version(now, 5, None, **nothing)]).drop(columns=["event_time", "arrival_time"])
    monkeypatch.setattr(data, "current_rows", lambda: current)
    page = run("fleet")
    assert {table.proto.placeholder for table in page.dataframe} == {"–"}
    assert len(page.dataframe) == 3
    assert metrics(page)["Mean speed"] == "–"
    shown = [element.value for kind in (page.markdown, page.caption, page.text, page.metric) for element in kind]
    assert not any("None" in text or "nan" in text for text in shown)


def test_an_empty_fleet_says_what_to_do() -> None:
    page = run("fleet")
    assert "generate_traffic" in page.info[0].value


# --- Truck history ---------------------------------------------------------------------------------------------------
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
    assert metrics(page)["First version starts"] == first.replace(tzinfo=None).isoformat(" ", "seconds")
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


# --- Choices that are kept --------------------------------------------------------------------------------------------
def test_the_trucks_chosen_are_kept_while_trucks_come_and_go_and_stores_fail(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    def fleet(*trucks: str) -> None:
        monkeypatch.setattr(data, "truck_states", lambda: typed([reading(truck, now) for truck in trucks]))

    def chosen(page: AppTest) -> list[str]:
        assert not page.exception
        return list(page.multiselect[0].value)

    fleet("TRK001", "TRK002", "TRK003")
    page = run("fleet")
    assert chosen(page) == ["TRK001", "TRK002", "TRK003"]
    fleet("TRK000", "TRK001", "TRK002", "TRK003")
    # Nobody has chosen yet, so a new truck is shown.
    assert chosen(page.run()) == ["TRK000", "TRK001", "TRK002", "TRK003"]
    page.multiselect[0].set_value(["TRK003", "TRK001"]).run()
    fleet("TRK001", "TRK003", "TRK004")
    assert chosen(page.run()) == ["TRK003", "TRK001"]
    fleet("TRK001", "TRK004")
    assert chosen(page.run()) == ["TRK001"]
    fleet("TRK001", "TRK003", "TRK004")
    assert chosen(page.run()) == ["TRK003", "TRK001"]

    monkeypatch.setattr(data, "current_rows", raising(DOWN))
    monkeypatch.setattr(data, "truck_states", raising(DOWN))
    assert len(page.run().multiselect) == 0
    fleet("TRK001", "TRK003")
    assert chosen(page.run()) == ["TRK003", "TRK001"]

    page.switch_page("app_pages/live_clicks.py").run()
    assert chosen(page.switch_page("app_pages/fleet.py").run()) == ["TRK003", "TRK001"]
    page.multiselect[0].set_value([]).run()
    assert chosen(page.run()) == []


def test_the_truck_and_the_instant_chosen_are_kept(
    monkeypatch: pytest.MonkeyPatch, now: datetime, one_truck: pd.DataFrame
) -> None:
    def trucks(*names: str) -> None:
        current = pd.concat([one_truck.head(1).assign(truck_id=name) for name in names])
        monkeypatch.setattr(data, "current_rows", lambda: current)

    def chosen(page: AppTest) -> tuple[str, str]:
        assert not page.exception
        return page.selectbox(key="history_truck").value, page.text_input[0].value

    trucks("TRK001", "TRK002")
    page = run("truck_history")
    page.selectbox(key="history_truck").set_value("TRK002").run()
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


# --- Pipeline health -------------------------------------------------------------------------------------------------
def test_each_store_has_its_own_age(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr(data, "newest_click", lambda: now - timedelta(seconds=2))
    monkeypatch.setattr(data, "newest_landing", lambda: (now - timedelta(minutes=5), 9))
    page = run("pipeline_health")
    shown = metrics(page)
    assert (shown["Clicks"], shown["Landing"], shown["History"]) == ("2 s", "5 min", "–")
    assert "Newest record in any store **2 s ago**" in page.markdown[0].value


def test_pipeline_health_without_snowflake_still_shows_the_rest(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    for name in ("table_freshness", "merge_runs", "ledger", "quality_results", "load_history"):
        monkeypatch.setattr(data, name, raising(DOWN))
    monkeypatch.setattr(data, "newest_click", lambda: now)
    page = run("pipeline_health")
    assert metrics(page)["Clicks"] == "0 s"
    assert sum(" unknown]" in markdown.value for markdown in page.markdown) == 2
    assert "No record was quarantined" in page.success[0].value


def test_nothing_is_called_empty_that_could_not_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    unset = data.StoreUnavailableError(data.SETTINGS, "missing setting CTD_DEPLOYMENT_BUCKET", "Set it.")
    for name in ("newest_click", "newest_landing", "quarantine"):
        monkeypatch.setattr(data, name, raising(unset))
    page = run("pipeline_health")
    assert sum(" unknown]" in markdown.value for markdown in page.markdown) == 2
    assert not any("Every store is empty" in info.value for info in page.info)
    assert "CTD_DEPLOYMENT_BUCKET" in page.error[0].value


def test_failures_and_warnings_are_told_apart(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    results = pd.DataFrame(
        [("a", "fail", "pass"), ("b", "warn", "fail"), ("c", "fail", "fail"), ("d", "warn", "error")],
        columns=["rule", "severity", "status"],
    ).assign(failed_count=0, samples="[]", message="", checked_at=pd.Timestamp(now), failing_since=pd.NaT)
    monkeypatch.setattr(data, "quality_results", lambda: results)
    page = run("pipeline_health")
    shown = metrics(page)
    assert (shown["Rules passed"], shown["Failures"], shown["Warnings"]) == ("1 of 4", "2", "1")
    table = next(frame.value for frame in page.dataframe if "result" in frame.value)
    assert list(table["result"]) == ["✕ fail", "! error", "▲ warn", "✓ pass"]


def test_a_rule_that_fails_says_since_when_what_to_do_and_where_to_look(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    since = pd.Timestamp(now - timedelta(minutes=12))
    common = {"severity": "fail", "checked_at": pd.Timestamp(now), "failing_since": since}
    results = pd.DataFrame(
        [
            {"rule": "versions_meet", "status": "fail", "failed_count": 25, "message": "It does not end."}
            | {"samples": '["TRK001 *a*", "TRK002 b"]'},
            {"rule": "gone", "status": "error", "failed_count": None, "message": "no *table*", "samples": "[]"},
        ]
    ).assign(**common)
    monkeypatch.setattr(data, "quality_results", lambda: results)
    page = run("pipeline_health")
    said = "\n".join(markdown.value for markdown in page.markdown)
    for part in (
        f"**`versions_meet`** · severity `fail` · failing for **12 min**, since {since:%Y-%m-%d %H:%M:%S} UTC",
        "**What to do:** Run the DAG repair_history for the truck",
        "Runbook `docs/runbooks/data_quality.md#the-history-is-wrong`, rule `sql/quality/versions_meet.sql`",
        "**`gone`**",
    ):
        assert part in said
    assert "It does not end." in [text.value for text in page.text]
    assert [code.value for code in page.code] == ["no *table*", "TRK001 *a*\nTRK002 b"]
    assert "25 violations, including:" in [caption.value for caption in page.caption]


def test_the_ledgers_hours_are_summed_up_and_an_open_one_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    counts = dict.fromkeys(
        ("landed", "duplicates", "quarantined", "resolved", "conflicts", "covered", "waiting", "overdue"), 0
    )
    hours = [
        {"is_open": True, "balanced": False, "missing": 9},
        {"is_open": False, "balanced": False, "missing": 2, "uncovered": 3},
        {"is_open": False, "balanced": True},
    ]
    rows = pd.DataFrame(
        [{**counts, "archived": 1000, "missing": 0, "unexpected": 0, "uncovered": 0, **hour} for hour in hours]
    ).assign(stream_name="ClickDataStream", arrival_hour=pd.Timestamp(now), details="{}", checked_at=pd.Timestamp(now))
    monkeypatch.setattr(data, "ledger", lambda: rows)
    page = run("pipeline_health")
    shown = metrics(page)
    assert (shown["Balanced hours"], shown["Differences"]) == ("1 of 2", "5")
    assert (shown["Records archived"], shown["Last counted"]) == ("3,000", "0 s ago")
    table = next(frame.value for frame in page.dataframe if "differences" in frame.value)
    assert list(table["result"]) == ["… open", "✕ differs", "✓ balanced"]
    assert list(table["differences"]) == ["9 missing", "2 missing, 3 uncovered", ""]


def test_an_empty_pipeline_says_what_to_do() -> None:
    said = " ".join(info.value for info in run("pipeline_health").info)
    for words in ("Every store is empty", "scd2_merge", "reconcile", "data_quality", "monitor_snowpipe"):
        assert words in said
