"""Which hours are counted, and that every object is read once for all of them."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

import pytest

from include import names
from include.archive import ArchiveError
from include.ledger import hours_between
from include.ledger.due_hours import LedgerRow, due_hours
from include.ledger.reconciliation import first_hour, reconcile_stream, stored_lately

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)
CLICKS, TRUCKS = names.CLICK_STREAM, names.TRUCK_STREAM


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("10:00", "11:00", [10]),
        ("10:59", "11:00", [10]),
        ("10:59", "11:01", [10, 11]),
        ("10:00", "13:30", [10, 11, 12, 13]),
        ("10:30", "10:30", [10]),
        ("10:00", "10:00", []),
        ("11:00", "10:00", []),
    ],
)
def test_hours_between(since, until, hours):
    day = datetime(2026, 11, 22, tzinfo=UTC)
    moments = [datetime.fromisoformat(f"2026-11-22T{text}Z") for text in (since, until)]
    assert hours_between(*moments) == [day + hour * HOUR for hour in hours]


def test_hours_are_those_of_utc():
    india = datetime(2026, 11, 22, 16, 0, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    assert hours_between(india, india + timedelta(minutes=31)) == [
        datetime(2026, 11, 22, hour, tzinfo=UTC) for hour in (10, 11)
    ]


def test_each_archive_object_is_read_once_although_hours_share_it(world):
    across = world.archived(3590, 3610, 7300, name="across")
    others = [world.archived(10), world.archived(3700), world.archived(7400), world.archived(3 * 3600 + 1)]
    world.loaded(10, 3590, 3610, 3700, 7300)
    found = world.balances(*(world.hour + number * HOUR for number in range(3)), streams=[TRUCKS])
    assert [(each.archived, each.landed, each.missing) for each in found.values()] == [(2, 2, 0), (2, 2, 0), (2, 1, 1)]
    # The object of the fourth hour can't have records of these hours.
    assert {key: count for key, count in world.reads.items() if key.startswith(names.ARCHIVE_PREFIX)} == dict.fromkeys(
        [across, *others[:3]], 1
    )
    # RAW's rows too: the hours' ranges meet and don't overlap.
    assert [until for _, until in world.raw.asked[:-1]] == [since for since, _ in world.raw.asked[1:]]


def test_hours_apart_read_only_their_objects_and_each_once(world):
    across = world.archived(3590, 3 * 3600 + 5, name="across")
    between = world.archived(3601)
    found = world.balances(world.hour, world.hour + 3 * HOUR, streams=[TRUCKS])
    assert [each.archived for each in found.values()] == [1, 1]
    assert world.reads[across] == 1
    # Stored after the later hour began, like everything here, so it may be read once.
    assert world.reads[between] <= 1


def test_both_streams_and_all_hours_come_in_order(world):
    found = world.balances(world.hour + HOUR, world.hour)
    assert list(found) == [(CLICKS, 0), (TRUCKS, 0), (CLICKS, 1), (TRUCKS, 1)]


def test_the_open_hour_and_one_that_has_just_ended_are_open(world):
    noon = world.hour + HOUR
    for now, is_open in ((noon - 0.5 * HOUR, True), (noon + 0.2 * HOUR, True), (noon + 0.3 * HOUR, False)):
        (balance,) = reconcile_stream(
            world.clients, world.raw, "telemetry-of-a-test", TRUCKS, [world.hour], clock=lambda now=now: now
        )
        assert balance.is_open is is_open


def test_the_grace_is_an_argument(world):
    (balance,) = world.balances(world.hour, streams=[TRUCKS], grace=timedelta(hours=9)).values()
    assert balance.is_open


def test_an_archive_object_that_cannot_be_read_is_an_error_that_names_it(world):
    key = world.archived(1)
    world.s3.put_object(Bucket="telemetry-of-a-test", Key=key, Body=b"no gzip")
    with pytest.raises(ArchiveError, match=key):
        world.readings()


def test_an_object_with_records_from_before_its_hour_is_an_error_not_a_loss(world):
    world.s3.copy_object(
        Bucket="telemetry-of-a-test",
        CopySource={"Bucket": "telemetry-of-a-test", "Key": world.archived(1)},
        Key=f"{names.ARCHIVE_PREFIX}{TRUCKS}/{world.hour + HOUR:%Y/%m/%d/%H}/moved.gz",
    )
    with pytest.raises(ArchiveError, match=r"moved\.gz has records of"):
        world.balances(world.hour, world.hour + HOUR, streams=[TRUCKS])


def test_the_archive_begins_with_its_oldest_object(world):
    assert first_hour(world.s3, "telemetry-of-a-test", TRUCKS) is None
    world.archived(7300)
    world.archived(10)
    world.archived(-7300, stream=CLICKS)
    assert first_hour(world.s3, "telemetry-of-a-test", TRUCKS) == world.hour


def test_records_that_came_after_their_hour_was_counted_are_found_by_one_listing(world):
    """Everything in moto is stored now, five hours after the hour of the records."""
    world.archived(10)
    world.archived(20, stream=CLICKS)
    world.archived(-80 * 3600, name="old")
    world.calls.clear()
    now = datetime.now(UTC)
    found = list(stored_lately(world.s3, "telemetry-of-a-test", TRUCKS, now))
    assert [each.key.rpartition("/")[2] for each in found] == ["10.gz"]
    assert world.calls == {"ListObjectsV2": 1}

    counted = {world.hour: LedgerRow(False, True, 0, world.hour + HOUR + timedelta(minutes=20), None)}
    grace = timedelta(hours=9)
    assert due_hours(TRUCKS, world.hour, counted, now, grace, objects=found) == [world.hour]
    assert due_hours(TRUCKS, world.hour, counted, now, grace) == []


@pytest.mark.verify
def test_memory_does_not_grow_with_the_records_of_an_hour(world):
    """Envelopes are on disk; memory holds one object, one page, twenty samples."""

    def peak() -> int:
        tracemalloc.start()
        assert world.readings().missing > 0
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    world.archived(*range(1_000))
    few = peak()
    for number in range(30):
        world.archived(*range(1_000), name=f"more-{number}", shard=f"shardId-{number + 1:012}")
    # Thirty thousand envelopes as Python tuples of strings would need six times this.
    assert peak() < few + 1_000_000
