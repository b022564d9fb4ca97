"""How far the rules look back: a table that is too large to be read whole is still checked for the recent past."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from snowflake.connector import errors

from include import sql
from include.quality import checks, incidents
from include.quality.checks import CANCELLED, RECENT, RULE_TIMEOUT, TIME_FOR_ALL, RuleSession
from include.quality.item_staging import ItemStaging
from include.quality.rule_results import RuleResult, result_for
from include.quality.rules import WHOLE, Rule

pytestmark = pytest.mark.unit

RULE = re.compile(r"'(\w+)' as RULE")
RECENT_DAY = (datetime.now(UTC) - RECENT).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0).isoformat()
OLD_DAY = "2001-01-01T00:00:00"
TODAY = "9999-01-01T00:00:00"
ABOUT = {"severity": "fail", "owner": "o", "meaning": "m", "action": "a", "runbook": "r"}


def rule(name: str) -> Rule:
    statement = f"select DAY as SAMPLE_KEY from T where DAY >= {sql.bind('since')}"
    return Rule(name=name, statement=statement, **ABOUT)


UNBOUNDED = Rule(name="unbounded", statement="select DAY as SAMPLE_KEY from T", **ABOUT)


class Warehouse:
    """A connection whose statements take no time, or more than they have if they read everything.

    ``offenders`` are the days of what each rule finds; ``sent`` has each statement's rules, bind and timeout.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.is_too_small = False
        self.offenders: dict[str, str] = {}
        self.sent: list[tuple[list[str], str | None, int]] = []
        self.stored: list[RuleResult] = []
        self._rows: list[dict[str, Any]] = []

    def cursor(self, _kind: type | None = None) -> Warehouse:
        return self

    def execute(self, statement: str, values: Sequence[str] = (), timeout: int | None = None, **_: Any) -> None:
        asked = RULE.findall(statement)
        since = values[0] if values else None
        if not asked:
            found = [
                each for each in self.stored if each.status == "fail" and each.checked_at.isoformat() >= str(since)
            ]
            self._rows = [{"RULE": each.rule, "FOUND_AT": each.checked_at} for each in found]
            return
        assert timeout is not None
        self.sent.append((asked, since, timeout))
        if self.is_too_small and since == WHOLE:
            self.now += timeout
            raise errors.ProgrammingError(msg="SQL execution canceled", errno=CANCELLED)
        self._rows = [
            {"RULE": name, "SAMPLE_KEY": self.offenders[name], "FAILED_COUNT": 1}
            for name in asked
            if self.offenders.get(name, "") >= (since or TODAY)
        ]

    def fetchall(self) -> list[dict[str, Any]]:
        return self._rows

    def close(self) -> None:
        pass


def session_of(warehouse: Warehouse, last: dict[str, RuleResult], *, check_everything: bool = False) -> RuleSession:
    """A session for rules that read no items."""
    staging = ItemStaging(warehouse, lambda: None, ())  # type: ignore[arg-type, return-value]
    return RuleSession(warehouse, staging, last, check_everything=check_everything)  # type: ignore[arg-type]


class Checks:
    """Checks of the same rules, each of which continues the one before."""

    def __init__(self, warehouse: Warehouse, *rules: Rule) -> None:
        self.warehouse = warehouse
        self.rules = rules
        self.last: dict[str, RuleResult] = {}

    def check(self, *, first_today: bool = False) -> dict[str, str]:
        """Check; return the status by rule."""
        del self.warehouse.sent[:]
        session = session_of(self.warehouse, self.last, check_everything=first_today)
        found = incidents.continued(session.check(self.rules), self.last, datetime.now(UTC).replace(tzinfo=None))
        self.warehouse.stored += found
        self.last = {result.rule: result for result in found}
        return {result.rule: result.status for result in found}

    def looked_back_to(self) -> list[str | None]:
        return [since for _, since, _ in self.warehouse.sent]


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    made = Warehouse()
    monkeypatch.setattr(checks, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_everything_is_read_by_a_new_rule_by_the_first_check_of_a_day_and_while_a_rule_finds_something(
    warehouse: Warehouse,
) -> None:
    runs = Checks(warehouse, rule("r"))
    for first_today, offender, since, status in (
        (False, None, WHOLE, "pass"),
        (False, None, RECENT_DAY, "pass"),
        (True, None, WHOLE, "pass"),
        (False, TODAY, RECENT_DAY, "fail"),
        (False, TODAY, WHOLE, "fail"),
        (False, None, WHOLE, "pass"),
        (False, None, RECENT_DAY, "pass"),
    ):
        warehouse.offenders = {"r": offender} if offender else {}
        assert runs.check(first_today=first_today) == {"r": status}
        assert runs.looked_back_to() == [since]


def test_after_everything_was_too_much_the_next_check_reads_the_recent_past(warehouse: Warehouse) -> None:
    runs = Checks(warehouse, *map(rule, "abcdefgh"))
    runs.check()
    warehouse.is_too_small = True
    assert set(runs.check(first_today=True).values()) == {"error"}
    assert warehouse.now <= TIME_FOR_ALL.total_seconds()
    used = warehouse.now
    for _ in range(2):
        assert set(runs.check().values()) == {"pass"}
        assert set(runs.looked_back_to()) == {RECENT_DAY}
    assert warehouse.now == used


def test_a_rule_that_failed_and_then_could_not_run_does_not_pass_because_the_recent_past_is_clean(
    warehouse: Warehouse,
) -> None:
    runs = Checks(warehouse, rule("found"), rule("clean"))
    warehouse.offenders["found"] = OLD_DAY
    assert runs.check() == {"found": "fail", "clean": "pass"}
    warehouse.is_too_small = True
    assert runs.check() == {"found": "error", "clean": "pass"}
    assert runs.check(first_today=True) == {"found": "error", "clean": "error"}
    # It still is not known whether what it found is gone.
    assert runs.check() == {"found": "error", "clean": "pass"}
    assert runs.check() == {"found": "error", "clean": "pass"}
    assert "cancelled after 60 s" in runs.last["found"].message
    warehouse.is_too_small = False
    assert runs.check() == {"found": "fail", "clean": "pass"}
    warehouse.offenders.clear()
    assert runs.check() == {"found": "pass", "clean": "pass"}
    assert runs.check() == {"found": "pass", "clean": "pass"}
    assert runs.looked_back_to() == [RECENT_DAY]


def test_a_failure_of_long_ago_does_not_make_a_rule_that_could_not_run_read_everything(warehouse: Warehouse) -> None:
    runs = Checks(warehouse, rule("r"))
    warehouse.offenders["r"] = OLD_DAY
    assert runs.check() == {"r": "fail"}
    warehouse.offenders.clear()
    assert runs.check() == {"r": "pass"}
    warehouse.is_too_small = True
    assert runs.check(first_today=True) == {"r": "error"}
    assert runs.check() == {"r": "pass"}


def test_what_a_rule_finds_in_the_recent_past_is_a_failure_though_everything_is_too_much(warehouse: Warehouse) -> None:
    runs = Checks(warehouse, rule("r"))
    runs.check()
    warehouse.is_too_small = True
    warehouse.offenders["r"] = TODAY
    # Never an error in between, which would be alerted as another failure.
    assert [runs.check()["r"] for _ in range(4)] == ["fail"] * 4
    assert runs.last["r"].samples == [TODAY]


def test_rules_that_read_everything_leave_the_others_their_time(warehouse: Warehouse) -> None:
    failing = [f"a{number}" for number in range(9)]
    runs = Checks(warehouse, *map(rule, [*failing, "recent"]), UNBOUNDED)
    warehouse.offenders = dict.fromkeys(failing, OLD_DAY)
    runs.check()
    warehouse.is_too_small = True
    assert runs.check() == dict.fromkeys(failing, "error") | {"recent": "pass", "unbounded": "pass"}
    assert warehouse.now <= TIME_FOR_ALL.total_seconds()


def test_a_rule_whose_error_is_no_lack_of_time_is_not_tried_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(statement: str, values: list[str], timeout: int | None, **_: Any) -> None:
        warehouse.sent.append(([], values[0], timeout or 0))
        raise errors.ProgrammingError(msg="SQL compilation error", errno=1003)

    monkeypatch.setattr(warehouse, "execute", fail)
    runs = Checks(warehouse, rule("broken"))
    assert runs.check() == {"broken": "error"}
    assert runs.looked_back_to() == [WHOLE]


def test_how_long_the_rules_may_still_take(warehouse: Warehouse) -> None:
    session = session_of(warehouse, {})
    assert session.seconds_left == TIME_FOR_ALL.total_seconds()
    warehouse.is_too_small = True
    session.check([rule("r")])
    assert session.seconds_left == (TIME_FOR_ALL - RULE_TIMEOUT).total_seconds()
    warehouse.now += timedelta(hours=1).total_seconds()
    assert session.seconds_left == 0


def test_items_are_read_while_snowflake_checks_the_rules_that_need_none(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_at_work, execute = Barrier(2, timeout=20), warehouse.execute

    def check(statement: str, *values: Any, **options: Any) -> None:
        if RULE.findall(statement) == ["recent"]:
            both_at_work.wait()
        execute(statement, *values, **options)

    class Reader:
        def rows(self, source: str) -> list[Any]:
            assert source == "truck_states"
            both_at_work.wait()
            return []

    monkeypatch.setattr(warehouse, "execute", check)
    text = "select TRUCK_ID as SAMPLE_KEY from STAGED_TRUCK_STATES"
    states = Rule(name="states", statement=text, reads=("truck_states",), **ABOUT)
    last = {"recent": result_for(rule("recent"), datetime.now(UTC).replace(tzinfo=None), status="pass")}
    with ItemStaging(warehouse, Reader, {"truck_states"}) as staging:  # type: ignore[arg-type]
        session = RuleSession(warehouse, staging, last, check_everything=False)  # type: ignore[arg-type]
        found = session.check([states, UNBOUNDED, rule("recent")])

    assert [result.status for result in found] == ["pass"] * 3
    assert [rules for rules, _, _ in warehouse.sent] == [["recent"], ["states", "unbounded"]]
