"""Runs the quality rules of sql/quality, and stores an alert when a rule starts to fail and when it stops."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from clicks_to_deliveries.failures import ReportedFailure
from clicks_to_deliveries.hooks.aws_hook import clients_of
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.links import alert_links
from clicks_to_deliveries.notifiers.failure_note import announce_stored_alerts
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.one_writer import one_writer
from include import names, quality
from include.aws_clients import make_client


class QualityFailed(ReportedFailure):
    """Rules fail the run.  Not retried: the rows would be the same."""


class CheckQualityOperator(Killable, BaseOperator):
    """Checks every rule, stores all results and the alerts that are due, and fails if a rule fails the run.

    A rule that can't run has failed, whatever its severity, and stops no other rule.  The results of a run replace what
    the same run had stored.  They also say whether people are notified (include/quality/incidents.py).

    :param index_shards: number of shards of ClickStreamData's index.
    :param rules_off: names of warnings that are not checked, separated by commas.

    Returns the status by rule.
    """

    def __init__(
        self,
        *,
        index_shards: int,
        rules_off: str = "",
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        aws_conn_id: str = names.AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.index_shards = index_shards
        self.rules_off = rules_off
        self.snowflake_conn_id = snowflake_conn_id
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        """Check and store.

        Raises:
            QualityFailed: a rule failed the run.
            AirflowFailException: ``rules_off`` names what is no warning; nothing was checked.
            snowflake.connector.errors.Error: the results and the alerts were not stored; a retry does both.
        """
        rules, unusable = quality.read()
        try:
            rules = quality.switched_on(rules, self.rules_off)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
        with (
            closing(connect(self.snowflake_conn_id)) as connection,
            one_writer(connection, names.QUALITY_WRITER, context),
        ):
            results, alerts = quality.evaluate(
                connection, context["run_id"], rules, unusable, self._open_reader, alert_links()
            )
        for result in results:
            self.log.info("%s (%s): %s %s", result.rule, result.severity, result.status, result.failed_count)
        if alerts:
            announce_stored_alerts(context["ti"])
        if failures := [result.rule for result in results if result.fails_the_run]:
            checked = len(rules) + len(unusable)
            raise QualityFailed(f"{len(failures)} of {checked} rules fail: {', '.join(failures)}")
        return {result.rule: result.status for result in results}

    def _open_reader(self) -> quality.ItemReader:
        """Raises ItemsError if there is no AWS connection: then only the rules that read DynamoDB fail."""
        try:
            client = make_client("dynamodb", clients_of(self.aws_conn_id))
        except AirflowException as error:
            raise quality.ItemsError(str(error)) from error
        return quality.ItemReader(client, datetime.now(UTC), self.index_shards)
