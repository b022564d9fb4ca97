"""The content of the notifications about quality rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clicks_to_deliveries.notifiers import quality_alert

from include import quality

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
WHERE = "run      run-1"
RULE = quality.Rule(
    name="a", severity="fail", owner="o", meaning="It is so.", action="Do this.", runbook="section", statement=""
)


def result(**more: Any) -> quality.RuleResult:
    common = {"rule": "a", "severity": "fail", "status": "fail", "failed_count": 1234, "message": "It is so."}
    times = {"checked_at": NOW, "failing_since": NOW - timedelta(hours=1, minutes=2, seconds=3)}
    return quality.RuleResult(**common | times | {"samples": [f"key {number}" for number in range(20)]} | more)


def test_a_failure_says_all_that_is_needed_at_night() -> None:
    subject, message = quality_alert.failure([result()], {"a": RULE}, WHERE)
    assert subject == "[failed] data_quality: a"
    assert message.splitlines() == [
        "a: 1,234 offending keys, since 2026-11-22 13:27:57 UTC",
        "  samples  key 0, key 1, key 2, key 3, key 4",
        "  meaning  It is so.",
        "  action   Do this.",
        "  runbook  docs/runbooks/data_quality.md#section",
        "",
        "run      run-1",
        "You get a reminder every 6 hours while this lasts, and one message when it is over.",
    ]


def test_a_warning_says_that_the_run_does_not_fail() -> None:
    subject, message = quality_alert.warning([result(severity="warn", samples=["TRK001 2 readings"])], {}, WHERE)
    assert subject == "[warning] data_quality: a"
    assert message.splitlines()[-2:] == [
        "run      run-1",
        "This is a warning: the run does not fail. You get another message after 6 hours if more trucks are concerned "
        "by then, and one when it is over.",
    ]


def test_a_reminder_says_that_it_is_one_unless_something_is_new() -> None:
    reported = result(alerted_at=NOW - timedelta(hours=6))
    assert quality_alert.failure([reported, reported], {}, WHERE)[0] == "[still failing] data_quality: a and 1 more"
    assert quality_alert.failure([reported, result(rule="b")], {}, WHERE)[0] == "[failed] data_quality: a and 1 more"


def test_long_texts_are_cut_and_take_one_line() -> None:
    broken = result(status="error", failed_count=None, samples=[], message="no\ntable " + "x" * 1000)
    _, message = quality_alert.failure([broken], {"a": RULE}, WHERE)
    first, error, runbook, *_ = message.splitlines()
    assert first == "a can't run, since 2026-11-22 13:27:57 UTC"
    assert error.startswith("  error    no table xxx")
    assert len(error) < 520
    assert runbook == "  runbook  docs/runbooks/data_quality.md#a-rule-could-not-run"


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
    subject, message = quality_alert.recovery([result(**changes)], WHERE)
    assert subject == "[recovered] data_quality: a"
    assert message.startswith(words)
    assert message.endswith(WHERE)
