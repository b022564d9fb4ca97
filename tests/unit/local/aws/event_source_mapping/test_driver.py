"""Shards and mappings coming and going, on a Kinesis whose split shards stay readable as on AWS."""

import dataclasses
import io
import json
import threading
import time
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from include.local.aws.event_source_mapping import read_status
from include.local.aws.event_source_mapping.checkpoints import MappingCheckpoints
from include.local.aws.event_source_mapping.driver import MappingDriver, MappingRunner
from include.local.aws.event_source_mapping.iterator_age import IteratorAge
from include.local.aws.event_source_mapping.shard_worker import MappingClients

pytestmark = pytest.mark.unit

# Of what ends soon on any machine.
DEADLINE_SECONDS = 60
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

    def put(self, shard_id: str, *texts: str, key: str = "key") -> None:
        for text in texts:
            record = {
                "SequenceNumber": str(next(self._numbers)),
                "PartitionKey": key,
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
    """One function that remembers what it got, in order; fails while ``healthy`` is not set.

    ``meet`` is called with the partition keys of a batch before it is taken; it may wait, or raise to fail the batch.
    """

    def __init__(self) -> None:
        self.mappings: list[dict] = []
        self.reachable = True
        self.healthy = threading.Event()
        self.healthy.set()
        self.attempts = 0
        self.attempted = threading.Event()
        self.got: list[str] = []
        self.texts: list[tuple[str, str]] = []  # (partition key, text)
        self.meet: Callable[[set[str]], None] = lambda _: None
        self._lock = threading.Lock()

    def get_function_configuration(self, **_: object) -> dict:
        return {"Role": "arn:aws:iam::123456789012:role/processor"}

    def invoke(self, **request: object) -> dict:
        self.attempts += 1
        self.attempted.set()
        answer = {"StatusCode": 200, "ResponseMetadata": {}, "Payload": io.BytesIO(b"null")}
        if not self.healthy.is_set():
            return {**answer, "FunctionError": "Unhandled"}
        records = json.loads(request["Payload"])["Records"]
        try:
            self.meet({record["kinesis"]["partitionKey"] for record in records})
        except ValueError:
            return {**answer, "FunctionError": "Unhandled"}
        with self._lock:
            self.got += [record["eventID"].split(":")[0] for record in records]
            self.texts += [
                (record["kinesis"]["partitionKey"], b64decode(record["kinesis"]["data"]).decode()) for record in records
            ]
        return answer

    def get_paginator(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(paginate=self._paginate)

    def _paginate(self) -> list[dict]:
        if not self.reachable:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        return [{"EventSourceMappings": self.mappings}]


class CloudWatch:
    """Takes every metric."""

    def put_metric_data(self, **_: object) -> None:
        return None


def until(condition: Callable[[], bool], step: Callable[[], object] = lambda: None) -> None:
    """Repeat ``step`` until the condition holds."""
    ends = time.monotonic() + DEADLINE_SECONDS
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
def clients(kinesis, function) -> MappingClients:
    return MappingClients(kinesis=kinesis, lambda_=function, s3=None, sqs=None, sns=None, cloudwatch=CloudWatch())


@pytest.fixture
def runner(clients, tmp_path, make_settings):
    made = MappingRunner(clients, tmp_path, make_settings(), IteratorAge(clients.cloudwatch))
    yield made
    made.stop()
    made.join(time.monotonic() + DEADLINE_SECONDS)


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
    # Kinesis' times are milliseconds: within one, before and after look the same.
    kinesis.shards[FIRST]["records"][0]["ApproximateArrivalTimestamp"] -= timedelta(seconds=1)
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
    killed = MappingRunner(clients, tmp_path, settings, IteratorAge(clients.cloudwatch))
    killed.refresh(settings)
    killed.stop()
    killed.join(time.monotonic() + DEADLINE_SECONDS)
    kinesis.put(FIRST, "while the driver was down")
    restarted = MappingRunner(clients, tmp_path, settings, IteratorAge(clients.cloudwatch))
    try:
        until(lambda: function.got == [FIRST], lambda: restarted.refresh(settings))
    finally:
        restarted.stop()
        restarted.join(time.monotonic() + DEADLINE_SECONDS)


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
    assert "no longer exists" in caplog.text


def test_a_stream_that_is_deleted_and_created_again_starts_afresh(runner, kinesis, function, make_settings):
    kinesis.put(FIRST, "a", "b", "c")
    until(lambda: len(function.got) == 3, lambda: runner.refresh(make_settings()))
    kinesis.exists = False
    runner.refresh(make_settings())
    kinesis.shards[FIRST]["records"].clear()
    kinesis.put(FIRST, "d")
    kinesis.created, kinesis.exists = 2.0, True
    until(lambda: len(function.got) == 4, lambda: runner.refresh(make_settings()))


# Two partition keys in different lanes of two, and of three.
KEY, OTHER_KEY = "a", "truck-1"


def refuse(key: str) -> Callable[[set[str]], None]:
    def meet(keys: set[str]) -> None:
        if key in keys:
            raise ValueError(key)

    return meet


def test_batches_of_one_shard_run_side_by_side_and_each_keys_order_is_kept(runner, kinesis, function, make_settings):
    settings = make_settings(ParallelizationFactor=2, BatchSize=3)
    for n in range(20):
        kinesis.put(FIRST, str(n), key=KEY)
        kinesis.put(FIRST, str(n), key=OTHER_KEY)
    inside: list[set[str]] = []
    together = threading.Event()

    def meet(keys: set[str]) -> None:
        inside.append(keys)
        if len(inside) == 2:
            together.set()
        assert together.wait(DEADLINE_SECONDS), "the other lane's batch was not begun while this one runs"

    function.meet = meet
    until(lambda: len(function.texts) == 40, lambda: runner.refresh(settings))
    for key in (KEY, OTHER_KEY):
        assert [text for k, text in function.texts if k == key] == [str(n) for n in range(20)]


def test_a_key_that_fails_holds_up_its_lane_only_and_a_restart_repeats_only_it(
    clients, tmp_path, kinesis, function, make_settings
):
    settings = make_settings(ParallelizationFactor=2)
    kinesis.put(FIRST, "poison", key=KEY)
    kinesis.put(FIRST, "1", "2", "3", key=OTHER_KEY)
    function.meet = refuse(KEY)
    killed = MappingRunner(clients, tmp_path, settings, IteratorAge(clients.cloudwatch))
    until(lambda: len(function.texts) == 3, lambda: killed.refresh(settings))
    (status,) = read_status(tmp_path)
    assert status.shards[FIRST].position.after_sequence_number is None
    killed.stop()
    killed.join(time.monotonic() + DEADLINE_SECONDS)
    function.meet = lambda _: None
    kinesis.put(FIRST, "4", key=OTHER_KEY)
    restarted = MappingRunner(clients, tmp_path, settings, IteratorAge(clients.cloudwatch))
    try:
        until(lambda: len(function.texts) == 5, lambda: restarted.refresh(settings))
    finally:
        restarted.stop()
        restarted.join(time.monotonic() + DEADLINE_SECONDS)
    assert [text for key, text in function.texts if key == OTHER_KEY] == ["1", "2", "3", "4"]
    (status,) = read_status(tmp_path)
    assert status.shards[FIRST].position.after_sequence_number == "1004"


def test_a_changed_factor_waits_for_batches_in_flight_and_keeps_each_keys_order(
    runner, kinesis, function, make_settings
):
    held, entered = threading.Event(), threading.Event()

    def hold(_: set[str]) -> None:
        entered.set()
        held.wait(DEADLINE_SECONDS)

    function.meet = hold
    texts = [str(n) for n in range(12)]
    for text in texts:
        kinesis.put(FIRST, text, key=KEY)
        kinesis.put(FIRST, text, key=OTHER_KEY)
    settings = make_settings(BatchSize=2)
    until(entered.is_set, lambda: runner.refresh(settings))
    runner.refresh(make_settings(BatchSize=2, ParallelizationFactor=3))
    held.set()
    until(lambda: len(function.texts) == 24)
    for key in (KEY, OTHER_KEY):
        assert [text for k, text in function.texts if k == key] == texts


def test_records_that_a_filter_drops_are_never_seen_and_not_waited_for(
    runner, kinesis, function, make_settings, tmp_path
):
    pattern = {"Pattern": json.dumps({"data": {"kind": ["click"]}})}
    settings = make_settings(FilterCriteria={"Filters": [pattern]})
    kinesis.put(FIRST, '{"kind": "click"}', '{"kind": "other"}', "not JSON", '{"kind": "click"}', '{"kind": "other"}')
    until(lambda: len(function.texts) == 2, lambda: runner.refresh(settings))
    until(lambda: all(status.caught_up(1.0) for status in read_status(tmp_path)))
    assert {text for _, text in function.texts} == {'{"kind": "click"}'}
    (status,) = read_status(tmp_path)
    assert status.shards[FIRST].position.after_sequence_number == "1004"


def test_a_destination_that_fails_is_tried_until_it_takes_the_records(
    clients, tmp_path, kinesis, function, make_settings
):
    kept: list[str] = []
    attempts = iter(range(100))

    def put_object(**request: object) -> None:
        if next(attempts) < 2:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        kept.append(json.loads(request["Body"])["KinesisBatchInfo"]["startSequenceNumber"])

    failing = dataclasses.replace(clients, s3=SimpleNamespace(put_object=put_object))
    destination = {"OnFailure": {"Destination": "arn:aws:s3:::abandoned"}}
    settings = make_settings(MaximumRetryAttempts=0, DestinationConfig=destination)
    kinesis.put(FIRST, "poison", key=KEY)
    function.meet = refuse(KEY)
    runner = MappingRunner(failing, tmp_path, settings, IteratorAge(clients.cloudwatch))
    try:
        until(lambda: bool(kept), lambda: runner.refresh(settings))
        kinesis.put(FIRST, "next", key=OTHER_KEY)
        until(lambda: function.texts == [(OTHER_KEY, "next")])
    finally:
        runner.stop()
        runner.join(time.monotonic() + DEADLINE_SECONDS)
    assert kept == ["1000"]


def test_a_checkpoint_that_can_not_be_written_is_logged_and_the_batch_comes_again(
    runner, kinesis, function, make_settings, monkeypatch, caplog
):
    monkeypatch.setattr("include.local.aws.event_source_mapping.shard_worker.RESTART_PAUSE", 0.05)
    acknowledge, failures = MappingCheckpoints.acknowledge, iter(range(100))

    def full_at_first(checkpoints: MappingCheckpoints, *given: object) -> None:
        if next(failures) < 2:
            raise OSError(28, "No space left on device")
        acknowledge(checkpoints, *given)

    monkeypatch.setattr(MappingCheckpoints, "acknowledge", full_at_first)
    settings = make_settings(ParallelizationFactor=2)
    kinesis.put(FIRST, "1", key=KEY)
    kinesis.put(FIRST, "2", key=OTHER_KEY)
    until(lambda: len(function.texts) >= 4, lambda: runner.refresh(settings))
    assert set(function.texts) == {(KEY, "1"), (OTHER_KEY, "2")}
    assert "No space left on device" in caplog.text


def test_reading_stops_while_too_much_waits_for_the_function(runner, kinesis, function, make_settings, monkeypatch):
    monkeypatch.setattr("include.local.aws.event_source_mapping.shard_worker.READ_AHEAD_RECORDS", 6)
    reads = []
    get_records = kinesis.get_records
    kinesis.get_records = lambda **request: reads.append(1) or get_records(**request)
    kinesis.put(FIRST, *[str(n) for n in range(50)])
    function.healthy.clear()
    until(lambda: len(reads) == 3, lambda: runner.refresh(make_settings(BatchSize=2)))
    attempts = function.attempts
    until(lambda: function.attempts >= attempts + 3)
    assert len(reads) == 3
    function.healthy.set()
    until(lambda: len(function.texts) == 50)


@pytest.fixture
def running(clients, tmp_path):
    driver = MappingDriver(clients, tmp_path)
    thread = threading.Thread(target=driver.run)
    thread.start()
    yield driver
    driver.stop()
    thread.join(DEADLINE_SECONDS)
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


def test_an_unreachable_account_is_waited_for_and_logged_once(running, kinesis, function, caplog):
    function.reachable = False
    until(lambda: "retrying" in caplog.text)
    kinesis.put(FIRST, "a")
    function.mappings = [mapping()]
    function.reachable = True
    until(lambda: function.got == [FIRST])
    assert caplog.text.count("retrying") == 1
    assert "Traceback" not in caplog.text


def test_a_mapping_that_can_not_be_applied_is_refused_and_logged_once(running, function, kinesis, caplog):
    kinesis.put(FIRST, "a")
    function.mappings = [mapping(UUID="tumbling", TumblingWindowInSeconds=30), mapping()]
    until(lambda: function.got == [FIRST])
    assert caplog.text.count("tumbling sets TumblingWindowInSeconds") == 1


def test_a_mapping_that_the_emulator_delivers_too_is_warned_about_once(running, function, kinesis, tmp_path, caplog):
    # CloudFormation on MiniStack leaves a disabled mapping in the State "Enabled".
    function.mappings = [mapping(State="Enabled", LastProcessingResult="No records processed")]
    until(lambda: bool(read_status(tmp_path)))
    assert "arrives twice" not in caplog.text
    function.mappings = [mapping(State="Enabled", LastProcessingResult="OK - 3 records")]
    until(lambda: "arrives twice" in caplog.text)
    kinesis.put(FIRST, "a")
    until(lambda: function.got == [FIRST])
    assert caplog.text.count("arrives twice") == 1
