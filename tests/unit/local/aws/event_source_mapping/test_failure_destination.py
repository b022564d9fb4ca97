import json
import re
from datetime import UTC, datetime

import boto3
import pytest
from moto import mock_aws

from include.local.aws.event_source_mapping.failure_destination import (
    Discarded,
    FailureDestination,
    UnknownDestinationError,
)
from include.local.aws.event_source_mapping.invoker import Failed

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 15, 30, 1, 500_000, tzinfo=UTC)
FAILURE = Failed("no", "the-request", 200, "$LATEST", "Unhandled")
METADATA = {
    "requestContext": {
        "requestId": "the-request",
        "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:KinesisToDynamoDBProcessor",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 3,
    },
    "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
    "version": "1.0",
    "timestamp": "2026-11-22T15:30:01.500Z",
    "KinesisBatchInfo": {
        "shardId": "shardId-000000000000",
        "startSequenceNumber": "100",
        "endSequenceNumber": "101",
        "approximateArrivalOfFirstRecord": "2026-11-22T14:00:00.250Z",
        "approximateArrivalOfLastRecord": "2026-11-22T14:00:01.250Z",
        "batchSize": 2,
        "streamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/ClickDataStream",
    },
}


@pytest.fixture
def clients(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield {service: boto3.client(service, region_name="us-east-1") for service in ("s3", "sqs", "sns")}


@pytest.fixture
def discarded(make_records):
    return Discarded(make_records(2), "RetryAttemptsExhausted", 3, FAILURE)


def test_a_bucket_gets_metadata_and_the_whole_event(clients, make_settings, discarded):
    clients["s3"].create_bucket(Bucket="failed")
    settings = make_settings(DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::failed"}})
    FailureDestination(**clients).send(settings, "shardId-000000000000", discarded, NOW)
    (entry,) = clients["s3"].list_objects_v2(Bucket="failed")["Contents"]
    assert re.fullmatch(
        rf"aws/lambda/{settings.uuid}/shardId-000000000000/2026/11/22/2026-11-22T15\.30\.01-[0-9a-f-]{{36}}",
        entry["Key"],
    )
    body = json.loads(clients["s3"].get_object(Bucket="failed", Key=entry["Key"])["Body"].read())
    payload = json.loads(body.pop("payload"))
    assert body == METADATA
    assert [record["kinesis"]["sequenceNumber"] for record in payload["Records"]] == ["100", "101"]
    assert payload["Records"][0]["kinesis"]["data"] == "eA=="


def test_a_queue_gets_metadata_only(clients, make_settings, discarded):
    url = clients["sqs"].create_queue(QueueName="failed")["QueueUrl"]
    settings = make_settings(
        DestinationConfig={"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:failed"}}
    )
    FailureDestination(**clients).send(settings, "shardId-000000000000", discarded, NOW)
    (message,) = clients["sqs"].receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"]) == METADATA


def test_a_topic_gets_metadata_only(clients, make_settings, discarded):
    url = clients["sqs"].create_queue(QueueName="subscriber")["QueueUrl"]
    topic = clients["sns"].create_topic(Name="failed")["TopicArn"]
    clients["sns"].subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:subscriber")
    settings = make_settings(DestinationConfig={"OnFailure": {"Destination": topic}})
    FailureDestination(**clients).send(settings, "shardId-000000000000", discarded, NOW)
    (message,) = clients["sqs"].receive_message(QueueUrl=url)["Messages"]
    assert json.loads(json.loads(message["Body"])["Message"]) == METADATA


def test_records_never_tried_have_no_response(clients, make_settings, make_records):
    clients["s3"].create_bucket(Bucket="failed")
    settings = make_settings(DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::failed"}})
    expired = Discarded(make_records(1), "RecordAgeExceeded", 0, None)
    FailureDestination(**clients).send(settings, "shardId-000000000000", expired, NOW)
    (entry,) = clients["s3"].list_objects_v2(Bucket="failed")["Contents"]
    body = json.loads(clients["s3"].get_object(Bucket="failed", Key=entry["Key"])["Body"].read())
    assert "responseContext" not in body
    assert body["requestContext"]["condition"] == "RecordAgeExceeded"


def test_a_destination_of_another_kind_is_an_error(clients, make_settings, discarded):
    settings = make_settings(DestinationConfig={"OnFailure": {"Destination": "arn:aws:lambda:us-east-1:1:function:f"}})
    with pytest.raises(UnknownDestinationError, match="not a bucket, queue or topic"):
        FailureDestination(**clients).send(settings, "shardId-000000000000", discarded, NOW)
