"""ProbeArchiveOperator, with a simulated Firehose and simulated functions."""

import gzip
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from clicks_to_deliveries.operators import probe_archive
from clicks_to_deliveries.operators.probe_archive import ProbeArchiveOperator
from moto import mock_aws

from include import names
from include.contracts import ContractError, decode_click, decode_reading
from include.contracts.archive import ArchivedRecord, encode_line
from include.contracts.probe import is_probe
from include.contracts.quarantine import Quarantined, encode, object_key
from include.contracts.times import to_canonical

pytestmark = pytest.mark.unit

BUCKET = "telemetry-of-a-test"
STREAMS = (names.CLICK_STREAM, names.TRUCK_STREAM)


class World:
    """moto's streams and bucket; ``archives_from`` and ``quarantines`` say which consumers run."""

    def __init__(self) -> None:
        self.kinesis, self.s3 = boto3.client("kinesis"), boto3.client("s3")
        self.s3.create_bucket(Bucket=BUCKET)
        for stream in STREAMS:
            self.kinesis.create_stream(StreamName=stream, ShardCount=2)
        self.now = 0.0
        self.quarantines = True
        # When Firehose begins to read a shard of a stream.
        self.archives_from: Callable[[str, str], float] = lambda stream, shard: 0.0
        self._seen: set[tuple[str, str, str]] = set()

    def sleep(self, seconds: float) -> None:
        """Let time pass, and deliver what was sent."""
        self.now += seconds
        for record in self.new_records():
            if self.now >= self.archives_from(record.stream, record.shard_id):
                hour = f"{names.ARCHIVE_PREFIX}{record.stream}/{datetime.now(UTC):%Y/%m/%d/%H}/"
                key = f"{hour}{record.shard_id}-{record.sequence_number}"
                self.s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(encode_line(record)))
            if self.quarantines:
                held = Quarantined(
                    reason="missing",
                    field="Item_ID",
                    value=None,
                    rule="required",
                    envelope=record.envelope,
                    payload=record.payload,
                    function="function",
                )
                key = object_key(names.QUARANTINE_PREFIX, record.envelope)
                self.s3.put_object(Bucket=BUCKET, Key=key, Body=encode(held))

    def new_records(self) -> list[ArchivedRecord]:
        records = []
        for stream in STREAMS:
            for shard in self.kinesis.list_shards(StreamName=stream)["Shards"]:
                start = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
                iterator = self.kinesis.get_shard_iterator(**start)["ShardIterator"]
                for record in self.kinesis.get_records(ShardIterator=iterator)["Records"]:
                    # moto numbers the records of each shard separately.
                    position = (stream, shard["ShardId"], record["SequenceNumber"])
                    if position not in self._seen:
                        self._seen.add(position)
                        arrival = to_canonical(record["ApproximateArrivalTimestamp"])
                        payload = b64encode(record["Data"]).decode()
                        records.append(ArchivedRecord(*position, arrival, record["PartitionKey"], payload))
        return records

    def keys(self, prefix: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", [])]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name, value in {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AIRFLOW_CONN_AWS_DEPLOYER": '{"conn_type": "aws", "extra": {"region_name": "us-east-1"}}',
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        world = World()
        monkeypatch.setattr(probe_archive.time, "sleep", world.sleep)
        monkeypatch.setattr(probe_archive.time, "monotonic", lambda: world.now)
        yield world


def probe() -> None:
    ProbeArchiveOperator(task_id="probe_archive", bucket=BUCKET, patience=timedelta(seconds=1)).execute({})


def test_one_probe_per_shard_is_archived_and_moved_out_of_quarantine(world):
    probe()
    assert len(world.keys(names.ARCHIVE_PREFIX)) == 4
    assert world.keys(names.QUARANTINE_PREFIX) == []
    assert len(world.keys(names.RESOLVED_PREFIX)) == 4


def test_a_shard_that_firehose_begins_to_read_later_gets_another_probe_and_the_missed_one_is_in_no_store(world):
    late = (names.TRUCK_STREAM, "shardId-000000000001")
    world.archives_from = lambda *shard: 1.7 if shard == late else 0.0
    probe()
    archived = {key.removeprefix(names.ARCHIVE_PREFIX) for key in world.keys(names.ARCHIVE_PREFIX)}
    resolved = {
        key.removeprefix(names.RESOLVED_PREFIX).removesuffix(".json") for key in world.keys(names.RESOLVED_PREFIX)
    }
    # A second probe goes to both shards of the stream.
    assert len(archived) == 5
    assert resolved == archived
    assert world.keys(names.QUARANTINE_PREFIX) == []


def test_a_stream_that_is_never_archived_is_named_and_its_probes_are_removed(world):
    world.archives_from = lambda stream, shard: 0.0 if stream == names.CLICK_STREAM else 1e9
    with pytest.raises(RuntimeError, match=f"no probe of {names.TRUCK_STREAM} reached"):
        probe()
    assert world.keys(names.QUARANTINE_PREFIX) == []
    assert len(world.keys(names.RESOLVED_PREFIX)) == 2


def test_a_function_that_is_not_invoked_is_named(world):
    world.quarantines = False
    with pytest.raises(RuntimeError, match="is its event source mapping enabled"):
        probe()


def test_a_probe_is_no_click_no_reading_and_known_by_nothing_else():
    payload = b'{"pipeline_probe":"5f6c7f5e-0000-0000-0000-000000000000"}'
    now = datetime.now(UTC)
    for decode in (decode_click, decode_reading):
        with pytest.raises(ContractError) as refused:
            decode(payload, now=now)
        assert refused.value.reason == "missing"
    assert is_probe(payload)
    for other in (b"", b"{}", b"\xff", b'{"pipeline_probe": 1}', b'{"pipeline_probe": "x", "truck_id": "TRK001"}'):
        assert not is_probe(other)
