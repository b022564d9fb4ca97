"""Signs of life of Airflow, for alarms in CloudWatch that fire when they stop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.hooks.pipeline_metrics import put_metrics
from clicks_to_deliveries.operators.in_rounds import LEAST_PAUSE
from clicks_to_deliveries.operators.killable import Killable
from include import names

# How late the triggerer may bring the task back; it takes a second or two.
TRIGGERER_PATIENCE = timedelta(seconds=30)


class HeartbeatOperator(Killable, BaseOperator):
    """Reports that the scheduler started this task and a worker ran it."""

    metric = names.SCHEDULER_HEARTBEAT

    def __init__(self, *, aws_conn_id: str = names.AWS_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> None:
        self.report(context)

    def report(self, context: Context, event: Any = None) -> None:
        put_metrics(self.aws_conn_id, {self.metric: 1})
        self.log.info("Reported %s", self.metric)


class TriggererHeartbeatOperator(HeartbeatOperator):
    """Defers to the triggerer and reports that it came back; fails if it does not."""

    metric = names.TRIGGERER_HEARTBEAT

    def execute(self, context: Context) -> None:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = datetime.now(UTC) + LEAST_PAUSE
        self.defer(
            trigger=DateTimeTrigger(moment=moment), method_name="report", timeout=LEAST_PAUSE + TRIGGERER_PATIENCE
        )
