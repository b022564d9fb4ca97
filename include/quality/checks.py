"""Runs rules one by one over one Snowflake session."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from include import sql
from include.quality.rule_results import RuleResult, utc_now
from include.quality.rules import WHOLE, Rule
from include.quality.staged_items import SOURCES, ItemReader, ItemsError, ItemSource
from include.snowflake_rows import execute_rows, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

SAMPLES_KEPT = 20
# How far a rule over a table that only grows looks back, except in the first run of a day (UTC) and while it fails.
RECENT = timedelta(days=2)
# A rule that takes longer has failed.  When the time for all rules has passed, the rules that are left have failed too.
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
INSERT = "insert into {table} ({columns}) values ({values})"
ROWS_PER_INSERT = 1_000


class RuleSession:
    """Checks rules, and stages the DynamoDB items that they read when the first rule needs them.

    :param open_reader: makes the reader of DynamoDB items; called once, and only if a rule reads items.
    :param last: the results of the last run, by rule.
    :param check_everything: let every rule look at all there is, not only at the recent past.
    """

    def __init__(
        self,
        connection: SnowflakeConnection,
        open_reader: Callable[[], ItemReader],
        last: Mapping[str, RuleResult],
        *,
        check_everything: bool,
    ) -> None:
        self._connection = connection
        self._open_reader = open_reader
        self._reader: ItemReader | None = None
        self._staging_problems: dict[str, str | None] = {}
        self._last = last
        self._check_everything = check_everything
        self._deadline = time.monotonic() + TIME_FOR_ALL.total_seconds()

    def check(self, rule: Rule) -> RuleResult:
        """Return what the rule finds; a rule that can't run is a result with status "error"."""
        from snowflake.connector import errors

        checked_at = utc_now()

        def error(message: str) -> RuleResult:
            return RuleResult(
                rule=rule.name,
                severity=rule.severity,
                notifies=rule.notifies,
                status="error",
                message=message,
                checked_at=checked_at,
            )

        for source in rule.reads:
            if problem := self._staging_problem(source):
                return error(f"could not read {source}: {problem}")
        seconds_left = self._deadline - time.monotonic()
        if seconds_left <= 0:
            return error(f"not run: the rules before it took more than {TIME_FOR_ALL}")
        statement = COUNT_AND_SAMPLES.format(rule=rule.statement, limit=SAMPLES_KEPT)
        timeout = max(1, int(min(seconds_left, RULE_TIMEOUT.total_seconds())))
        started = time.monotonic()
        try:
            rows = rows_by_column(self._connection, statement, self._binds(rule), timeout_seconds=timeout)
        except errors.Error as failure:
            # The connector does not always say that its own timeout cancelled the statement.
            seconds = time.monotonic() - started
            cancelled = f"cancelled after {seconds:.0f} s of a timeout of {timeout} s: "
            return error(f"{cancelled if failure.errno == CANCELLED else ''}{failure}")
        return RuleResult(
            rule=rule.name,
            severity=rule.severity,
            notifies=rule.notifies,
            status="fail" if rows else "pass",
            failed_count=rows[0]["FAILED_COUNT"] if rows else 0,
            samples=[str(row["SAMPLE_KEY"]) for row in rows],
            message=rule.meaning,
            checked_at=checked_at,
        )

    def _binds(self, rule: Rule) -> dict[str, str] | None:
        """Return the bind of a bounded rule: it checks the recent past, or everything if it is new or did not pass."""
        if not rule.is_bounded:
            return None
        last = self._last.get(rule.name)
        if self._check_everything or last is None or last.status != "pass":
            return {"since": WHOLE}
        # Midnight: the tables are clustered by day, and Snowflake need not compile the same text again all day long.
        return {"since": (utc_now() - RECENT).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()}

    def _staging_problem(self, source: str) -> str | None:
        """Stage ``source`` for the rest of the session; return why it is impossible, if it is."""
        from snowflake.connector import errors

        if source not in self._staging_problems:
            self._staging_problems[source] = None
            try:
                self._stage(SOURCES[source])
            except (BotoCoreError, ClientError, ItemsError, errors.Error) as error:
                self._staging_problems[source] = str(error)
        return self._staging_problems[source]

    def _stage(self, source: ItemSource) -> None:
        if self._reader is None:
            self._reader = self._open_reader()
        rows = self._reader.rows(source.name)
        values = ", ".join(f"%({column})s" for column in source.columns)
        insert = INSERT.format(table=source.table, columns=", ".join(source.columns), values=values)
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql.render(source.ddl))
            for start in range(0, len(rows), ROWS_PER_INSERT):
                some = rows[start : start + ROWS_PER_INSERT]
                execute_rows(cursor, insert, [dict(zip(source.columns, row, strict=True)) for row in some])
