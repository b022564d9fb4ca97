"""The start page as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import data
from tests.unit.dashboard.pages import metrics, raising, reading, run, typed

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


@pytest.fixture
def all_right(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    """Stores in which nothing needs attention."""
    items = pd.DataFrame(
        [("MOB001", "*Mobile*", 300, 9, 150)], columns=["item_id", "item_name", "clicks", "events", "clicks_before"]
    )
    hours = pd.DataFrame({"arrival_hour": [pd.Timestamp(now)] * 2, "is_open": [True, False], "balanced": [False, True]})
    answers: dict[str, Any] = {
        "period_sums": data.PeriodSums(items, pd.DataFrame(), 0, 0, 0, now, 0, 0),
        "newest_click": now - timedelta(seconds=3),
        "truck_states": typed([reading("TRK001", now), reading("TRK002", now, vehicle_speed=0.0, gps_speed=0.0)]),
        "newest_landing": now,
        "table_freshness": pd.DataFrame(
            {"table_name": ["TRUCK_TELEMETRY_RAW", "TRUCK_TELEMETRY_DATA"], "newest": [pd.Timestamp(now)] * 2}
        ),
        "merge_runs": pd.DataFrame({"started_at": [pd.Timestamp(now - timedelta(seconds=40))]}),
        "quality_results": pd.DataFrame({"rule": ["a"], "severity": ["fail"], "status": ["pass"]}),
        "ledger": hours.assign(archived=100, quarantined=1),
        "quarantine_size": data.QuarantineSize(7, is_cut=False),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(data, name, lambda *_, answer=answer: answer)


def links(page: Any) -> dict[str, str]:
    """The page links: label -> page and query."""
    found = [element.proto for element in page.main if element.type == "page_link"] or [
        element.proto for element in page.get("page_link")
    ]
    return {link.label: f"{link.page}?{link.query_string}" for link in found}


def test_everything_is_all_right(all_right: None) -> None:
    page = run("overview")
    assert page.success[0].value == "**Everything is all right.**"
    assert metrics(page) == {
        "Clicks per minute": "20", "Yesterday": "10", "Most clicked": "`*Mobile*`", "Newest click": "3 s ago",
        "Moving": "1", "Parked": "1", "Silent": "0", "Need attention": "0",
        "Failing rules": "0 of 1", "Quarantined, last hour": "7", "Balanced hours": "1 of 1", "Last merge": "40 s ago",
    }  # fmt: skip
    assert page.metric[0].delta == "+100% on yesterday"
    assert "view=hours&item=MOB001" in links(page)["This item"]
    assert "part=Ledger" in links(page)["Ledger"]


def test_what_is_wrong_is_a_link_to_where_to_look(
    all_right: None, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading("TRK001", now, fuel_level=1.0)]))
    results = pd.DataFrame({"rule": ["versions_meet"], "severity": ["fail"], "status": ["fail"]})
    monkeypatch.setattr(data, "quality_results", lambda: results)
    page = run("overview")
    assert "2 things need attention" in page.markdown[0].value
    found = links(page)
    assert "pipeline_health?part=Quality" in found["1 quality rule fails: `versions_meet` →"]
    assert "maintenance" in found["1 truck needs attention: `TRK001` →"]
    # What is broken comes first.
    assert next(iter(found)).startswith("1 quality rule")


def test_a_night_without_readings_is_no_stop_before_the_landing_files(
    all_right: None, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    evening = now - timedelta(hours=5)
    tables = pd.DataFrame({"table_name": ["TRUCK_TELEMETRY_RAW"], "newest": [pd.Timestamp(evening)]})
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading("TRK001", evening)]))
    monkeypatch.setattr(data, "newest_landing", lambda: None)
    monkeypatch.setattr(data, "table_freshness", lambda: tables)
    assert [link for link in links(run("overview")) if link.endswith("→")] == ["No truck has reported for 5 h →"]
    # A reading of this hour has to be in a landing file.
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading("TRK001", now)]))
    assert "Readings stop before landing files: there are none →" in links(run("overview"))


@pytest.mark.parametrize(("items", "since"), [(200, "24 hours"), (201, "15 minutes")])
def test_clicks_that_stop_are_said_to_have_stopped_for_as_long_as_all_items_are_known_not_to_be_clicked(
    all_right: None, monkeypatch: pytest.MonkeyPatch, items: int, since: str
) -> None:
    silent = pd.DataFrame([("MOB001", "Mobile", 0, 0, 150)], columns=data.period_sums().items.columns)
    monkeypatch.setattr(data, "period_sums", lambda *_: data.PeriodSums(silent, pd.DataFrame(), 0, 0, 0, None, 0, 0))
    monkeypatch.setattr(data, "newest_click", lambda: None)
    # Beyond the first 200, an item may have been clicked 16 minutes ago.
    monkeypatch.setattr(data, "items", lambda: {f"MOB{number}": "Mobile" for number in range(items)})
    expected = f"No click has arrived in the last {since}, and yesterday at this time there were some →"
    assert expected in links(run("overview"))


def test_a_figure_of_a_listing_that_was_cut_says_so(all_right: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "quarantine_size", lambda hours: data.QuarantineSize(5_003, is_cut=True))
    page = run("overview")
    assert metrics(page)["Quarantined, last hour"] == "5,003+"
    figure = next(metric for metric in page.metric if metric.label == "Quarantined, last hour")
    assert "5,000 objects" in figure.help


@pytest.mark.parametrize("store", [data.SNOWFLAKE_STORE, data.STATE_STORE, data.BUCKET_STORE])
def test_each_part_survives_the_failure_of_a_store(
    all_right: None, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    queries = {
        data.SNOWFLAKE_STORE: ["fleet_register", "table_freshness", "merge_runs", "quality_results", "ledger"],
        data.STATE_STORE: ["period_sums", "newest_click", "truck_states"],
        data.BUCKET_STORE: ["newest_landing", "quarantine_size"],
    }
    for name in queries[store]:
        monkeypatch.setattr(data, name, raising(data.StoreUnavailableError(store, "is unreachable", "Check it.")))
    page = run("overview")
    assert len(page.error) == 1
    assert f"{store} is unreachable →" in links(page)
    shown = metrics(page)
    assert (shown["Last merge"] == "–") is (store == data.SNOWFLAKE_STORE)
    assert (shown["Moving"] == "–") is (store == data.STATE_STORE)
    assert (shown["Quarantined, last hour"] == "–") is (store == data.BUCKET_STORE)


def test_an_empty_pipeline_says_what_to_do() -> None:
    assert "generate_traffic" in run("overview").info[0].value
