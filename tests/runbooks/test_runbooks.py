"""The runbooks of alarms, walked: the fault is caused on the demo, the page's own blocks are run, the alarm ends."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import boto3
import pytest
import requests

from include import names
from include.settings import settings
from tests.fixtures.stream_path.records import Records
from tests.runbooks.on_call import OnCall, wait_until
from tests.runbooks.stack import CloudWatch, Mail, Seen, process

pytestmark = [pytest.mark.e2e, pytest.mark.verify, pytest.mark.timeout(900)]

CLICKS, TRUCKS = names.CLICK_STREAM, names.TRUCK_STREAM
DENY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
PHASE_SECONDS = 8


@pytest.fixture(autouse=True, scope="module")
def _dags(on_call: OnCall) -> Iterator[None]:
    """The walks send what they need, and Airflow shows its signs of life as in an account."""
    on_call.airflow.step("pause generate_traffic")
    on_call.airflow.step("unpause heartbeat")
    yield
    on_call.airflow.step("unpause generate_traffic")


def put(stream: str, *events: bytes) -> Seen:
    """Send records; return what Kinesis would report of them."""
    entries = [{"Data": event, "PartitionKey": str(number)} for number, event in enumerate(events)]
    boto3.client("kinesis").put_records(StreamName=stream, Records=entries)
    return {("AWS/Kinesis", "IncomingRecords", (("StreamName", stream),)): [len(events)]}


def traffic(seconds: float = PHASE_SECONDS) -> Seen:
    """Clicks and readings for some seconds."""
    records = Records(str(time.time()))
    seen = put(CLICKS, *(records.click() for _ in range(20))) | put(TRUCKS, *(records.reading() for _ in range(20)))
    time.sleep(seconds)
    return seen


def read_again(function: str, seconds: float = 120) -> Seen:
    """Traffic until the function is invoked: whoever delivers needs a while to get going."""
    began = time.time()
    seen = traffic()
    wait_until(lambda: CloudWatch().invocations(function, began), seconds, f"{function} is invoked")
    return seen


def deny_everything(role: str, actions: str = "*") -> None:
    """Somebody adds a policy to a role."""
    boto3.client("iam").put_role_policy(
        RoleName=role,
        PolicyName="incident-4711",
        PolicyDocument=DENY.replace('"Action": "*"', f'"Action": "{actions}"'),
    )


def role_of(function: str) -> str:
    return boto3.client("lambda").get_function_configuration(FunctionName=function)["Role"].rpartition("/")[2]


def test_throttling(on_call: OnCall, cloudwatch: CloudWatch) -> None:
    cloudwatch.see(traffic)
    boto3.client("lambda").put_function_concurrency(FunctionName=names.CLICK_FUNCTION, ReservedConcurrentExecutions=0)
    cloudwatch.see(traffic)
    assert '"ReservedConcurrentExecutions": 0' in on_call.follow("throttling", "Check", function=names.CLICK_FUNCTION)
    on_call.follow("throttling", "Somebody changed the function's concurrency", function=names.CLICK_FUNCTION)
    on_call.follow("throttling", "Fix")
    cloudwatch.see(traffic)

    assert cloudwatch.state("ClickThrottleAlarm") == ["OK", "ALARM", "OK"]


def test_stream_lag(on_call: OnCall, cloudwatch: CloudWatch) -> None:
    cloudwatch.see(traffic)
    deny_everything(role_of(names.CLICK_FUNCTION), "dynamodb:*")
    cloudwatch.see(lambda: traffic(75))
    printed = on_call.follow("stream_lag", "Check", function=names.CLICK_FUNCTION)
    assert "AccessDenied" in printed
    on_call.follow(
        "stream_lag", "Somebody changed the function's role", function=names.CLICK_FUNCTION, policy="incident-4711"
    )
    time.sleep(PHASE_SECONDS)
    cloudwatch.see(traffic)

    assert cloudwatch.state("ClickLagAlarm") == ["OK", "ALARM", "OK"]


def test_unread_stream(on_call: OnCall, cloudwatch: CloudWatch) -> None:
    lambda_ = boto3.client("lambda")
    (mapping,) = lambda_.list_event_source_mappings(FunctionName=names.CLICK_FUNCTION)["EventSourceMappings"]
    uuid = mapping["UUID"]
    # On a laptop this driver delivers, whatever a mapping's state.  Here it does so while the mapping is enabled.
    driver = process("include.local.aws.event_source_mapping")
    cloudwatch.see(traffic)
    lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
    driver.suspend()
    try:
        time.sleep(3)
        cloudwatch.see(traffic)
        assert "Disabled" in on_call.follow("unread_stream", "Check", function=names.CLICK_FUNCTION)
        on_call.follow("unread_stream", "Somebody disabled the mapping", function=names.CLICK_FUNCTION)
        assert lambda_.get_event_source_mapping(UUID=uuid)["State"] in ("Enabled", "Enabling")
    finally:
        driver.resume()
        lambda_.update_event_source_mapping(UUID=uuid, Enabled=False)
    cloudwatch.see(lambda: read_again(names.CLICK_FUNCTION))

    assert cloudwatch.state("ClickUnreadAlarm") == ["OK", "ALARM", "OK"]


def test_quarantined_records(on_call: OnCall, cloudwatch: CloudWatch) -> None:
    def broken() -> Seen:
        return put(TRUCKS, *(b'{"truck_id": "TRK9"}' for _ in range(30))) | traffic()

    cloudwatch.see(traffic)
    cloudwatch.see(broken)
    assert re.search(r"missing\s+30", on_call.follow("quarantined_records", "Check"))
    # The producer is fixed: there is nothing to run.
    cloudwatch.see(traffic)
    on_call.follow("quarantined_records", "How you know it is over")

    assert cloudwatch.state("TruckQuarantineAlarm") == ["OK", "ALARM", "OK"]


def test_abandoned_batches(on_call: OnCall, cloudwatch: CloudWatch, mail: Mail) -> None:
    lambda_ = boto3.client("lambda")
    (mapping,) = lambda_.list_event_source_mappings(FunctionName=names.TRUCK_FUNCTION)["EventSourceMappings"]
    truck = f"TRK{int(time.time())}"

    def give_up() -> None:
        deny_everything(role_of(names.TRUCK_FUNCTION), "s3:*")
        lambda_.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=0)
        time.sleep(2)
        put(TRUCKS, Records(truck).reading(truck_id=truck))
        wait_until(
            lambda: "not_processed: Retry" in on_call.follow("abandoned_batches", "Check"), 120, "records in quarantine"
        )
        lambda_.update_event_source_mapping(UUID=mapping["UUID"], MaximumRetryAttempts=mapping["MaximumRetryAttempts"])

    cloudwatch.see(traffic)
    cloudwatch.see(give_up)
    on_call.airflow.step("trigger heartbeat")
    on_call.airflow.step("wait for heartbeat")
    mail.expect("[failed] heartbeat", "given up")
    on_call.follow(
        "stream_lag", "Somebody changed the function's role", function=names.TRUCK_FUNCTION, policy="incident-4711"
    )
    time.sleep(2)
    on_call.follow("abandoned_batches", "Fix")
    cloudwatch.see(traffic)
    on_call.follow("abandoned_batches", "How you know it is over")

    assert cloudwatch.state("AbandonedBatchAlarm") == ["OK", "ALARM", "OK"]
    key = {"Truck_ID": {"S": truck}}
    assert "Item" in boto3.client("dynamodb").get_item(TableName=names.TRUCK_STATE_TABLE, Key=key)


def test_raw_archive(on_call: OnCall, cloudwatch: CloudWatch) -> None:
    lambda_ = boto3.client("lambda")
    handler = lambda_.get_function_configuration(FunctionName=names.ARCHIVE_FUNCTION)["Handler"]
    cloudwatch.see(traffic)
    lambda_.update_function_configuration(FunctionName=names.ARCHIVE_FUNCTION, Handler="lambdas.nothing.handler")
    cloudwatch.see(traffic)
    assert "ClickArchive" in on_call.follow("raw_archive", "Check")
    drifted = on_call.follow("README", "Somebody changed a resource by hand")
    assert handler in drifted
    assert "lambdas.nothing.handler" in drifted
    on_call.follow("raw_archive", "Somebody changed the function", handler=handler)
    time.sleep(PHASE_SECONDS)
    cloudwatch.see(traffic)

    assert cloudwatch.state("ArchiveErrorAlarm") == ["OK", "ALARM", "OK"]


def test_telemetry_api(on_call: OnCall, cloudwatch: CloudWatch) -> None:
    client = f"client-{int(time.time())}"
    outputs = {
        each["OutputKey"]: each["OutputValue"]
        for each in boto3.client("cloudformation").describe_stacks(StackName=settings().stack_name)["Stacks"][0][
            "Outputs"
        ]
    }

    def call(key: str) -> Seen:
        refused = []
        for _ in range(25):
            answer = requests.post(
                f"{outputs['ApiUrl']}/telemetry",
                data=Records(client).reading(truck_id=client),
                headers={"x-api-key": key},
                timeout=30,
            )
            refused.append(float(400 <= answer.status_code < 500))
        api = (("ApiName", names.API), ("Stage", names.API_STAGE))
        return {("AWS/ApiGateway", "Count", api): [1.0] * len(refused), ("AWS/ApiGateway", "4XXError", api): refused}

    cloudwatch.see(lambda: call("a key that was deleted"))
    assert client not in on_call.follow("telemetry_api", "Check")
    printed = on_call.follow("telemetry_api", "A client has no valid key", client=client, truck=client)
    cloudwatch.see(lambda: call(printed.rpartition("x-api-key ")[2].strip()))

    assert cloudwatch.state("ApiRefusalAlarm") == ["ALARM", "OK"]


def test_heartbeat(on_call: OnCall, cloudwatch: CloudWatch) -> None:
    def is_idle() -> bool:
        newest_run = on_call.airflow.newest_run
        return bool(newest_run("heartbeat", "success", "failed")) and not newest_run("heartbeat", "queued", "running")

    # A run of a DAG that is paused would neither report nor end.
    wait_until(is_idle, 240, "no run of heartbeat is on its way")
    on_call.airflow.step("pause heartbeat")
    cloudwatch.see(traffic)
    assert "healthy" in on_call.follow("heartbeat", "Check")

    def unpaused() -> None:
        on_call.follow("heartbeat", "heartbeat is paused")

    cloudwatch.see(unpaused)

    for alarm in ("SchedulerAlarm", "TriggererAlarm"):
        assert cloudwatch.state(alarm) == ["ALARM", "OK"]


def test_alert_subscribers(on_call: OnCall, cloudwatch: CloudWatch, mail: Mail) -> None:
    sns = boto3.client("sns")
    for each in sns.list_subscriptions_by_topic(TopicArn=mail.topic)["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])

    def measured() -> None:
        on_call.airflow.step("trigger heartbeat")
        on_call.airflow.wait_for("heartbeat", "failed")

    cloudwatch.see(measured)
    assert "nobody gets the alerts" in on_call.airflow.log("heartbeat", "measure")
    assert json.loads(on_call.follow("alert_subscribers", "Check")) == []
    cloudwatch.see(
        lambda: on_call.follow("alert_subscribers", "Subscribe", protocol="sqs", address=mail.endpoint) and None
    )
    on_call.follow("alert_subscribers", "How you know it is over")
    mail.expect("test", "test")

    assert cloudwatch.state("AlertSubscriberAlarm") == ["ALARM", "OK"]
