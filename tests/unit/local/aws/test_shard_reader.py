import contextlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from include.local.aws.shard_reader import KinesisStream, Position, ShardGoneError, ShardReader, list_shards

pytestmark = pytest.mark.unit

SHARD = "shardId-000000000000"
EPOCH = datetime(2026, 11, 22, tzinfo=UTC)
DAY = 86400.0


class ExpiredError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ExpiredIteratorException", "Message": "expired"}}, "GetRecords")


class NotFoundError(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "GetRecords")


class CountingKinesis:
    """One shard whose iterators count from its oldest record, as MiniStack's: expiry shifts them."""

    exceptions = SimpleNamespace(ResourceNotFoundException=NotFoundError, ExpiredIteratorException=ExpiredError)

    def __init__(self) -> None:
        self.records: list[dict] = []
        self.fail_next: Exception | None = None
        self.keeps: int | None = None  # The oldest record beyond so many expires with each read.
        self.iterators_asked = 0

    def put(self, number: int, arrival: datetime) -> None:
        record = {
            "SequenceNumber": str(number),
            "PartitionKey": "k",
            "Data": b"x",
            "ApproximateArrivalTimestamp": arrival,
        }
        self.records.append(record)

    def get_shard_iterator(self, **request: object) -> dict:
        self.iterators_asked += 1
        match request["ShardIteratorType"]:
            case "TRIM_HORIZON":
                index = 0
            case "AFTER_SEQUENCE_NUMBER":
                last = int(request["StartingSequenceNumber"])
                index = sum(int(record["SequenceNumber"]) <= last for record in self.records)
            case "AT_TIMESTAMP":
                # As boto3 sends it: in whole seconds, rounded.
                second = round(request["Timestamp"].timestamp())
                index = sum(record["ApproximateArrivalTimestamp"].timestamp() < second for record in self.records)
        return {"ShardIterator": str(index)}

    def get_records(self, **request: object) -> dict:
        if self.fail_next:
            error, self.fail_next = self.fail_next, None
            raise error
        if self.keeps is not None and len(self.records) > self.keeps:
            del self.records[0]
        index = min(int(request["ShardIterator"]), len(self.records))
        return {"Records": self.records[index:], "NextShardIterator": str(len(self.records)), "MillisBehindLatest": 0}


@pytest.fixture
def kinesis() -> CountingKinesis:
    return CountingKinesis()


def read(reader: ShardReader) -> list[int]:
    return [int(record.sequence_number) for record in reader.read()]


def test_reads_each_record_once_with_one_iterator(kinesis):
    reader = ShardReader(kinesis, KinesisStream("arn", 0.0, 1e12), SHARD, Position())
    for number in range(3):
        kinesis.put(number, EPOCH)
        assert read(reader) == [number]
    assert read(reader) == []
    assert kinesis.iterators_asked == 1


def test_starts_after_a_checkpoint(kinesis):
    for number in range(5):
        kinesis.put(number, EPOCH)
    assert read(ShardReader(kinesis, KinesisStream("arn", 0.0, 1e12), SHARD, Position(after_sequence_number="2"))) == [
        3,
        4,
    ]


@pytest.mark.parametrize("within_the_second", [0.2, 0.4996, 0.8])
def test_starts_at_a_time_to_the_millisecond_although_boto3_sends_seconds(kinesis, within_the_second):
    start = EPOCH.timestamp() + within_the_second
    for number, after in enumerate((-0.15, -0.001, 0.0, 0.15)):
        moment = datetime.fromtimestamp(int((start + after) * 1000) / 1000, UTC)
        kinesis.put(number, moment)
    assert read(ShardReader(kinesis, KinesisStream("arn", 0.0, 1e12), SHARD, Position(at_timestamp=start))) == [2, 3]


@pytest.mark.parametrize("error", [ExpiredError(), ConnectionError("reset")])
def test_a_failed_read_continues_where_it_began(kinesis, error):
    reader = ShardReader(kinesis, KinesisStream("arn", 0.0, 1e12), SHARD, Position())
    kinesis.put(1, EPOCH)
    assert read(reader) == [1]
    kinesis.put(2, EPOCH)
    kinesis.fail_next = error
    with contextlib.suppress(ConnectionError):
        assert read(reader) == []
    assert read(reader) == [2]


@pytest.mark.parametrize("error", [ExpiredError(), ConnectionError("reset")])
def test_a_read_that_failed_was_not_at_the_tip(kinesis, error):
    reader = ShardReader(kinesis, KinesisStream("arn", 0.0, DAY), SHARD, Position(), clock=lambda: 100.0)
    assert reader.tip_read_at is None
    reader.read()
    assert reader.tip_read_at == 100.0
    kinesis.fail_next = error
    with contextlib.suppress(ConnectionError):
        reader.read()
    assert reader.tip_read_at is None


def test_an_iterator_is_renewed_before_it_expires(kinesis):
    now = [0.0]
    reader = ShardReader(kinesis, KinesisStream("arn", 0.0, 1e12), SHARD, Position(), clock=lambda: now[0])
    kinesis.put(1, EPOCH)
    assert read(reader) == [1]
    now[0] = 299.0
    kinesis.put(2, EPOCH)
    assert read(reader) == [2]
    assert kinesis.iterators_asked == 2


def test_nothing_is_skipped_while_old_records_expire(kinesis):
    now = EPOCH.timestamp() + DAY
    reader = ShardReader(kinesis, KinesisStream("arn", EPOCH.timestamp(), DAY), SHARD, Position(), clock=lambda: now)
    kinesis.keeps = 5
    got: list[int] = []
    for number in range(50):
        kinesis.put(number, EPOCH + timedelta(days=1, seconds=number / 10))
        got += read(reader)
    assert got == [*range(50)]


def test_a_shard_that_is_gone_is_an_error_of_its_own(kinesis):
    reader = ShardReader(kinesis, KinesisStream("arn", 0.0, 1e12), SHARD, Position())
    kinesis.fail_next = NotFoundError()
    with pytest.raises(ShardGoneError, match=SHARD):
        reader.read()


def test_all_pages_of_shards_are_listed():
    class Paged:
        def list_shards(self, **request: object) -> dict:
            if "NextToken" in request:
                assert "StreamARN" not in request
                return {"Shards": [{"ShardId": "b", "ParentShardId": "a", "AdjacentParentShardId": "z"}]}
            return {"Shards": [{"ShardId": "a"}], "NextToken": "more"}

        exceptions = CountingKinesis.exceptions

    shards = list_shards(Paged(), "arn")
    assert [(shard.shard_id, shard.parents) for shard in shards] == [("a", ()), ("b", ("a", "z"))]
