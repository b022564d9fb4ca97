"""The stack's SNS topic, which notifies the people on call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.providers.amazon.aws.hooks.sns import SnsHook

from include import names
from include.aws_clients import client_config

TOPIC = f"{{{{ var.json.get('{names.STACK_OUTPUTS_VARIABLE}', {{}}).get('AlertTopicArn', '') }}}}"
# SNS takes a subject of up to 100 characters of ASCII.
LONGEST_SUBJECT = 100


def subject_of(state: str, dag_id: str, concerned: Sequence[str]) -> str:
    """Return a subject such as ``[failed] data_quality: trucks_report and 2 more``."""
    more = f" and {len(concerned) - 1} more" if len(concerned) > 1 else ""
    return f"[{state}] {dag_id}: {concerned[0]}{more}"


def confirmed_subscriptions(sns: Any, topic_arn: str) -> int:
    """Return how many subscribers get what is published: an unconfirmed subscription has no ARN yet."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return sum(each["SubscriptionArn"].startswith("arn:") for page in pages for each in page["Subscriptions"])


def publish(topic_arn: str, aws_conn_id: str, subject: str, message: str) -> None:
    """Send one message.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: SNS did not accept it.
    """
    subject = subject.encode("ascii", "replace").decode()[:LONGEST_SUBJECT]
    SnsHook(aws_conn_id=aws_conn_id, config=client_config("sns")).publish_to_target(topic_arn, message, subject)
