"""One alert per failure, reminders at intervals, and one when it is over, whatever crashes in between."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest

from include.alerts import Alert, Links
from include.quality import RuleResult, incidents
from include.quality.incidents import REMIND_AFTER
from include.quality.rule_alerts import with_alerts

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def result(status: str, severity: str = "fail", rule: str = "r", at: datetime = START, **more: Any) -> RuleResult:
    return RuleResult(
        rule=rule, severity=severity, status=status, failed_count=1, samples=[], message="", checked_at=at, **more
    )


class Runs:
    """Runs of data_quality, a minute apart, over one table of results."""

    def __init__(self) -> None:
        self.now = START
        self.last: dict[str, RuleResult] = {}
        self.notified: list[tuple[str, list[str]]] = []
        self.is_over = True

    def run(self, *statuses: str, crashes: bool = False, severity: str = "fail", rules: str = "r", **more: Any) -> None:
        """One run; one that ``crashes`` before its commit stores neither results nor alerts."""
        self.now += MINUTE
        found = [result(status, severity, rule, self.now, **more) for rule, status in zip(rules, statuses, strict=True)]
        before = incidents.continued(found, self.last, self.now)
        results, alerts = with_alerts(before, self.last, {}, "run", Links(), self.now)
        if crashes:
            return
        self.last = {each.rule: each for each in results}
        for alert in alerts:
            concerned = [each.rule for each in before if re.search(rf"^{each.rule}( |:)", alert.message, re.MULTILINE)]
            self.notified.append(("over" if alert.state == "recovered" else "failing", concerned))
        self.is_over = not alerts or alerts[-1].is_over


@pytest.fixture
def runs() -> Runs:
    return Runs()


def test_a_failure_that_lasts_is_notified_once_and_its_end_once(runs: Runs) -> None:
    for status in ("pass", "fail", "fail", "error", "fail", "pass", "pass"):
        runs.run(status)
    assert runs.notified == [("failing", ["r"]), ("over", ["r"])]


def test_people_are_reminded_after_some_hours(runs: Runs) -> None:
    hours = int(REMIND_AFTER / MINUTE)
    for _ in range(2 * hours + 1):
        runs.run("fail")
    assert runs.notified == [("failing", ["r"])] * 3


def test_since_when_it_fails_stays_and_begins_anew(runs: Runs) -> None:
    since = []
    for status in ("fail", "error", "pass", "fail"):
        runs.run(status)
        since.append(runs.last["r"].failing_since)
    assert since == [START + MINUTE, START + MINUTE, None, START + 4 * MINUTE]


def test_a_warning_notifies_nobody_but_knows_since_when(runs: Runs) -> None:
    runs.run("fail", severity="warn")
    runs.run("fail", severity="warn")
    assert runs.notified == []
    assert runs.last["r"].failing_since == START + MINUTE
    runs.run("pass", severity="warn")
    assert (runs.notified, runs.last["r"].failing_since) == ([], None)


def test_a_warning_that_says_so_is_notified_once_and_its_end_once(runs: Runs) -> None:
    for _ in range(2 * int(REMIND_AFTER / MINUTE)):
        runs.run("fail", severity="warn", notifies=True)
    assert runs.notified == [("failing", ["r"])]
    runs.run("pass", severity="warn", notifies=True)
    runs.run("pass", severity="warn", notifies=True)
    assert runs.notified == [("failing", ["r"]), ("over", ["r"])]


def test_another_truck_of_a_notified_warning_is_notified_after_some_hours(runs: Runs) -> None:
    runs.run("fail", severity="warn", notifies=True, newest_offender_at=START)
    joined = START + 5 * MINUTE
    for _ in range(3 * int(REMIND_AFTER / MINUTE)):
        runs.run("fail", severity="warn", notifies=True, newest_offender_at=joined)
    assert runs.notified == [("failing", ["r"])] * 2


def test_a_notified_warning_that_could_not_run_meanwhile_continues(runs: Runs) -> None:
    for status in ("fail", "error", "fail", "pass"):
        runs.run(status, severity="warn", notifies=True)
    assert runs.notified == [("failing", ["r"]), ("over", ["r"])]


def test_a_warning_that_can_not_run_is_notified(runs: Runs) -> None:
    runs.run("error", severity="warn")
    runs.run("fail", severity="warn")
    runs.run("fail", severity="warn")
    assert runs.notified == [("failing", ["r"]), ("over", ["r"])]
    # What it finds now is a warning that began with the failure.
    assert runs.last["r"].failing_since == START + MINUTE


def test_a_crash_at_the_start_and_at_the_end_loses_and_repeats_nothing(runs: Runs) -> None:
    runs.run("fail", crashes=True)
    runs.run("fail")
    runs.run("fail")
    runs.run("pass", crashes=True)
    assert runs.last["r"].failing_since == START + 2 * MINUTE
    runs.run("pass")
    runs.run("pass")
    assert runs.notified == [("failing", ["r"]), ("over", ["r"])]
    assert runs.last["r"].failing_since is None


def test_a_failure_that_is_back_before_its_end_was_stored_continues(runs: Runs) -> None:
    runs.run("fail")
    runs.run("pass", crashes=True)
    runs.run("fail")
    assert runs.notified == [("failing", ["r"])]
    assert runs.last["r"].failing_since == START + MINUTE


def test_a_failure_beside_a_warning_is_an_incident_of_its_own_and_each_ends_alone() -> None:
    def alerts(*now: RuleResult, last: Sequence[RuleResult] = ()) -> tuple[list[RuleResult], list[tuple]]:
        before = {each.rule: each for each in last}
        found = incidents.continued(now, before, START)
        results, stored = with_alerts(found, before, {}, "run", Links(), START)
        assert len({alert.alert_id for alert in stored}) == len(stored)
        return results, [(alert.incident, alert.state, alert.is_over) for alert in stored]

    warns = partial(result, severity="warn", rule="w", notifies=True)
    warned, first = alerts(warns("fail"), result("pass"))
    assert first == [("data_quality/warnings", "warning", False)]
    both, second = alerts(warns("fail"), result("fail"), last=warned)
    assert second == [("data_quality", "failed", False)]
    one, third = alerts(warns("fail"), result("pass"), last=both)
    assert third == [("data_quality", "recovered", True)]
    assert alerts(warns("pass"), result("pass"), last=one)[1] == [("data_quality/warnings", "recovered", True)]
    assert alerts(warns("pass"), result("pass"), last=both)[1] == [
        ("data_quality", "recovered", True),
        ("data_quality/warnings", "recovered", True),
    ]


class Phone:
    """What PagerDuty shows: an incident is open from an alert about it until one says that it is over."""

    def __init__(self) -> None:
        self.now = START
        self.last: dict[str, RuleResult] = {}
        self.open: set[str] = set()

    def run(self, *found: RuleResult) -> list[Alert]:
        self.now += MINUTE
        results = incidents.continued(found, self.last, self.now)
        results, alerts = with_alerts(results, self.last, {}, "run", Links(), self.now)
        self.last = {each.rule: each for each in results}
        for alert in alerts:
            self.open = self.open - {alert.incident} if alert.is_over else self.open | {alert.incident}
        return alerts

    @property
    def known(self) -> set[str]:
        """The incidents of the rules that people believe to fail."""
        kinds = {"fail": "data_quality", "warn": "data_quality/warnings"}
        return {kinds[each.severity] for each in self.last.values() if each.alerted_at}


STATUSES = ("pass", "fail", "error")


def test_an_incident_is_open_exactly_while_a_rule_of_it_fails_whatever_comes_in_between() -> None:
    for steps in product(product(STATUSES, repeat=2), repeat=3):
        phone = Phone()
        for of_warning, of_failure in (*steps, ("pass", "pass")):
            warning = result(of_warning, severity="warn", rule="w", notifies=True)
            phone.run(warning, result(of_failure, rule="f"))
            assert phone.open == phone.known, steps
            failing = {"data_quality/warnings": of_warning, "data_quality": of_failure}
            assert phone.open == {incident for incident, status in failing.items() if status != "pass"}, steps
        assert phone.open == set(), steps


def test_a_warning_that_can_not_run_neither_ends_nor_hides_another() -> None:
    phone = Phone()
    first, second = (partial(result, severity="warn", rule=rule, notifies=True) for rule in "ab")
    phone.run(first("fail"), second("fail"))
    phone.run(first("pass"), second("error"))
    assert phone.open == {"data_quality/warnings"}
    phone.run(first("pass"), second("fail"))
    assert phone.open == {"data_quality/warnings"}
    phone.run(first("pass"), second("pass"))
    assert phone.open == set()


@pytest.mark.parametrize(("before", "after"), [("fail", "warn"), ("warn", "fail")])
def test_a_rule_whose_severity_changes_while_it_fails_ends_there_and_begins_here(before: str, after: str) -> None:
    phone = Phone()
    phone.run(result("fail", severity=before, notifies=True))
    alerts = phone.run(result("fail", severity=after, notifies=True))
    assert {alert.state for alert in alerts} == {"recovered", "failed" if after == "fail" else "warning"}
    assert phone.open == phone.known
    assert len(phone.open) == 1
    phone.run(result("pass", severity=after, notifies=True))
    assert phone.open == set()


@pytest.mark.parametrize("statuses", [("error", "pass"), ("error", "fail", "pass"), ("fail", "error", "pass")])
def test_whoever_gets_only_errors_gets_the_end_of_a_warning_that_could_not_run(statuses: tuple[str, ...]) -> None:
    phone = Phone()
    alerts = [alert for status in statuses for alert in phone.run(result(status, severity="warn", notifies=True))]
    assert alerts[0].severity == ("error" if statuses[0] == "error" else "warning")
    assert (alerts[-1].is_over, alerts[-1].severity) == (True, "error")


def test_failures_that_begin_together_share_a_notification_and_each_ends_alone(runs: Runs) -> None:
    runs.run("fail", "fail", rules="ab")
    runs.run("pass", "fail", rules="ab")
    assert not runs.is_over
    runs.run("pass", "pass", rules="ab")
    assert runs.is_over
    assert runs.notified == [("failing", ["a", "b"]), ("over", ["a"]), ("over", ["b"])]


def test_a_rule_renamed_while_it_fails_ends_under_its_old_name_and_begins_under_the_new(runs: Runs) -> None:
    runs.run("fail", rules="a")
    runs.run("fail", rules="b", crashes=True)
    runs.run("fail", rules="b")
    assert runs.last["a"].status == "removed"
    assert runs.notified == [("failing", ["a"]), ("failing", ["b"]), ("over", ["a"])]
    runs.run("fail", rules="b")
    assert len(runs.notified) == 3
    assert runs.last.keys() == {"b"}


def test_a_rule_removed_while_nobody_knows_notifies_nobody(runs: Runs) -> None:
    runs.run("fail", "pass", severity="warn", rules="ab")
    runs.run("pass", rules="b")
    assert runs.notified == []
    assert runs.last.keys() == {"b"}
