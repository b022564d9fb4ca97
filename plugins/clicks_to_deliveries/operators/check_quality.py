"""Runs the quality rules of sql/quality, and stores an alert when a rule starts to fail and when it stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk import Asset, Context
from airflow.triggers.base import BaseTrigger

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.failures import ReportedFailure
from clicks_to_deliveries.hooks.aws_hook import clients_of
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.links import alert_links
from clicks_to_deliveries.notifiers.failure_note import announce_stored_alerts
from clicks_to_deliveries.operators.asset_events import describe_outlets
from clicks_to_deliveries.operators.in_rounds import LEAST_PAUSE, MANUAL, InRounds, Progress, Round
from clicks_to_deliveries.operators.one_writer import one_writer
from clicks_to_deliveries.telemetry import count, measure, span
from clicks_to_deliveries.triggers.stream_has_data import poll_interval
from clicks_to_deliveries.triggers.stream_wait import StreamWaitTrigger
from include import names, quality
from include.alerts import Alert
from include.aws_clients import make_client
from include.pipe_and_stream import STREAM_OFFSET
from include.snowflake_rows import first_row

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# The last check, which Airflow keeps with the asset of the results.
STATE_KEY = "last_check"
# How long time alone may change results until they are checked again.
LONGEST_PAUSE = timedelta(minutes=15)
# Most erasures of a truck's rows take less.  After a longer one, the task is tried again.
ERASURE_ENDS_SECONDS = 60.0


class QualityFailed(ReportedFailure):
    """Rules fail the run.  Not retried: the rows would be the same."""


class CheckQualityOperator(InRounds):
    """Checks every rule, stores all results and the alerts that are due, and fails if a rule fails the run.

    A rule that can't run has failed, whatever its severity, and stops no other rule.  The results of a run replace what
    the same run had stored.  They also say whether people are notified (include/quality/incidents.py).

    With ``asset``, a scheduled run is skipped, and resumes no warehouse, if nothing happened since the last check, or
    if that was less than ``min_interval`` ago (include/quality/due.py).  A run that a person starts always checks.

    :param index_shards: number of shards of ClickStreamData's index.
    :param asset: the table of the results, among the task's outlets.
    :param min_interval: least time between two checks while there are news.
    :param rules_off: names of warnings that are not checked, separated by commas.

    Returns the status by rule.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.QUALITY, buttons.QUERIES)

    def __init__(
        self,
        *,
        index_shards: int,
        asset: Asset | None = None,
        outlets: Sequence[Asset] = (),
        min_interval: timedelta = timedelta(0),
        rules_off: str = "",
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        aws_conn_id: str = names.AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        self._offset = ""
        super().__init__(outlets=[*([asset] if asset else []), *outlets], **kwargs)
        self.index_shards = index_shards
        self.asset = asset
        self.min_interval = min_interval
        self.rules_off = rules_off
        self.snowflake_conn_id = snowflake_conn_id
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> Any:
        if self.run_for:
            return super().execute(context)
        results, _ = self.check(context, context["run_id"])
        found = sum(result.status != "pass" for result in results)
        describe_outlets(self, context, rules=len(results), found=found)
        return {result.rule: result.status for result in results}

    def work(self, context: Context, progress: Progress) -> Round:
        with closing(connect(self.snowflake_conn_id)) as connection:
            # Before the rules read: a merge meanwhile begins the next round.
            self._offset = str(first_row(connection, STREAM_OFFSET, {"stream": names.RAW_STREAM})[0])
        try:
            results, alerts = self.check(context, progress.name(context))
        except AirflowSkipException as nothing:
            self.log.info("%s", nothing)
            return Round(None)
        found = sum(result.status != "pass" for result in results)
        return Round({"rules": len(results), "found": found}, is_last=bool(alerts))

    def wait(self) -> tuple[BaseTrigger, timedelta]:
        now, least = time.time(), max(self.min_interval, LEAST_PAUSE)
        trigger = StreamWaitTrigger(
            stream=names.RAW_STREAM,
            snowflake_conn_id=self.snowflake_conn_id,
            not_before=now + least.total_seconds(),
            until=now + max(least, LONGEST_PAUSE).total_seconds(),
            poll_interval_seconds=poll_interval(least.total_seconds()),
            offset=self._offset,
        )
        return trigger, max(least, LONGEST_PAUSE)

    def check(self, context: Context, check_id: str) -> tuple[list[quality.RuleResult], list[Alert]]:
        """Check and store, under an id of the run's or the round's own.

        Raises:
            QualityFailed: a rule failed the run.
            AirflowSkipException: there is no reason to check.
            AirflowFailException: ``rules_off`` names what is no warning; nothing was checked.
            snowflake.connector.errors.Error: the results and the alerts were not stored; a retry does both.
        """
        rules, unusable = quality.read()
        try:
            rules = quality.switched_on(rules, self.rules_off)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
        open_reader = cache(self._open_reader)
        with closing(connect(self.snowflake_conn_id)) as connection:
            keep = self._keep_if_due(connection, context, check_id, lambda: self._newest_items(open_reader))
            turn = one_writer(connection, names.QUALITY_WRITER, context, patience_seconds=ERASURE_ENDS_SECONDS)
            with turn, span("check the rules", run=check_id):
                results, alerts = quality.evaluate(connection, check_id, rules, unusable, open_reader, alert_links())
            keep(any(result.alerted_at for result in results))
        for result in results:
            self.log.info("%s (%s): %s %s", result.rule, result.severity, result.status, result.failed_count)
        self._report(rules, results)
        if alerts:
            announce_stored_alerts(context["ti"])
        if failures := [result.rule for result in results if result.fails_the_run]:
            checked = len(rules) + len(unusable)
            raise QualityFailed(f"{len(failures)} of {checked} rules fail: {', '.join(failures)}")
        self.log.info("Checked %d rules, and none fails the run", len(results))
        return results, alerts

    def _report(self, rules: Sequence[quality.Rule], results: Sequence[quality.RuleResult]) -> None:
        by_name = {rule.name: rule for rule in rules}
        self.checked = [(by_name[result.rule], result) for result in results if result.rule in by_name]
        failing = [result for result in results if result.status in ("fail", "error")]
        fail = sum(result.fails_the_run for result in failing)
        count("quality", {"checks": 1})
        measure("quality", {"failing_rules": fail, "warning_rules": len(failing) - fail})

    def _keep_if_due(
        self, connection: SnowflakeConnection, context: Context, check_id: str, newest_items: Callable[[], str]
    ) -> Callable[[bool], None]:
        """Return what keeps that this run has checked, and whether people are reminded of what it found.

        Raises:
            AirflowSkipException: it need not check.
        """
        if self.asset is None:
            return lambda reminds: None
        state, now, run_id = context["asset_state_store"][self.asset], datetime.now(UTC), check_id
        stored = state.get(STATE_KEY)
        last = None if stored is None else msgspec.convert(stored, quality.LastCheck)
        decision = quality.decide(
            connection, last, run_id, now, min_interval=self.min_interval, newest_items=newest_items
        )
        if not decision.is_due and context["dag_run"].run_type != MANUAL:
            raise AirflowSkipException(f"Not checked: {decision.reason}")
        self.log.info("Checking: %s", decision.reason)

        def keep(reminds: bool) -> None:
            check = quality.after_check(decision, last, run_id, now, reminds=reminds)
            state.set(STATE_KEY, msgspec.to_builtins(check))

        return keep

    def _newest_items(self, open_reader: Callable[[], quality.ItemReader]) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return open_reader().newest()
        except (BotoCoreError, ClientError, quality.ItemsError) as error:
            # The rules that read items will say so.
            self.log.warning("The newest items can't be read: %s", error)
            return f"unreadable at {datetime.now(UTC).isoformat()}"

    def _open_reader(self) -> quality.ItemReader:
        """Raises ItemsError if there is no AWS connection: then only the rules that read DynamoDB fail."""
        try:
            client = make_client("dynamodb", clients_of(self.aws_conn_id))
        except AirflowException as error:
            raise quality.ItemsError(str(error)) from error
        return quality.ItemReader(client, datetime.now(UTC), self.index_shards)
