"""Shards and mappings coming and going, on a Kinesis whose split shards stay readable as on AWS."""

import io
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from include.local.event_source_mapping import read_status
from include.local.event_source_mapping.driver import Driver, MappingRunner
from include.local.event_source_mapping.shard_worker import Clients

pytestmark = pytest.mark.unit

STREAM_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/ClickDataStream"
FIRST, LEFT, RIGHT = (f"shardId-{n:012d}" for n in range(3))


class NotFoundError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ResourceNotFoundException", "Message": "not found"}}, "Any")


class Kinesis:
    """Streams in memory; an iterator is the shard and the index of its next record."""

    exceptions = SimpleNamespace(ResourceNotFoundException=NotFoundError, ExpiredIteratorException=TimeoutError)

    def __init__(self) -> None:
        self.created = 1.0
        self.exists = True
        self.shards: dict[str, dict] = {}
        self._numbers = iter(range(1000, 10_000))
        self.add_shard(FIRST)

    def add_shard(self, shard_id: str, *parents: str) -> None:
        names = dict(zip(("ParentShardId", "AdjacentParentShardId"), parents, strict=False))
        self.shards[shard_id] = {"records": [], "closed": False, **names}

    def split(self) -> None:
        self.shards[FIRST]["closed"] = True
        self.add_shard(LEFT, FIRST)
        self.add_shard(RIGHT, FIRST)

    def put(self, shard_id: str, *texts: str) -> None:
        for text in texts:
            record = {
                "SequenceNumber": str(next(self._numbers)),
                "PartitionKey": "key",
                "Data": text.encode(),
                "ApproximateArrivalTimestamp": datetime.now(UTC),
            }
            self.shards[shard_id]["records"].append(record)

    def describe_stream_summary(self, **_: object) -> dict:
        if not self.exists:
            raise NotFoundError
        created = datetime.fromtimestamp(self.created, UTC)
        return {"StreamDescriptionSummary": {"StreamCreationTimestamp": created, "RetentionPeriodHours": 10**6}}

    def list_shards(self, **_: object) -> dict:
        return {"Shards": [{"ShardId": shard_id, **shard} for shard_id, shard in self.shards.items()]}

    def get_shard_iterator(self, **request: object) -> dict:
        if not self.exists or request["ShardId"] not in self.shards:
            raise NotFoundError
        records = self.shards[request["ShardId"]]["records"]
        match request["ShardIteratorType"]:
            case "TRIM_HORIZON":
                index = 0
            case "AFTER_SEQUENCE_NUMBER":
                last = int(request["StartingSequenceNumber"])
                index = sum(int(record["SequenceNumber"]) <= last for record in records)
            case "AT_TIMESTAMP":
                index = sum(record["ApproximateArrivalTimestamp"] < request["Timestamp"] for record in records)
        return {"ShardIterator": json.dumps([request["ShardId"], index])}

    def get_records(self, **request: object) -> dict:
        shard_id, index = json.loads(request["ShardIterator"])
        if not self.exists or shard_id not in self.shards:
            raise NotFoundError
        shard = self.shards[shard_id]
        records = shard["records"][index : index + 2]  # Few at a time, so that reading takes several calls.
        following = index + len(records)
        left = len(shard["records"]) - following
        answer = {"Records": records, "MillisBehindLatest": 1000 * left}
        if not (shard["closed"] and left == 0):
            answer["NextShardIterator"] = json.dumps([shard_id, following])
        return answer


class Lambda:
    """One function that remembers what it got, in order; fails while ``healthy`` is not set."""

    def __init__(self) -> None:
        self.mappings: list[dict] = []
        self.reachable = True
        self.healthy = threading.Event()
        self.healthy.set()
        self.attempted = threading.Event()
        self.got: list[str] = []
        self._lock = threading.Lock()

    def get_function_configuration(self, **_: object) -> dict:
        return {"Role": "arn:aws:iam::123456789012:role/processor"}

    def invoke(self, **request: object) -> dict:
        self.attempted.set()
        answer = {"StatusCode": 200, "ResponseMetadata": {}, "Payload": io.BytesIO(b"null")}
        if not self.healthy.is_set():
            return {**answer, "FunctionError": "Unhandled"}
        with self._lock:
            self.got += [record["eventID"].split(":")[0] for record in json.loads(request["Payload"])["Records"]]
        return answer

    def get_paginator(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=self._paginate)

    def _paginate(self) -> list[dict]:
        if not self.reachable:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return [{"EventSourceMappings": self.mappings}]


def until(condition: Callable[[], bool], step: Callable[[], object] = lambda: None) -> None:
    """Repeat ``step`` until the condition holds, ten seconds at most."""
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends, "the condition did not come true"
        step()
        time.sleep(0.01)


@pytest.fixture
def kinesis() -> Kinesis:
    return Kinesis()


@pytest.fixture
def function() -> Lambda:
    return Lambda()


@pytest.fixture
def clients(kinesis, function) -> Clients:
    return Clients(kinesis=kinesis, lambda_=function, s3=None, sqs=None, sns=None)


@pytest.fixture
def runner(clients, tmp_path, make_settings):
    made = MappingRunner(clients, tmp_path, make_settings())
    yield made
    made.stop()
    made.join(time.monotonic() + 5)


def test_children_wait_until_their_parent_is_processed(runner, kinesis, function, make_settings):
    kinesis.put(FIRST, "a", "b", "c", "d", "e")
    kinesis.split()
    kinesis.put(LEFT, "f")
    kinesis.put(RIGHT, "g")
    function.healthy.clear()
    until(function.attempted.is_set, lambda: runner.refresh(make_settings()))
    # The parent is read but not processed: refreshing more must not start a child.
    for _ in range(3):
        runner.refresh(make_settings())
    function.healthy.set()
    until(lambda: len(function.got) >= 7, lambda: runner.refresh(make_settings()))
    assert function.got[:5] == [FIRST] * 5
    assert sorted(function.got[5:]) == [LEFT, RIGHT]


def test_a_merged_shard_waits_for_both_parents(runner, kinesis, function, make_settings):
    kinesis.split()
    kinesis.put(LEFT, "a")
    kinesis.put(RIGHT, "b")
    merged = "shardId-000000000003"
    kinesis.add_shard(merged, LEFT, RIGHT)
    kinesis.shards[LEFT]["closed"] = kinesis.shards[RIGHT]["closed"] = True
    kinesis.put(merged, "c")
    until(lambda: len(function.got) >= 3, lambda: runner.refresh(make_settings()))
    assert sorted(function.got[:2]) == [LEFT, RIGHT]
    assert function.got[2] == merged


def test_latest_starts_now_and_reads_later_shards_from_their_start(runner, kinesis, function, make_settings):
    settings = make_settings(StartingPosition="LATEST")
    kinesis.put(FIRST, "too old")
    runner.refresh(settings)
    kinesis.put(FIRST, "new")
    until(lambda: function.got == [FIRST], lambda: runner.refresh(settings))
    kinesis.split()
    kinesis.put(LEFT, "a")
    kinesis.put(RIGHT, "b")
    until(lambda: len(function.got) >= 3, lambda: runner.refresh(settings))
    assert sorted(function.got) == [FIRST, LEFT, RIGHT]


def test_latest_means_when_the_mapping_was_first_seen_not_when_the_driver_restarts(
    clients, tmp_path, kinesis, function, make_settings
):
    settings = make_settings(StartingPosition="LATEST")
    killed = MappingRunner(clients, tmp_path, settings)
    killed.refresh(settings)
    killed.stop()
    killed.join(time.monotonic() + 5)
    kinesis.put(FIRST, "while the driver was down")
    restarted = MappingRunner(clients, tmp_path, settings)
    try:
        until(lambda: function.got == [FIRST], lambda: restarted.refresh(settings))
    finally:
        restarted.stop()
        restarted.join(time.monotonic() + 5)


def test_at_timestamp_skips_what_arrived_before(runner, kinesis, function, make_settings):
    kinesis.put(FIRST, "before")
    kinesis.shards[FIRST]["records"][0]["ApproximateArrivalTimestamp"] = datetime(2026, 1, 1, tzinfo=UTC)
    kinesis.put(FIRST, "after")
    settings = make_settings(
        StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=datetime(2026, 2, 1, tzinfo=UTC)
    )
    until(lambda: bool(function.got), lambda: runner.refresh(settings))
    assert function.got == [FIRST]


def test_a_shard_that_vanished_lets_its_children_start(runner, kinesis, function, make_settings, caplog):
    runner.refresh(make_settings())
    kinesis.split()
    del kinesis.shards[FIRST]
    kinesis.put(LEFT, "a")
    until(lambda: function.got == [LEFT], lambda: runner.refresh(make_settings()))
    assert "does not exist any more" in caplog.text


def test_a_stream_that_is_deleted_and_created_again_starts_afresh(runner, kinesis, function, make_settings):
    kinesis.put(FIRST, "a", "b", "c")
    until(lambda: len(function.got) == 3, lambda: runner.refresh(make_settings()))
    kinesis.exists = False
    runner.refresh(make_settings())
    kinesis.shards[FIRST]["records"].clear()
    kinesis.put(FIRST, "d")
    kinesis.created, kinesis.exists = 2.0, True
    until(lambda: len(function.got) == 4, lambda: runner.refresh(make_settings()))


@pytest.fixture
def running(clients, tmp_path):
    driver = Driver(clients, tmp_path)
    thread = threading.Thread(target=driver.run)
    thread.start()
    yield driver
    driver.stop()
    thread.join(5)
    assert not thread.is_alive()


def mapping(**fields) -> dict:
    return {
        "UUID": "11111111-2222-3333-4444-555555555555",
        "EventSourceArn": STREAM_ARN,
        "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:f",
        "StartingPosition": "TRIM_HORIZON",
        "State": "Disabled",
        **fields,
    }


def test_mappings_that_appear_and_disappear_are_followed(running, kinesis, function, tmp_path):
    kinesis.put(FIRST, "a")
    function.mappings = [mapping()]
    until(lambda: function.got == [FIRST])
    until(lambda: any(status.caught_up(1.0) for status in read_status(tmp_path)))
    function.mappings = []
    until(lambda: read_status(tmp_path) == [])
    kinesis.put(FIRST, "for nobody")
    function.mappings = [mapping(UUID="another")]
    until(lambda: len(function.got) == 3)  # A new mapping starts at its own position.


def test_an_unreachable_account_is_waited_for_and_said_once(running, kinesis, function, caplog):
    function.reachable = False
    until(lambda: "retrying" in caplog.text)
    kinesis.put(FIRST, "a")
    function.mappings = [mapping()]
    function.reachable = True
    until(lambda: function.got == [FIRST])
    assert caplog.text.count("retrying") == 1
    assert "Traceback" not in caplog.text


def test_a_mapping_that_filters_is_refused_and_said_once(running, function, kinesis, caplog):
    kinesis.put(FIRST, "a")
    function.mappings = [mapping(UUID="filtering", FilterCriteria={"Filters": [{}]}), mapping()]
    until(lambda: function.got == [FIRST])
    assert caplog.text.count("filtering sets FilterCriteria") == 1


def test_a_mapping_that_the_emulator_delivers_too_is_warned_about_once(running, function, kinesis, tmp_path, caplog):
    # CloudFormation on MiniStack leaves a disabled mapping in the State "Enabled".
    function.mappings = [mapping(State="Enabled", LastProcessingResult="No records processed")]
    until(lambda: bool(read_status(tmp_path)))
    assert "arrive twice" not in caplog.text
    function.mappings = [mapping(State="Enabled", LastProcessingResult="OK - 3 records")]
    until(lambda: "arrive twice" in caplog.text)
    kinesis.put(FIRST, "a")
    until(lambda: function.got == [FIRST])
    assert caplog.text.count("arrive twice") == 1
