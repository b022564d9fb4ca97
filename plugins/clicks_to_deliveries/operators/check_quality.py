"""Runs the quality rules of sql/quality and notifies people when a rule starts to fail and when it stops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from snowflake.connector import SnowflakeConnection

from clicks_to_deliveries.hooks.aws_hook import clients_of
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.notifiers import quality_alert
from clicks_to_deliveries.notifiers.alert_topic import TOPIC, publish
from clicks_to_deliveries.operators.killable import Killable
from include import names, quality
from include.aws_clients import make_client
from include.quality import incidents
from include.quality.rule_results import record_notifications, utc_now


class QualityFailed(AirflowFailException):
    """Rules fail the run, and people were notified.  Not retried: the rows would be the same."""


class CheckQualityOperator(Killable, BaseOperator):
    """Checks every rule, stores all results, sends the notifications that are due, and fails if a rule fails the run.

    A rule that can't run has failed, whatever its severity, and stops no other rule.  The results of a run replace what
    the same run had stored.  They also record who was notified (include/quality/incidents.py).

    :param index_shards: number of shards of ClickStreamData's index.
    :param rules_off: names of warnings that are not checked, separated by commas.
    :param topic_arn: (templated) the SNS topic for notifications; empty sends none.

    Returns the status by rule.
    """

    template_fields = ("topic_arn",)

    def __init__(
        self,
        *,
        index_shards: int,
        rules_off: str = "",
        topic_arn: str = TOPIC,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        aws_conn_id: str = names.AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.index_shards = index_shards
        self.rules_off = rules_off
        self.topic_arn = topic_arn
        self.snowflake_conn_id = snowflake_conn_id
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        """Check, store, notify.

        Raises:
            QualityFailed: a rule failed the run.
            AirflowFailException: ``rules_off`` names what is no warning; nothing was checked.
            Exception: the results were not stored, or the notification was not sent; a retry does both.
        """
        rules, unusable = quality.read()
        try:
            rules = quality.switched_on(rules, self.rules_off)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
        with closing(PipelineSnowflakeHook(self.snowflake_conn_id).get_conn()) as connection:
            results = quality.evaluate(connection, context["run_id"], rules, unusable, self._open_reader)
            for result in results:
                self.log.info("%s (%s): %s %s", result.rule, result.severity, result.status, result.failed_count)
            self._notify(connection, results, {rule.name: rule for rule in rules}, context)
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

    def _notify(
        self,
        connection: SnowflakeConnection,
        results: Sequence[quality.RuleResult],
        rules: Mapping[str, quality.Rule],
        context: Context,
    ) -> None:
        """Publish, then record: after a crash in between people are notified twice rather than not at all."""
        failing, recovered = incidents.alerts_due(results, utc_now()), incidents.recoveries_due(results)
        if not failing and not recovered:
            return
        if not self.topic_arn:
            self.log.warning("No alert sent: there is no alert topic until provision_resources has run")
            return
        run_id = context["run_id"]
        where = f"run      {run_id}\nlog      {context['ti'].log_url}"
        failures = [result for result in failing if result.fails_the_run]
        warnings = [result for result in failing if not result.fails_the_run]
        for found, message in ((failures, quality_alert.failure), (warnings, quality_alert.warning)):
            if found:
                publish(self.topic_arn, self.aws_conn_id, *message(found, rules, where))
                record_notifications(connection, run_id, incidents.after_alert(found, utc_now()))
        if recovered:
            publish(self.topic_arn, self.aws_conn_id, *quality_alert.recovery(recovered, where))
            record_notifications(connection, run_id, incidents.after_recovery(recovered))
