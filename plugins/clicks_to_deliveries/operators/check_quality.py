"""Runs the quality rules of sql/quality, and keeps what they found."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import msgspec
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException
from snowflake.connector import DictCursor, SnowflakeConnection, errors

from clicks_to_deliveries.hooks.warehouse import WarehouseHook
from include import names, quality

SAMPLES_KEPT = 20
SAMPLES_ALERTED = 5

# The count and the samples in one pass; a rule is a query for the keys that should not be there.
COUNT_AND_SAMPLES = """\
select
    SAMPLE_KEY,
    count(*) over () as FAILED_COUNT
from (
{rule}
) as OFFENDING
limit {limit}
"""
FORGET = f"delete from {names.QUALITY_RESULTS_TABLE} where RUN_ID = %(run_id)s"  # noqa: S608 - a name of ours
STORE = f"""\
insert into {names.QUALITY_RESULTS_TABLE}
    (RUN_ID, RULE, SEVERITY, STATUS, FAILED_COUNT, SAMPLES, MESSAGE, CHECKED_AT)
values
    (%(run_id)s, %(rule)s, %(severity)s, %(status)s, %(failed_count)s, %(samples)s, %(message)s, %(checked_at)s)
"""  # noqa: S608 - a name of ours


class Result(msgspec.Struct, frozen=True):
    """What one rule found: ``status`` is pass, fail or error (then there is no count)."""

    rule: str
    severity: str
    status: str
    failed_count: int | None
    samples: list[str]
    message: str
    checked_at: datetime

    @property
    def fails_the_run(self) -> bool:
        return self.status == "error" or (self.status == "fail" and self.severity == "fail")


class CheckQualityOperator(BaseOperator):
    """Runs every rule, stores all results, and then fails where a rule of severity fail found something.

    A rule that can't run has failed, whatever its severity.  The results of a run replace what the same run had stored.
    The exception has rule, count and samples: it is what the alert tells.
    """

    def __init__(self, *, snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        """Status by rule.

        Raises:
            AirflowFailException: a rule failed the run; not retried, as the rows would be the same.
        """
        with closing(WarehouseHook(self.snowflake_conn_id).get_conn()) as connection:
            results = [_check(connection, rule) for rule in quality.rules()]
            _store(connection, context["run_id"], results)
        for result in results:
            self.log.info("%s (%s): %s %s", result.rule, result.severity, result.status, result.failed_count)
        if failures := [_description(result) for result in results if result.fails_the_run]:
            raise AirflowFailException(f"{len(failures)} of {len(results)} rules failed: {'; '.join(failures)}")
        return {result.rule: result.status for result in results}


def _check(connection: SnowflakeConnection, rule: quality.Rule) -> Result:
    statement = COUNT_AND_SAMPLES.format(rule=rule.statement, limit=SAMPLES_KEPT)
    checked_at = datetime.now(UTC).replace(tzinfo=None)
    try:
        with closing(connection.cursor(DictCursor)) as cursor:
            rows = cursor.execute(statement).fetchall()
    except errors.Error as error:
        return Result(rule.name, rule.severity, "error", None, [], str(error), checked_at)
    if not rows:
        return Result(rule.name, rule.severity, "pass", 0, [], rule.meaning, checked_at)
    samples = [str(row["SAMPLE_KEY"]) for row in rows]
    return Result(rule.name, rule.severity, "fail", rows[0]["FAILED_COUNT"], samples, rule.meaning, checked_at)


def _store(connection: SnowflakeConnection, run_id: str, results: list[Result]) -> None:
    """Replaces the run's results, all or nothing."""
    rows = [
        {"run_id": run_id} | msgspec.structs.asdict(result) | {"samples": json.dumps(result.samples)}
        for result in results
    ]
    connection.autocommit(False)
    with closing(connection.cursor()) as cursor:
        cursor.execute(FORGET, {"run_id": run_id})
        cursor.executemany(STORE, rows)
    connection.commit()


def _description(result: Result) -> str:
    if result.status == "error":
        return f"{result.rule} could not run: {result.message}"
    samples = ", ".join(result.samples[:SAMPLES_ALERTED])
    return f"{result.rule}: {result.failed_count} ({result.message}), such as {samples}"
