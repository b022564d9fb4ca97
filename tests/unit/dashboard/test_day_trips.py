"""A truck's day: names, totals, places at an instant, the steps of the time line and the download."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from dashboard import day_trips, quantities, times
from tests.unit.dashboard.pages import period, periods_of

pytestmark = pytest.mark.unit

DAY = datetime(2026, 11, 22, tzinfo=UTC)


def day(*kinds: str, **values: Any) -> pd.DataFrame:
    return day_trips.named(periods_of([period(DAY, number, kind, **values) for number, kind in enumerate(kinds)]))


def test_trips_and_stops_are_numbered_apart() -> None:
    assert list(day("stop", "trip", "silent", "trip", "stop")["name"]) == [
        "Stop 1", "Trip 1", "No readings", "Trip 2", "Stop 2",
    ]  # fmt: skip


def test_totals_keep_what_nobody_saw_apart() -> None:
    found = day_trips.totals(day("trip", "silent", "stop", "trip"))
    assert (found.trips, found.miles, found.unseen_miles) == (2, 20, 10)
    assert (found.driving_seconds, found.standing_seconds, found.silent_seconds) == (7200, 3600, 3600)
    assert (found.idle_seconds, found.gallons, found.top_speed) == (240, 8, 60)


def test_what_no_reading_says_is_unknown_and_a_day_without_a_trip_has_no_miles() -> None:
    unknown = dict.fromkeys(("miles", "odometer_miles", "gallons", "top_speed"), float("nan"))
    found = day_trips.totals(day("trip", "stop", **unknown))
    assert (found.miles, found.odometer_miles, found.gallons, found.top_speed) == (None, None, None, None)
    assert not found.odometer_differs
    assert day_trips.totals(day("stop", **unknown)).miles == 0


@pytest.mark.parametrize(("odometer", "differs"), [(10.9, False), (11.2, True), (8, True), (9.5, False)])
def test_the_odometer_differs_by_a_mile_and_a_tenth(odometer: float, differs: bool) -> None:
    assert day_trips.totals(day("trip", odometer_miles=odometer)).odometer_differs is differs


def test_a_truck_is_between_two_places_of_a_trip_and_stays_where_it_stands() -> None:
    periods = day("trip", "stop").assign(
        first_latitude=[40.0, 41.0], first_longitude=[-83.0, -83.0], last_latitude=41.0, last_longitude=-83.0
    )
    track = pd.DataFrame(
        {"last_time": [DAY + timedelta(minutes=30)], "gps_latitude": 40.2, "gps_longitude": -83.4, "kind": "trip"}
    )
    places = day_trips.places(periods, track)
    assert list(places["period"]) == [0, 0, 0, 1, 1]
    assert day_trips.place_at(places, DAY + timedelta(minutes=15)) == pytest.approx((40.1, -83.2))
    assert day_trips.place_at(places, DAY + timedelta(minutes=90)) == pytest.approx((41, -83))
    assert day_trips.place_at(places.head(0), DAY) is None
    assert day_trips.period_at(periods, DAY + timedelta(minutes=90))["name"] == "Stop 1"
    assert day_trips.period_at(periods, DAY - timedelta(minutes=90))["name"] == "Trip 1"


def test_at_the_date_line_neighbours_are_neighbours() -> None:
    periods = day("trip").assign(first_latitude=0.5, first_longitude=179.9, last_latitude=0.5, last_longitude=-179.9)
    places = day_trips.places(periods, pd.DataFrame(columns=["last_time", "gps_latitude", "gps_longitude"]))
    assert list(places["longitude"]) == pytest.approx([179.9, 180.1])


def test_a_day_without_positions_has_no_places() -> None:
    nowhere = dict.fromkeys(("first_latitude", "first_longitude", "last_latitude", "last_longitude"), float("nan"))
    track = pd.DataFrame(columns=["last_time", "gps_latitude", "gps_longitude"])
    assert day_trips.places(day("trip", "stop", **nowhere), track).empty


@pytest.mark.parametrize("length", [timedelta(seconds=7), timedelta(minutes=40), timedelta(hours=25)])
def test_a_time_line_has_few_steps_and_both_ends(length: timedelta) -> None:
    steps = day_trips.steps(DAY, DAY + length)
    assert (steps[0], steps[-1]) == (DAY, DAY + length)
    assert len(steps) <= day_trips.MAX_STEPS + 1
    assert all(one < other for one, other in pairwise(steps))


def test_the_download_has_numbers_and_instants_in_utc() -> None:
    (row, _) = csv.DictReader(io.StringIO(day_trips.csv(day("trip", "stop")).decode("utf-8-sig")))
    assert (row["name"], row["distance_mi"], row["from_longitude"]) == ("Trip 1", "10.0", "-83.0")
    assert datetime.fromisoformat(row["begins"]) == DAY


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (61, "1 min"), (3590, "1 h 00 min"), (3900, "1 h 05 min")]
)
def test_hours_and_minutes(seconds: float, text: str) -> None:
    assert quantities.hours(seconds) == text


def test_a_day_is_as_long_as_it_is_in_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "_zone", lambda: ZoneInfo("America/New_York"))
    begins, ends = times.bounds_of(date(2026, 11, 1))
    assert (begins, ends - begins) == (datetime(2026, 11, 1, 4, tzinfo=UTC), timedelta(hours=25))
    assert times.day_of(begins - timedelta(seconds=1)) == date(2026, 10, 31)
    assert times.on_the_clock(ends - timedelta(minutes=1)) == "23:59"


def test_a_day_in_utc_has_24_hours_and_the_first_and_the_last_day_exist() -> None:
    assert times.bounds_of(DAY.date()) == (DAY, DAY + timedelta(days=1))
    for far in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        begins, ends = times.bounds_of(far.date())
        assert begins == far
        assert ends > begins
        assert times.day_of(far) == far.date()
