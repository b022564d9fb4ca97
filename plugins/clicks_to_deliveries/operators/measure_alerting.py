"""Measures what alarms need and AWS has no metric for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.hooks.aws_hook import aws_client
from clicks_to_deliveries.hooks.pipeline_metrics import put_metrics
from clicks_to_deliveries.links import alert_links
from clicks_to_deliveries.notifiers.abandoned_batches import take_up_notices
from clicks_to_deliveries.notifiers.alert_topic import TOPIC, confirmed_subscriptions
from clicks_to_deliveries.notifiers.run_outbox import RunOutbox, Variables
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.archive import error_objects_since
from include.aws_clients import client_config

# QuarantineIntake takes in a batch within seconds, and Lambda repeats it for minutes.
WAITS_TOO_LONG = timedelta(minutes=15)
# For how long an object under raw-archive-errors/ keeps its alarm up.
ERRORS_COUNT_FOR = timedelta(hours=1)


class MeasureAlertingOperator(Killable, BaseOperator):
    """Reports how many abandoned batches wait in their bucket, and how many subscribers the alerts have.

    Batches that were taken into quarantine since the last run become an alert.

    It also reports how many objects Firehose wrote under raw-archive-errors/ within an hour: S3 sends its own request
    metrics on a best-effort basis, so the one that matters may never come.

    It fails if nobody gets the alerts: no alarm could say so.

    :param bucket: (templated) the telemetry bucket, beside which is the one for abandoned batches.
    :param alert_topic_arn: (templated) the topic of the alerts.
    """

    template_fields = ("bucket", "alert_topic_arn")

    def __init__(
        self,
        *,
        bucket: str,
        alert_topic_arn: str = TOPIC,
        aws_conn_id: str = names.AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.alert_topic_arn = alert_topic_arn
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        s3 = self._client("s3")
        try:
            self._measure(s3)
        finally:
            # Neither waits for the other: an alarm has its metrics, and people the alert, whichever fails.
            if given_up := take_up_notices(s3, self.bucket, RunOutbox(Variables()), context, alert_links()):
                self.log.warning("%d batches were given up; an alert is stored", given_up)

    def _measure(self, s3: Any) -> None:
        if not self.alert_topic_arn:
            raise AirflowFailException("there is no alert topic until provision_resources has run")
        waiting = self._waiting_batches(s3)
        errors = error_objects_since(s3, self.bucket, datetime.now(UTC) - ERRORS_COUNT_FOR)
        subscribers = confirmed_subscriptions(self._client("sns"), self.alert_topic_arn)
        counts = {
            names.ABANDONED_BATCHES_METRIC: waiting,
            names.ARCHIVE_ERRORS_METRIC: errors,
            names.ALERT_SUBSCRIBERS_METRIC: subscribers,
        }
        put_metrics(self.aws_conn_id, counts)
        self.log.info("Reported %s", counts)
        if not subscribers:
            raise AirflowFailException(
                f"nobody gets the alerts: no subscription to {self.alert_topic_arn} is confirmed "
                "(docs/runbooks/alert_subscribers.md)"
            )

    def _waiting_batches(self, s3: Any) -> int:
        before = datetime.now(UTC) - WAITS_TOO_LONG
        pages = s3.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=names.abandoned_bucket(self.bucket), Prefix=names.ON_FAILURE_PREFIX)
        return sum(each["LastModified"] < before for page in found for each in page.get("Contents", []))

    def _client(self, service: str) -> Any:
        return aws_client(self.aws_conn_id, service, client_config(service))
