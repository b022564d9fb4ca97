"""The page Fleet as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from dashboard import data
from tests.unit.dashboard.pages import DOWN, metrics, raising, reading, run, typed, version

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


def test_the_fleet_is_summed_up_and_flagged(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    rows = [
        reading("TRK001", now - timedelta(seconds=4)),
        reading("TRK002", now - timedelta(hours=1), vehicle_speed=0.0, fuel_level=9.0),
    ]
    monkeypatch.setattr(data, "truck_states", lambda: typed(rows))
    page = run("fleet")
    assert metrics(page) == {
        "Moving": "1",
        "Parked": "0",
        "Silent": "1",
        "Need attention": "1",
        "Mean speed": "50 mph",
        "Lowest fuel": "40 %",
    }
    assert any("▲ TRK002: fuel 9 %" in text.value for text in page.text)
    page.segmented_control[0].set_value("Speed and fuel").run()
    assert any("No history in the last 15 minutes" in info.value for info in page.info)


def test_the_fleet_without_snowflake_says_so_once_and_shows_dynamodb(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading("TRK001", now)]))
    for name in ("tracks", "current_rows"):
        monkeypatch.setattr(data, name, raising(DOWN))
    page = run("fleet")
    assert [error.value for error in page.error] == ["**Snowflake** is unreachable\n\nCheck that it runs."]
    assert metrics(page)["Moving"] == "1"


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
    assert metrics(page)["Moving"] == "1"


def test_what_a_truck_did_not_send_is_not_called_none(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    nothing = dict.fromkeys(data.METRIC_NAMES)
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading("T" * 64, now, **nothing)]))
    current = typed([version(now, 5, None, **nothing)]).drop(columns=["event_time", "arrival_time"])
    monkeypatch.setattr(data, "current_rows", lambda: current)
    page = run("fleet")
    assert metrics(page)["Mean speed"] == "–"
    page.selectbox(key="truck").set_value("T" * 64).run()
    for part in ("Trucks", "Health", "Current rows in Snowflake"):
        page.segmented_control[0].set_value(part).run()
        assert not page.exception
        card, table = page.dataframe
        assert set(card.value["Value"]) == {"–"}
        assert table.proto.placeholder == "–"
        shown = [element.value for kind in (page.markdown, page.caption, page.text, page.metric) for element in kind]
        assert not any("None" in text or "nan" in text for text in shown)


def test_an_empty_fleet_says_what_to_do() -> None:
    page = run("fleet")
    assert "generate_traffic" in page.info[0].value
