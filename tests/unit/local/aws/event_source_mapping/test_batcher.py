import json

import pytest

from include.local.aws.event_source_mapping.batcher import PAYLOAD_LIMIT, Batcher, event_payload

pytestmark = pytest.mark.unit


def test_an_event_is_the_one_that_aws_documents(make_records):
    (record,) = json.loads(event_payload(make_records(1)))["Records"]
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "key-0",
            "sequenceNumber": "100",
            "data": "eA==",
            "approximateArrivalTimestamp": 1795356000.25,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000000:100",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/processor",
        "awsRegion": "eu-west-1",
        "eventSourceARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/ClickDataStream",
    }


def test_without_a_window_whatever_waits_is_a_batch(make_records, make_settings):
    batcher, records = Batcher(), make_records(3)
    batcher.add(records, now=0.0)
    assert batcher.take(make_settings(BatchSize=10), now=0.0) == records
    assert batcher.take(make_settings(BatchSize=10), now=0.0) == []


def test_a_window_ends_a_fixed_time_after_the_first_record(make_records, make_settings):
    batcher, records = Batcher(), make_records(2)
    settings = make_settings(MaximumBatchingWindowInSeconds=5)
    batcher.add(records[:1], now=10.0)
    batcher.add(records[1:], now=14.0)
    assert batcher.due_in(settings, now=14.0) == 1.0
    assert batcher.take(settings, now=14.9) == []
    assert batcher.take(settings, now=15.0) == records


def test_a_full_batch_does_not_wait_for_the_window(make_records, make_settings):
    batcher, records = Batcher(), make_records(7)
    settings = make_settings(BatchSize=3, MaximumBatchingWindowInSeconds=5)
    batcher.add(records, now=0.0)
    assert batcher.take(settings, now=0.0) == records[:3]
    assert batcher.take(settings, now=0.0) == records[3:6]
    assert batcher.take(settings, now=0.0) == []
    assert len(batcher) == 1


def test_a_batch_stays_within_the_payload_limit(make_records, make_settings):
    batcher, records = Batcher(), make_records(8, data=b"x" * 1_000_000)
    settings = make_settings(BatchSize=100, MaximumBatchingWindowInSeconds=300)
    batcher.add(records, now=0.0)
    batch = batcher.take(settings, now=0.0)
    assert len(event_payload(batch)) <= PAYLOAD_LIMIT < len(event_payload(records[: len(batch) + 1]))
    assert batcher.take(settings, now=0.0, closed=True) == records[len(batch) : 2 * len(batch)]


def test_a_closed_shard_hands_out_the_remaining_records_immediately(make_records, make_settings):
    batcher, records = Batcher(), make_records(2)
    settings = make_settings(MaximumBatchingWindowInSeconds=300)
    batcher.add(records, now=0.0)
    assert batcher.take(settings, now=1.0, closed=True) == records
