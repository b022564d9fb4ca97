"""Which hours the ledger counts next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include import names
from include.archive import ArchiveObject
from include.ledger.due_hours import LedgerRow, due_hours

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)
GRACE = timedelta(minutes=15)
FIRST = datetime(2026, 11, 20, tzinfo=UTC)
TRUCKS, CLICKS = names.TRUCK_STREAM, names.CLICK_STREAM


def row(hour, *, is_open=False, balanced=True, waiting=0, age=timedelta(minutes=20), alerted=None):
    known = alerted if balanced else alerted or {"missing": 1}
    return LedgerRow(is_open, balanced, waiting, hour + HOUR + age, known)


def hours(*numbers):
    return [FIRST + number * HOUR for number in numbers]


def counted(until, **of):
    """Every hour before that number is counted and balanced, except those in ``of``."""
    return {hour: row(hour) for hour in hours(*range(until))} | of


def at(number, minutes=20):
    return FIRST + number * HOUR + timedelta(minutes=minutes)


def stored(number, moment, stream=TRUCKS):
    """An object of the archive whose oldest record arrived in the hour of that number."""
    return ArchiveObject(f"{names.ARCHIVE_PREFIX}{stream}/{FIRST + number * HOUR:%Y/%m/%d/%H}/x.gz", moment, 1)


def test_nothing_while_there_is_no_archive():
    assert due_hours(TRUCKS, None, {}, at(5), GRACE) == []


def test_the_first_run_begins_where_the_archive_does():
    assert due_hours(TRUCKS, FIRST, {}, at(3), GRACE) == hours(0, 1, 2)


def test_an_hour_is_counted_once_it_has_closed_and_the_grace_is_over():
    known = counted(3)
    assert due_hours(TRUCKS, FIRST, known, at(4, 14), GRACE) == []
    assert due_hours(TRUCKS, FIRST, known, at(4, 15), GRACE) == hours(3)


def test_the_archives_first_hour_is_not_over_yet():
    assert due_hours(TRUCKS, FIRST, {}, FIRST + timedelta(minutes=30), GRACE) == []


def test_after_an_outage_the_oldest_day_comes_first_and_the_rest_with_the_next_runs():
    known = counted(2)
    first = due_hours(TRUCKS, FIRST, known, at(40), GRACE)
    assert first == hours(*range(2, 26))
    known |= {hour: row(hour) for hour in first}
    assert due_hours(TRUCKS, FIRST, known, at(40), GRACE) == hours(*range(26, 40))


def test_counting_one_hour_early_does_not_skip_earlier_ones():
    (early,) = hours(3)
    assert due_hours(TRUCKS, FIRST, {early: row(early)}, at(6), GRACE) == hours(0, 1, 2, 4, 5)


def test_an_hour_that_was_counted_while_open_is_counted_when_closed():
    (last,) = hours(3)
    known = counted(3) | {last: row(last, is_open=True, balanced=False)}
    assert due_hours(TRUCKS, FIRST, known, at(3, 50), GRACE) == []
    assert due_hours(TRUCKS, FIRST, known, at(4), GRACE) == [last]


@pytest.mark.parametrize("state", [{"balanced": False}, {"waiting": 3}], ids=["unbalanced", "waiting"])
def test_what_is_not_settled_is_counted_again_for_two_days(state):
    (hour,) = hours(10)
    known = counted(80) | {hour: row(hour, **state)}
    assert due_hours(TRUCKS, FIRST, known, at(12), GRACE) == [hour]
    assert due_hours(TRUCKS, FIRST, known, at(57), GRACE) == [hour]
    assert due_hours(TRUCKS, FIRST, known, at(58), GRACE) == []


@pytest.mark.parametrize("balanced", [True, False], ids=["its_end", "its_start"])
def test_an_hour_that_people_believe_to_be_different_is_counted_again_however_old(balanced):
    (hour,) = hours(1)
    stored = LedgerRow(False, balanced, 0, hour + HOUR, {"missing": 1} if balanced else None)
    assert due_hours(TRUCKS, FIRST, counted(80) | {hour: stored}, at(80), GRACE) == [hour]


def test_clicks_are_counted_once_more_after_a_day():
    known = counted(26)
    assert due_hours(CLICKS, FIRST, known, at(25, -1), GRACE) == []
    assert due_hours(CLICKS, FIRST, known, at(26), GRACE) == hours(0, 1)
    assert due_hours(TRUCKS, FIRST, known, at(26), GRACE) == []
    known |= {hour: row(hour, age=timedelta(hours=25)) for hour in hours(0, 1)}
    assert due_hours(CLICKS, FIRST, known, at(26), GRACE) == []


@pytest.mark.parametrize("stream", [TRUCKS, CLICKS])
def test_an_hour_counted_while_both_paths_were_held_is_counted_again_when_its_records_come(stream):
    """From 13:50 on nothing could be written: at 14:20 the rest of hour 13 was in no store, so it balanced."""
    known = counted(14)
    late = [stored(13, at(14, 25), stream)]
    assert due_hours(stream, FIRST, known, at(15, 20), GRACE, objects=late) == hours(13, 14)
    known |= {hour: row(hour, age=timedelta(hours=1, minutes=20)) for hour in hours(13)}
    known |= {hour: row(hour) for hour in hours(14)}
    assert due_hours(stream, FIRST, known, at(16, 10), GRACE, objects=late) == []


def test_a_late_object_may_have_records_of_each_hour_until_it_was_stored():
    late = [stored(13, at(17, 50))]
    assert due_hours(TRUCKS, FIRST, counted(17), at(18, 10), GRACE, objects=late) == hours(13, 14, 15, 16)


def test_what_was_stored_before_the_count_is_in_it():
    on_time = [stored(number, at(number + 1, 14)) for number in range(14)]
    assert due_hours(TRUCKS, FIRST, counted(14), at(15, 10), GRACE, objects=on_time) == []


def test_an_object_that_came_while_its_hour_was_counted_may_not_be_in_it_nor_if_the_clocks_differ():
    known = counted(14)
    for minutes in (17, 20, 21):
        late = [stored(13, at(14, minutes))]
        assert due_hours(TRUCKS, FIRST, known, at(15, 10), GRACE, objects=late) == hours(13)


def test_an_object_that_firehose_can_not_have_stored_so_late_was_rewritten_and_brings_nothing():
    rewritten = [stored(10, at(36, 5)), stored(12, at(36, 5))]
    assert due_hours(TRUCKS, FIRST, counted(36), at(36, 10), GRACE, objects=rewritten) == hours(*range(12, 35))


def test_late_objects_are_looked_for_two_days():
    known, late = counted(80), [stored(10, at(11, 40))]
    assert due_hours(TRUCKS, FIRST, known, at(57, 50), GRACE, objects=late) == hours(10)
    assert due_hours(TRUCKS, FIRST, known, at(58, 0), GRACE, objects=late) == hours(10)
    assert due_hours(TRUCKS, FIRST, known, at(58, 1), GRACE, objects=late) == []


def test_a_quiet_hour_whose_records_come_later_is_counted():
    quiet = [(FIRST + 2 * HOUR, FIRST + 10 * HOUR)]
    before = [stored(1, at(2, 1))]
    assert due_hours(TRUCKS, FIRST, counted(2), at(10), GRACE, quiet, before) == []
    late = [*before, stored(8, at(10, 25))]
    assert due_hours(TRUCKS, FIRST, counted(2), at(11), GRACE, quiet, late) == hours(8, 9, 10)
