"""Rebuild with fake functions; tests/integration/rebuild has the real ones."""

import gzip
import io
import json
import tempfile
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import msgspec
import pytest
from moto import mock_aws

from include import archive, names
from include.archive import ArchiveError
from include.archive.archive_objects import hour_of
from include.aws_clients import ReprocessingClients
from include.contracts.archive import ArchivedRecord, encode_line
from include.contracts.probe import PARTITION_KEY, payload
from include.contracts.times import to_canonical
from include.rebuild import RebuildError, RebuildPlan, RebuildProgress
from include.rebuild import rebuild as rebuild_streams
from include.rebuild.__main__ import main
from include.rebuild.sorted_records import SortedRecords
from include.stream_functions import FunctionError
from lambdas.common.batch import records as records_of
from tests.fixtures.aggregates import aggregate

pytestmark = pytest.mark.unit

BUCKET = "telemetry-of-a-test"
# moto stores every object as of now.
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = NOW.replace(minute=0, second=0)


def record(number: int, *, shard: int = 0, arrival: datetime = HOUR, data: bytes = b"x", key: str = "key"):
    who = (names.TRUCK_STREAM, f"shardId-{shard:012}", str(number), to_canonical(arrival), key)
    return ArchivedRecord(*who, b64encode(data).decode())


class Functions:
    """Replaces Lambda: records its events; returns ``answers`` first, then success."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, int]]] = []
        self.events: list[dict] = []
        self.answers: list[dict] = []

    def invoke(self, FunctionName: str, Payload: bytes) -> dict:
        assert FunctionName == names.TRUCK_FUNCTION
        event = json.loads(Payload)
        self.events.append(event)
        if self.answers:
            return self.answers.pop(0)
        envelopes = [each.envelope for each in records_of(event)]
        self.batches.append([(each.shard_id[-1], int(each.sequence_number)) for each in envelopes])
        return answer({"batchItemFailures": []})


def answer(body: object, **more: str) -> dict:
    return {"Payload": io.BytesIO(json.dumps(body).encode()), **more}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with mock_aws():
        client = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        client.create_bucket(Bucket=BUCKET)
        yield client


def store(s3, name: str, *records: ArchivedRecord, hour: datetime = HOUR) -> None:
    body = gzip.compress(b"".join(map(encode_line, records)))
    s3.put_object(Bucket=BUCKET, Key=f"{names.ARCHIVE_PREFIX}{names.TRUCK_STREAM}/{hour:%Y/%m/%d/%H}/{name}", Body=body)


def rebuild(s3, functions: Functions, progress: RebuildProgress | None = None, *, bucket: str = BUCKET, **plan):
    chosen = RebuildPlan(streams=(names.TRUCK_STREAM,), **plan)
    return rebuild_streams(ReprocessingClients(s3, functions), bucket, chosen, progress=progress)[names.TRUCK_STREAM]


def test_each_shard_is_processed_in_order_and_each_record_once_however_the_objects_are_cut(s3):
    store(s3, "b", record(9), record(2, shard=1), record(10))
    store(s3, "a", record(100), record(9), record(1, shard=1))
    functions = Functions()
    done = rebuild(s3, functions)
    assert sorted(functions.batches) == [[("0", 9), ("0", 10), ("0", 100)], [("1", 1), ("1", 2)]]
    assert (done.archived, done.duplicates, done.processed, done.batches) == (6, 1, 5, 2)


def test_the_function_receives_the_record_as_it_did_the_first_time(s3):
    arrival = HOUR + timedelta(milliseconds=123)
    sent = record(7, arrival=arrival, data=b"\xff\x00", key="naïve")
    store(s3, "a", sent)
    functions = Functions()
    rebuild(s3, functions)
    (seen,) = records_of(functions.events[0])
    assert (seen.envelope, seen.payload, seen.arrival) == (sent.envelope, b"\xff\x00", arrival)


def test_an_object_that_reaches_into_the_next_hour_has_records_of_both(s3):
    before = HOUR - timedelta(hours=1)
    store(s3, "a", record(1, arrival=HOUR - timedelta(seconds=1)), record(2, arrival=HOUR), hour=before)
    functions = Functions()
    assert rebuild(s3, functions).hours == 2
    assert functions.batches == [[("0", 1)], [("0", 2)]]
    functions = Functions()
    rebuild(s3, functions, since=HOUR)
    assert functions.batches == [[("0", 2)]]
    functions = Functions()
    rebuild(s3, functions, until=HOUR)
    assert functions.batches == [[("0", 1)]]


HOURS = 60


@pytest.fixture
def hours_of_archive(s3) -> datetime:
    """The first of sixty hours, ten days ago; each has an object with its last record, the next hour's first record
    twice, and a record of five hours later.

    moto stores them now, as an erasure does that rewrites them all.
    """
    first = HOUR - timedelta(days=10)
    for number in range(HOURS):
        hour = first + number * timedelta(hours=1)
        last, early, late = (
            record(3 * number + place, arrival=hour + timedelta(minutes=minutes))
            for place, minutes in ((0, 59), (1, 61), (2, 5 * 60))
        )
        store(s3, "a", last, early, early, late, hour=hour)
    return first


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Key -> how often it was read."""
    counts: Counter[str] = Counter()
    read = archive.read

    def counted(client, bucket: str, key: str):
        counts[key] += 1
        return read(client, bucket, key)

    monkeypatch.setattr(archive, "read", counted)
    return counts


def as_firehose_stored_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each object of ``hours_of_archive`` the time at which Firehose stored it, at the earliest."""
    listed = archive.objects

    def objects(*arguments):
        for each in listed(*arguments):
            yield each._replace(modified=hour_of(each.key) + timedelta(hours=5, minutes=1))

    monkeypatch.setattr(archive, "objects", objects)


def test_after_an_erasure_each_object_is_read_once_and_the_result_is_the_same(s3, hours_of_archive, reads, monkeypatch):
    erased, untouched = Functions(), Functions()
    after_erasure = rebuild(s3, erased)
    assert set(reads.values()) == {1}
    assert len(reads) == HOURS

    reads.clear()
    as_firehose_stored_them(monkeypatch)
    without = rebuild(s3, untouched)

    assert set(reads.values()) == {1}
    assert erased.batches == untouched.batches
    assert after_erasure == without
    assert (without.hours, without.processed, without.duplicates) == (HOURS + 5, 3 * HOURS, HOURS)
    assert sorted(number for batch in erased.batches for _, number in batch) == list(range(3 * HOURS))


@pytest.mark.parametrize(("is_erased", "read_again"), [(True, 25), (False, 5)])
def test_a_rebuild_that_goes_on_reads_only_what_can_reach_into_its_hours(
    s3, hours_of_archive, reads, monkeypatch, tmp_path: Path, is_erased, read_again
):
    if not is_erased:
        as_firehose_stored_them(monkeypatch)
    progress = tmp_path / "progress"
    begin = hours_of_archive + timedelta(hours=30)
    rebuild(s3, Functions(), RebuildProgress(progress), until=begin)
    reads.clear()
    functions = Functions()

    done = rebuild(s3, functions, RebuildProgress(progress))

    assert done.skipped_hours == 30
    # Hour 30's objects and those behind them, and those before that may have records of it.
    assert (len(reads), set(reads.values())) == (HOURS - 30 + read_again, {1})
    assert sorted(number for batch in functions.batches for _, number in batch) == sorted(
        3 * number + place
        for number in range(HOURS)
        for place, hours in ((0, 0), (1, 1), (2, 5))
        if number + hours >= 30
    )


def test_temporary_files_are_those_of_the_hours_that_are_read_and_not_rebuilt_yet(
    s3, hours_of_archive, monkeypatch, tmp_path: Path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept: list[int] = []
    process = Functions.invoke

    def invoke(self, FunctionName: str, Payload: bytes) -> dict:
        (directory,) = tmp_path.glob("rebuild-*")
        kept.append(len(list(directory.iterdir())))
        return process(self, FunctionName, Payload)

    monkeypatch.setattr(Functions, "invoke", invoke)
    rebuild(s3, Functions())
    # This hour, the next one, and the late records of four more.
    assert max(kept) == 6


def test_a_batch_has_at_most_500_records(s3):
    store(s3, "a", *(record(number) for number in range(1201)))
    functions = Functions()
    rebuild(s3, functions)
    assert [len(batch) for batch in functions.batches] == [500, 500, 201]


def test_a_probe_is_left_out(s3):
    store(s3, "a", record(1), record(2, data=payload("a test"), key=PARTITION_KEY))
    functions = Functions()
    assert rebuild(s3, functions).probes == 1
    assert functions.batches == [[("0", 1)]]


def test_a_batch_that_the_stores_refuse_or_that_makes_the_function_raise_is_tried_again(s3):
    store(s3, "a", record(1))
    functions = Functions()
    functions.answers = [
        answer({"batchItemFailures": [{"itemIdentifier": "1"}]}),
        answer({"errorMessage": "out of time"}, FunctionError="Unhandled"),
    ]
    rebuild(s3, functions)
    assert len(functions.events) == 3
    assert functions.batches == [[("0", 1)]]


def test_a_batch_that_is_always_refused_is_named_and_its_hour_is_not_finished(s3, tmp_path: Path):
    store(s3, "a", record(1), record(2))
    functions = Functions()
    functions.answers = [answer({"batchItemFailures": [{"itemIdentifier": "1"}]}) for _ in range(6)]
    with pytest.raises(RebuildError, match=r"shardId-000000000000, 1 .* to 2: .* stores did not accept"):
        rebuild(s3, functions, RebuildProgress(tmp_path / "progress"))
    assert rebuild(s3, functions, RebuildProgress(tmp_path / "progress")).processed == 2


def test_a_function_that_reports_nothing_is_not_taken_for_success(s3):
    store(s3, "a", record(1))
    functions = Functions()
    functions.answers = [answer(None)]
    with pytest.raises(FunctionError, match="not a report"):
        rebuild(s3, functions)


def test_a_finished_hour_is_skipped_until_the_archive_has_more_of_it(s3, tmp_path: Path):
    store(s3, "a", record(1))
    functions = Functions()
    progress = tmp_path / "progress"
    assert rebuild(s3, functions, RebuildProgress(progress)).hours == 1
    done = rebuild(s3, functions, RebuildProgress(progress))
    assert (done.hours, done.processed, len(functions.batches)) == (0, 0, 1)
    assert done.skipped_hours >= 1
    store(s3, "b", record(2))
    assert rebuild(s3, functions, RebuildProgress(progress)).processed == 2


def test_the_same_archive_in_another_bucket_is_rebuilt_with_the_same_progress_file(s3, tmp_path: Path):
    hour = HOUR - timedelta(hours=2)
    store(s3, "a", record(1, arrival=hour), hour=hour)
    progress = tmp_path / "progress"
    rebuild(s3, Functions(), RebuildProgress(progress))
    s3.create_bucket(Bucket="another")
    for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        s3.copy_object(Bucket="another", Key=entry["Key"], CopySource={"Bucket": BUCKET, "Key": entry["Key"]})
    functions = Functions()
    assert rebuild(s3, functions, RebuildProgress(progress), bucket="another").skipped_hours == 0
    assert functions.batches == [[("0", 1)]]
    assert rebuild(s3, functions, RebuildProgress(progress)).processed == 0


def test_the_command_says_how_many_hours_it_skipped_because_of_which_file(s3, tmp_path: Path, monkeypatch, capsys):
    store(s3, "a", record(1))
    clients = ReprocessingClients(s3, Functions())
    monkeypatch.setattr("include.rebuild.__main__.reprocessing_clients", lambda connections: clients)
    progress = tmp_path / "rebuild.json"
    arguments = ["--bucket", BUCKET, "--stream", names.TRUCK_STREAM, "--progress", str(progress)]
    assert main(arguments) == 0
    assert "skipped" not in capsys.readouterr().out
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "TruckTelemetry: 0 records processed" in printed
    assert f" hours skipped: {progress} says that they are finished" in printed


def test_a_part_of_an_hour_that_is_finished_does_not_stand_for_the_hour(s3, tmp_path: Path):
    # The hour before: an object has only records from before it was stored, and moto stores it now.
    begin, half = HOUR - timedelta(minutes=60), HOUR - timedelta(minutes=30)
    store(s3, "a", record(1, arrival=begin), record(2, arrival=half), hour=begin)
    functions = Functions()
    progress = tmp_path / "progress"
    assert rebuild(s3, functions, RebuildProgress(progress), until=half).processed == 1
    assert rebuild(s3, functions, RebuildProgress(progress)).processed == 2


def test_a_damaged_object_is_named(s3):
    key = f"{names.ARCHIVE_PREFIX}{names.TRUCK_STREAM}/{HOUR:%Y/%m/%d/%H}/damaged"
    s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(b"x" * 1000)[:20])
    with pytest.raises(ArchiveError, match="damaged"):
        rebuild(s3, Functions())


def test_a_progress_file_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "progress").write_text("[1]")
    with pytest.raises(RebuildError, match="no progress file"):
        RebuildProgress(tmp_path / "progress")


def test_sequence_numbers_are_ordered_as_numbers(tmp_path: Path):
    records = SortedRecords(tmp_path / "records")
    assert records.add([record(10), record(9), record(10)]) == (3, 2)
    batch = records.of_shard("shardId-000000000000")
    assert [each.sequence_number for each in batch] == ["9", "10"]


def test_records_of_an_aggregate_are_kept_apart_and_in_order(tmp_path):
    records = SortedRecords(tmp_path / "records")
    sent = [msgspec.structs.replace(record(9), sub_sequence_number=number) for number in (10, 0, 2, 10)]
    assert records.add(sent) == (4, 3)
    assert [each.envelope.number for each in records.of_shard("shardId-000000000000")] == ["9", "9.2", "9.10"]


def test_what_was_archived_is_not_taken_apart_again(s3):
    """A record that begins as an aggregate was broken, or within another one, when Firehose passed it on."""
    inner = aggregate([b"{}", b"{}"])
    store(s3, "a", msgspec.structs.replace(record(9, data=inner), sub_sequence_number=3))
    functions = Functions()
    rebuild(s3, functions)
    (seen,) = records_of(functions.events[0])
    assert (seen.envelope.number, seen.payload) == ("9.3", inner)
