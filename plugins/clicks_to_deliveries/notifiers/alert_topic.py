"""The stack's SNS topic, which notifies the people on call."""

from __future__ import annotations

from typing import Any

from include import names

TOPIC = f"{{{{ var.json.get('{names.STACK_OUTPUTS_VARIABLE}', {{}}).get('AlertTopicArn', '') }}}}"


def confirmed_subscriptions(sns: Any, topic_arn: str) -> int:
    """Return how many subscribers get what is published: an unconfirmed subscription has no ARN yet."""
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic_arn)
    return sum(each["SubscriptionArn"].startswith("arn:") for page in pages for each in page["Subscriptions"])
