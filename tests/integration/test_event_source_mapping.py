"""The event source mapping driver between a real MiniStack's streams and small real Lambdas.

Its rules are checked one by one in tests/unit/local/aws/event_source_mapping.  `make test` checks here that the parts
fit, and `make verify` repeats the other rules.
"""

import io
import json
import time
import uuid
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.local.aws.event_source_mapping import read_status
from tests.fixtures.delivery import DeliveryProcess
from tests.fixtures.streams import put_records
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]

# Writes every record that it accepts to a bucket, one object a sequence number, and what it was called with.
RECORDER = """
import base64, json, os, boto3
s3 = boto3.client("s3")
BUCKET = os.environ["BUCKET"]

def crash():
    return s3.list_objects_v2(Bucket=BUCKET, Prefix="crash").get("KeyCount", 0) > 0

def handler(event, context):
    kinesis = [record["kinesis"] for record in event["Records"]]
    batch = [(k["sequenceNumber"], base64.b64decode(k["data"]).decode()) for k in kinesis]
    s3.put_object(Bucket=BUCKET, Key=f"calls/{context.aws_request_id}", Body=json.dumps(event))
    print("called with", len(batch))
    if crash():
        raise RuntimeError("asked to crash")
    for number, text in batch:
        if text == "poison":
            raise ValueError("poison")
        if text == "refuse-once":
            key = f"refused/{number}"
            if not s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("KeyCount", 0):
                s3.put_object(Bucket=BUCKET, Key=key, Body=b"")
                return {"batchItemFailures": [{"itemIdentifier": number}]}
        s3.put_object(Bucket=BUCKET, Key=f"seen/{number}/{context.aws_request_id}", Body=text)
    return {"batchItemFailures": []}
"""


class Pipeline:
    """One stream, one recording function and the mapping between them, with names of their own."""

    def __init__(self, ministack, shards: int = 1) -> None:
        self.name = f"esm-{uuid.uuid4().hex[:8]}"
        self.kinesis, self.lambda_, self.s3 = (ministack.client(s) for s in ("kinesis", "lambda", "s3"))
        self.s3.create_bucket(Bucket=self.name)
        self.kinesis.create_stream(StreamName=self.name, ShardCount=shards)
        self.stream_arn = self.kinesis.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"][
            "StreamARN"
        ]
        self.create_function()
        self.mapping = ""

    def create_function(self) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("recorder.py", RECORDER)
        self.lambda_.create_function(
            FunctionName=self.name,
            Runtime="python3.11",
            Handler="recorder.handler",
            Role="arn:aws:iam::000000000000:role/recorder",
            Code={"ZipFile": buffer.getvalue()},
            Timeout=30,
            Environment={"Variables": {"BUCKET": self.name}},
        )

    def map(self, **settings) -> None:
        defaults = {
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 100,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "Enabled": False,
        }
        self.mapping = self.lambda_.create_event_source_mapping(
            FunctionName=self.name, EventSourceArn=self.stream_arn, **{**defaults, **settings}
        )["UUID"]

    def put(self, *texts: str, key: str = "one") -> None:
        put_records(self.kinesis, self.name, [(key, text.encode()) for text in texts])

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=self.name, Key=key)["Body"].read()

    def seen(self) -> list[str]:
        """The texts that the function accepted, once a sequence number, in the order of the stream."""
        by_number = {}
        for key in self.keys("seen/"):
            by_number[int(key.split("/")[1])] = key
        return [self.read(by_number[number]).decode() for number in sorted(by_number)]

    def wait_for_seen(self, count: int) -> list[str]:
        wait_for(lambda: len({k.split("/")[1] for k in self.keys("seen/")}) >= count, f"{count} records")
        return self.seen()

    def calls(self) -> list[dict]:
        """The events of all invocations."""
        return [json.loads(self.read(key)) for key in self.keys("calls/")]

    def delete(self) -> None:
        if self.mapping:
            self.lambda_.delete_event_source_mapping(UUID=self.mapping)
        self.lambda_.delete_function(FunctionName=self.name)
        self.kinesis.delete_stream(StreamName=self.name)


@pytest.fixture
def pipeline(ministack):
    made = Pipeline(ministack)
    yield made
    made.delete()


@pytest.fixture
def driver(ministack, tmp_path):
    process = DeliveryProcess("event_source_mapping", ministack.environment, tmp_path / "checkpoints")
    process.start()
    yield process
    process.kill()


def test_records_arrive_once_in_order_and_as_aws_sends_them(pipeline, driver):
    texts = [f"record {n}" for n in range(50)]
    pipeline.put(*texts, key="truck")
    pipeline.map(BatchSize=20)
    assert pipeline.wait_for_seen(50) == texts
    assert len(pipeline.keys("seen/")) == 50
    records = sorted((r for call in pipeline.calls() for r in call["Records"]), key=lambda r: r["eventID"])
    assert max(len(call["Records"]) for call in pipeline.calls()) == 20
    first = records[0]
    assert first["eventID"] == f"shardId-000000000000:{first['kinesis']['sequenceNumber']}"
    assert isinstance(first["kinesis"].pop("approximateArrivalTimestamp"), float)
    first["kinesis"].pop("sequenceNumber")
    first.pop("eventID")
    assert first == {
        "kinesis": {"kinesisSchemaVersion": "1.0", "partitionKey": "truck", "data": "cmVjb3JkIDA="},
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/recorder",
        "awsRegion": "us-east-1",
        "eventSourceARN": pipeline.stream_arn,
    }


def test_a_partial_failure_continues_at_the_record_that_failed(pipeline, driver):
    pipeline.put("a", "b", "refuse-once", "c")
    pipeline.map()
    assert pipeline.wait_for_seen(4) == ["a", "b", "refuse-once", "c"]
    # What came before it is acknowledged, so nothing was processed twice.
    assert len(pipeline.keys("seen/")) == 4


def test_a_poison_record_is_isolated_and_its_neighbours_are_delivered(pipeline, driver):
    good = [f"good {n}" for n in range(8)]
    pipeline.put(*good[:5], "poison", *good[5:])
    pipeline.map(
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{pipeline.name}"}},
    )
    assert pipeline.wait_for_seen(8) == good
    (key,) = wait_for(lambda: pipeline.keys("aws/lambda/"), "the object in the on-failure destination")
    assert key.startswith(f"aws/lambda/{pipeline.mapping}/shardId-000000000000/{time.strftime('%Y/', time.gmtime())}")
    body = json.loads(pipeline.read(key))
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert body["responseContext"]["functionError"] == "Unhandled"
    assert body["KinesisBatchInfo"]["batchSize"] == 1
    assert [record["kinesis"]["data"] for record in json.loads(body["payload"])["Records"]] == ["cG9pc29u"]


@pytest.mark.verify
def test_a_crashing_function_gets_the_batch_again_until_it_works(pipeline, driver):
    pipeline.s3.put_object(Bucket=pipeline.name, Key="crash", Body=b"")
    pipeline.put("a", "b", "c")
    pipeline.map()
    wait_for(lambda: len(pipeline.keys("calls/")) >= 3, "three attempts")
    assert pipeline.seen() == []
    pipeline.s3.delete_object(Bucket=pipeline.name, Key="crash")
    assert pipeline.wait_for_seen(3) == ["a", "b", "c"]
    assert "Traceback" not in driver.log.read_text()


@pytest.mark.verify
def test_a_killed_driver_resumes_without_loss(pipeline, driver):
    pipeline.map(BatchSize=10)
    texts = [f"record {n}" for n in range(400)]
    pipeline.put(*texts[:200])
    pipeline.wait_for_seen(30)
    driver.kill()
    pipeline.put(*texts[200:])
    driver.start()
    assert pipeline.wait_for_seen(400) == texts
    # Only the batch in flight may come twice.
    assert len(pipeline.keys("seen/")) <= 410


@pytest.mark.verify
def test_parallel_batches_survive_a_kill_and_a_filter_drops_the_rest(pipeline, driver):
    wanted = {"Pattern": json.dumps({"data": {"kind": [{"prefix": "cl"}]}})}
    pipeline.map(BatchSize=5, ParallelizationFactor=3, FilterCriteria={"Filters": [wanted]})
    texts = [json.dumps({"kind": "click", "n": n}) for n in range(120)]
    for key in range(6):
        pipeline.put(*texts[key::6], "not JSON", '{"kind": "other"}', key=f"key {key}")
    pipeline.wait_for_seen(20)
    driver.restart()
    assert sorted(pipeline.wait_for_seen(120)) == sorted(texts)
    # At most the batches in flight come twice: one a lane.
    assert len(pipeline.keys("seen/")) <= 120 + 3 * 5


@pytest.mark.verify
def test_the_iterator_age_is_a_metric_of_the_function(ministack, pipeline, driver):
    pipeline.map()
    pipeline.put("a")
    pipeline.wait_for_seen(1)
    now = datetime.now(UTC)
    query = {
        "Namespace": "AWS/Lambda",
        "MetricName": "IteratorAge",
        "Dimensions": [{"Name": "FunctionName", "Value": pipeline.name}],
        "StartTime": now - timedelta(minutes=5),
        "EndTime": now + timedelta(minutes=5),
        "Period": 60,
        "Statistics": ["Maximum", "SampleCount"],
    }
    cloudwatch = ministack.client("cloudwatch")
    (point,) = wait_for(lambda: cloudwatch.get_metric_statistics(**query)["Datapoints"], "the metric")
    assert 0 <= point["Maximum"] < 60_000
    assert point["SampleCount"] == 1


@pytest.mark.verify
def test_a_stopped_driver_exits_and_repeats_nothing(pipeline, driver):
    pipeline.map(BatchSize=10)
    texts = [f"record {n}" for n in range(80)]
    pipeline.put(*texts)
    pipeline.wait_for_seen(20)
    assert driver.stop() == 0
    driver.start()
    assert pipeline.wait_for_seen(80) == texts
    assert len(pipeline.keys("seen/")) == 80


@pytest.mark.verify
def test_children_of_a_split_shard_follow_their_parent(pipeline, driver):
    pipeline.map()
    pipeline.put("before")
    pipeline.wait_for_seen(1)
    half = str(2**127)
    # MiniStack drops a shard, with what it still holds, as soon as it is split: so only once everything is read.
    pipeline.kinesis.split_shard(StreamName=pipeline.name, ShardToSplit="shardId-000000000000", NewStartingHashKey=half)
    for n in range(20):
        pipeline.put(f"after {n}", key=f"key {n}")
    pipeline.wait_for_seen(21)
    event_ids = {record["eventID"].split(":")[0] for call in pipeline.calls() for record in call["Records"]}
    assert event_ids == {"shardId-000000000000", "shardId-000000000001", "shardId-000000000002"}


@pytest.mark.verify
def test_a_stream_created_again_is_read_from_its_start(pipeline, driver):
    pipeline.map()
    pipeline.put("old one", "old two", "old three")
    pipeline.wait_for_seen(3)
    pipeline.kinesis.delete_stream(StreamName=pipeline.name)
    pipeline.kinesis.create_stream(StreamName=pipeline.name, ShardCount=1)
    pipeline.put("new one", "new two")
    assert pipeline.wait_for_seen(5)[3:] == ["new one", "new two"]


@pytest.mark.verify
def test_changed_settings_hold_from_the_next_batch(pipeline, driver):
    pipeline.map(BatchSize=10)
    pipeline.put(*[f"record {n}" for n in range(20)])
    pipeline.wait_for_seen(20)
    pipeline.lambda_.update_event_source_mapping(UUID=pipeline.mapping, BatchSize=3)
    sent = 20

    def batches_are_small() -> bool:
        nonlocal sent
        before = set(pipeline.keys("calls/"))
        pipeline.put(*[f"more {n}" for n in range(9)])
        sent += 9
        pipeline.wait_for_seen(sent)
        new = [json.loads(pipeline.read(key)) for key in set(pipeline.keys("calls/")) - before]
        return max(len(call["Records"]) for call in new) == 3

    wait_for(batches_are_small, "batches of 3")


@pytest.mark.verify
def test_the_status_says_when_everything_is_delivered(pipeline, driver):
    pipeline.map(MaximumBatchingWindowInSeconds=1)
    pipeline.put(*[f"record {n}" for n in range(50)])
    sent = time.time()

    def caught_up() -> bool:
        statuses = [status for status in read_status(driver.state) if status.uuid == pipeline.mapping]
        return bool(statuses) and all(status.caught_up(sent) for status in statuses)

    wait_for(caught_up, "the mapping to be caught up")
    assert len(pipeline.seen()) == 50


@pytest.mark.verify
def test_a_missing_function_delays_and_does_not_lose(pipeline, driver):
    pipeline.put("a", "b")
    pipeline.map()
    pipeline.wait_for_seen(2)
    pipeline.lambda_.delete_function(FunctionName=pipeline.name)
    pipeline.put("c")
    wait_for(lambda: "retrying" in driver.log.read_text(), "the driver to log that the function is missing")
    assert pipeline.name in driver.log.read_text()
    assert "Traceback" not in driver.log.read_text()
    pipeline.create_function()
    assert pipeline.wait_for_seen(3) == ["a", "b", "c"]


@pytest.mark.verify
def test_an_emulator_that_is_not_up_yet_is_waited_for(tmp_path, own_ministack):
    own_ministack.stop()
    process = DeliveryProcess("event_source_mapping", own_ministack.environment, tmp_path / "checkpoints")
    process.start()
    try:
        wait_for(lambda: "retrying" in process.log.read_text(), "the driver to log that it can't connect")
        own_ministack.start()
        pipeline = Pipeline(own_ministack)
        pipeline.map()
        pipeline.put("a")
        assert pipeline.wait_for_seen(1) == ["a"]
        assert "Traceback" not in process.log.read_text()
    finally:
        process.kill()
