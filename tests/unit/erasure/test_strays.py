"""Strays: readings that a gateway sent to the click stream, where they are rejected and archived."""

import gzip
import sys
from datetime import datetime, timedelta
from itertools import chain, count
from typing import Any

import pytest

from include import names
from include.contracts.archive import decode_line
from tests.fixtures.erasure_stores import (
    ARRIVAL,
    CLICK,
    HOUR,
    NEXT_HOUR,
    NOBODYS,
    OURS,
    THEIRS,
    KilledError,
    Watched,
    kill_after_write,
)

pytestmark = pytest.mark.unit

CLICKS = names.CLICK_STREAM
ARCHIVE = f"{names.ARCHIVE_PREFIX}{CLICKS}/"
QUARANTINE = f"{names.QUARANTINE_PREFIX}{CLICKS}/"
# An object is under the hour of its oldest record: Firehose tries for a day.
A_DAY_BEFORE, TOO_EARLY = "2026/11/21/14/", "2026/11/21/13/"


def archived(cloud: Any, key: str) -> list[bytes]:
    return [decode_line(line).payload for line in cloud.lines(key)]


class Reads:
    """Which objects of the click archive were listed or read."""

    def __init__(self, cloud: Any) -> None:
        self.keys: list[str] = []
        self.prefixes: list[str] = []
        cloud.s3.meta.events.register("before-parameter-build", self._note)

    def _note(self, model: Any, params: dict[str, Any], **_: Any) -> None:
        if model.name == "GetObject" and params["Key"].startswith(ARCHIVE):
            self.keys.append(params["Key"])
        if model.name == "ListObjectVersions" and params["Prefix"].startswith(ARCHIVE):
            self.prefixes.append(params["Prefix"])


def test_a_stray_is_gone_from_quarantine_and_archive_and_clicks_stay_byte_for_byte(cloud):
    rejected = cloud.quarantine_together(CLICK, OURS, NOBODYS, THEIRS, stream=CLICKS)
    both = cloud.archive("both", CLICK, OURS, NOBODYS, THEIRS, stream=CLICKS)
    clicks = cloud.archive("clicks", CLICK, CLICK, stream=CLICKS)
    before = {key: cloud.body(key) for key in (rejected, both, clicks)}
    summary = cloud.erase()

    assert summary.is_clean
    lines = gzip.decompress(before[both]).splitlines()
    assert cloud.lines(both) == [lines[0], *lines[2:]]
    records = before[rejected].splitlines(keepends=True)
    assert cloud.body(rejected) == b"".join([records[0], *records[2:]])
    assert cloud.body(clicks) == before[clicks]
    assert len(cloud.versions()) == 3
    assert [summary.stores[prefix].records for prefix in (QUARANTINE, ARCHIVE)] == [1, 1]
    # A click names no truck: none of them is counted as a record that nobody can attribute.
    assert sum(store.unattributable for store in summary.stores.values()) == 0
    assert cloud.erase(dry_run=True).found == 0


def test_a_stray_in_an_abandoned_batch_of_clicks_is_gone_from_there_and_from_the_archive(cloud):
    batch = cloud.abandon("both", CLICK, OURS, stream=CLICKS)
    key = cloud.archive("both", CLICK, OURS, stream=CLICKS)
    assert cloud.erase().is_clean
    assert archived(cloud, key) == [CLICK]
    assert cloud.body(batch).count(b"sequenceNumber") == 1
    assert cloud.erase(dry_run=True).found == 0


@pytest.mark.parametrize("dry_run", [True, False])
def test_without_a_stray_the_click_archive_is_not_even_listed(cloud, dry_run):
    cloud.archive("clicks", CLICK, stream=CLICKS)
    cloud.quarantine(1, THEIRS, stream=CLICKS)
    cloud.quarantine(2, CLICK, stream=CLICKS)
    cloud.abandon("clicks", CLICK, stream=CLICKS)
    # Rejected, but by the stream that it belongs to.
    cloud.quarantine(3, OURS)
    reads = Reads(cloud)
    cloud.erase(dry_run=dry_run)
    assert reads.keys == reads.prefixes == []


def test_only_objects_that_can_have_records_of_the_strays_hour_are_read(cloud):
    cloud.quarantine(1, OURS, stream=CLICKS)
    late = cloud.archive("late", CLICK, OURS, stream=CLICKS, hour=A_DAY_BEFORE)
    own = cloud.archive("own", CLICK, stream=CLICKS)
    for hour in (TOO_EARLY, NEXT_HOUR):
        cloud.archive("other", CLICK, stream=CLICKS, hour=hour)
    reads = Reads(cloud)
    assert cloud.erase(dry_run=True).stores[ARCHIVE].records == 1
    assert sorted(reads.keys) == [late, own]
    assert len(reads.prefixes) == len(set(reads.prefixes)) == 25


def test_what_was_stored_before_the_strays_hour_is_not_read(cloud, now: datetime):
    cloud.archive("before", CLICK, stream=CLICKS, hour=f"{now:%Y/%m/%d/%H}/")
    # It arrives in two hours.
    record = cloud.quarantine(1, OURS, stream=CLICKS)
    hour = f"{now + timedelta(hours=2):%Y-%m-%dT%H}"
    cloud.put(record, cloud.body(record).replace(ARRIVAL[:13].encode(), hour.encode()))
    cloud.s3.delete_object(
        Bucket=cloud.bucket, Key=record, VersionId=next(version for key, version in cloud.versions() if key == record)
    )
    reads = Reads(cloud)
    cloud.erase(dry_run=True)
    assert reads.keys == []
    assert len(reads.prefixes) == 25


def test_a_stray_that_was_archived_before_the_first_run_and_rejected_after_it(cloud, now: datetime):
    """The function stood still; the second run reads only what was stored since, and of the archive the whole hour."""
    key = cloud.archive("both", CLICK, OURS, stream=CLICKS)
    old = cloud.s3.list_object_versions(Bucket=cloud.bucket, Prefix=key)["Versions"][0]
    cloud.quarantine(1, OURS, stream=CLICKS)
    watched = Watched(cloud.s3)
    listing = cloud.s3.get_paginator("list_object_versions")

    class Aged:
        """The archive's object was stored a day ago."""

        def paginate(self, **arguments: Any) -> Any:
            for page in listing.paginate(**arguments):
                for entry in page.get("Versions", []):
                    if entry["VersionId"] == old["VersionId"]:
                        entry["LastModified"] -= timedelta(days=1)
                yield page

    watched.get_paginator = lambda name: Aged()
    assert cloud.erase(s3=watched, since=now - timedelta(minutes=1)).is_clean
    assert archived(cloud, key) == [CLICK]


@pytest.mark.parametrize("killed_at", [1, 3, 4, 5, 6, 7])
def test_a_run_killed_after_any_write_and_repeated_leaves_no_stray(cloud, killed_at, monkeypatch):
    monkeypatch.setattr(sys.modules["include.erasure.eraser"], "S3_WORKERS", 1)
    first, second = (cloud.archive(name, CLICK, OURS, stream=CLICKS) for name in ("first", "second"))
    cloud.abandon("stray", OURS, stream=CLICKS)
    cloud.quarantine(1, OURS, stream=CLICKS)
    with pytest.raises(KilledError):
        cloud.erase(s3=Watched(cloud.s3, after=kill_after_write(killed_at)))
    assert cloud.erase().is_clean
    assert [archived(cloud, key) for key in (first, second)] == [[CLICK], [CLICK]]
    assert len(cloud.versions()) == 2


def test_a_stray_that_the_archive_gets_only_while_the_run_works_is_erased_in_its_next_pass(cloud, now: datetime):
    cloud.quarantine(1, OURS, stream=CLICKS)
    key = f"{ARCHIVE}{HOUR}late.gz"

    def deliver(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "delete_object" and arguments["Key"].startswith(QUARANTINE) and not delivered:
            delivered.append(cloud.archive("late", CLICK, OURS, stream=CLICKS))

    delivered: list[str] = []
    assert cloud.erase(s3=Watched(cloud.s3, before=deliver)).is_clean
    assert delivered == [key]
    assert archived(cloud, key) == [CLICK]


def test_a_later_pass_reads_of_an_hour_only_what_was_stored_since_the_pass_before(cloud, now: datetime):
    cloud.quarantine(1, OURS, stream=CLICKS)
    key = cloud.archive("clicks", CLICK, stream=CLICKS)
    reads = Reads(cloud)
    # A pass takes an hour, and the first one began long after the object was stored.
    clock = chain([now], (now + timedelta(hours=hour) for hour in count(1)))
    assert cloud.erase(clock=lambda: next(clock)).passes == 2
    assert reads.keys == [key]


def test_while_an_archive_object_can_not_be_read_what_names_its_stray_stays(cloud):
    damaged = f"{ARCHIVE}{HOUR}damaged.gz"
    whole = gzip.compress(b"no line\n" * 50)
    cloud.put(damaged, whole[:-20])
    rejected = cloud.quarantine(1, OURS, stream=CLICKS)
    summary = cloud.erase()
    assert summary.failed
    assert summary.unreadable == [damaged]
    assert cloud.keys() == {damaged, rejected}
    # Somebody repairs it, and runs the DAG again.
    repaired = cloud.archive("damaged", CLICK, OURS, stream=CLICKS)
    assert repaired == damaged
    cloud.s3.delete_object(
        Bucket=cloud.bucket,
        Key=damaged,
        VersionId=next(version for (key, version), body in cloud.versions().items() if body == whole[:-20]),
    )
    assert cloud.erase().is_clean
    assert archived(cloud, damaged) == [CLICK]
    assert cloud.keys() == {damaged}


@pytest.mark.parametrize("arrival", ["", "today", "0001-01-01T00:00:00.000000"])
def test_a_stray_without_a_time_of_arrival_stays_and_is_named(cloud, arrival):
    key = cloud.quarantine(1, OURS, stream=CLICKS)
    body = cloud.body(key).replace(ARRIVAL.encode(), arrival.encode())
    cloud.s3.delete_object(Bucket=cloud.bucket, Key=key, VersionId=next(version for _, version in cloud.versions()))
    cloud.put(key, body)
    summary = cloud.erase()
    assert summary.unreadable == [key]
    assert cloud.body(key) == body


def test_a_stray_that_no_quarantine_names_is_found_in_the_whole_click_archive(cloud, now: datetime):
    key = cloud.archive("both", CLICK, OURS, stream=CLICKS)
    assert cloud.erase().found == 0
    assert cloud.erase(dry_run=True, whole_click_archive=True).found == 1
    assert cloud.erase(whole_click_archive=True).is_clean
    assert archived(cloud, key) == [CLICK]


def test_a_stray_that_firehose_stores_after_the_first_run_is_erased_by_the_second(cloud, now: datetime):
    cloud.quarantine(1, OURS, stream=CLICKS)
    assert cloud.erase().is_clean
    key = cloud.archive("late", CLICK, OURS, stream=CLICKS)
    # Only what was stored since the first run.
    assert cloud.erase(dry_run=True, since=now + timedelta(hours=1)).found == 0
    assert cloud.erase(since=now).is_clean
    assert archived(cloud, key) == [CLICK]


def test_with_the_whole_click_archive_each_version_is_still_read_once(cloud, now: datetime):
    cloud.quarantine(1, OURS, stream=CLICKS)
    keys = [cloud.archive(name, CLICK, OURS, stream=CLICKS) for name in ("a", "b")]
    reads = Reads(cloud)
    for since in (None, now):
        reads.keys.clear()
        cloud.erase(dry_run=True, whole_click_archive=True, since=since)
        assert sorted(reads.keys) == keys
