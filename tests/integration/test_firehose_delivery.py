"""The Firehose stand-in between a real MiniStack and bucket, with the real processor function and an obedient one."""

import gzip
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
import zipfile
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.contracts import times
from include.contracts.archive import ArchivedRecord, decode_line
from include.local.aws.firehose_delivery import read_status
from include.local.aws.firehose_delivery.driver import DeliveryDriver, make_clients
from tests.fixtures.delivery import DeliveryProcess
from tests.fixtures.streams import put_records
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]

HANDLER = "lambdas.archive_envelope.handler.handler"
# Does with each record what its payload says.
OBEDIENT = """
import base64
def handler(event, context):
    print("called with", len(event["records"]))
    records = []
    for record in event["records"]:
        asked = base64.b64decode(record["data"]).decode()
        if asked == "crash":
            raise RuntimeError("asked to crash")
        if asked != "forget":
            records.append({"recordId": record["recordId"], "result": asked, "data": record["data"]})
    return {"records": records}
"""


class Archive:
    """A stream, a delivery stream that archives it through a function, and the bucket, with names of their own."""

    def __init__(self, ministack, code: bytes, handler: str, interval: int = 0) -> None:
        self.name = f"firehose-{uuid.uuid4().hex[:8]}"
        self.kinesis, self.lambda_, self.s3, self.firehose = (
            ministack.client(service) for service in ("kinesis", "lambda", "s3", "firehose")
        )
        self.s3.create_bucket(Bucket=self.name)
        self.kinesis.create_stream(StreamName=self.name, ShardCount=2)
        role = "arn:aws:iam::000000000000:role/archive"
        function = self.lambda_.create_function(
            FunctionName=self.name, Runtime="python3.11", Handler=handler, Role=role, Code={"ZipFile": code}, Timeout=30
        )
        summary = self.kinesis.describe_stream_summary(StreamName=self.name)["StreamDescriptionSummary"]
        parameters = {"LambdaArn": function["FunctionArn"], "BufferSizeInMBs": "0.5", "BufferIntervalInSeconds": "0"}
        self.put("before the delivery stream")
        time.sleep(0.05)  # Kinesis' times are milliseconds.
        self.firehose.create_delivery_stream(
            DeliveryStreamName=self.name,
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={"KinesisStreamARN": summary["StreamARN"], "RoleARN": role},
            ExtendedS3DestinationConfiguration={
                "BucketARN": f"arn:aws:s3:::{self.name}",
                "RoleARN": role,
                "Prefix": "archive/!{timestamp:yyyy/MM/dd/HH}/",
                "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/",
                "BufferingHints": {"IntervalInSeconds": interval, "SizeInMBs": 1},
                "CompressionFormat": "GZIP",
                "ProcessingConfiguration": {
                    "Enabled": True,
                    "Processors": [
                        {
                            "Type": "Lambda",
                            "Parameters": [
                                {"ParameterName": name, "ParameterValue": value} for name, value in parameters.items()
                            ],
                        }
                    ],
                },
            },
        )

    def put(self, *payloads: bytes | str) -> None:
        data = [each.encode() if isinstance(each, str) else each for each in payloads]
        put_records(self.kinesis, self.name, [(f"key-{number}", each) for number, each in enumerate(data)])

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def lines(self, prefix: str) -> list[bytes]:
        bodies = (self.s3.get_object(Bucket=self.name, Key=key)["Body"].read() for key in self.keys(prefix))
        return [line for body in bodies for line in gzip.decompress(body).splitlines()]

    def records(self) -> list[ArchivedRecord]:
        return [decode_line(line) for line in self.lines("archive/")]

    def delete(self) -> None:
        self.firehose.delete_delivery_stream(DeliveryStreamName=self.name)
        self.lambda_.delete_function(FunctionName=self.name)
        self.kinesis.delete_stream(StreamName=self.name)


@pytest.fixture
def archive(ministack, bundles) -> Iterator[Archive]:
    archive = Archive(ministack, bundles("archive_envelope").read_bytes(), HANDLER)
    yield archive
    archive.delete()


@pytest.fixture
def slow_archive(ministack, bundles) -> Iterator[Archive]:
    """Stores after 900 seconds."""
    archive = Archive(ministack, bundles("archive_envelope").read_bytes(), HANDLER, interval=900)
    yield archive
    archive.delete()


@pytest.fixture
def obedient(ministack) -> Iterator[Archive]:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as code:
        code.writestr("obedient.py", OBEDIENT)
    archive = Archive(ministack, buffer.getvalue(), "obedient.handler")
    yield archive
    archive.delete()


@pytest.fixture
def delivery(ministack, tmp_path) -> Iterator[DeliveryProcess]:
    process = DeliveryProcess("firehose_delivery", ministack.environment, tmp_path / "state")
    process.start()
    yield process
    process.kill()


def test_every_record_since_the_start_is_archived_as_it_came_with_its_envelope(archive, delivery):
    payloads = [b"", b"\xff\x00 not text", b'{"broken": ', *(b'{"number": %d}' % n for n in range(1200))]
    archive.put(*payloads)
    wait_for(lambda: len(archive.records()) >= len(payloads), "all archived")
    records = archive.records()
    assert sorted(record.payload for record in records) == sorted(payloads)
    sent = {}
    for shard in archive.kinesis.list_shards(StreamName=archive.name)["Shards"]:
        request = {"StreamName": archive.name, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = archive.kinesis.get_shard_iterator(**request)["ShardIterator"]
        for record in archive.kinesis.get_records(ShardIterator=iterator)["Records"]:
            at = record["ApproximateArrivalTimestamp"].timestamp()
            sent[shard["ShardId"], record["SequenceNumber"]] = (record["PartitionKey"], record["Data"], round(at, 3))
    found = {
        (each.shard_id, each.sequence_number): (
            each.partition_key,
            each.payload,
            round(times.parse(each.arrival_time).timestamp(), 3),
        )
        for each in records
    }
    missing = sent.items() - found.items()
    assert [data for _, (_, data, _) in missing] == [b"before the delivery stream"]
    assert found.items() <= sent.items()
    assert {record.stream for record in records} == {archive.name}
    # MiniStack itself stored nothing beside it.
    names_of_objects = archive.keys("")
    pattern = rf"archive/\d{{4}}/\d\d/\d\d/\d\d/{archive.name}-1-\d{{4}}(-\d\d){{5}}-[0-9a-f-]{{36}}\.gz"
    assert [key for key in names_of_objects if not re.fullmatch(pattern, key)] == []
    assert len(names_of_objects) < 20


def test_what_the_processor_drops_is_gone_and_what_fails_is_under_the_error_prefix(obedient, delivery):
    obedient.put("Ok", "Dropped", "ProcessingFailed", "forget", "Nonsense")
    failed = wait_for(lambda: len(obedient.lines("errors/processing-failed/")) == 3 and obedient.lines("errors/"), "3")
    documents = {b64decode(each["rawData"]).decode(): each for each in map(json.loads, failed)}
    assert {payload: each["errorCode"] for payload, each in documents.items()} == {
        "ProcessingFailed": "Lambda.ProcessingFailedStatus",
        "forget": "Lambda.MissingRecordId",
        "Nonsense": "Lambda.JsonProcessingException",
    }
    assert {each["attemptsMade"] for each in documents.values()} == {1}
    wait_for(lambda: obedient.lines("archive/"), "the one that is Ok")
    assert obedient.lines("archive/") == [b"Ok"]


def test_a_batch_whose_processor_crashes_is_set_aside_after_three_retries_and_the_next_is_delivered(obedient, delivery):
    obedient.put("crash")
    (line,) = wait_for(lambda: obedient.lines("errors/processing-failed/"), "set aside")
    failed = json.loads(line)
    assert (failed["attemptsMade"], failed["errorCode"]) == (4, "Lambda.FunctionError")
    assert b64decode(failed["rawData"]) == b"crash"
    assert failed["lambdaArn"].endswith(f":function:{obedient.name}")
    obedient.put("Ok")
    wait_for(lambda: obedient.lines("archive/") == [b"Ok"], "the next record")


def test_killed_at_any_moment_it_continues_after_the_stored_records(archive, delivery):
    payloads = [b"%d" % n for n in range(3000)]
    for start in range(0, 3000, 500):
        archive.put(*payloads[start : start + 500])
        if start in (500, 1500, 2000):
            wait_for(lambda: read_status(delivery.state), "something begun")
            delivery.restart()
    wait_for(lambda: {record.payload for record in archive.records()} >= set(payloads), "all archived")
    assert {record.payload for record in archive.records()} == set(payloads)


def test_a_stopped_driver_stores_what_it_holds_before_it_ends(ministack, slow_archive, tmp_path, monkeypatch):
    # On a slow machine two seconds may be too short; records not stored by then are delivered after the next start.
    monkeypatch.setattr("include.local.aws.firehose_delivery.driver.STOP_DEADLINE", 60.0)
    for name, value in ministack.environment.items():
        monkeypatch.setenv(name, value)
    driver = DeliveryDriver(make_clients(), tmp_path)
    running = threading.Thread(target=driver.run)
    slow_archive.put(*(b"%d" % n for n in range(500)))
    began = time.time()

    def all_read() -> bool:
        shards = [shard for each in read_status(tmp_path) for shard in each.shards.values()]
        return sum(shard.waiting for shard in shards) == 500 and all((s.tip_read_at or 0) > began for s in shards)

    running.start()
    try:
        wait_for(all_read, "all read and none stored")
        assert slow_archive.records() == []
    finally:
        driver.stop()
        running.join(120)
    assert not running.is_alive()
    assert len({record.payload for record in slow_archive.records()}) == 500
    (status,) = read_status(tmp_path)
    assert status.caught_up(began)


def test_without_an_endpoint_it_refuses_to_be_a_consumer_on_aws(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "include.local.aws.firehose_delivery", "--state", str(tmp_path)],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "error: AWS_ENDPOINT_URL is not set: it must name a local stand-in, never an AWS account\n"
