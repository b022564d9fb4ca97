"""Trips, stops and silences of a day: by situation, and generated days against the oracle."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings

from include import names, sql
from include.plausibility import EARTH_RADIUS_MILES
from sql.merge.history_oracle import ATTRIBUTES
from tests.sql.trip_oracle import Period, periods

pytestmark = pytest.mark.sql

DAY = datetime(2026, 11, 22)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
NEXT_DAY = DAY + timedelta(days=1)
MILES_PER_DEGREE = EARTH_RADIUS_MILES * 3.141592653589793 / 180
COLUMNS = (
    "KIND", "BEGINS_AT", "ENDS_AT", "MILES", "ODOMETER_MILES", "TOP_SPEED", "IDLE_SECONDS", "GALLONS", "REFUELLED",
)  # fmt: skip
USED = (
    "EFFECTIVE_START_DATE", "EFFECTIVE_END_DATE", "GPS_LATITUDE", "GPS_LONGITUDE", "VEHICLE_SPEED", "GPS_SPEED",
    "ENGINE_RPM", "FUEL_CONSUMPTION", "FUEL_LEVEL", "ODOMETER_READING",
)  # fmt: skip


class Truck:
    """Writes the readings of a truck that drives north, one every half a minute, from eight o'clock."""

    def __init__(self, minute: float = 480, every: float = 0.5, **reported: Any) -> None:
        self.minute, self.every, self.reported = minute, every, reported
        self.north, self.odometer, self.fuel = 0.0, 50_000.0, 60.0
        self.readings: list[dict[str, Any]] = []

    def report(self, mph: float = 0, rpm: float = 0, **values: Any) -> None:
        reading = {
            "EVENT_TIME": DAY + timedelta(minutes=self.minute),
            "GPS_LATITUDE": round(40 + self.north / MILES_PER_DEGREE, 7),
            "GPS_LONGITUDE": -83.0,
            "VEHICLE_SPEED": mph,
            "ENGINE_RPM": rpm,
            "ODOMETER_READING": round(self.odometer, 4),
            "FUEL_LEVEL": self.fuel,
            "FUEL_CONSUMPTION": 6.0 if rpm else 0.0,
        }
        self.readings.append(reading | self.reported | values)

    def drive(self, minutes: float, mph: float = 30, **values: Any) -> Truck:
        for _ in range(round(minutes / self.every)):
            self.report(mph, 1500, **values)
            self.minute += self.every
            self.north += mph * self.every / 60
            self.odometer += abs(mph) * self.every / 60
        return self

    def stand(self, minutes: float, rpm: float = 0, **values: Any) -> Truck:
        for _ in range(round(minutes / self.every)):
            self.report(0, rpm, **values)
            self.minute += self.every
        return self

    def drift(self, minutes: float, miles: float = 0.04, **values: Any) -> Truck:
        """Stands, and its positions and speed by GPS wander."""
        here = self.north
        for number in range(round(minutes / self.every)):
            self.north = here + miles * (number % 3 - 1)
            self.report(0, 0, GPS_SPEED=number % 4 * 1.5, **values)
            self.minute += self.every
        self.north = here
        return self

    def away(self, minutes: float, miles: float = 0) -> Truck:
        """Sends nothing, and is so far north afterwards."""
        self.minute += minutes
        self.north += miles
        self.odometer += abs(miles)
        return self

    def elsewhere(self, latitude: float, longitude: float, readings: int = 1) -> Truck:
        """Stands, and says so of another place."""
        return self.stand(readings * self.every, GPS_LATITUDE=latitude, GPS_LONGITUDE=longitude)

    def refuel(self, percent: float) -> Truck:
        self.fuel += percent
        return self


def trip(begins: float, ends: float, miles: float) -> tuple[str, float, float, float]:
    return "trip", begins, ends, miles


def stop(begins: float, ends: float) -> tuple[str, float, float, None]:
    return "stop", begins, ends, None


def silent(begins: float, ends: float, miles: float | None) -> tuple[str, float, float, float | None]:
    return "silent", begins, ends, miles


NIGHT = 1440
# Of each situation, what the truck sent, and its day: kind, first and last minute, miles.
SITUATIONS: dict[str, tuple[Truck, list[tuple[str, float, float, float | None]]]] = {
    "one_trip": (Truck().stand(60).drive(20).stand(9), [stop(480, 540), trip(540, 560, 10), stop(560, NIGHT)]),
    "a_light_is_no_stop": (
        Truck().stand(10).drive(6).stand(2, rpm=700).drive(6).stand(9),
        [stop(480, 490), trip(490, 504, 6), stop(504, NIGHT)],
    ),
    "two_trips_with_a_delivery": (
        Truck().stand(10).drive(20).stand(12, rpm=700).drive(10).stand(9),
        [stop(480, 490), trip(490, 510, 10), stop(510, 522), trip(522, 532, 5), stop(532, NIGHT)],
    ),
    "there_and_back": (
        Truck().stand(10).drive(10).drive(10, mph=-30, VEHICLE_SPEED=30.0).stand(9),
        [stop(480, 490), trip(490, 510, 10), stop(510, NIGHT)],
    ),
    "parked_drift": (Truck().drift(120).stand(1), [stop(480, NIGHT)]),
    "parked_drift_without_a_vehicle_speed": (Truck(VEHICLE_SPEED=None).drift(120).stand(1), [stop(480, NIGHT)]),
    "parked_drift_between_trips": (
        Truck(VEHICLE_SPEED=None, GPS_SPEED=30.0)
        .drive(10)
        .drift(59)
        .stand(1, GPS_SPEED=0.0)
        .drive(10)
        .stand(9, GPS_SPEED=0.0),
        [trip(480, 490, 5), stop(490, 550), trip(550, 560, 5), stop(560, NIGHT)],
    ),
    "an_odd_position_while_parked": (
        Truck(every=0.25, VEHICLE_SPEED=None).drift(10).elsewhere(40.01, -83).drift(10).stand(1),
        [stop(480, NIGHT)],
    ),
    "across_the_yard": (Truck().stand(10).drive(2, mph=6).stand(9), [stop(480, NIGHT)]),
    "a_jump_of_5000_km_and_back": (
        Truck().stand(10).drive(10).elsewhere(-1.2921, 36.8219).drive(10).stand(9),
        [stop(480, 490), trip(490, 510.5, 10), stop(510.5, NIGHT)],
    ),
    "a_jump_while_parked": (
        Truck().stand(60).elsewhere(-1.2921, 36.8219, readings=20).stand(30),
        [stop(480, NIGHT)],
    ),
    "the_day_begins_with_a_jump": (
        Truck().elsewhere(-1.2921, 36.8219).stand(10).drive(10).stand(9),
        [stop(480, 490.5), trip(490.5, 500.5, 5), stop(500.5, NIGHT)],
    ),
    "null_island": (
        Truck().stand(10).drive(10, 30).elsewhere(0, 0, readings=2).drive(10).stand(9),
        [stop(480, 490), trip(490, 511, 10), stop(511, NIGHT)],
    ),
    "a_tunnel": (
        Truck().stand(10).drive(5).drive(5, GPS_LATITUDE=None, GPS_LONGITUDE=None).drive(5).stand(9),
        [stop(480, 490), trip(490, 505, 7.5), stop(505, NIGHT)],
    ),
    "no_positions_but_an_odometer": (
        Truck(GPS_LATITUDE=None, GPS_LONGITUDE=None).stand(10).drive(10).stand(9),
        [stop(480, 490), trip(490, 500, None), stop(500, NIGHT)],
    ),
    "no_speeds": (
        Truck(VEHICLE_SPEED=None).stand(10).drive(10).stand(9),
        [stop(480, 490), trip(490, 500, 5), stop(500, NIGHT)],
    ),
    "speeds_that_stand_for_not_available": (
        Truck(VEHICLE_SPEED=158.4, GPS_SPEED=158.4).stand(20),
        [stop(480, NIGHT)],
    ),
    "a_vehicle_speed_that_is_always_0": (
        Truck(VEHICLE_SPEED=0.0, GPS_SPEED=30.0).drive(10).stand(9, GPS_SPEED=0.0),
        [trip(480, 490, 5), stop(490, NIGHT)],
    ),
    "reports_every_five_minutes": (
        Truck(every=5).stand(30).drive(30).stand(20),
        [stop(480, 510), trip(510, 540, 15), stop(540, NIGHT)],
    ),
    "switched_off_where_it_parks": (
        Truck().drive(10).stand(1).away(300).drive(10).stand(9),
        [trip(480, 490, 5), stop(490, 791), trip(791, 801, 5), stop(801, NIGHT)],
    ),
    "switched_off_before_it_stood": (
        Truck().drive(10).away(300).drive(10).stand(9),
        # The last reading before the silence is half a minute old.
        [trip(480, 489.5, 4.75), stop(489.5, 790), trip(790, 800, 5), stop(800, NIGHT)],
    ),
    "silent_and_elsewhere_afterwards": (
        Truck().stand(10).drive(10).away(60, miles=40).drive(10).stand(9),
        [stop(480, 490), trip(490, 499.5, 4.75), silent(499.5, 560, 40.25), trip(560, 570, 5), stop(570, NIGHT)],
    ),
    "silent_and_then_without_a_fix_at_first": (
        Truck().stand(10).away(59, miles=40).drive(1, GPS_LATITUDE=None, GPS_LONGITUDE=None).drive(10).stand(9),
        # It stood for ten minutes at first.  Equal readings are one version, so nobody knows when the silence began.
        [silent(480, 549, 39.921), trip(549, 560, 5.579), stop(560, NIGHT)],
    ),
    "a_short_gap_while_it_drives": (
        Truck().stand(10).drive(10).away(8, miles=4).drive(10).stand(9),
        [stop(480, 490), trip(490, 518, 14), stop(518, NIGHT)],
    ),
    "no_word_since_it_drove": (
        Truck().stand(10).drive(10),
        [stop(480, 490), trip(490, 499.5, 4.75), silent(499.5, NIGHT, None)],
    ),
    "over_midnight": (
        Truck(minute=1400).stand(20).drive(40).stand(9),
        [stop(1400, 1420), trip(1420, NIGHT, 10)],
    ),
    "a_minute_before_midnight": (
        Truck(minute=1400).stand(39.5).drive(40).stand(9),
        [stop(1400, 1439.5), trip(1439.5, NIGHT, 0.25)],
    ),
    "since_the_day_before": (
        Truck(minute=-20).drive(40).stand(9),
        [trip(0, 20, 10), stop(20, NIGHT)],
    ),
    "parked_since_a_week": (Truck(minute=-7 * 1440).stand(1), [stop(0, NIGHT)]),
    "a_clock_of_year_1": (
        Truck().stand(1, EVENT_TIME=datetime(1, 1, 1)).stand(10).drive(10).stand(9),  # noqa: DTZ001
        [stop(0, 491), trip(491, 501, 5), stop(501, NIGHT)],
    ),
    "nothing_on_the_day": (Truck(minute=2 * 1440).drive(10).stand(9), []),
}
REFUELLED = {
    "refuelled at a stop": (Truck().drive(10).stand(5).refuel(30).stand(5).drive(10).stand(9), [0, 30, 0, 0]),
    "refuelled slowly": (
        Truck().drive(10).stand(5).refuel(4).stand(0.5).refuel(4).stand(5).drive(10).stand(9),
        [0, 8, 0, 0],
    ),
    "refuelled within a trip": (Truck().drive(10).stand(1).refuel(40).stand(1).drive(10).stand(9), [40, 0]),
    "refuelled while off": (Truck().drive(10).stand(1).refuel(20).away(60).drive(10).stand(9), [0, 20, 0, 0]),
    "the gauge swings": (Truck().drive(10).refuel(3).drive(1).refuel(-3).drive(1).stand(9), [0, 0]),
}


def new_odometer() -> Truck:
    truck = Truck().stand(10).drive(10)
    truck.odometer = 10.0
    return truck.drive(10).stand(9)


MORE = {name: truck.readings for name, (truck, _) in REFUELLED.items()} | {
    "idling": Truck().drive(10).drive(1, mph=60).stand(2, rpm=700).drive(10).stand(30, rpm=700).stand(9).readings,
    "new odometer": new_odometer().readings,
    "new tracker": Truck().stand(10).drive(10).stand(9).readings,
}
# Its last reading arrives after the others have been merged.
LATE = "a_late_reading_splits_a_version"


def rows(truck: str, readings: list[dict[str, Any]], first: int = 0) -> list[dict[str, Any]]:
    return [
        reading
        | {"TRUCK_ID": truck, "ARRIVAL_TIME": reading["EVENT_TIME"], "SEQUENCE_NUMBER": str(10**20 + first + number)}
        | {"FILE_NAME": f"telemetry-data/{truck}-{first}.gz", "FILE_ROW_NUMBER": number, "LOAD_TIMESTAMP": NEXT_DAY}
        for number, reading in enumerate(readings)
    ]


@pytest.fixture(scope="module")
def situations(snowflake: Any) -> Any:
    """The history of all situations, each of a truck that has its name."""
    snowflake.empty()
    drive = Truck().stand(10).drive(10).readings
    late = [at for at in drive if at["EVENT_TIME"] == DAY + timedelta(minutes=495)]
    sent = {name: truck.readings for name, (truck, _) in SITUATIONS.items()} | MORE
    sent[LATE] = [at for at in drive if at not in late]
    snowflake.land([row for name, readings in sent.items() for row in rows(name, readings)])
    snowflake.merge()
    snowflake.land(rows(LATE, [late[0] | {"GPS_LATITUDE": 40.05, "VEHICLE_SPEED": 44.0}], first=900))
    snowflake.merge()
    return snowflake


def bound(truck: str, begins: datetime, now: datetime, hours: float = 24) -> dict[str, Any]:
    ends = begins + timedelta(hours=hours)
    spread = timedelta(hours=1)
    instants = {"begins": begins, "ends": ends, "since": begins - spread, "until": ends + spread, "instant": now}
    return {"truck_id": truck, "limit": 500} | {name: at.isoformat() for name, at in instants.items()}


def day_of(
    snowflake: Any, truck: str, begins: datetime = DAY, now: datetime = NEXT_DAY + timedelta(days=9), hours: float = 24
) -> list[Period]:
    query = sql.statement("dashboard/trips.sql")
    found = snowflake.execute(
        f"select {', '.join(COLUMNS)} from ({query}) order by BEGINS_AT", bound(truck, begins, now, hours)
    )
    return [Period(*row[:3], *(None if value is None else float(value) for value in row[3:])) for row in found]


def minutes(period: Period) -> tuple[str, float, float]:
    return period.kind, *((at - DAY).total_seconds() / 60 for at in (period.begins, period.ends))


def expected_of(snowflake: Any, truck: str, begins: datetime, now: datetime, hours: float = 24) -> list[Period]:
    versions = snowflake.execute(
        f"select {', '.join(USED)} from {names.TRUCK_HISTORY_VIEW} where TRUCK_ID = %s", [truck]
    )
    ends = begins + timedelta(hours=hours)
    return periods([dict(zip(USED, row, strict=True)) for row in versions], begins, ends, now)


def same(one: Period, other: Period) -> bool:
    return one[:3] == other[:3] and all(
        a == b if a is None or b is None else a == pytest.approx(b, abs=1e-6, rel=1e-6)
        for a, b in zip(one[3:], other[3:], strict=True)
    )


def assert_like_the_oracle(found: list[Period], expected: list[Period]) -> None:
    assert [each[:3] for each in found] == [each[:3] for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert same(one, other)


# Each query of this length takes a third of a second to parse.  The others are played by ``make verify``; the oracle
# decides them in every run, and the SQL is compared with it over generated days.
ALWAYS = {
    "two_trips_with_a_delivery", "a_light_is_no_stop", "parked_drift_between_trips", "a_jump_of_5000_km_and_back",
    "a_tunnel", "no_positions_but_an_odometer", "switched_off_before_it_stood", "silent_and_elsewhere_afterwards",
    "a_clock_of_year_1",
}  # fmt: skip


def assert_as_expected(name: str, found: list[Period]) -> None:
    wanted = SITUATIONS[name][1]
    assert [minutes(period) for period in found] == [each[:3] for each in wanted], name
    for period, (_, _, _, miles) in zip(found, wanted, strict=True):
        assert period.miles == (None if miles is None else pytest.approx(miles, abs=0.05)), name


@pytest.mark.parametrize(
    "name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.verify) for name in SITUATIONS]
)
def test_a_day_by_situation(situations: Any, name: str) -> None:
    found = day_of(situations, name)
    assert_as_expected(name, found)
    assert_like_the_oracle(found, expected_of(situations, name, DAY, NEXT_DAY + timedelta(days=9)))


def test_the_oracle_agrees_with_every_situation(situations: Any) -> None:
    rows = situations.execute(f"select TRUCK_ID, {', '.join(USED)} from {names.TRUCK_HISTORY_VIEW}")
    for name in SITUATIONS:
        versions = [dict(zip(USED, row[1:], strict=True)) for row in rows if row[0] == name]
        assert_as_expected(name, periods(versions, DAY, NEXT_DAY, NEXT_DAY + timedelta(days=9)))


def test_a_trip_over_midnight_is_cut_and_no_mile_is_lost(situations: Any) -> None:
    for name, miles in (("over_midnight", 20), ("a_minute_before_midnight", 20)):
        today, tomorrow = day_of(situations, name), day_of(situations, name, NEXT_DAY)
        assert (today[-1].kind, tomorrow[0].kind) == ("trip", "trip")
        assert today[-1].ends == tomorrow[0].begins == NEXT_DAY
        assert today[-1].miles + tomorrow[0].miles == pytest.approx(miles, abs=0.01)


def test_a_late_reading_is_part_of_the_day(situations: Any) -> None:
    (_, driven, _) = day_of(situations, LATE)
    # It was a mile farther north, so the way there and back counts.
    assert driven.miles == pytest.approx(4.25 + 2 * 0.955, abs=0.01)
    assert driven.top_speed == 44
    assert_like_the_oracle(day_of(situations, LATE), expected_of(situations, LATE, DAY, NEXT_DAY + timedelta(days=9)))


def test_idling_fuel_and_top_speed(situations: Any) -> None:
    first, second = day_of(situations, "idling")
    assert (first.top_speed, first.idle_seconds) == (60, 120)
    # 6 gal/h for 23 minutes.
    assert first.gallons == pytest.approx(2.3)
    # Half an hour in one version: nobody knows whether the engine ran after a quarter of an hour.
    assert second.idle_seconds == 15 * 60
    assert second.top_speed is None


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if "slowly" in name else pytest.mark.verify) for name in REFUELLED]
)
def test_refuelled(situations: Any, name: str) -> None:
    assert [period.refuelled for period in day_of(situations, name)] == pytest.approx(REFUELLED[name][1])


def test_the_odometer_is_a_second_opinion(situations: Any) -> None:
    driven = day_of(situations, "new odometer")[1]
    assert driven.miles == pytest.approx(10, abs=0.01)
    # The leg on which it went back to 10 does not count.
    assert driven.odometer_miles == pytest.approx(9.75, abs=0.01)


def test_today_ends_now_and_a_day_has_any_length(situations: Any) -> None:
    now = DAY + timedelta(minutes=600)
    assert minutes(day_of(situations, "one_trip", now=now)[-1]) == ("stop", 560, 600)
    # The day on which clocks go back.
    assert minutes(day_of(situations, "one_trip", hours=25)[-1]) == ("stop", 560, 1500)


def test_the_readings_of_another_tracker_count(situations: Any) -> None:
    situations.execute(
        f"insert into {names.ASSIGNMENTS_TABLE} select 'new tracker', '2026-11-22 08:15:00'::timestamp_ntz,"
        " '9999-12-31'::timestamp_ntz, 'old truck', '2026-11-22'::timestamp_ntz, 'tests', '-'"
    )
    try:
        assert [minutes(each) for each in day_of(situations, "old truck")] == [
            ("trip", 495, 500),
            ("stop", 500, NIGHT),
        ]
    finally:
        situations.execute(f"delete from {names.ASSIGNMENTS_TABLE}")


def test_the_track_has_the_positions_that_count(situations: Any) -> None:
    def track(truck: str, slice_seconds: int = 30) -> list[tuple[Any, ...]]:
        values = bound(truck, DAY, NEXT_DAY) | {"slice_seconds": slice_seconds}
        return situations.execute(sql.statement("dashboard/track_of_day.sql"), values)

    driven = track("a_jump_of_5000_km_and_back")
    assert max(abs(latitude - 40) for _, latitude, *_ in driven) < 1
    assert {kind for *_, kind in driven} == {"trip", "stop"}
    # The first version of this truck is years old: it says where the truck was as the day began.
    assert track("a_clock_of_year_1")[0][0] == DAY
    assert len(track("one_trip", 300)) == 6
    assert all(None not in row[1:3] for row in track("a_tunnel"))
    assert track("no_positions_but_an_odometer") == []


# --- Generated days --------------------------------------------------------------------------------------------------

DAYS = max(5, settings().max_examples // 10)


def generated(chance: random.Random) -> Truck:
    reported: dict[str, Any] = chance.choice(
        [{}, {}, {"VEHICLE_SPEED": None}, {"GPS_LATITUDE": None}, {"ODOMETER_READING": None}, {"FUEL_LEVEL": None}]
    )
    truck = Truck(chance.randint(-90, 600), chance.choice([0.5, 1, 5]), **reported)
    parts: list[Callable[[], Any]] = [
        lambda: truck.drive(chance.choice([1, 2, 7, 30]), chance.choice([-40, 2, 6, 30, 70])),
        lambda: truck.drive(5, 30, GPS_LATITUDE=None),
        lambda: truck.stand(chance.choice([1, 4, 5, 6, 40]), chance.choice([0, 700])),
        lambda: truck.drift(chance.choice([3, 20]), chance.choice([0.02, 0.2]), VEHICLE_SPEED=None),
        lambda: truck.away(chance.choice([4, 14, 16, 90]), chance.choice([0, 0.2, 5])),
        lambda: truck.elsewhere(chance.choice([0.0, 40.3, -1.3]), -83.0, chance.randint(1, 4)),
        lambda: truck.refuel(chance.choice([-30, 2, 30])),
    ]
    for _ in range(chance.randint(3, 14)):
        chance.choice(parts)()
    return truck


@pytest.mark.verify
def test_generated_days_are_what_the_oracle_says(snowflake: Any, seed: int) -> None:
    chance = random.Random(seed)
    trucks = {f"generated {number}": generated(chance) for number in range(DAYS)}
    snowflake.land([row for name, truck in trucks.items() for row in rows(name, truck.readings)])
    snowflake.merge()
    found = 0
    for name in trucks:
        begins, hours = chance.choice([(DAY, 24), (DAY + timedelta(minutes=chance.randint(400, 900)), 3)])
        now = begins + timedelta(hours=chance.choice([20, 200]))
        day = day_of(snowflake, name, begins, now, hours)
        assert_like_the_oracle(day, expected_of(snowflake, name, begins, now, hours))
        found += len(day)
    print(f"{found} periods of {DAYS} trucks, seed {seed}")
    assert found > DAYS


def test_the_attributes_are_those_of_the_contract() -> None:
    assert set(Truck().stand(1).readings[0]) <= {*ATTRIBUTES, "EVENT_TIME"}
