"""The content of the alerts about quality rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include import quality
from include.alerts import Alert, Links
from include.quality.rule_alerts import with_alerts

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
RULE = quality.Rule(
    name="a", severity="fail", owner="o", meaning="It is so.", action="Do this.", runbook="section", statement=""
)
LINKS = Links(airflow_url="http://airflow", dashboard_url="http://dashboard", repository_url="http://files/main/")


def result(**more: Any) -> quality.RuleResult:
    common = {"rule": "a", "severity": "fail", "status": "fail", "failed_count": 1234, "message": "It is so."}
    times = {"checked_at": NOW, "failing_since": NOW - timedelta(hours=1, minutes=2, seconds=3)}
    return quality.RuleResult(**common | times | {"samples": [f"key {number}" for number in range(20)]} | more)


def alert_about(*results: quality.RuleResult, links: Links = LINKS) -> Alert:
    (alert,) = with_alerts(results, {}, {"a": RULE}, "run-1", links, NOW)[1]
    return alert


def test_a_failure_says_all_that_is_needed_at_night() -> None:
    alert = alert_about(result())
    assert (alert.headline, alert.severity, alert.is_over) == ("[failed] data_quality: a", "error", False)
    assert alert.message.splitlines() == [
        "a: 1,234 offending keys, since 2026-11-22 13:27:57 UTC",
        "  samples  key 0, key 1, key 2, key 3, key 4",
        "  meaning  It is so.",
        "  action   Do this.",
        "  runbook  http://files/main/docs/runbooks/data_quality.md#section",
        "",
        "You get a reminder every 6 hours while this lasts, and one message when it is over.",
        "",
        "severity   error: data is wrong or late",
        "run        http://airflow/dags/data_quality/runs/run-1",
        "dashboard  http://dashboard",
    ]


def test_without_addresses_it_names_run_and_file() -> None:
    message = alert_about(result(), links=Links()).message
    assert "run        run-1\n" in message
    assert "  runbook  docs/runbooks/data_quality.md#section\n" in message
    assert "dashboard" not in message


def test_a_warning_says_that_the_run_does_not_fail() -> None:
    alert = alert_about(result(rule="b", severity="warn", notifies=True, samples=["TRK001 2 readings"]))
    assert (alert.headline, alert.severity) == ("[warning] data_quality: b", "warning")
    assert "This is a warning: the run does not fail. You get another message after 6 hours if more" in alert.message


def test_a_reminder_says_that_it_is_one_unless_something_is_new() -> None:
    reported = result(alerted_at=NOW - timedelta(hours=6))
    other = result(rule="b", alerted_at=NOW - timedelta(hours=6))
    assert alert_about(reported, other).headline == "[still failing] data_quality: a and 1 more"
    assert alert_about(reported, result(rule="b")).headline == "[failed] data_quality: a and 1 more"


def test_long_texts_are_cut_and_take_one_line() -> None:
    alert = alert_about(result(status="error", failed_count=None, samples=[], message="no\ntable " + "x" * 1000))
    first, error, runbook, *_ = alert.message.splitlines()
    assert first == "a can't run, since 2026-11-22 13:27:57 UTC"
    assert error.startswith("  error    no table xxx")
    assert len(error) < 520
    assert runbook == "  runbook  http://files/main/docs/runbooks/data_quality.md#a-rule-could-not-run"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "pass"}, "a passes again, after 1 h 2 min (since 2026-11-22 13:27:57 UTC)"),
        ({"status": "pass", "failing_since": NOW - timedelta(seconds=61)}, "a passes again, after 1 min 1 s"),
        ({"severity": "warn"}, "a still fails, but is only a warning now, after 1 h 2 min"),
        ({"status": "removed"}, "a was removed while it failed, after 1 h 2 min"),
    ],
)
def test_an_end_says_how_long_it_lasted(changes: dict[str, Any], words: str) -> None:
    alert = alert_about(result(alerted_at=NOW, **changes))
    assert (alert.headline, alert.is_over) == ("[recovered] data_quality: a", True)
    assert alert.message.startswith(words)
