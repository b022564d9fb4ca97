"""DATA_QUALITY_RESULTS: one row per rule and run.  Times are naive UTC, as the table keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from include import sql
from include.alerts import Alert
from include.alerts.findings import store_alerts
from include.quality.rules import Rule
from include.snowflake_rows import execute, execute_rows, first_row, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

RETENTION = timedelta(days=30)
# Longer than a run can take, so the results of the last run all lie within this time of the newest one.
LONGEST_RUN = timedelta(hours=1)

Status = Literal["pass", "fail", "error", "removed"]


class RuleResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one run found for one rule; ``failing_since`` and ``alerted_at`` are its incident (incidents.py).

    Status "error" means that the rule could not run, so there is no count.  Status "removed" means that the rule no
    longer exists.
    """

    rule: str
    severity: str
    status: Status
    failed_count: int | None = None
    samples: list[str] = []
    message: str = ""
    checked_at: datetime
    failing_since: datetime | None = None
    alerted_at: datetime | None = None
    # Not stored: whether people are notified although it is a warning, and when its newest offender was first found.
    notifies: bool = False
    newest_offender_at: datetime | None = None

    @property
    def fails_the_run(self) -> bool:
        """A rule that can't run fails the run, whatever its severity."""
        return self.status == "error" or (self.status == "fail" and self.severity == "fail")

    @property
    def is_notified(self) -> bool:
        """Whether people are notified of it: it fails the run, or is a warning that says so."""
        return self.fails_the_run or (self.status == "fail" and self.notifies)


def result_for(rule: Rule, checked_at: datetime, **found: Any) -> RuleResult:
    """Return the result of ``rule``; ``found`` are the fields that the check found."""
    return RuleResult(rule=rule.name, severity=rule.severity, notifies=rule.notifies, checked_at=checked_at, **found)


def utc_now() -> datetime:
    """Return the time as the table keeps it: UTC, naive."""
    return datetime.now(UTC).replace(tzinfo=None)


def last_results(connection: SnowflakeConnection) -> dict[str, RuleResult]:
    """Return the results of the last run, by rule: status and incident, without count, samples and message."""
    (newest,) = first_row(connection, _statement("last_check"))
    if newest is None:
        return {}
    rows = rows_by_column(connection, _statement("last_results"), {"since": (newest - LONGEST_RUN).isoformat()})
    found = (RuleResult(**{column.lower(): value for column, value in row.items()}) for row in rows)
    return {result.rule: result for result in found}


def found_before_error(connection: SnowflakeConnection, last: Iterable[RuleResult]) -> frozenset[str]:
    """Return the rules that could not run the last time, and had found something earlier in the same incident.

    Nothing is asked of Snowflake if every rule could run.
    """
    since = {result.rule: result.failing_since for result in last if result.status == "error" and result.failing_since}
    if not since:
        return frozenset()
    rows = rows_by_column(connection, _statement("last_found"), {"since": min(since.values()).isoformat()})
    return frozenset(row["RULE"] for row in rows if row["RULE"] in since and row["FOUND_AT"] >= since[row["RULE"]])


def last_ran(connection: SnowflakeConnection, rules: Iterable[str]) -> datetime | None:
    """Return when any of ``rules`` could last run; None if no such result is kept."""
    ran = {row["RULE"]: row["RAN_AT"] for row in rows_by_column(connection, _statement("last_ran"))}
    return max((ran[rule] for rule in rules if rule in ran), default=None)


def store(
    connection: SnowflakeConnection,
    run_id: str,
    results: Iterable[RuleResult],
    alerts: Iterable[Alert],
    *,
    forget_old: bool,
) -> None:
    """Replace the results of a run and add its alerts, all or nothing.

    ``forget_old`` deletes what is past its retention as well.
    """
    rows = [
        {"run_id": run_id} | msgspec.structs.asdict(result) | {"samples": json.dumps(result.samples)}
        for result in results
    ]
    connection.autocommit(False)
    with closing(connection.cursor()) as cursor:
        execute(cursor, _statement("forget_run"), {"run_id": run_id})
        if forget_old:
            before = {"before": (utc_now() - RETENTION).isoformat()}
            execute(cursor, _statement("forget_old"), before)
            execute(cursor, sql.statement("quality/findings/forget_old.sql"), before)
            execute(cursor, sql.statement("merge/forget_runs.sql"), before)
        execute_rows(cursor, _statement("store"), rows)
    store_alerts(connection, run_id, alerts)
    connection.commit()


def _statement(name: str) -> str:
    return sql.statement(f"quality/results/{name}.sql")
