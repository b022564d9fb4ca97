"""Which hours the ledger counts next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include import names
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
