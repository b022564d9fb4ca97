"""Sends the alerts that people do not have yet."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Literal

from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.links import alert_links
from clicks_to_deliveries.notifiers.alert_topic import TOPIC
from clicks_to_deliveries.notifiers.channels import open_channels
from clicks_to_deliveries.notifiers.run_outbox import FINDINGS_PREFIX, NO_LISTENER, RunOutbox, Variables
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.alerts.delivery import deliver
from include.alerts.findings import FindingsOutbox
from include.pipe_and_stream import is_awake


class SendAlertsOperator(Killable, BaseOperator):
    """Sends every alert of an outbox to every channel that does not have it, and records each.

    It fails, and so is tried again, while a channel does not accept an alert.  Alerts about ``failed runs`` need
    Airflow and the channels, nothing else.  ``findings`` are alerts about data, which checks stored in Snowflake.  For
    these a warehouse is resumed only if a run has said that it stored some.  While the warehouse runs anyway, they are
    looked for nevertheless: a run may die before it says so.

    :param about: which outbox.
    :param channels: ids of Airflow connections, separated by commas.
    :param topic_arn: (templated) the SNS topic of channels to AWS.

    Returns how many alerts were sent.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.ALERTS)

    template_fields = ("topic_arn",)

    def __init__(
        self,
        *,
        about: Literal["failed runs", "findings"],
        channels: str,
        topic_arn: str = TOPIC,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.about = about
        self.channels = channels
        self.topic_arn = topic_arn
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> int:
        """Send and record.

        Raises:
            NotSentError: a channel did not accept an alert.
            AirflowException: the listener is not loaded in the scheduler; alerts were sent all the same.
            ChannelError: the setting names what is no channel; nothing was sent.
            snowflake.connector.errors.Error: findings could not be read or recorded.
        """
        sent = self._send_run_alerts(context) if self.about == "failed runs" else self._send_findings()
        self.log.info("Sent %d alerts about %s", sent, self.about)
        return sent

    def _send_run_alerts(self, context: Context) -> int:
        outbox = RunOutbox(Variables())
        has_listener = outbox.has_listener(context["run_id"])
        outbox.collect(alert_links())
        sent = deliver(outbox, open_channels(self.channels, self.topic_arn))
        if not has_listener:
            raise AirflowException(NO_LISTENER)
        return sent

    def _send_findings(self) -> int:
        variables = Variables()
        # Before the alerts are read: what a run stores later is announced later.
        announced = variables.keys(FINDINGS_PREFIX)
        with closing(connect(self.snowflake_conn_id)) as connection:
            if not announced and not is_awake(connection):
                return 0
            sent = deliver(FindingsOutbox(connection), open_channels(self.channels, self.topic_arn))
        for key in announced:
            variables.delete(key)
        return sent
