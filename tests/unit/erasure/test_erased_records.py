"""Erasing a truck from the bucket and the table of states: what goes, what stays, and how both are counted."""

import gzip
import io
import json
import sys
from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

import pytest

from include import names
from include.contracts.archive import decode_line
from include.erasure import erasure_report, formats
from include.erasure.attribution import attribution
from include.s3_objects import UnreadableObjectError
from lambdas.common.batch import records
from tests.fixtures.aggregates import aggregate
from tests.fixtures.erasure_stores import ENDED, NOBODYS, OURS, REWRITTEN, THEIRS, Watched, fill

pytestmark = pytest.mark.unit


def test_nothing_of_the_truck_is_left_and_everything_of_others(cloud):
    keys = fill(cloud)
    before = {name: cloud.body(key) for name, key in keys.items()}
    summary = cloud.erase()

    assert cloud.keys() == {key for name, key in keys.items() if name not in ENDED}
    assert cloud.states() == {"TRK002"}
    for name in keys.keys() - ENDED - REWRITTEN:
        assert cloud.body(keys[name]) == before[name], name
    kept = [line for line in gzip.decompress(before["landed_both"]).splitlines() if b"TRK001" not in line]
    assert cloud.lines(keys["landed_both"]) == kept
    records = [decode_line(line) for line in cloud.lines(keys["archive_both"])]
    assert [record.payload for record in records] == [THEIRS, NOBODYS]
    # The lines of others, byte for byte: the first and the last of the four.
    assert cloud.lines(keys["archive_both"]) == gzip.decompress(before["archive_both"]).splitlines()[::3]
    (batch,) = json.loads(cloud.body(keys["abandoned_both"]))["payload"]["Records"]
    assert batch == json.loads(before["abandoned_both"])["payload"]["Records"][1]
    assert cloud.body(keys["errors_both"]) == before["errors_both"].splitlines(keepends=True)[1]
    assert cloud.lines(keys["errors_gzipped"]) == gzip.decompress(before["errors_gzipped"]).splitlines()[:1]

    assert summary.is_clean
    assert not summary.failed
    assert {prefix: store.records for prefix, store in summary.stores.items()} == {
        "aws/lambda/": 3,
        "quarantine/ClickDataStream/": 2,
        "quarantine/TruckTelemetry/": 1,
        "quarantine-resolved/ClickDataStream/": 1,
        "quarantine-resolved/TruckTelemetry/": 1,
        "raw-archive/ClickDataStream/": 1,
        "raw-archive/TruckTelemetry/": 4,
        "raw-archive-errors/ClickDataStream/": 1,
        "raw-archive-errors/TruckTelemetry/": 2,
        "telemetry-data/": 3,
    }
    assert sum(store.unattributable for store in summary.stores.values()) == 2
    assert sum(store.rewritten for store in summary.stores.values()) == len(REWRITTEN)
    assert sum(store.deleted for store in summary.stores.values()) == len(ENDED)


def test_no_version_of_any_object_holds_the_truck(cloud):
    keys = fill(cloud)
    # Like a retried batch, and like a quarantine object after a replay.
    key = cloud.land("both", "TRK002", "TRK001", "TRK003", "TRK001")
    quarantined = cloud.quarantine(7, OURS)
    cloud.s3.delete_object(Bucket=cloud.bucket, Key=quarantined)
    theirs = cloud.quarantine(8, THEIRS)
    cloud.s3.delete_object(Bucket=cloud.bucket, Key=theirs)
    cloud.erase()
    left = cloud.versions()
    for (each, _), body in left.items():
        content = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        # An item may have the truck's id; then its clicks have it as partition key.
        assert b'"TRK001"' not in content or each == keys["rejected_click"], each
        assert b64encode(OURS) not in content, each
    assert len([each for each, _ in left if each == key]) == 1
    # Noncurrent versions of others stay until S3 expires them.
    assert len([each for each, _ in left if each == theirs]) == 1
    assert quarantined not in {each for each, _ in left}


def test_of_a_quarantined_batch_the_records_of_others_stay_byte_for_byte(cloud):
    key = cloud.quarantine_together(THEIRS, OURS, b"no json", OURS)
    before = cloud.body(key).splitlines(keepends=True)
    cloud.quarantine_together(OURS, OURS, first=10)
    summary = cloud.erase()
    assert cloud.body(key) == before[0] + before[2]
    assert cloud.keys() == {key}
    store = summary.stores[f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/"]
    assert (store.records, store.rewritten, store.deleted, store.unattributable) == (4, 1, 1, 1)
    assert cloud.erase().found == 0


@pytest.mark.parametrize("as_text", [False, True])
def test_of_an_abandoned_aggregate_the_readings_of_others_stay(cloud, as_text):
    key = cloud.abandon("aggregate", aggregate([THEIRS, OURS, THEIRS]), aggregate([OURS]), as_text=as_text)
    summary = cloud.erase()
    payload = json.loads(cloud.body(key))["payload"]
    left = records(json.loads(payload) if as_text else payload)
    assert [(each.envelope.number, each.payload) for each in left] == [("0", THEIRS), ("0.2", THEIRS)]
    assert summary.stores[names.ON_FAILURE_PREFIX].records == 2
    assert cloud.erase().found == 0


def test_a_second_run_finds_nothing_and_changes_nothing(cloud):
    fill(cloud)
    cloud.erase()
    before = cloud.versions()
    summary = cloud.erase()
    assert (summary.found, summary.passes, summary.is_clean) == (0, 1, True)
    assert cloud.versions() == before


def test_a_dry_run_counts_the_same_and_changes_nothing(cloud):
    fill(cloud)
    before, states = cloud.versions(), cloud.states()
    counted = cloud.erase(dry_run=True)
    assert (cloud.versions(), cloud.states()) == (before, states)
    assert not counted.is_clean
    assert not counted.failed
    erased = cloud.erase()
    assert [(store.records, store.unattributable) for store in counted.stores.values()] == [
        (store.records, store.unattributable) for store in erased.stores.values()
    ]
    assert counted.state is erased.state is True
    assert cloud.erase(dry_run=True).found == 0


def test_a_rewritten_object_keeps_its_headers_and_storage_class(cloud):
    archived = cloud.archive("both", OURS, THEIRS)
    landed = f"{names.LANDING_PREFIX}x.json.gz"
    cloud.put(
        landed,
        gzip.compress(OURS + b"\n" + THEIRS.lower() + b"\n"),
        ContentType="application/gzip",
        Metadata={"a": "b"},
    )
    cloud.erase()
    head = cloud.s3.head_object(Bucket=cloud.bucket, Key=landed)
    assert (head["ContentType"], head["Metadata"]) == ("application/gzip", {"a": "b"})
    assert cloud.s3.head_object(Bucket=cloud.bucket, Key=archived)["StorageClass"] == "GLACIER_IR"


def test_the_same_lines_give_the_bytes_that_the_function_would_have_written(cloud):
    key = cloud.land("both", "TRK002", "TRK001")
    theirs = cloud.body(key)
    cloud.erase("TRK002")
    first = cloud.body(key)
    assert gzip.decompress(first) == gzip.decompress(theirs).splitlines(keepends=True)[1]
    assert first[4:8] == bytes(4)


def event(arrival: str) -> bytes:
    """An abandoned batch of one record, with this time of arrival."""
    kinesis = f'{{"partitionKey": "k", "sequenceNumber": "1", "data": "", "approximateArrivalTimestamp": {arrival}}}'
    record = f'{{"kinesis": {kinesis}, "eventID": "s:1", "eventSourceARN": "arn:stream/{names.TRUCK_STREAM}"}}'
    return f'{{"payload": {{"Records": [{record}]}}}}'.encode()


def test_an_unreadable_object_stays_and_is_named(cloud):
    damaged = f"{names.LANDING_PREFIX}damaged.json.gz"
    cloud.put(damaged, gzip.compress(OURS * 50)[:-20])
    foreign = f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/notes.txt"
    cloud.put(foreign, b"TRK001")
    batch = f"{names.ON_FAILURE_PREFIX}mapping/shardId-0/notes"
    cloud.put(batch, b'{"payload": {"Records": [{}]}}')
    timeless = f"{names.ON_FAILURE_PREFIX}mapping/shardId-0/timeless"
    cloud.put(timeless, event("1e300"))
    cloud.abandon("ours", OURS)
    summary = cloud.erase()
    assert set(summary.unreadable) == cloud.keys() == {damaged, foreign, batch, timeless}
    assert summary.failed
    assert sum(f"stays: {key}" in erasure_report(summary) for key in (damaged, foreign, batch, timeless)) == 4


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"TRK001",
        b"\xff",
        b"[]",
        b'{"payload": 5}',
        b'{"payload": {"Records": [5]}}',
        b'{"payload": ' + b"[" * 100_000,
        event("null"),
        event('"today"'),
        # No float, no time of the platform, no year of a calendar.
        event("1e300"),
        event("Infinity"),
        event("NaN"),
        event("1" + "0" * 400),
        event("1e17"),
        event("1e12"),
    ],
)
def test_any_other_bytes_among_abandoned_batches_are_an_unreadable_object(body):
    whose = attribution("TRK001")
    with pytest.raises(UnreadableObjectError):
        formats.abandoned_batches(whose, whose)(io.BytesIO(body), None)


def test_an_abandoned_batch_of_another_time_is_readable():
    whose = attribution("TRK001")
    assert formats.abandoned_batches(whose, whose)(io.BytesIO(event("1e9")), None).unattributable == 1


def test_a_line_that_is_no_reading_stays(cloud):
    key = f"{names.LANDING_PREFIX}x.json.gz"
    cloud.put(key, gzip.compress(b'{"truck_id": "TRK001"}\nno json\n{"truck_id": 5}\n\xff\n'))
    summary = cloud.erase()
    assert cloud.lines(key) == [b"no json", b'{"truck_id": 5}', b"\xff"]
    assert summary.stores[names.LANDING_PREFIX].unattributable == 3


def test_an_object_larger_than_what_is_kept_in_memory(cloud, monkeypatch):
    monkeypatch.setattr(sys.modules["include.erasure.versions"], "SPOOLED_BYTES", 100)
    key = cloud.land("large", *["TRK001", "TRK002"] * 1000)
    cloud.erase()
    assert [json.loads(line)["vehicle_speed"] for line in cloud.lines(key)] == list(range(1, 2000, 2))


def test_since_skips_what_was_stored_before(cloud, now: datetime):
    cloud.land("ours", "TRK001")
    assert cloud.erase(dry_run=True, since=now).found == 1
    assert cloud.erase(dry_run=True, since=now + timedelta(hours=1)).found == 0


def test_every_version_is_read_once_per_pass(cloud):
    fill(cloud)
    reads: list[tuple[str, str]] = []

    def note(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "get_object":
            reads.append((arguments["Key"], arguments["VersionId"]))

    cloud.erase(s3=Watched(cloud.s3, before=note), dry_run=True)
    assert len(reads) == len(set(reads)) == len(cloud.versions()) - 1  # No stray arrived in the other hour.


def test_a_bucket_without_versions_is_erased_as_well(cloud):
    cloud.s3.put_bucket_versioning(Bucket=cloud.bucket, VersioningConfiguration={"Status": "Suspended"})
    cloud.s3.put_object(Bucket=cloud.bucket, Key=f"{names.LANDING_PREFIX}x", Body=OURS + b"\n" + b'{"truck_id": "T"}\n')
    cloud.s3.put_object(Bucket=cloud.bucket, Key=f"{names.LANDING_PREFIX}y", Body=OURS + b"\n")
    cloud.erase()
    assert list(cloud.versions().values()) == [b'{"truck_id": "T"}\n']


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_that_no_truck_can_have_is_refused(cloud, name):
    with pytest.raises(ValueError, match="no truck's id"):
        cloud.erase(name)
