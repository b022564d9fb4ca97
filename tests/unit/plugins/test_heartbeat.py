"""The DAG heartbeat's operators, on moto: what they report, and when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import botocore.client
import msgspec
import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from clicks_to_deliveries.notifiers.alert_topic import confirmed_subscriptions
from clicks_to_deliveries.notifiers.run_outbox import RunOutbox
from clicks_to_deliveries.operators import measure_alerting
from clicks_to_deliveries.operators.heartbeat import HeartbeatOperator, TriggererHeartbeatOperator
from clicks_to_deliveries.operators.measure_alerting import MeasureAlertingOperator

from include import names
from include.contracts.abandoned import AbandonedBatch
from tests.unit.plugins.conftest import REGION
from tests.unit.plugins.test_run_outbox import World

pytestmark = pytest.mark.unit

BUCKET = "telemetry-of-a-test"
CONTEXT: Any = {"dag": SimpleNamespace(dag_id="heartbeat"), "run_id": "run"}
Client = Callable[[str], Any]


def reported(client: Client) -> dict[str, float]:
    """The newest value in CloudWatch by metric."""
    now = datetime.now(UTC)
    found: dict[str, float] = {}
    for metric in client("cloudwatch").list_metrics(Namespace=names.METRICS_NAMESPACE)["Metrics"]:
        assert metric["Dimensions"] == []
        (point,) = client("cloudwatch").get_metric_statistics(
            Namespace=names.METRICS_NAMESPACE,
            MetricName=metric["MetricName"],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=["Maximum"],
        )["Datapoints"]
        found[metric["MetricName"]] = point["Maximum"]
    return found


def test_a_task_that_runs_is_the_schedulers_sign_of_life(aws: Client) -> None:
    HeartbeatOperator(task_id="scheduler").execute({})
    assert reported(aws) == {names.SCHEDULER_HEARTBEAT: 1}


def test_the_triggerer_shows_life_only_by_bringing_the_task_back(aws: Client) -> None:
    operator = TriggererHeartbeatOperator(task_id="triggerer")
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({})
    assert reported(aws) == {}
    assert isinstance(deferred.value.trigger, DateTimeTrigger)
    # Not at work again before a busy scheduler has heard that it waits: it would count as dead, and has no second try.
    assert deferred.value.trigger.moment > datetime.now(UTC) + timedelta(seconds=20)
    # A dead triggerer ends the task before the run's own time, and long before the next run.
    assert deferred.value.timeout <= timedelta(minutes=1)

    getattr(operator, deferred.value.method_name)({}, event=None)
    assert reported(aws) == {names.TRIGGERER_HEARTBEAT: 1}


def make_buckets(client: Client) -> str:
    """The telemetry bucket, and the one for abandoned batches, whose name it returns."""
    abandoned = names.abandoned_bucket(BUCKET)
    for bucket in (BUCKET, abandoned):
        client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    return abandoned


def measure(client: Client, **subscriber: str) -> None:
    topic = client("sns").create_topic(Name=names.ALERT_TOPIC)["TopicArn"]
    if subscriber:
        client("sns").subscribe(TopicArn=topic, **subscriber)
    MeasureAlertingOperator(task_id="measure", bucket=BUCKET, alert_topic_arn=topic).execute(CONTEXT)


@pytest.mark.parametrize(("waits_too_long", "waiting"), [(timedelta(minutes=15), 0), (timedelta(seconds=-5), 2)])
def test_batches_count_once_they_have_waited(
    aws: Client, monkeypatch: pytest.MonkeyPatch, waits_too_long: timedelta, waiting: int
) -> None:
    monkeypatch.setattr(measure_alerting, "WAITS_TOO_LONG", waits_too_long)
    bucket = make_buckets(aws)
    for key in ("aws/lambda/one", "aws/lambda/two", "quarantine/three"):
        aws("s3").put_object(Bucket=bucket, Key=key, Body=b"")
    measure(aws, Protocol="email", Endpoint="on-call@example.com")
    assert reported(aws)[names.ABANDONED_BATCHES_METRIC] == waiting
    assert reported(aws)[names.ALERT_SUBSCRIBERS_METRIC] == 1


@pytest.mark.parametrize(("count_for", "counted"), [(timedelta(hours=1), 2), (timedelta(seconds=-5), 0)])
def test_what_firehose_could_not_archive_counts_for_an_hour(
    aws: Client, monkeypatch: pytest.MonkeyPatch, count_for: timedelta, counted: int
) -> None:
    monkeypatch.setattr(measure_alerting, "ERRORS_COUNT_FOR", count_for)
    make_buckets(aws)
    hour, long_ago = datetime.now(UTC), datetime.now(UTC) - timedelta(days=3)
    for key in (
        f"raw-archive-errors/ClickDataStream/processing-failed/{hour:%Y/%m/%d/%H}/one",
        f"raw-archive-errors/TruckTelemetry/another-kind/{hour - timedelta(hours=5):%Y/%m/%d/%H}/late",
        # Its records are too old for an object of this hour.
        f"raw-archive-errors/TruckTelemetry/processing-failed/{long_ago:%Y/%m/%d/%H}/copied",
        f"raw-archive/TruckTelemetry/{hour:%Y/%m/%d/%H}/archived",
    ):
        aws("s3").put_object(Bucket=BUCKET, Key=key, Body=b"")
    measure(aws, Protocol="email", Endpoint="on-call@example.com")
    assert reported(aws)[names.ARCHIVE_ERRORS_METRIC] == counted


def test_batches_that_were_given_up_are_one_alert_whatever_crashes(
    aws: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, stored = aws("s3"), World()
    monkeypatch.setattr(measure_alerting, "Variables", lambda: stored)
    make_buckets(aws)
    for number in range(12):
        notice = AbandonedBatch(
            function="F", stream="ClickDataStream", records=7, rule="RetryAttemptsExhausted after 3"
        )
        key = f"{names.ABANDONED_PREFIX}mapping/shard/2026-{number:02}.json"
        s3.put_object(Bucket=BUCKET, Key=key, Body=msgspec.json.encode(notice))
    with monkeypatch.context() as patch:
        patch.setattr(botocore.client.BaseClient, "_make_api_call", _killed_before("DeleteObjects"))
        with pytest.raises(KeyboardInterrupt):
            measure(aws, Protocol="email", Endpoint="on-call@example.com")
    for _ in range(2):
        measure(aws, Protocol="email", Endpoint="on-call@example.com")
    (alert,) = RunOutbox(stored).unsent()
    assert alert.headline == "[failed] heartbeat: 12 batches were given up"
    for part in (
        "ClickDataStream: 7 records of F, RetryAttemptsExhausted after 3",
        "and 2 batches more",
        "abandoned_batches.md",
    ):
        assert part in alert.message
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_more_batches_than_s3_lists_at_once_are_one_alert_too(aws: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    s3, stored = aws("s3"), World()
    monkeypatch.setattr(measure_alerting, "Variables", lambda: stored)
    make_buckets(aws)
    notice = msgspec.json.encode(AbandonedBatch(function="F", stream="ClickDataStream", records=7, rule="rule"))
    for number in range(1_001):
        s3.put_object(Bucket=BUCKET, Key=f"{names.ABANDONED_PREFIX}{number:04}.json", Body=notice)
    measure(aws, Protocol="email", Endpoint="on-call@example.com")
    (alert,) = RunOutbox(stored).unsent()
    assert alert.headline == "[failed] heartbeat: 1,001 batches were given up"
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


def test_notices_that_s3_does_not_delete_fail_the_task(aws: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure_alerting, "Variables", World)
    make_buckets(aws)
    notice = msgspec.json.encode(AbandonedBatch(function="F", stream="ClickDataStream", records=7, rule="rule"))
    aws("s3").put_object(Bucket=BUCKET, Key=f"{names.ABANDONED_PREFIX}kept.json", Body=notice)
    original = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, arguments: Any) -> Any:
        if name == "DeleteObjects":
            return {"Errors": [{"Key": arguments["Delete"]["Objects"][0]["Key"], "Code": "AccessDenied"}]}
        return original(self, name, arguments)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
    with pytest.raises(RuntimeError, match=r"1 notices were not deleted, such as .*kept\.json: AccessDenied"):
        measure(aws, Protocol="email", Endpoint="on-call@example.com")
    # Batches wait where nothing can be deleted, too: their alarm needs its metric.
    assert reported(aws).keys() == {
        names.ABANDONED_BATCHES_METRIC,
        names.ARCHIVE_ERRORS_METRIC,
        names.ALERT_SUBSCRIBERS_METRIC,
    }


def _killed_before(operation: str) -> Callable[..., Any]:
    original = botocore.client.BaseClient._make_api_call

    def call(self: Any, name: str, arguments: Any) -> Any:
        if name == operation:
            raise KeyboardInterrupt
        return original(self, name, arguments)

    return call


def test_alerts_that_nobody_gets_are_reported_and_fail_the_task(aws: Client) -> None:
    make_buckets(aws)
    with pytest.raises(AirflowFailException, match="nobody gets the alerts"):
        measure(aws)
    assert reported(aws)[names.ALERT_SUBSCRIBERS_METRIC] == 0


def test_without_a_deployment_the_failure_says_what_to_run(aws: Client) -> None:
    make_buckets(aws)
    with pytest.raises(AirflowFailException, match="until provision_resources has run"):
        MeasureAlertingOperator(task_id="measure", bucket=BUCKET, alert_topic_arn="").execute(CONTEXT)


def test_a_subscription_that_nobody_has_confirmed_is_none() -> None:
    class Topic:
        def get_paginator(self, operation: str) -> Topic:
            assert operation == "list_subscriptions_by_topic"
            return self

        def paginate(self, **topic: str) -> list[dict[str, Any]]:
            arns = ("PendingConfirmation", "Deleted", "arn:aws:sns:us-east-1:1:pipeline-alerts:2")
            return [{"Subscriptions": [{"SubscriptionArn": arn}]} for arn in arns]

    assert confirmed_subscriptions(Topic(), "arn") == 1
