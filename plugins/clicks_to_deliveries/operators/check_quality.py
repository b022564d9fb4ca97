"""Runs the quality rules of sql/quality, keeps what they found, and tells people of failures and recoveries, once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from snowflake.connector import DictCursor, SnowflakeConnection, errors

from clicks_to_deliveries.hooks.warehouse import WarehouseHook
from clicks_to_deliveries.notifiers import quality_alert
from clicks_to_deliveries.notifiers.alert_topic import TOPIC, publish
from include import names, quality, sql
from include.settings import settings

SAMPLES_KEPT = 20
# A rule over a table that only grows looks so far back, but for the first run of a day (UTC) and while it fails.
RECENT = timedelta(days=2)
RETENTION = timedelta(days=30)
# A rule that takes longer has failed, and so have all that are left when the time for all of them is used up.
RULE_TIMEOUT = timedelta(minutes=1)
TIME_FOR_ALL = timedelta(minutes=8)
# Snowflake's number for a statement that was cancelled.
CANCELLED = 604
# Longer than a run can take: where the results of the last one begin at the latest.
LONGEST_RUN = timedelta(hours=1)

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
STAGE = "insert into {table} ({columns}) values ({values})"
STAGED_ROWS_A_STATEMENT = 1_000

_AWS_CONFIG = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 4, "mode": "standard"})


class QualityFailed(AirflowFailException):
    """Rules fail the run; people have been told.  Not retried: the rows would be the same."""


class CheckQualityOperator(BaseOperator):
    """Runs every rule, stores all results, tells people what changed, and then fails while a rule fails the run.

    A rule that can't run has failed, whatever its severity, and keeps no other from running.  The results of a run
    replace what the same run had stored.  Who was told what is kept in the results: include/quality/incidents.py.
    """

    template_fields = ("topic_arn",)

    def __init__(
        self,
        *,
        topic_arn: str = TOPIC,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        aws_conn_id: str = names.AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.topic_arn = topic_arn
        self.snowflake_conn_id = snowflake_conn_id
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        """Status by rule.

        Raises:
            QualityFailed: a rule failed the run.
            Exception: results could not be stored, or people not be told; a retry does both.
        """
        rules, unusable = quality.read()
        with closing(WarehouseHook(self.snowflake_conn_id).get_conn()) as connection:
            ledger = _Results(connection, context["run_id"])
            is_first_today, last = ledger.last()
            checks = _Checks(connection, self._stores, last, is_first_today)
            found = [*map(checks.check, rules), *map(_unusable, unusable)]
            results = quality.continued(found, last, _now())
            ledger.store(results, forget_old=is_first_today)
            for result in results:
                self.log.info("%s (%s): %s %s", result.rule, result.severity, result.status, result.failed_count)
            self._tell(ledger, results, {rule.name: rule for rule in rules}, context)
        if failures := [result.rule for result in results if result.fails_the_run]:
            raise QualityFailed(f"{len(failures)} of {len(found)} rules fail: {', '.join(failures)}")
        return {result.rule: result.status for result in results}

    def _stores(self) -> quality.Stores:
        client = AwsBaseHook(self.aws_conn_id, client_type="dynamodb", config=_AWS_CONFIG).get_conn()
        return quality.Stores(client, datetime.now(UTC), settings().click_index_shards)

    def _tell(
        self,
        ledger: _Results,
        results: Sequence[quality.Result],
        rules: Mapping[str, quality.Rule],
        context: Context,
    ) -> None:
        """Publishes, then writes down: a crash in between tells twice rather than not at all."""
        failing, over = quality.due(results, _now()), quality.closings(results)
        if not failing and not over:
            return
        if not self.topic_arn:
            self.log.warning("No alert sent: there is no alert topic until provision_resources has run")
            return
        where = f"run      {context['run_id']}\nlog      {context['ti'].log_url}"
        if failing:
            publish(self.topic_arn, self.aws_conn_id, *quality_alert.failing(failing, rules, where))
            now = _now()
            ledger.told(msgspec.structs.replace(result, alerted_at=now) for result in failing)
        if over:
            publish(self.topic_arn, self.aws_conn_id, *quality_alert.over(over, where))
            ledger.told(
                msgspec.structs.replace(
                    result, alerted_at=None, failing_since=result.failing_since if result.status == "fail" else None
                )
                for result in over
            )


class _Checks:
    """Runs rules one by one over one session, in which what they read of DynamoDB is staged when first needed."""

    def __init__(
        self,
        connection: SnowflakeConnection,
        stores: Callable[[], quality.Stores],
        last: Mapping[str, quality.Result],
        is_first_today: bool,
    ) -> None:
        self._connection = connection
        self._make_stores = stores
        self._stores: quality.Stores | None = None
        self._staged: dict[str, str | None] = {}
        self._last = last
        self._is_first_today = is_first_today
        self._deadline = time.monotonic() + TIME_FOR_ALL.total_seconds()

    def check(self, rule: quality.Rule) -> quality.Result:
        checked_at = _now()

        def result(status: str, message: str, count: int | None = None, samples: Sequence[str] = ()) -> quality.Result:
            return quality.Result(
                rule=rule.name,
                severity=rule.severity,
                status=status,
                failed_count=count,
                samples=list(samples),
                message=message,
                checked_at=checked_at,
            )

        for source in rule.reads:
            if problem := self._problem_with(source):
                return result("error", f"could not read {source}: {problem}")
        left = self._deadline - time.monotonic()
        if left <= 0:
            return result("error", f"not run: the rules before it took {TIME_FOR_ALL} and more")
        statement = COUNT_AND_SAMPLES.format(rule=rule.statement, limit=SAMPLES_KEPT)
        timeout = max(1, int(min(left, RULE_TIMEOUT.total_seconds())))
        begun = time.monotonic()
        try:
            with closing(self._connection.cursor(DictCursor)) as cursor:
                rows = cursor.execute(statement, self._binds(rule), timeout=timeout).fetchall()
        except errors.Error as error:
            # The connector does not always say that it was its timeout that cancelled.
            took = f"cancelled after {time.monotonic() - begun:.0f} s of a timeout of {timeout} s: "
            return result("error", f"{took if error.errno == CANCELLED else ''}{error}")
        if not rows:
            return result("pass", rule.meaning, 0)
        return result("fail", rule.meaning, rows[0]["FAILED_COUNT"], [str(row["SAMPLE_KEY"]) for row in rows])

    def _binds(self, rule: quality.Rule) -> dict[str, str] | None:
        """What a bounded rule looks at: all there is once a day, when it is new, and until what it found is gone."""
        if not rule.is_bounded:
            return None
        last = self._last.get(rule.name)
        if self._is_first_today or last is None or last.status != "pass":
            return {"since": quality.WHOLE}
        # Midnight: the tables are clustered by day, and the same text all day long need not be compiled anew each run.
        return {"since": (_now() - RECENT).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()}

    def _problem_with(self, source: str) -> str | None:
        """Stages ``source`` for the rest of the session; says why where that is impossible."""
        if source not in self._staged:
            try:
                self._stage(quality.SOURCES[source])
            except (BotoCoreError, ClientError, quality.StoresError, errors.Error, AirflowException) as error:
                self._staged[source] = str(error)
            else:
                self._staged[source] = None
        return self._staged[source]

    def _stage(self, source: quality.Source) -> None:
        if self._stores is None:
            self._stores = self._make_stores()
        rows = self._stores.rows(source.name)
        statement = STAGE.format(
            table=source.table, columns=", ".join(source.columns), values=", ".join(["%s"] * len(source.columns))
        )
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql.render(f"{quality.FOLDER}/staging/{source.name}.sql"))
            for start in range(0, len(rows), STAGED_ROWS_A_STATEMENT):
                cursor.executemany(statement, rows[start : start + STAGED_ROWS_A_STATEMENT])


class _Results:
    """DATA_QUALITY_RESULTS, for one run."""

    def __init__(self, connection: SnowflakeConnection, run_id: str) -> None:
        self._connection = connection
        self._run_id = run_id

    def last(self) -> tuple[bool, dict[str, quality.Result]]:
        """Whether no rule has run today (UTC), and the results of the last run by rule."""
        with closing(self._connection.cursor()) as cursor:
            (newest,) = cursor.execute(_statement("last_check")).fetchone()
        if newest is None:
            return True, {}
        with closing(self._connection.cursor(DictCursor)) as cursor:
            rows = cursor.execute(_statement("last_results"), {"since": (newest - LONGEST_RUN).isoformat()}).fetchall()
        found = (
            quality.Result(
                failed_count=None, samples=[], message="", **{name.lower(): value for name, value in row.items()}
            )
            for row in rows
        )
        return newest.date() < _now().date(), {result.rule: result for result in found}

    def store(self, results: Iterable[quality.Result], *, forget_old: bool) -> None:
        """Replaces the run's results, all or nothing."""
        rows = [
            {"run_id": self._run_id} | msgspec.structs.asdict(result) | {"samples": json.dumps(result.samples)}
            for result in results
        ]
        self._connection.autocommit(False)
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(_statement("forget_run"), {"run_id": self._run_id})
            if forget_old:
                cursor.execute(_statement("forget_old"), {"before": (_now() - RETENTION).isoformat()})
            cursor.executemany(_statement("store"), rows)
        self._connection.commit()

    def told(self, results: Iterable[quality.Result]) -> None:
        """Writes down what people know now."""
        with closing(self._connection.cursor()) as cursor:
            for result in results:
                cursor.execute(
                    _statement("told"),
                    {
                        "run_id": self._run_id,
                        "rule": result.rule,
                        "failing_since": result.failing_since,
                        "alerted_at": result.alerted_at,
                    },
                )
        self._connection.commit()


def _unusable(error: quality.RuleError) -> quality.Result:
    """A file that is no rule: what it would have found, nobody knows."""
    return quality.Result(
        rule=error.rule,
        severity="fail",
        status="error",
        failed_count=None,
        samples=[],
        message=str(error),
        checked_at=_now(),
    )


def _statement(name: str) -> str:
    return sql.render(f"quality/results/{name}.sql").strip().removesuffix(";")


def _now() -> datetime:
    """UTC, naive, as the table keeps it."""
    return datetime.now(UTC).replace(tzinfo=None)
