"""Runs rules over one Snowflake session: many in one statement, and one by one only where that fails.

Each statement costs a round trip, a compilation and the connector's own work, which for a small table is most of it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from include.quality.item_staging import ItemStaging
from include.quality.rule_results import RuleResult, found_before_error, result_for, utc_now
from include.quality.rules import WHOLE, Rule
from include.snowflake_rows import rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

SAMPLES_KEPT = 20
# How far a rule over a table that only grows looks back, except in the first run of a day (UTC), and while it may still
# find what it has found.
RECENT = timedelta(days=2)
# A rule that takes longer has failed.  Rules in one statement have it together, but at most half of the time that is
# left.  When the time for all rules has passed, the rules that are left have failed too.
RULE_TIMEOUT = timedelta(minutes=1)
TIME_FOR_ALL = timedelta(minutes=8)
# Snowflake's number for a statement that was cancelled.
CANCELLED = 604

# The count and the samples in one pass; a rule is a query for the keys that should not be there.
COUNT_AND_SAMPLES = """\
select
    SAMPLE_KEY,
    count(*) over () as FAILED_COUNT
from (
{rule}
) as OFFENDING
order by SAMPLE_KEY
limit {limit}
"""
# One of several rules in a statement.
OF_RULE = """\
select
    '{name}' as RULE,
    SAMPLE_KEY::string as SAMPLE_KEY,
    FAILED_COUNT
from (
{query}
) as COUNTED"""


class RuleSession:
    """Checks rules over one session.

    :param staging: stages the items that rules read; it is not asked for them before the other rules were checked.
    :param last: the results of the last run, by rule.
    :param check_everything: let every rule look at all there is, not only at the recent past.
    """

    def __init__(
        self,
        connection: SnowflakeConnection,
        staging: ItemStaging,
        last: Mapping[str, RuleResult],
        *,
        check_everything: bool,
    ) -> None:
        self._connection = connection
        self._staging = staging
        self._last = last
        self._check_everything = check_everything
        self._deadline = time.monotonic() + TIME_FOR_ALL.total_seconds()

    @property
    def seconds_left(self) -> float:
        """What is left of the time for all rules; 0: nothing."""
        return max(0.0, self._deadline - time.monotonic())

    def check(self, rules: Sequence[Rule]) -> list[RuleResult]:
        """Return what each rule finds, in their order; a rule that can't run is a result with status "error".

        Rules that look equally far back are one statement.  If it fails, each is checked alone: that names the rule
        that can't run, and stops no other.  A rule that could not run the last time is alone from the start.  Rules
        that need no items come first, and those that look at everything last, because they may need all the time that
        there is.

        Raises:
            snowflake.connector.errors.Error: the results of earlier runs could not be read.
        """
        groups: dict[tuple[str | None, str], list[Rule]] = defaultdict(list)
        for rule in rules:
            last = self._last.get(rule.name)
            is_alone = last is not None and last.status == "error"
            groups[self._since(rule), rule.name if is_alone else ""].append(rule)
        results: dict[str, RuleResult] = {}
        for (since, _), group in sorted(groups.items(), key=_turn):
            unread = {rule.name: _error(rule, problem) for rule in group if (problem := self._unread(rule))}
            results |= unread | self._check([rule for rule in group if rule.name not in unread], since)
        return [results[rule.name] for rule in rules]

    def _check(self, rules: Sequence[Rule], since: str | None) -> dict[str, RuleResult]:
        """Return the results by rule, all of which have the bind ``since``, or none if it is None."""
        from snowflake.connector import errors

        if not rules:
            return {}
        seconds_left = self.seconds_left
        if not seconds_left:
            problem = f"not run: the rules before it took more than {TIME_FOR_ALL}"
            return {rule.name: _error(rule, problem) for rule in rules}
        if len(rules) > 1:
            seconds_left /= 2
        timeout = max(1, int(min(seconds_left, len(rules) * RULE_TIMEOUT.total_seconds())))
        statement = "\nunion all\n".join(
            OF_RULE.format(name=rule.name, query=COUNT_AND_SAMPLES.format(rule=rule.statement, limit=SAMPLES_KEPT))
            for rule in rules
        )
        binds = None if since is None else {"since": since}
        checked_at, started = utc_now(), time.monotonic()
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        try:
            for row in rows_by_column(self._connection, statement, binds, timeout_seconds=timeout):
                found[row["RULE"]].append(row)
        except errors.Error as failure:
            if len(rules) > 1:
                return {name: result for rule in rules for name, result in self._check([rule], since).items()}
            (rule,) = rules
            if failure.errno != CANCELLED:
                return {rule.name: _error(rule, str(failure))}
            # The connector does not always say that its own timeout cancelled the statement.
            seconds = time.monotonic() - started
            problem = f"cancelled after {seconds:.0f} s of a timeout of {timeout} s: {failure}"
            if since == WHOLE:
                # What it finds in the recent past is certain.  If that is clean, nobody knows about the rest.
                recent = self._check(rules, _recently())
                if recent[rule.name].status == "fail":
                    return recent
            return {rule.name: _error(rule, problem)}
        return {rule.name: _judged(rule, found[rule.name], checked_at) for rule in rules}

    def _since(self, rule: Rule) -> str | None:
        """Return from when on a bounded rule checks: the recent past, or everything if it is new or found something.

        After an error it is the recent past again, because everything may be more than the rule can read in its time.
        But a rule that had found something before the error must not pass because it did not read the rows.
        """
        if not rule.is_bounded:
            return None
        last = self._last.get(rule.name)
        if self._check_everything or last is None or last.status in ("fail", "removed"):
            return WHOLE
        if last.status == "error" and rule.name in self._found_before_error:
            return WHOLE
        return _recently()

    @cached_property
    def _found_before_error(self) -> frozenset[str]:
        return found_before_error(self._connection, self._last.values())

    def _unread(self, rule: Rule) -> str:
        """Return which source of the rule could not be read, and why; empty: all were, and are staged."""
        for source in rule.reads:
            if problem := self._staging.problem(source):
                return f"could not read {source}: {problem}"
        return ""


def _turn(group: tuple[tuple[str | None, str], list[Rule]]) -> tuple[bool, bool]:
    (since, _), rules = group
    return since == WHOLE, any(rule.reads for rule in rules)


def _recently() -> str:
    # Midnight: the tables are clustered by day, and Snowflake need not compile the same text again all day long.
    return (utc_now() - RECENT).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()


def _error(rule: Rule, message: str) -> RuleResult:
    return result_for(rule, utc_now(), status="error", message=message)


def _judged(rule: Rule, rows: Sequence[Mapping[str, Any]], checked_at: datetime) -> RuleResult:
    """Return the result of a rule that returned ``rows``, each with the number of all its rows."""
    return result_for(
        rule,
        checked_at,
        status="fail" if rows else "pass",
        failed_count=rows[0]["FAILED_COUNT"] if rows else 0,
        samples=sorted(str(row["SAMPLE_KEY"]) for row in rows),
        message=rule.meaning,
    )
