"""Settings, names, buffers, answers and checkpoints; the whole is in tests/integration/test_firehose_delivery.py."""

import copy
import json
import re
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from include.local.aws.firehose_delivery import objects
from include.local.aws.firehose_delivery.buffers import DeliveryBuffer, TransformationBuffer
from include.local.aws.firehose_delivery.checkpoints import DeliveryCheckpoints, read_status
from include.local.aws.firehose_delivery.settings import UnsupportedDeliveryError, read_delivery
from include.local.aws.firehose_delivery.transformation import (
    InvocationError,
    SourceRecord,
    event,
    read_answer,
    source_records,
)
from include.local.aws.shard_reader import KinesisStream, Position, StreamRecord
from tests.fixtures.aggregates import aggregate, broken_aggregates

pytestmark = pytest.mark.unit

MOMENT = datetime(2026, 11, 22, 14, 5, 6, 250_000, tzinfo=UTC)
STREAM_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/ClickDataStream"
FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:ArchiveEnvelope"

DESCRIPTION = {
    "DeliveryStreamName": "clicks",
    "DeliveryStreamARN": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks",
    "VersionId": "2",
    "CreateTimestamp": MOMENT,
    "Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": STREAM_ARN, "DeliveryStartTimestamp": MOMENT}},
    "Destinations": [
        {
            "ExtendedS3DestinationDescription": {
                "BucketARN": "arn:aws:s3:::telemetry",
                "Prefix": "raw-archive/ClickDataStream/!{timestamp:yyyy/MM/dd/HH}/",
                "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/",
                # As MiniStack has it after CloudFormation: text.
                "BufferingHints": {"IntervalInSeconds": "60", "SizeInMBs": 64},
                "CompressionFormat": "GZIP",
                "ProcessingConfiguration": {
                    "Enabled": True,
                    "Processors": [
                        {
                            "Type": "Lambda",
                            "Parameters": [
                                {"ParameterName": "LambdaArn", "ParameterValue": FUNCTION_ARN},
                                {"ParameterName": "BufferSizeInMBs", "ParameterValue": "0.5"},
                            ],
                        }
                    ],
                },
            }
        }
    ],
}


def source(number: int, data: bytes = b"x", shard: str = "shardId-000000000000") -> SourceRecord:
    return SourceRecord(shard, StreamRecord(str(100 + number), f"key-{number}", data, MOMENT))


def changed(**settings) -> dict:
    description = copy.deepcopy(DESCRIPTION)
    description["Destinations"][0]["ExtendedS3DestinationDescription"] |= settings
    return description


def test_settings_are_those_described_and_defaults_those_of_aws():
    settings = read_delivery(DESCRIPTION)
    assert (settings.bucket, settings.buffer_seconds, settings.buffer_bytes) == ("telemetry", 60.0, 64 << 20)
    assert (settings.start, settings.version, settings.region) == (MOMENT.timestamp(), "2", "eu-west-1")
    assert settings.gzip
    assert settings.processor.function_arn == FUNCTION_ARN
    assert settings.processor.buffer_bytes == 512 << 10
    assert (settings.processor.buffer_seconds, settings.processor.retries) == (60.0, 3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("CompressionFormat", "Snappy"),
        ("S3BackupMode", "Enabled"),
        ("DynamicPartitioningConfiguration", {"Enabled": True}),
        ("DataFormatConversionConfiguration", {"Enabled": True}),
        ("Prefix", "!{partitionKeyFromQuery:truck}/"),
        ("Prefix", "!{timestamp:YYYY}/"),
        ("ProcessingConfiguration", {"Enabled": True, "Processors": [{"Type": "AppendDelimiterToRecord"}]}),
    ],
)
def test_what_it_can_not_do_it_refuses(setting, value):
    with pytest.raises(UnsupportedDeliveryError, match="clicks"):
        read_delivery(changed(**{setting: value}))


def test_prefixes_are_of_the_oldest_record_and_objects_named_as_by_firehose():
    assert objects.evaluate("a/!{timestamp:yyyy/MM/dd/HH}/", MOMENT) == "a/2026/11/22/14/"
    assert objects.evaluate("a/", MOMENT) == "a/2026/11/22/14/"
    failed = objects.evaluate("e/!{firehose:error-output-type}/!{timestamp:dd-mm}/", MOMENT, "processing-failed")
    assert failed == "e/processing-failed/22-05/"
    name = objects.object_name("clicks", "2", MOMENT, gzip=True)
    assert re.fullmatch(r"clicks-2-2026-11-22-14-05-06-[0-9a-f-]{36}\.gz", name)


def test_the_event_is_the_one_that_aws_documents():
    sent = json.loads(event(read_delivery(DESCRIPTION), [source(0, b"\xff")]))
    del sent["invocationId"]
    assert sent == {
        "sourceKinesisStreamArn": STREAM_ARN,
        "deliveryStreamArn": DESCRIPTION["DeliveryStreamARN"],
        "region": "eu-west-1",
        "records": [
            {
                "recordId": "shardId-000000000000100",
                "approximateArrivalTimestamp": 1795356306250,
                "data": "/w==",
                "kinesisRecordMetadata": {
                    "sequenceNumber": "100",
                    "subsequenceNumber": 0,
                    "partitionKey": "key-0",
                    "shardId": "shardId-000000000000",
                    "approximateArrivalTimestamp": 1795356306250,
                },
            }
        ],
    }


def test_an_aggregate_is_taken_apart_and_its_records_are_told_apart_by_their_position():
    batch = source_records(
        "shardId-000000000000", StreamRecord("100", "a", aggregate([b"1", b"2"], key="TRK001"), MOMENT)
    )
    records = json.loads(event(read_delivery(DESCRIPTION), batch))["records"]
    assert [each["recordId"] for each in records] == ["shardId-000000000000100", "shardId-000000000000100.1"]
    assert [each["data"] for each in records] == [b64encode(b"1").decode(), b64encode(b"2").decode()]
    metadata = [each["kinesisRecordMetadata"] for each in records]
    assert [(each["sequenceNumber"], each["subsequenceNumber"]) for each in metadata] == [("100", 0), ("100", 1)]
    assert {each["partitionKey"] for each in metadata} == {"TRK001"}


@pytest.mark.parametrize("data", [b"", b"plain", *broken_aggregates(b"{}").values()])
def test_whatever_is_no_aggregate_in_order_is_passed_on_whole(data):
    record = StreamRecord("100", "key", data, MOMENT)
    assert source_records("shardId-000000000000", record) == [SourceRecord("shardId-000000000000", record)]


def test_an_aggregate_is_checkpointed_with_its_last_record():
    first, second = source_records("shard", StreamRecord("101", "a", aggregate([b"1", b"2"]), MOMENT))
    buffer = DeliveryBuffer()
    buffer.note([source(0, shard="shard"), first], now=0.0)
    assert buffer.last == {"shard": "100"}
    buffer.note([second], now=0.0)
    assert (buffer.last, buffer.records) == ({"shard": "101"}, {"shard": 3})
    alone = DeliveryBuffer()
    alone.note([first], now=0.0)
    assert alone.is_due(100, 60.0, now=60.0)


def test_an_answer_is_read_by_record_id_and_delivered_in_the_batchs_order():
    batch = [source(number) for number in range(6)]
    answers = [
        {"recordId": batch[1].record_id, "result": "Ok", "data": b64encode(b"second").decode()},
        {"recordId": batch[0].record_id, "result": "Ok", "data": b64encode(b"first").decode()},
        {"recordId": batch[2].record_id, "result": "Dropped"},
        {"recordId": batch[3].record_id, "result": "Ok", "data": "not base64"},
        {"recordId": batch[4].record_id, "result": "Ok", "data": ""},
        {"recordId": batch[4].record_id, "result": "Ok", "data": ""},
    ]
    transformed = read_answer(json.dumps({"records": answers}).encode(), batch)
    assert transformed.data == [b"first", b"second"]
    assert {each.record_id: error[0] for each, error in transformed.failed} == {
        batch[3].record_id: "Lambda.JsonProcessingException",
        batch[4].record_id: "Lambda.DuplicatedRecordId",
        batch[5].record_id: "Lambda.MissingRecordId",
    }


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"records": 1}', b'{"records": [1]}', b'{"records": [{}]}'])
def test_an_unreadable_answer_fails_the_whole_batch(body):
    with pytest.raises(InvocationError, match="JsonProcessingException"):
        read_answer(body, [source(0)])


def test_records_wait_for_size_or_time_and_one_larger_than_the_buffer_goes_alone():
    buffer = TransformationBuffer()
    for number, size in enumerate((10, 10, 100, 10)):
        buffer.add(source(number, b"x" * size), now=0.0)
    sizes = []
    while batch := buffer.take(50, 60.0, now=1.0):
        sizes.append([len(each.record.data) for each in batch])
    assert sizes == [[10, 10], [100]]
    assert len(buffer) == 1
    assert [len(each.record.data) for each in buffer.take(50, 60.0, now=60.0)] == [10]


def test_a_batch_that_was_all_dropped_is_stored_too_so_that_it_is_checkpointed():
    buffer = DeliveryBuffer()
    assert not buffer.is_due(100, 60.0, now=1000.0)
    buffer.note([source(0), source(1)], now=1000.0)
    assert not buffer.is_due(100, 60.0, now=1059.0)
    assert buffer.is_due(100, 60.0, now=1060.0)
    assert buffer.is_due(100, 60.0, now=1000.0, flush=True)


def test_a_checkpoint_survives_and_ends_with_the_stream_it_is_of(tmp_path):
    settings = read_delivery(DESCRIPTION)
    stream = KinesisStream(STREAM_ARN, 1.0, 86400.0)
    shard = "shardId-000000000000"
    checkpoints = DeliveryCheckpoints(tmp_path, settings, stream)
    checkpoints.begin([shard], Position(at_timestamp=5.0))
    checkpoints.observe(shard, waiting=2, tip_read_at=10.0)
    (status,) = read_status(tmp_path)
    assert not status.caught_up(since=9.0)
    checkpoints.stored({shard: "101"}, {shard: 0})
    (status,) = read_status(tmp_path)
    assert status.caught_up(since=9.0)
    assert not status.caught_up(since=11.0)
    again = DeliveryCheckpoints(tmp_path, settings, stream)
    assert again.shards[shard].position == Position(after_sequence_number="101")
    assert DeliveryCheckpoints(tmp_path, settings, KinesisStream(STREAM_ARN, 2.0, 86400.0)).shards == {}
