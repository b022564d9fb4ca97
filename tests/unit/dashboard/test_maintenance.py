"""Maintenance: which trucks need attention, in what order, and the page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import data, fleet_states, health
from dashboard.maintenance import cases, trend_in_words
from tests.unit.dashboard.pages import DOWN, metrics, raising, reading, run, typed

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]

NO_SINCE = pd.DataFrame(columns=["truck_id", "metric", "since", "is_longer"])
NO_TRENDS = pd.DataFrame(columns=["truck_id", "metric_name", "verdict"])


def trend(truck: str, metric: str = "battery_voltage", **values: Any) -> dict[str, Any]:
    row = {
        "truck_id": truck,
        "metric_name": metric,
        "verdict": "worse",
        "today": 12.1,
        "past_value": 12.9,
        "usual": 0.1,
    }
    return row | {"past_days": 7, "repaired_days_ago": float("nan")} | values


def begun(truck: str, metric: str, when: datetime, *, is_longer: bool = False) -> dict[str, Any]:
    return {"truck_id": truck, "metric": metric, "since": pd.Timestamp(when), "is_longer": is_longer}


def order(now: datetime, sent: dict[str, dict[str, Any]], since: Any = None, trends: Any = None) -> list[str]:
    readings = typed([reading(truck, now, **values) for truck, values in sent.items()])
    trucks = fleet_states.fleet(readings, data.NO_REGISTER, now).trucks
    return [
        case.truck_id
        for case in cases(trucks, NO_SINCE if since is None else since, NO_TRENDS if trends is None else trends)
    ]


def test_what_stops_a_truck_comes_before_what_can_wait(now: datetime) -> None:
    sent = {
        "fuel": {"fuel_level": 3.0},
        "battery": {"battery_voltage": 11.0},
        "tyre": {"tire_pressure_front_left": 50.0, "tire_pressure_front_right": 100.0},
        "fine": {},
        "brakes": {"brake_status": "Needs Inspection"},
        "engine": {"engine_temperature": 130.0},
        "worse": {},
    }
    trends = pd.DataFrame([trend("worse")])
    assert order(now, sent, trends=trends) == ["brakes", "engine", "tyre", "battery", "fuel", "worse"]


def test_more_findings_come_before_fewer_and_older_ones_before_newer(now: datetime) -> None:
    sent = {truck: {"brake_status": "Bad"} for truck in ("C", "B", "A", "new")}
    sent["both"] = {"brake_status": "Bad", "fuel_level": 3.0}
    since = pd.DataFrame(
        [begun(truck, "brake_status", now - timedelta(hours=hours)) for truck, hours in (("A", 1), ("B", 2), ("C", 1))]
    )
    # The history does not have the newest one yet.
    assert order(now, sent, since) == ["both", "B", "A", "C", "new"]


def test_a_clock_of_year_1_is_the_oldest(now: datetime) -> None:
    since = pd.DataFrame(
        [begun("A", "brake_status", now), begun("B", "brake_status", datetime.min.replace(tzinfo=now.tzinfo))]
    )
    assert order(now, {truck: {"brake_status": "Bad"} for truck in "AB"}, since) == ["B", "A"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (trend("T"), "battery 12.1 V, 0.8 V below its past"),
        (trend("T", "engine_temperature", today=105.0, past_value=92.0), "engine 105 °C, 13 °C above its past"),
        (
            trend("T", "tire_pressure_rear_left", today=91.0, past_value=99.5),
            "rear left tyre 91 psi, 8 psi below its past",
        ),
        (trend("T", verdict="steady"), "battery 12.1 V, as usual"),
        (trend("T", verdict="too few", today=float("nan")), "battery: too few readings to compare"),
        (
            trend("T", "tire_pressure_rear_left", verdict="too few", repaired_days_ago=1.0),
            "rear left tyre: better since yesterday, too few days to compare since then",
        ),
    ],
)
def test_a_trend_in_words(row: dict[str, Any], words: str) -> None:
    assert trend_in_words(row) == words


def test_every_reason_has_its_place() -> None:
    assert len(health.rules()) == len(health.REASONS) - len(health.TYRES) + 1 + 3
    ranks = [health.Reason(metric, "").rank for metric in health.REASONS]
    assert ranks == sorted(ranks)
    assert [rule.urgency.rank for rule in health.rules()] == sorted(rule.urgency.rank for rule in health.rules())


def test_the_page_says_why_since_when_and_what_gets_worse(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    readings = typed(
        [
            reading("TRK001", now, brake_status="Bad"),
            reading("TRK002", now - timedelta(days=1), fuel_level=3.0),
            reading("TRK003", now, fuel_level=1.0),
            reading("TRK004", now),
        ]
    )
    since = pd.DataFrame([begun("TRK001", "brake_status", now - timedelta(days=3), is_longer=True)])
    findings = pd.DataFrame({"rule": ["positions_do_not_jump"], "truck_id": "TRK001", "detail": "100 mi in 2 s"})
    monkeypatch.setattr(data, "truck_states", lambda: readings)
    monkeypatch.setattr(data, "fleet_register", lambda: data.NO_REGISTER._replace(retired={"TRK003": now}))
    monkeypatch.setattr(data, "attention_since", lambda limits: since)
    monkeypatch.setattr(data, "trends", lambda *_: pd.DataFrame([trend("TRK004"), trend("TRK003")]))
    monkeypatch.setattr(data, "open_findings", lambda hours: findings)
    page = run("maintenance")
    assert metrics(page) == {
        "Need attention": "3 of 3", "▲ Stop and check": "1", "◆ Workshop": "0", "● Soon": "2", "Silent": "1",
    }  # fmt: skip
    table = page.dataframe[0].value
    assert list(table["truck"]) == ["TRK001", "TRK002", "TRK004"]
    assert list(table["why"]) == ["brakes: Bad", "fuel 3 %", "battery 12.1 V, 0.8 V below its past"]
    assert list(table["doubts"]) == [1, 0, 0]
    assert table["state"][1].startswith("silent for")
    said = "\n".join(text.value for text in page.text)
    assert "brakes: Bad, for 3 d or longer: at least since 2026-11-19 14:30:20 UTC" in said
    assert "positions_do_not_jump: 100 mi in 2 s" in said


def test_the_page_before_the_first_record_and_without_the_history(
    monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    assert "generate_traffic" in run("maintenance").info[0].value
    monkeypatch.setattr(data, "truck_states", lambda: typed([reading("TRK001", now, brake_status="Bad")]))
    for name in ("attention_since", "trends", "open_findings", "fleet_register"):
        monkeypatch.setattr(data, name, raising(DOWN))
    page = run("maintenance")
    assert "**Snowflake** is unreachable" in page.error[0].value
    assert list(page.dataframe[0].value["why"]) == ["brakes: Bad"]
