"""Retired trucks and assigned readings on the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import data
from tests.unit.dashboard.pages import history_answers, metrics, reading, run, typed, version

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]

EVIL = "![x](https://host.example/p.png)"


def assignment(reported: str, truck: str, since: datetime | None = None, until: datetime | None = None) -> Any:
    return {
        "reported_id": reported, "truck_id": truck, "begins_at": pd.NaT if since is None else pd.Timestamp(since),
        "ends_at": pd.NaT if until is None else pd.Timestamp(until), "decided_at": pd.Timestamp(0, tz=UTC),
        "decided_by": "fleet manager", "reason": EVIL,
    }  # fmt: skip


def a_register(retired: dict[str, datetime] | None = None, *assignments: Any) -> data.FleetRegister:
    columns = data.NO_REGISTER.assignments.columns
    frame = pd.DataFrame(assignments, columns=columns)
    for column in ("begins_at", "ends_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return data.FleetRegister(retired or {}, frame)


def said(page: AppTest) -> str:
    return "\n".join(element.value for kind in (page.markdown, page.caption, page.text, page.info) for element in kind)


@pytest.fixture
def has(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Replaces answers of the data package."""

    def replace(**answers: Any) -> None:
        for name, answer in answers.items():
            monkeypatch.setattr(data, name, lambda *_, answer=answer: answer)

    return replace


def test_a_retired_truck_is_neither_silent_nor_in_need_of_attention(has: Any, now: datetime) -> None:
    rows = [
        reading("TRK001", now - timedelta(days=9), vehicle_speed=90.0, fuel_level=1.0),
        reading("TRK002", now - timedelta(seconds=4)),
    ]
    has(truck_states=typed(rows))
    before = run("fleet")
    assert (metrics(before)["Silent"], metrics(before)["Need attention"]) == ("1", "1")
    has(fleet_register=a_register({"TRK001": now - timedelta(days=8)}))
    page = run("fleet")
    assert metrics(page) == {
        "Moving": "1", "Parked": "0", "Silent": "0", "Need attention": "0", "Mean speed": "50 mph",
        "Lowest fuel": "40 %",
    }  # fmt: skip
    table = page.dataframe[0].value
    assert list(zip(table["truck_id"], table["state"], strict=True)) == [
        ("TRK002", "▶ moving"),
        ("TRK001", "□ retired"),
    ]
    assert "No truck needs attention" in said(page)


def test_a_fleet_of_retired_trucks_has_a_page(has: Any, now: datetime) -> None:
    has(
        truck_states=typed([reading("TRK001", now - timedelta(days=9))]),
        fleet_register=a_register({"TRK001": now - timedelta(days=8)}),
    )
    page = run("fleet")
    assert {metrics(page)[state] for state in ("Moving", "Parked", "Silent", "Need attention")} == {"0"}
    assert metrics(page)["Lowest fuel"] == "–"


def test_a_replaced_tracker_is_one_truck_on_the_fleet_page(has: Any, now: datetime) -> None:
    rows = [reading("NEW", now, fuel_level=30.0), reading("TRK001", now - timedelta(hours=3), fuel_level=2.0)]
    has(
        truck_states=typed(rows), fleet_register=a_register(None, assignment("NEW", "TRK001", now - timedelta(hours=2)))
    )
    page = run("fleet")
    assert (metrics(page)["Moving"], metrics(page)["Silent"], metrics(page)["Lowest fuel"]) == ("1", "0", "30 %")
    assert list(page.dataframe[0].value["truck_id"]) == ["TRK001"]


def test_without_snowflake_the_fleet_is_shown_as_reported(
    has: Any, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    def down() -> None:
        raise data.StoreUnavailableError("Snowflake", "is unreachable", "Check that it runs.")

    has(truck_states=typed([reading("NEW", now)]))
    for name in ("tracks", "current_rows", "fleet_register"):
        monkeypatch.setattr(data, name, lambda *_: down())
    page = run("fleet")
    assert len(page.error) == 1
    assert metrics(page)["Moving"] == "1"


@pytest.fixture
def one_history(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    versions = typed([version(now, 10, None, fuel_level=39.0), version(now, 70, 10)])
    versions.loc[0, "reported_id"] = "NEW"
    for name, answer in history_answers(versions).items():
        monkeypatch.setattr(data, name, answer)


def test_the_history_of_a_retired_truck_says_as_last_seen(one_history: None, has: Any, now: datetime) -> None:
    assert "Newest version" in said(run("truck_history"))
    has(fleet_register=a_register({"TRK001": now - timedelta(seconds=5)}))
    text = said(run("truck_history"))
    assert "Left the fleet 2026-11-22 14:30:15 UTC" in text
    assert "as last seen, in the version of 2026-11-22 14:30:10 UTC" in text
    assert "Newest version" not in text


def test_the_history_names_its_trackers_and_the_decisions(one_history: None, has: Any, now: datetime) -> None:
    has(
        fleet_register=a_register(
            None,
            assignment("NEW", "TRK001", now - timedelta(seconds=20)),
            assignment("TRK001", "TRK009", None, now - timedelta(days=1)),
            assignment("OTHER", "TRK009"),
        )
    )
    page = run("truck_history")
    page.segmented_control(key="part").set_value("All versions").run()
    assert list(page.dataframe[0].value["reported_id"]) == ["NEW", "TRK001"]
    # TRK009 has no current row of its own id, but a history.
    assert list(page.selectbox(key="truck").options) == ["TRK001", "TRK009"]
    text = said(page)
    assert "Readings that `NEW` reported from 2026-11-22 14:30:00 UTC are in this history" in text
    assert "Readings that `TRK001` reported from the first one until 2026-11-21 14:30:20 UTC belong to `TRK009`" in text
    assert f"decided by `fleet manager`: `{EVIL}`" in text
    assert "OTHER" not in text


def test_an_id_whose_readings_all_belong_to_another_truck_says_so(one_history: None, has: Any) -> None:
    has(fleet_register=a_register(None, assignment("TRK001", "TRK009")), history_span=(0, None, None))
    text = said(run("truck_history"))
    assert "belong to `TRK009`" in text
    assert "has no versions" in text


def test_rows_go_to_the_truck_of_their_instant(now: datetime) -> None:
    register = a_register(
        {"C": now}, assignment("A", "B", now, now + timedelta(seconds=2)), assignment("B", "A", now, None)
    )
    times = [now + timedelta(seconds=second) for second in (-1, 0, 1, 2)]
    frame = pd.DataFrame([{"truck_id": truck, "at": pd.Timestamp(time)} for truck in "ABC" for time in times])
    assert "".join(register.by_truck(frame, "at")["truck_id"]) == "ABBA" + "BAAA" + "CCCC"
    newest = register.newest_by_truck(frame, "at")
    assert [*zip(newest["truck_id"], newest["at"], strict=True)] == [
        ("B", times[2]), ("A", times[3]), ("C", times[3]),
    ]  # fmt: skip
