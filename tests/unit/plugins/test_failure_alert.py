"""The messages to the people on call, through a topic (moto's) into a queue."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from clicks_to_deliveries.notifiers.failure_alert import FailureAlert, RunTimeoutAlert

pytestmark = pytest.mark.unit


class Topic:
    def __init__(self, aws: Callable[[str], Any]) -> None:
        self._queue = aws("sqs")
        self.url = self._queue.create_queue(QueueName="on-call")["QueueUrl"]
        attributes = self._queue.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        sns = aws("sns")
        self.arn = sns.create_topic(Name="alerts")["TopicArn"]
        sns.subscribe(TopicArn=self.arn, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])

    def messages(self) -> list[dict[str, Any]]:
        received = self._queue.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", [])
        return [json.loads(message["Body"]) for message in received]


@pytest.fixture
def topic(aws: Callable[[str], Any]) -> Topic:
    return Topic(aws)


def context_of(topic_arn: str | None, **more: Any) -> dict[str, Any]:
    outputs = {"pipeline_stack_outputs": {"AlertTopicArn": topic_arn}} if topic_arn else {}
    return {
        "dag": DAG("scd2_merge"),
        "ti": SimpleNamespace(task_id="merge", log_url="http://airflow/log"),
        "run_id": "run-1",
        "var": {"json": outputs},
        **more,
    }


def test_an_alert_names_task_run_error_log_and_runbook(topic: Topic) -> None:
    FailureAlert("docs/runbooks/scd2_merge.md")(context_of(topic.arn, exception=RuntimeError("stream is stale")))
    (message,) = topic.messages()
    assert message["Subject"] == "[failed] scd2_merge.merge"
    for part in ("scd2_merge.merge", "run-1", "stream is stale", "http://airflow/log", "docs/runbooks/scd2_merge.md"):
        assert part in message["Message"]


def test_one_notifier_reports_each_failure_with_its_own_error(topic: Topic) -> None:
    alert = FailureAlert("runbook.md")
    alert(context_of(topic.arn, exception=RuntimeError("first")))
    alert(context_of(topic.arn, exception=RuntimeError("second")))
    assert ["first" in message["Message"] for message in topic.messages()] == [True, False]


def test_a_killed_task_has_no_exception_and_alerts_all_the_same(topic: Topic) -> None:
    FailureAlert("runbook.md")(context_of(topic.arn))
    (message,) = topic.messages()
    assert "see the log" in message["Message"]


def test_before_there_is_a_topic_nothing_is_sent_and_nothing_raises(topic: Topic) -> None:
    FailureAlert("runbook.md")(context_of(None, exception=RuntimeError("first provisioning")))
    assert topic.messages() == []


def test_a_failure_that_the_task_itself_reported_sends_no_second_message(topic: Topic) -> None:
    alert = FailureAlert("runbook.md", already_notified=(KeyError,))
    alert(context_of(topic.arn, exception=KeyError("reported")))
    assert topic.messages() == []
    alert(context_of(topic.arn, exception=RuntimeError("new")))
    # A killed task.
    alert(context_of(topic.arn))
    assert len(topic.messages()) == 2


def test_a_long_name_still_fits_a_subject(topic: Topic) -> None:
    context = context_of(topic.arn) | {"dag": DAG("d" * 120)}
    FailureAlert("runbook.md")(context)
    (message,) = topic.messages()
    assert len(message["Subject"]) == 100


@pytest.mark.parametrize(("reason", "alerts"), [("timed_out", 1), ("task_failure", 0)])
def test_a_run_alerts_only_for_its_own_timeout(topic: Topic, reason: str, alerts: int) -> None:
    context = context_of(topic.arn, reason=reason)
    del context["ti"]
    RunTimeoutAlert("runbook.md")(context)
    messages = topic.messages()
    assert len(messages) == alerts
    assert all("timed_out" in message["Message"] for message in messages)
