"""Hours in which nothing happened are not counted, and wake no warehouse."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from include import names
from include.aws_clients import StoreClients
from include.ledger import quiet_hours
from include.ledger.due_hours import MAX_NEW_HOURS, LedgerRow, due_hours
from include.ledger.quiet_hours import LastCount, after_count, has_records, may_be_quiet
from include.pipe_and_stream import PipeActivity

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)
START = datetime(2026, 11, 20, tzinfo=UTC)
GRACE = timedelta(minutes=15)
LOADED = PipeActivity("announced", "loaded", "")
TRUCKS, CLICKS = names.TRUCK_STREAM, names.CLICK_STREAM


def at(hour: int, minutes: int = 20) -> datetime:
    return START + hour * HOUR + timedelta(minutes=minutes)


def row(hour: int, **more: Any) -> LedgerRow:
    fields = {"is_open": False, "balanced": True, "waiting": 0, "checked_at": at(hour + 1), "alerted": None} | more
    return LedgerRow(**fields)


NOW = at(3)


def count(now: datetime = NOW, counted: int = 3, stream: str = TRUCKS, **rows: LedgerRow) -> LastCount:
    """What a run leaves that knows the rows of the hours ``h0``, ``h1`` and so on."""
    known = {START + int(name[1:]) * HOUR: each for name, each in rows.items()}
    return after_count({stream: known}, {stream: counted}, LOADED, now, GRACE, None)


def test_after_a_count_in_which_all_balanced_the_next_hours_may_be_quiet() -> None:
    last = count(h0=row(0), h2=row(2))
    assert last.until == START + 3 * HOUR
    assert may_be_quiet(last, LOADED, at(4))
    # As Airflow keeps it.
    assert msgspec.json.decode(msgspec.json.encode(last), type=LastCount) == last


def test_the_first_run_and_one_after_a_load_count() -> None:
    assert not may_be_quiet(None, LOADED, at(4))
    assert not may_be_quiet(count(h0=row(0)), PipeActivity("announced", "loaded again", ""), at(4))


@pytest.mark.parametrize(
    "unsettled",
    [
        {"is_open": True},
        {"balanced": False, "alerted": {"missing": 1}},
        {"waiting": 3},
        {"balanced": False},
        {"alerted": {"missing": 1}},
    ],
    ids=["open", "differs", "waits for a merge", "nobody knows", "people believe that it differs"],
)
def test_an_hour_that_is_to_be_counted_again_is_not_left_alone(unsettled: dict[str, Any]) -> None:
    assert not may_be_quiet(count(h0=row(0), h1=row(1, **unsettled)), LOADED, at(4))


def test_a_difference_of_which_people_know_is_left_alone_after_two_days() -> None:
    differs = row(0, balanced=False, alerted={"missing": 1})
    assert may_be_quiet(count(at(49), h0=differs), LOADED, at(50))


def test_a_backlog_is_counted_first() -> None:
    assert not may_be_quiet(count(counted=MAX_NEW_HOURS, h0=row(0)), LOADED, at(4))


def test_clicks_are_counted_a_second_time_all_in_one_run() -> None:
    last = count(stream=CLICKS, h0=row(0), h2=row(2))
    assert may_be_quiet(last, LOADED, at(26))
    assert not may_be_quiet(last, LOADED, at(27))
    again = count(at(27), stream=CLICKS, h0=row(0, checked_at=at(27)), h2=row(2, checked_at=at(27)))
    assert may_be_quiet(again, LOADED, at(28))


def test_quiet_hours_are_never_counted_and_make_one_span() -> None:
    last = count(h0=row(0), h2=row(2))
    for hour in (4, 5, 400):
        last = last.with_quiet(START + hour * HOUR)
    assert last.quiet == ((START + 3 * HOUR, START + 400 * HOUR),)
    known = {START + hour * HOUR: row(hour) for hour in range(3)}
    assert due_hours(TRUCKS, START, known, at(402), GRACE, last.quiet) == [START + 400 * HOUR, START + 401 * HOUR]


def test_every_store_is_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, list[Any]] = {"archive": [], "held": [], "clicks": []}
    monkeypatch.setattr(quiet_hours.archive, "objects", lambda *_: iter(found["archive"]))
    monkeypatch.setattr(quiet_hours, "held_rows", lambda *_: iter(found["held"]))
    monkeypatch.setattr(quiet_hours.DynamoClickRows, "around", lambda *_: iter(found["clicks"]))

    def something() -> bool:
        return has_records(StoreClients(None, None), "bucket", 1, START, START + HOUR)

    assert not something()
    for place in found.values():
        place.append("record")
        assert something()
        place.clear()
