"""Charts of lag, delays, the ledger and quality runs: what is not known is a gap, and colour is never the only sign."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import altair as alt
import pandas as pd
import pytest

from dashboard import times
from dashboard.app_pages.pipeline_health import ledger, quarantine
from dashboard.charts import pipeline_charts

pytestmark = pytest.mark.unit

START = pd.Timestamp("2026-11-22T14:00:00Z")


def drawn(chart: alt.TopLevelMixin) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The specification of a chart with one data set, and that data."""
    spec = json.loads(chart.to_json())
    (rows,) = spec["datasets"].values()
    return spec, rows


def test_a_minute_without_a_measurement_is_a_gap() -> None:
    lags = pd.DataFrame({"minute": [START, START + pd.Timedelta(minutes=2)], "seconds": [1.0, 0.0]})
    _, rows = drawn(pipeline_charts.stream_lag(lags))
    assert [row["seconds"] for row in rows] == [1.0, None, 0.0]


def test_p50_and_p95_differ_in_dash_and_colour() -> None:
    slices = pd.DataFrame({"slice_start": [START], "readings": [7], "sent_p50": [1.0], "sent_p95": [2.0]})
    spec, rows = drawn(pipeline_charts.delays(slices, "sent"))
    assert [(row["figure"], row["seconds"], row["readings"]) for row in rows] == [("p50", 1.0, 7), ("p95", 2.0, 7)]
    assert spec["encoding"]["strokeDash"]["field"] == spec["encoding"]["color"]["field"] == "figure"


def test_every_state_of_an_hour_but_the_usual_one_has_a_sign() -> None:
    hours = pd.DataFrame({"arrival_hour": [START], "day": ["d"], "hour": [14], "state": ["differs"]}).assign(
        archived=5, differences="2 missing"
    )
    spec, _ = drawn(pipeline_charts.ledger_hours(hours))
    signs, text = spec["layer"][1]["transform"][0]["calculate"], spec["layer"][1]["encoding"]["text"]
    assert signs == '["", "\\u2715", "\\u2026"][indexof(["balanced", "differs", "open"], datum.state)]'
    assert text["field"] == "sign"
    assert spec["layer"][0]["encoding"]["x"]["scale"]["domain"] == list(range(24))


def test_the_newest_run_of_a_rule_is_at_the_right() -> None:
    results = pd.DataFrame({"rule": ["b", "b", "a"], "runs_ago": [0, 1, 0], "result": ["fail", "pass", "pass"]})
    results = results.assign(checked_at=START, failed_count=0)
    spec, _ = drawn(pipeline_charts.rule_runs(results, ["b", "a"]))
    encoding = spec["layer"][0]["encoding"]
    assert encoding["x"]["scale"]["domain"] == [1, 0]
    assert encoding["y"]["sort"] == ["b", "a"]


@pytest.mark.parametrize(
    ("zone", "day", "hour"), [("UTC", "2026-11-22 Sun", 20), ("Asia/Kolkata", "2026-11-23 Mon", 1)]
)
def test_an_hour_is_on_the_day_of_the_zone_that_is_shown(
    monkeypatch: pytest.MonkeyPatch, zone: str, day: str, hour: int
) -> None:
    monkeypatch.setattr(times, "zone_name", lambda: zone)
    rows = pd.DataFrame({"arrival_hour": [pd.Timestamp("2026-11-22T20:00Z")], "state": ["open"]})
    (shown,) = ledger.by_day_and_hour(rows.assign(archived=1, differences="")).to_dict("records")
    assert (shown["day"], shown["hour"]) == (day, hour)


def test_records_are_found_by_stream_and_reason(now: datetime) -> None:
    records = pd.DataFrame([("s", "r"), ("s", "q"), ("t", "r")], columns=["stream", "reason"])
    every = (quarantine.EVERY_STREAM, quarantine.EVERY_REASON)
    assert len(quarantine.matching(records, *every)) == 3
    assert list(quarantine.matching(records, "s", quarantine.EVERY_REASON)["reason"]) == ["r", "q"]
    assert list(quarantine.matching(records, quarantine.EVERY_STREAM, "r")["stream"]) == ["s", "t"]
    assert quarantine.matching(records, "t", "q").empty


@pytest.mark.parametrize(
    ("key", "is_one"),
    [("quarantine/s/2026/11/22/14/x.json", True), ("raw-archive/x", False), ("quarantine/../x", False), ("", False)],
)
def test_an_address_names_records_of_the_quarantine_only(key: str, is_one: bool) -> None:
    assert quarantine.is_record(key) is is_one
