"""data_quality on the local stack: what rules find is stored first; then a failing one fails the run and alerts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from include import names, quality

pytestmark = pytest.mark.integration

RESULTS = f"select RULE, SEVERITY, STATUS, FAILED_COUNT, SAMPLES, MESSAGE from {names.QUALITY_RESULTS_TABLE}"


@pytest.fixture(autouse=True)
def _clean(stack: Any) -> None:
    for table in (names.RAW_TABLE, names.HISTORY_TABLE, names.QUALITY_RESULTS_TABLE):
        stack.query(f"delete from {table}")
    stack.alerts()


def results(stack: Any, dagrun: Any) -> dict[str, tuple]:
    """The stored (severity, status, count, samples, message) by rule."""
    rows = stack.query(f"{RESULTS} where RUN_ID = %(run_id)s", {"run_id": dagrun.run_id})
    assert len({row[0] for row in rows}) == len(rows)
    return {rule: found for rule, *found in rows}


def add_version(stack: Any, truck: str, start: str, end: str | None) -> None:
    statement = (
        f"insert into {names.HISTORY_TABLE} (TRUCK_ID, EFFECTIVE_START_DATE, EFFECTIVE_END_DATE, IS_CURRENT, "
        "GPS_LATITUDE) values (%(truck)s, %(start)s, %(end)s, %(current)s, 1)"
    )
    stack.query(statement, {"truck": truck, "start": start, "end": end, "current": end is None})


def test_a_failing_rule_is_stored_then_fails_the_run_and_alerts_once(stack: Any, run: Callable) -> None:
    add_version(stack, "TRK001", "2026-11-22 12:00:00", None)
    add_version(stack, "TRK001", "2026-11-22 13:00:00", None)
    dagrun = run("data_quality")
    assert str(dagrun.state) == "failed"
    severity, status, failed, samples, _ = results(stack, dagrun)["one_current_version_per_truck"]
    assert (severity, status, failed) == ("fail", "fail", 1)
    assert ["TRK001" in sample for sample in json.loads(samples)] == [True]
    assert set(results(stack, dagrun)) == {rule.name for rule in quality.rules()}
    (alert,) = stack.alerts()
    assert alert["Subject"] == "[failed] data_quality.check_quality"
    for part in ("one_current_version_per_truck: 1", "TRK001", dagrun.run_id, "docs/runbooks/data_quality.md"):
        assert part in alert["Message"]


def test_a_warning_is_stored_and_pages_nobody(stack: Any, run: Callable) -> None:
    dagrun = run("data_quality")
    assert str(dagrun.state) == "success"
    # Nothing reports: that is what the rule is for.
    assert results(stack, dagrun)["trucks_report"][:3] == ["warn", "fail", 3]
    assert stack.alerts() == []


def test_a_rule_that_can_not_run_is_a_failure_whatever_its_severity(
    stack: Any, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = quality.Rule(
        name="broken", severity="warn", owner="o", meaning="m", action="a", statement="select SAMPLE_KEY from NOWHERE"
    )
    monkeypatch.setattr(quality, "rules", lambda: (broken,))
    dagrun = run("data_quality")
    assert str(dagrun.state) == "failed"
    _, status, failed, samples, message = results(stack, dagrun)["broken"]
    assert (status, failed, samples) == ("error", None, "[]")
    assert "NOWHERE" in message
    (alert,) = stack.alerts()
    assert "broken could not run" in alert["Message"]


def test_the_same_run_again_replaces_its_results(stack: Any, run: Callable) -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    add_version(stack, "TRK001", "2026-11-22 13:00:00", "2026-11-22 12:00:00")
    first = run("data_quality", at=at)
    assert results(stack, first)["versions_start_before_they_end"][1] == "fail"
    stack.query(f"delete from {names.HISTORY_TABLE}")
    second = run("data_quality", at=at)
    assert first.run_id == second.run_id
    assert results(stack, second)["versions_start_before_they_end"][1] == "pass"


def test_many_offending_keys_are_counted_and_twenty_are_kept(stack: Any, run: Callable) -> None:
    for number in range(30):
        add_version(stack, f"TRK{number}", "2026-11-22 13:00:00", "2026-11-22 12:00:00")
    _, _, failed, samples, _ = results(stack, run("data_quality"))["versions_start_before_they_end"]
    assert failed == 30
    assert len(json.loads(samples)) == 20
