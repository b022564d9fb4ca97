"""Alerts reach people through SNS (moto's, into a queue), e-mail, Slack and PagerDuty."""

from __future__ import annotations

import email
import json
import smtplib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, ClassVar

import pytest
from airflow.sdk import BaseNotifier
from clicks_to_deliveries.notifiers.channels import ChannelError, open_channels

from include.alerts import Alert

pytestmark = pytest.mark.unit

ALERT = Alert(
    alert_id="data_quality/run/1",
    incident="data_quality",
    state="failed",
    severity="error",
    headline="[failed] data_quality: a <b>",
    message="a: 1 offending key\nsamples  <script> & {{ 1/0 }}\n",
    stored_at=datetime(2026, 11, 22, tzinfo=UTC),
)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def connect(name: str, **connection: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(connection))

    return connect


def test_the_topic_gets_the_message_and_attributes_to_filter_by(aws: Callable[[str], Any]) -> None:
    sqs, sns = aws("sqs"), aws("sns")
    url = sqs.create_queue(QueueName="on-call")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    (channel,) = open_channels("aws_default", topic)
    channel.send(ALERT)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    body = json.loads(message["Body"])
    assert (body["Subject"], body["Message"]) == (ALERT.headline, ALERT.message)
    attributes = {name: value["Value"] for name, value in body["MessageAttributes"].items()}
    assert attributes == {
        "alert_id": "data_quality/run/1",
        "incident": "data_quality",
        "severity": "error",
        "state": "failed",
    }


def test_without_a_topic_the_alert_waits(aws: Callable[[str], Any]) -> None:
    (channel,) = open_channels("aws_default", "")
    with pytest.raises(ChannelError, match="until provision_resources has run"):
        channel.send(ALERT)


class Server:
    """A mail server, as the provider's hook uses it."""

    sent: ClassVar[list[tuple[str, list[str], str]]] = []

    def __init__(self, *_: Any, **__: Any) -> None: ...
    def login(self, *_: Any) -> None: ...
    def ehlo(self) -> None: ...
    def starttls(self, **_: Any) -> None: ...
    def close(self) -> None: ...

    def sendmail(self, from_addr: str, to_addrs: list[str], msg: str, **_: Any) -> None:
        self.sent.append((from_addr, to_addrs, msg))


def test_an_email_goes_to_the_recipients_of_the_connection(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtplib, "SMTP_SSL", Server)
    monkeypatch.setattr(Server, "sent", [])
    extra = {"from_email": "pipeline@example.com", "alert_recipients": "a@example.com, b@example.com"}
    connect("mail", conn_type="smtp", host="localhost", extra=extra)
    (channel,) = open_channels("mail", "")
    channel.send(ALERT)
    ((sender, recipients, text),) = Server.sent
    assert (sender, recipients) == ("pipeline@example.com", ["a@example.com", "b@example.com"])
    message = email.message_from_string(text)
    assert message["Subject"] == "[failed] data_quality: a <b>"
    (part,) = message.get_payload()
    assert "&lt;script&gt; &amp; {{ 1/0 }}" in part.get_payload(decode=True).decode()


def test_an_email_that_is_not_accepted_is_a_failure(
    connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr(smtplib, "SMTP_SSL", Server)
    monkeypatch.setattr(Server, "sendmail", refuse)
    extra = {"from_email": "p@example.com", "alert_recipients": "a@example.com", "retry_limit": 1}
    connect("mail", conn_type="smtp", host="localhost", extra=extra)
    (channel,) = open_channels("mail", "")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        channel.send(ALERT)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], list[dict[str, Any]]]:
    """Stands in for a provider that is an optional extra; returns the arguments of its notifiers that notified."""

    def provide(module: str, name: str) -> list[dict[str, Any]]:
        notified: list[dict[str, Any]] = []

        class Notifier(BaseNotifier):
            def __init__(self, **arguments: Any) -> None:
                super().__init__()
                self.arguments = arguments

            def notify(self, context: Any) -> None:
                notified.append(self.arguments)

        parts = module.split(".")
        for length in range(3, len(parts) + 1):
            monkeypatch.setitem(sys.modules, ".".join(parts[:length]), ModuleType(".".join(parts[:length])))
        setattr(sys.modules[module], name, Notifier)
        return notified

    return provide


def test_slack_shows_the_message_as_it_is(connect: Callable[..., None], provider: Callable[..., Any]) -> None:
    notified = provider("airflow.providers.slack.notifications.slack_webhook", "SlackWebhookNotifier")
    connect("slack_alerts", conn_type="slackwebhook", password="https://hooks.example.com/T/B/X")
    (channel,) = open_channels("slack_alerts", "")
    channel.send(ALERT)
    assert notified == [
        {
            "slack_webhook_conn_id": "slack_alerts",
            "text": "*[failed] data_quality: a &lt;b&gt;*\n```a: 1 offending key\n"
            "samples  &lt;script&gt; &amp; {{ 1/0 }}\n```",
        }
    ]


@pytest.mark.parametrize(("is_over", "action"), [(False, "trigger"), (True, "resolve")])
def test_pagerduty_opens_and_resolves_one_incident(
    connect: Callable[..., None], provider: Callable[..., Any], is_over: bool, action: str
) -> None:
    notified = provider("airflow.providers.pagerduty.notifications.pagerduty", "PagerdutyNotifier")
    connect("pager", conn_type="pagerduty_events", password="key")
    (channel,) = open_channels("pager", "")
    channel.send(Alert(**{name: getattr(ALERT, name) for name in ALERT.__struct_fields__} | {"is_over": is_over}))
    (event,) = notified
    assert (event["action"], event["dedup_key"]) == (action, "clicks-to-deliveries/data_quality")
    assert (event["severity"], event["summary"]) == ("error", ALERT.headline)
    assert event["custom_details"] == ALERT.message


def test_several_channels_are_named_in_one_setting(connect: Callable[..., None]) -> None:
    connect("slack_alerts", conn_type="slackwebhook")
    connect("aws_default", conn_type="aws")
    assert [channel.name for channel in open_channels("aws_default, slack_alerts,", "arn")] == [
        "aws_default",
        "slack_alerts",
    ]


@pytest.mark.parametrize(
    ("names", "connection", "complaint"),
    [
        (" , ", {}, "names no connection"),
        ("chat", {"conn_type": "http"}, "of type http; channels are aws, slackwebhook, pagerduty_events, smtp"),
        ("chat", {"conn_type": "smtp"}, "has no alert_recipients in its extra field"),
    ],
)
def test_what_is_no_channel_is_refused(
    connect: Callable[..., None], names: str, connection: dict[str, str], complaint: str
) -> None:
    connect("chat", **connection)
    with pytest.raises(ChannelError, match=complaint):
        open_channels(names, "")
