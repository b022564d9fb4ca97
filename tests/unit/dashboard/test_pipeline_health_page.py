"""The page Pipeline health as Streamlit runs it, with the answers of dashboard.data replaced."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import pytest

from dashboard import data
from tests.unit.dashboard.pages import DOWN, metrics, raising, run

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("empty_stores")]


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
