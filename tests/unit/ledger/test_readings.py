"""Readings of an hour: every way in which archive, landing zone, RAW, quarantine and history can differ is named."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pytest

from include import names
from include.contracts.times import to_canonical

pytestmark = pytest.mark.unit

STREAM = names.TRUCK_STREAM
SHARD = "shardId-000000000000"


def counts(balance):
    """archived, landed, quarantined, resolved, missing; the first is the sum of the others."""
    found = (balance.archived, balance.landed, balance.quarantined, balance.resolved, balance.missing)
    assert found[0] == sum(found[1:])
    assert balance.duplicates == 0
    return found


def test_a_healthy_hour_balances(world):
    world.archived(1, 2, 3, 4)
    world.loaded(1, 2)
    world.quarantined(3, stream=STREAM)
    world.resolved(4, stream=STREAM)  # A probe.
    balance = world.readings()
    assert counts(balance) == (4, 2, 1, 1, 0)
    assert (balance.covered, balance.waiting, balance.uncovered) == (2, 0, 0)
    assert balance.balanced
    assert not any(key.startswith((names.LANDING_PREFIX, names.QUARANTINE_PREFIX)) for key in world.reads)


def test_each_record_of_a_quarantined_batch_is_counted_once(world):
    world.archived(1, 2, 3, 4, 5)
    world.loaded(1)
    world.quarantined_together(2, 3, 4, stream=STREAM)
    world.quarantined_together(3, 4, stream=STREAM)  # The batch was delivered again, cut in another way.
    world.quarantined(4, stream=STREAM)  # A replay was stopped while it unpacked.
    other = world.quarantined_together(8, 9, stream=STREAM)
    balance = world.readings()
    assert counts(balance) == (5, 1, 3, 0, 1)
    assert (balance.unexpected, balance.samples["unexpected"]) == (2, [other, other])


def test_a_foreign_object_with_the_name_of_a_batch_is_unexpected(world):
    key = world.quarantined_together(8, 9, stream=STREAM)
    world.s3.put_object(Bucket="telemetry-of-a-test", Key=key, Body=b"notes")
    assert world.readings().samples == {"unexpected": [key]}


def test_readings_with_a_nulled_metric_are_counted_and_are_no_difference(world):
    world.archived(1, 2, 3)
    world.loaded(1, 2, 3)
    world.raw.nulled = [world.hour + timedelta(seconds=second) for second in (1, 3, 3600, -1)]
    balance = world.readings()
    assert (balance.landed, balance.nulled, balance.balanced) == (3, 2, True)


def test_each_reading_of_an_aggregate_is_counted(world):
    world.archived(1, 2, "2.1", "2.2", "2.10", 3)
    world.archived("2.1", name="delivered again")
    world.loaded(1, 2, "2.2", 3)
    world.quarantined("2.10", stream=STREAM)
    file = world.landed(1, 2, "2.1", "2.2", 3)
    balance = world.readings()
    assert counts(balance) == (6, 4, 1, 0, 1)
    assert balance.samples["missing"] == [f"{file} is not loaded (1 readings)"]


def test_readings_of_an_aggregate_that_differ_are_named_by_their_position(world):
    world.archived(2, "2.1")
    world.loaded(2, "2.3")
    held = world.quarantined("2.4", stream=STREAM)
    balance = world.readings()
    assert (balance.missing, balance.unexpected) == (1, 2)
    assert balance.samples["missing"] == [f"{SHARD} 2.1 is in no landing object"]
    assert balance.samples["unexpected"] == [f"{names.RAW_TABLE} {SHARD} 2.3", held]


def test_readings_that_snowpipe_lost_are_counted_by_landing_file(world):
    world.archived(*range(1, 8))
    lost, other = world.landed(1, 2, 3), world.landed(4, 5)
    loaded = world.landed(6, 7)
    world.loaded(5, 6, 7)
    balance = world.readings()
    assert counts(balance) == (7, 3, 0, 0, 4)
    assert balance.not_loaded == 4
    assert balance.samples["missing"] == [f"{lost} is not loaded (3 readings)", f"{other} is not loaded (1 readings)"]
    assert lost in balance.differences()[0]
    # A file that can't have any of them is not read.
    assert world.reads[loaded] == 0
    assert world.reads[lost] == world.reads[other] == 1


def test_readings_that_never_landed_are_named_by_sequence_number(world):
    world.archived(1, 2, 3)
    world.landed(1, 3)  # The second is between them, but not in the object.
    world.loaded(1, 3)
    balance = world.readings()
    assert (balance.missing, balance.not_loaded) == (1, 0)
    assert balance.samples["missing"] == [f"{SHARD} 2 is in no landing object"]


def test_a_landing_file_may_be_of_the_hour_of_its_first_record(world):
    world.archived(1, 2)
    file = world.landed(1, 2, hour=world.hour - timedelta(hours=3))
    balance = world.readings()
    assert (balance.missing, balance.not_loaded) == (2, 2)
    assert balance.samples["missing"] == [f"{file} is not loaded (2 readings)"]


def test_sequence_numbers_are_compared_as_numbers(world):
    world.archived(9, 10, 11)
    file = world.landed(9, 10, 11)
    assert world.readings().samples["missing"] == [f"{file} is not loaded (3 readings)"]


def test_a_damaged_landing_file_is_named(world):
    world.archived(1, 2)
    whole = gzip.compress(b'{"shard_id": "shardId-000000000000", "sequence_number": "1"}\n' * 50)
    file = world.landed(1, 2, body=whole[:-10])
    balance = world.readings()
    assert balance.missing == 2
    assert balance.samples["missing"][0].startswith(f"{file} cannot be read (line ")


def test_a_reading_landed_twice_is_not_counted_twice_as_not_loaded(world):
    world.archived(1, 2)
    world.landed(1, 2)
    world.landed(1)
    balance = world.readings()
    assert (balance.missing, balance.not_loaded) == (2, 2)


def test_of_many_missing_twenty_are_named_and_all_are_counted(world):
    world.archived(*range(1, 101))
    balance = world.readings()
    assert balance.missing == 100
    assert balance.samples["missing"] == [f"{SHARD} {number} is in no landing object" for number in range(1, 21)]


def test_what_is_in_raw_and_was_not_archived_is_unexpected(world):
    world.archived(1)
    world.loaded(1, 2)
    balance = world.readings()
    assert counts(balance) == (1, 1, 0, 0, 0)
    assert balance.unexpected == 1
    assert balance.samples == {"unexpected": [f"{names.RAW_TABLE} {SHARD} 2"]}
    # It is still a reading.
    assert balance.covered == 2


def test_what_is_in_quarantine_and_was_not_archived_is_unexpected_once(world):
    key = world.quarantined(1, stream=STREAM)
    world.loaded(1)
    balance = world.readings()
    assert balance.unexpected == 1
    assert balance.samples == {"unexpected": [key]}


def test_an_object_that_no_function_wrote_is_unexpected(world):
    key = f"{names.QUARANTINE_PREFIX}{STREAM}/{world.hour:%Y/%m/%d/%H}/notes.txt"
    world.s3.put_object(Bucket="telemetry-of-a-test", Key=key, Body=b"")
    assert world.readings().samples == {"unexpected": [key]}


@pytest.mark.parametrize("places", [["quarantined"], ["resolved"], ["quarantined", "resolved"]], ids="+".join)
def test_a_reading_in_raw_counts_as_landed_wherever_else_it_is(world, places):
    world.archived(1)
    world.loaded(1)
    for place in places:
        getattr(world, place)(1, stream=STREAM)
    assert counts(world.readings()) == (1, 1, 0, 0, 0)


def test_a_reading_in_both_quarantines_is_resolved(world):
    world.archived(1)
    world.quarantined(1, stream=STREAM)
    world.resolved(1, stream=STREAM)
    assert counts(world.readings()) == (1, 0, 0, 1, 0)


def test_the_same_sequence_number_of_another_shard_is_another_record(world):
    world.archived(1)
    world.archived(1, shard="shardId-000000000001", name="other")
    world.loaded(1)
    balance = world.readings()
    assert counts(balance) == (2, 1, 0, 0, 1)
    assert balance.samples["missing"] == ["shardId-000000000001 1 is in no landing object"]


def test_a_reading_that_no_version_has_is_uncovered_and_named(world):
    world.archived(1, 2)
    world.loaded(1)
    world.loaded(2, state="uncovered")
    balance = world.readings()
    assert (balance.covered, balance.uncovered, balance.balanced) == (1, 1, False)
    assert balance.samples == {"uncovered": [f"{SHARD} 2 TRK001 {to_canonical(world.hour + timedelta(seconds=2))}"]}


def test_a_reading_that_waits_for_the_merge_is_fine_until_it_waits_too_long(world):
    now = datetime.now(UTC)
    world.archived(1)
    world.loaded(1, state="waiting", at=now - timedelta(minutes=14))
    fine = world.readings()
    assert (fine.waiting, fine.overdue, fine.balanced) == (1, 0, True)
    world.archived(2)
    world.loaded(2, state="waiting", at=now - timedelta(minutes=16))
    late = world.readings()
    assert (late.waiting, late.overdue, late.balanced) == (2, 1, False)
    assert late.samples["overdue"] == [f"{SHARD} 2 TRK001 {to_canonical(world.hour + timedelta(seconds=2))}"]
