"""How long the rules over consecutive readings may take: a backlog that was too much for a check gets more time."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from snowflake.connector import errors

from include import quality
from include.quality import findings
from include.quality.checks import CANCELLED, RULE_TIMEOUT, TIME_FOR_ALL
from include.quality.findings import NEW_READINGS, check_readings
from include.quality.rule_results import RuleResult

pytestmark = pytest.mark.unit

RULES = [rule for rule in quality.rules() if rule.relation]
NOON = datetime(2026, 11, 28, 12)  # noqa: DTZ001
READINGS_PER_SECOND = 10_000
# What the statement reads per second.
SPEED = 100_000
ALL, ONE = TIME_FOR_ALL.total_seconds(), RULE_TIMEOUT.total_seconds()


class Backlog:
    """Checks of readings that come all the time, on a warehouse that needs its time for them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON
        self.waiting = 0.0
        self.timeouts: dict[str, int] = {}
        self.since = ""
        self.ran_at: datetime | None = None
        self.last: dict[str, RuleResult] = {}
        self._clock = 0.0
        monkeypatch.setattr(findings, "rows_by_column", self._rows)
        monkeypatch.setattr(findings, "last_ran", lambda _connection, _rules: self.ran_at)
        monkeypatch.setattr(findings, "time", SimpleNamespace(monotonic=lambda: self._clock))

    def check(self, after: timedelta, seconds_left: float = ALL) -> set[str]:
        """Check; return the statuses of the rules over the new readings."""
        self.now += after
        self.waiting += after.total_seconds() * READINGS_PER_SECOND
        results = check_readings(None, RULES, self.last, self.now, seconds_left=seconds_left)  # type: ignore[arg-type]
        self.last = {result.rule: result for result in results}
        if all(result.status == "pass" for result in results):
            self.ran_at = self.now
        return {self.last[rule.name].status for rule in RULES if rule.relation == NEW_READINGS}

    def _rows(
        self, _connection: Any, statement: str, binds: Any = None, *, timeout_seconds: int | None = None
    ) -> list[dict[str, Any]]:
        if "merge into" not in statement:
            return []
        assert timeout_seconds is not None
        is_new = "STAGED_NEW_READINGS" in statement
        self.timeouts["new_readings" if is_new else "last_hour"] = timeout_seconds
        if is_new:
            self.since = binds["since"]
            self._clock += min(self.waiting / SPEED, timeout_seconds)
            if self.waiting / SPEED > timeout_seconds:
                raise errors.ProgrammingError(msg="SQL execution canceled", errno=CANCELLED)
            self.waiting = 0
        return []


@pytest.fixture
def backlog(monkeypatch: pytest.MonkeyPatch) -> Backlog:
    return Backlog(monkeypatch)


def test_a_backlog_that_is_too_much_for_one_check_is_checked_by_the_next(backlog: Backlog) -> None:
    five = timedelta(minutes=5)
    assert backlog.check(five) == {"pass"}
    assert backlog.timeouts == {"new_readings": ONE, "last_hour": ONE}
    assert backlog.check(timedelta(minutes=20)) == {"error"}
    assert backlog.check(five) == {"pass"}
    assert backlog.timeouts["new_readings"] == ALL
    assert backlog.check(five) == {"pass"}
    assert backlog.timeouts["new_readings"] == ONE


def test_after_an_outage_of_days_all_that_came_meanwhile_is_checked(backlog: Backlog) -> None:
    five = timedelta(minutes=5)
    backlog.check(five)
    ran_at = backlog.now
    backlog.check(timedelta(minutes=20))
    for _ in range(3):
        assert backlog.check(timedelta(days=1)) == {"error"}
        # The statement consumes all of the stream: what lies before `since` would never be checked.
        assert datetime.fromisoformat(backlog.since) <= ran_at - timedelta(days=2)
    backlog.waiting = 0
    assert backlog.check(five) == {"pass"}
    assert backlog.check(five) == {"pass"}
    assert datetime.fromisoformat(backlog.since).date() == backlog.now.date() - timedelta(days=2)


def test_a_backlog_gets_the_time_that_the_other_rules_left_and_never_less_than_a_rule(backlog: Backlog) -> None:
    backlog.check(timedelta(minutes=20))
    assert backlog.check(timedelta(minutes=5), seconds_left=200) == {"pass"}
    assert backlog.timeouts["new_readings"] == 200
    backlog.check(timedelta(minutes=20))
    assert backlog.check(timedelta(minutes=5), seconds_left=0) == {"error"}
    assert backlog.timeouts["new_readings"] == ONE


def test_a_check_takes_no_longer_than_its_time_and_a_minute_for_each_statement(backlog: Backlog) -> None:
    backlog.last = {
        rule.name: quality.RuleResult(rule=rule.name, severity="warn", status="error", checked_at=NOON)
        for rule in RULES
    }
    backlog.check(timedelta(hours=3))
    assert backlog.timeouts == {"new_readings": ALL, "last_hour": ONE}


def test_the_last_hour_does_not_get_the_time_of_another_relation(backlog: Backlog) -> None:
    backlog.check(timedelta(minutes=20))
    backlog.check(timedelta(minutes=15))
    assert backlog.timeouts == {"new_readings": ALL, "last_hour": ONE}
