"""Metrics and spans of tasks go where Airflow's own go."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.observability import stats
from clicks_to_deliveries import telemetry
from clicks_to_deliveries.operators.check_quality import CheckQualityOperator

from include import quality

pytestmark = pytest.mark.unit


class Backend:
    """What Airflow would send to a daemon."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, float]] = []

    def incr(self, stat: str, count: int = 1, **_: Any) -> None:
        self.sent.append(("counter", stat, count))

    def gauge(self, stat: str, value: float, **_: Any) -> None:
        self.sent.append(("gauge", stat, value))


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    backend = Backend()
    monkeypatch.setattr(sys.modules[stats.incr.__module__], "_backend", backend)
    return backend


def test_they_go_to_airflows_own_daemon_under_our_name(backend: Backend) -> None:
    telemetry.count("history", {"rows_inserted": 5})
    telemetry.measure("history", {"freshness_seconds": 1.5})
    assert backend.sent == [
        ("counter", "clicks_to_deliveries.history.rows_inserted", 5),
        ("gauge", "clicks_to_deliveries.history.freshness_seconds", 1.5),
    ]


def test_without_a_trace_a_span_is_nothing() -> None:
    with telemetry.span("merge", run="r1"):
        assert telemetry.trace_id() is None


def test_a_check_measures_rules_that_fail_and_warnings_apart(metrics: dict[str, float]) -> None:
    checking = CheckQualityOperator(task_id="check", index_shards=1)
    rules = quality.rules()
    warning = next(rule for rule in rules if rule.severity == "warn")
    failing = next(rule for rule in rules if rule.severity == "fail")
    results = [
        quality.RuleResult(rule=rule.name, severity=rule.severity, status=status, checked_at=datetime.now(UTC))
        for rule, status in ((warning, "fail"), (failing, "fail"), (rules[0], "pass"))
    ]
    checking._report(rules, results)
    assert metrics == {"quality.checks": 1, "quality.failing_rules": 1, "quality.warning_rules": 1}
    assert [result for _, result in checking.checked] == results
