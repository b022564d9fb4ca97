"""How alerts reach people: one channel per Airflow connection, and the connection's type says which kind.

The providers of Slack, PagerDuty and e-mail are imported when an alert goes there.  Their notifiers are called by
``notify``, because calling a notifier itself only logs what fails.
"""

from __future__ import annotations

from collections.abc import Callable

from airflow.sdk import BaseHook, Connection

from include.alerts import Alert
from include.alerts.delivery import Channel
from include.naming import aws

# The recipients of e-mails, separated by commas: an extra field of the connection.
RECIPIENTS = "alert_recipients"
# Of incidents in PagerDuty: those of one environment never resolve another's.
SOURCE = aws("clicks-to-deliveries")
# PagerDuty's limits.
LONGEST_SUMMARY = 1024
LONGEST_DEDUP_KEY = 255


class ChannelError(ValueError):
    """A channel can't be used as it is set up; the message says what is missing."""


def open_channels(names: str, topic_arn: str) -> list[Channel]:
    """Return the channels of ``names``, ids of Airflow connections separated by commas.

    ``topic_arn`` is the SNS topic of channels to AWS.

    Raises:
        ChannelError: no channel is named, or one has a connection of a type that is no channel.
        airflow.exceptions.AirflowNotFoundException: there is no such connection.
    """
    found: list[Channel] = []
    for name in filter(None, (each.strip() for each in names.split(","))):
        connection = BaseHook.get_connection(name)
        if connection.conn_type not in _KINDS:
            known = ", ".join(_KINDS)
            raise ChannelError(
                f"CTD_ALERT_CHANNELS names {name}, a connection of type {connection.conn_type}; channels are {known}"
            )
        found.append(_KINDS[connection.conn_type](connection, topic_arn))
    if not found:
        raise ChannelError("CTD_ALERT_CHANNELS names no connection")
    return found


class SnsChannel:
    """The stack's topic.  Subscribers can filter by the attributes ``severity``, ``state`` and ``incident``."""

    def __init__(self, connection: Connection, topic_arn: str) -> None:
        self.name = connection.conn_id
        self._topic_arn = topic_arn

    def send(self, alert: Alert) -> None:
        from airflow.providers.amazon.aws.hooks.sns import SnsHook

        from include.aws_clients import client_config

        if not self._topic_arn:
            raise ChannelError("there is no alert topic until provision_resources has run")
        attributes = {name: getattr(alert, name) for name in ("alert_id", "incident", "severity", "state")}
        hook = SnsHook(aws_conn_id=self.name, config=client_config("sns"))
        hook.publish_to_target(self._topic_arn, alert.message, alert.headline, message_attributes=attributes)


class SlackChannel:
    """An incoming webhook; the webhook's settings say which channel it writes to."""

    def __init__(self, connection: Connection, _topic_arn: str) -> None:
        self.name = connection.conn_id

    def send(self, alert: Alert) -> None:
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

        text = f"*{_escaped(alert.headline)}*\n```{_escaped(alert.message)}```"
        SlackWebhookNotifier(slack_webhook_conn_id=self.name, text=text).notify({})


class PagerDutyChannel:
    """An Events API v2 integration: one incident per failure, resolved when it is over."""

    def __init__(self, connection: Connection, _topic_arn: str) -> None:
        self.name = connection.conn_id

    def send(self, alert: Alert) -> None:
        from airflow.providers.pagerduty.notifications.pagerduty import PagerdutyNotifier

        PagerdutyNotifier(
            pagerduty_events_conn_id=self.name,
            summary=alert.headline[:LONGEST_SUMMARY],
            severity=alert.severity,
            source=SOURCE,
            component=alert.incident,
            action="resolve" if alert.is_over else "trigger",
            dedup_key=f"{SOURCE}/{alert.incident}"[:LONGEST_DEDUP_KEY],
            custom_details=alert.message,
        ).notify({})


class EmailChannel:
    """A mail server; the connection's extra field ``alert_recipients`` names the recipients."""

    def __init__(self, connection: Connection, _topic_arn: str) -> None:
        self.name = connection.conn_id
        recipients = str(connection.extra_dejson.get(RECIPIENTS, ""))
        self._recipients = [each.strip() for each in recipients.split(",") if each.strip()]
        if not self._recipients:
            raise ChannelError(f"the connection {self.name} has no {RECIPIENTS} in its extra field")

    def send(self, alert: Alert) -> None:
        from html import escape

        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        content = f"<pre>{escape(alert.message)}</pre>"
        notifier = SmtpNotifier(
            smtp_conn_id=self.name, to=self._recipients, subject=alert.headline, html_content=content
        )
        notifier.notify({})


# Type of a connection -> its channel.
_KINDS: dict[str, Callable[[Connection, str], Channel]] = {
    "aws": SnsChannel,
    "slackwebhook": SlackChannel,
    "pagerduty_events": PagerDutyChannel,
    "smtp": EmailChannel,
}


def _escaped(text: str) -> str:
    # Slack's three control characters; a sample must not become a link or end the block.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("```", "'''")
