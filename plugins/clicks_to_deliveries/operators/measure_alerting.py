"""Measures what alarms need and AWS has no metric for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from clicks_to_deliveries.hooks.pipeline_metrics import put_metrics
from clicks_to_deliveries.notifiers.alert_topic import TOPIC, confirmed_subscriptions
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.aws_clients import client_config

# QuarantineIntake takes in a batch within seconds, and Lambda repeats it for minutes.
WAITS_TOO_LONG = timedelta(minutes=15)


class MeasureAlertingOperator(Killable, BaseOperator):
    """Reports how many abandoned batches wait in the bucket, and how many subscribers the alerts have.

    It fails if nobody gets the alerts: no alarm could say so.

    :param bucket: (templated) the bucket that abandoned batches go to.
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
        waiting, subscribers = (
            self._waiting_batches(),
            confirmed_subscriptions(self._client("sns"), self.alert_topic_arn),
        )
        put_metrics(
            self.aws_conn_id,
            {names.ABANDONED_BATCHES_METRIC: waiting, names.ALERT_SUBSCRIBERS_METRIC: subscribers},
        )
        self.log.info("%d abandoned batches wait; the alerts have %d confirmed subscribers", waiting, subscribers)
        if not subscribers:
            raise AirflowFailException(
                f"nobody gets the alerts: no subscription to {self.alert_topic_arn} is confirmed "
                "(docs/runbooks/alert_subscribers.md)"
            )

    def _waiting_batches(self) -> int:
        before = datetime.now(UTC) - WAITS_TOO_LONG
        pages = self._client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.bucket, Prefix=names.ON_FAILURE_PREFIX)
        return sum(each["LastModified"] < before for page in found for each in page.get("Contents", []))

    def _client(self, service: str) -> Any:
        return AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type=service, config=client_config(service)).get_conn()
