"""The rules over consecutive readings: each names the truck of its fault, and raises no false alarm."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from msgspec.structs import replace

from include import names, quality
from include.erasure import truck_tables
from include.quality.findings import check_readings
from sql.merge.history_oracle import ATTRIBUTES

pytestmark = pytest.mark.sql

COLUMNS = ("FIRST_FOUND_AT", "LAST_FOUND_AT")
RULES = [rule for rule in quality.rules() if rule.relation]
numbers = count(1)
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
START = NOW - timedelta(minutes=30)
BERLIN, NAIROBI, HAMBURG, POTSDAM = (52.52, 13.405), (-1.2921, 36.8219), (53.5511, 9.9937), (52.39, 13.06)
HEALTHY = dict.fromkeys(ATTRIBUTES, 42.0) | {
    "GPS_LATITUDE": BERLIN[0],
    "GPS_LONGITUDE": BERLIN[1],
    "ENVIRONMENT_PRESSURE": 1013.0,
    "ENGINE_TEMPERATURE": 90.0,
    "ENVIRONMENT_TEMPERATURE": 12.0,
    "TIRE_PRESSURE_FRONT_LEFT": 102.0,
    "TIRE_PRESSURE_FRONT_RIGHT": 102.0,
    "TIRE_PRESSURE_REAR_LEFT": 102.0,
    "TIRE_PRESSURE_REAR_RIGHT": 102.0,
    "ODOMETER_READING": 120_000.0,
    "BRAKE_STATUS": "Good",
    "TRANSMISSION_STATUS": "Operational",
}


def reading(seconds, truck="TRK001", **changes):
    at = START + timedelta(seconds=seconds)
    number = next(numbers)
    return {
        **HEALTHY,
        "TRUCK_ID": truck,
        "EVENT_TIME": at,
        "ARRIVAL_TIME": at,
        "SEQUENCE_NUMBER": str(10**20 + number),
        "FILE_NAME": f"telemetry-data/{number}.json.gz",
        "FILE_ROW_NUMBER": 1,
        "LOAD_TIMESTAMP": NOW,
        # No two readings are equal, so each is a version.
        "FUEL_LEVEL": 90 - seconds / 1000,
    } | changes


def at(place, seconds, truck="TRK001", **changes):
    return reading(seconds, truck, GPS_LATITUDE=place[0], GPS_LONGITUDE=place[1], **changes)


def clock(event_time):
    return [reading(0, EVENT_TIME=event_time, ARRIVAL_TIME=START)]


def odometer(*values, every=10):
    return [reading(every * number, ODOMETER_READING=value) for number, value in enumerate(values)]


def speeds(*pairs):
    return [reading(number, GPS_SPEED=gps, VEHICLE_SPEED=own) for number, (gps, own) in enumerate(pairs)]


def hour(stuck=(), every=60, minutes=70, **changes):
    """Readings of a truck that drives for 70 minutes; the metrics in ``stuck`` keep their first value."""
    driven = []
    for number in range(minutes * 60 // every + 1):
        seconds = number * every
        driving = {
            "GPS_LATITUDE": 52.0 + seconds / 36_000,
            "GPS_LONGITUDE": 13.0 + seconds / 36_000,
            "GPS_SPEED": 40 + number % 3,
            "VEHICLE_SPEED": 41 + number % 3,
            "ENGINE_RPM": 1200 + number % 7,
            "ENGINE_TEMPERATURE": 85 + number % 4,
            "OIL_PRESSURE": 40 + number % 5,
            "FUEL_CONSUMPTION": 8 + number % 3,
            "FUEL_LEVEL": 90 - seconds / 1000,
            "ODOMETER_READING": 120_000 + seconds / 90,
        }
        driven.append(reading(seconds - 60 * minutes, **driving | changes))
    return [each | {metric: driven[0][metric] for metric in stuck} for each in driven]


def one(**changes):
    return [reading(0, **changes)]


def nulled(**sent):
    """A reading's changes where these metrics were sent outside their range and nulled."""
    mark = json.dumps(sent, separators=(",", ":"))
    return {name.upper(): None for name in sent} | {"NULLED_METRICS": mark}


class Checks:
    """Checks of data_quality, one after another."""

    def __init__(self, snowflake):
        self.snowflake = snowflake
        self.now = NOW
        self.last = {}
        self.check()

    def arrive(self, *readings, merge=True):
        self.snowflake.land(readings)
        if merge:
            self.snowflake.merge()
        return self

    def check(self, now=None):
        self.now = now or self.now
        results = check_readings(self.snowflake.connection, RULES, self.last, self.now)
        assert {result.status for result in results} <= {"pass", "fail"}, results
        self.last = {result.rule: result for result in results}
        return {result.rule: result.samples for result in results if result.status == "fail"}


@pytest.fixture
def checks(empty_snowflake):
    return Checks(empty_snowflake)


# Kinds of faults of each rule: the readings of a truck, how many of them are implausible, and a part of the detail.
FAULTS = {
    "positions_do_not_jump": {
        "there and back": ([at(BERLIN, 0), at(NAIROBI, 10), at(BERLIN, 20)], 2, "3959 miles in 10 s, to 52.52, 13.405"),
        "to the next town in a second": ([at(BERLIN, 0), at(POTSDAM, 1)], 1, "17 miles in 1 s"),
        "two devices under one name": ([at((BERLIN, HAMBURG)[n % 2], 60 * n) for n in range(6)], 5, "miles in 60 s"),
        "latitude and longitude swapped": ([at(BERLIN, 0), at(BERLIN[::-1], 10)], 1, "to 13.405, 52.52"),
        "the sign of the longitude lost": ([at((40.7, -74.2), 0), at((40.7, 74.2), 10)], 1, "to 40.7, 74.2"),
        "the longitude without its fix": ([at(BERLIN, 0), at((52.52, 0.0), 10)], 1, "in 10 s"),
        "in a millisecond": (
            [at(BERLIN, 0), at(NAIROBI, 0, EVENT_TIME=START + timedelta(milliseconds=1))],
            1,
            "in 0 s",
        ),
        "after a night in one place": ([at(BERLIN, -8 * 3600), at(NAIROBI, 0)], 1, "in 28800 s"),
    },
    "positions_are_on_roads": {
        "sixteen times between two in Berlin": (
            [at(BERLIN, 0), *(at((0.0, 0.0), n) for n in range(1, 17)), at(BERLIN, 17)],
            16,
            "at 0, 0",
        ),
        "near 0,0": ([at((0.0001, -0.00003), 0)], 1, "at 0.0001"),
        "minus zero": ([at((-0.0, -0.0), 0)], 1, "at "),
        "the edge of the box": ([at((0.049, 0.049), 0)], 1, "at 0.049, 0.049"),
        "the largest numbers that fit": ([at((90.0, 180.0), 0)], 1, "at 90"),
        "the smallest numbers that fit": ([at((-90.0, -180.0), 0)], 1, "at -90"),
    },
    "values_are_measured": {
        "engine temperature from 0xFF": (one(ENGINE_TEMPERATURE=215.0), 1, "ENGINE_TEMPERATURE 215"),
        "engine temperature from 0xFE": (one(ENGINE_TEMPERATURE=214.0), 1, "ENGINE_TEMPERATURE 214"),
        "speed from 0xFFFF": (one(VEHICLE_SPEED=159.07), 1, "VEHICLE_SPEED 159.07"),
        "speed from 0xFFFF, unrounded": (one(GPS_SPEED=65535 / 256 / 1.609344), 1, "GPS_SPEED 159.0"),
        "speed from 0xFE00": (one(VEHICLE_SPEED=0xFE00 / 256 / 1.609344), 1, "VEHICLE_SPEED 157.8"),
        "speed from 0xFF of OBD-II": (one(VEHICLE_SPEED=255 / 1.609344), 1, "VEHICLE_SPEED 158.4"),
        "oil pressure from 0xFF": (one(OIL_PRESSURE=1020 * 0.1450377), 1, "OIL_PRESSURE 147.9"),
        "a tyre's pressure from 0xFF": (one(TIRE_PRESSURE_REAR_LEFT=147.94), 1, "TIRE_PRESSURE_REAR_LEFT"),
        "altitude from 0xFFFF": (one(GPS_ALTITUDE=65535 * 0.125 - 2500), 1, "GPS_ALTITUDE 5691.875"),
        "battery from 0x7FFF": (one(BATTERY_VOLTAGE=32.767), 1, "BATTERY_VOLTAGE 32.767"),
        "two at a time": (one(ENGINE_TEMPERATURE=215.0, VEHICLE_SPEED=159.07), 1, "VEHICLE_SPEED 159.07"),
    },
    "metrics_arrive_in_range": {
        "no fix": (one(**nulled(gps_latitude="-200", gps_longitude="-200")), 1, "gps_latitude:-200,gps_longitude:-200"),
        "a broken sensor, twice between good readings": (
            [reading(0), reading(1, **nulled(fuel_level="101")), reading(2, **nulled(fuel_level="1e+30")), reading(3)],
            2,
            "fuel_level:1e+30",
        ),
        "an empty status": (one(**nulled(brake_status="''")), 1, "brake_status:''"),
    },
    "odometers_advance": {
        "goes back": (odometer(120_000.0, 119_990.0), 1, "goes back from 120000 to 119990"),
        "falls to 0": (odometer(120_000.0, 0.0), 1, "falls to 0 from 120000"),
        "rolls over": (odometer(999_999.5, 0.5), 1, "rolls over from 999999.5 to 0.5"),
        "rolls over in kilometres": (odometer(621_371.0, 0.2), 1, "rolls over"),
        "in kilometres from now on": (odometer(120_000.0, 193_121.3), 1, "leaps from 120000 to 193121.3"),
        "alternates between two devices": (odometer(120_000.0, 5_000.0, 120_000.1, 5_000.1), 3, "from 120000.1"),
    },
    "speeds_have_one_unit": {
        "kilometres as miles": (speeds((80.45, 50), (88.5, 55), (96.5, 60)), 3, "GPS in km/h"),
        "the bus in kilometres": (speeds((50, 80.45), (55, 88.5), (60, 96.5)), 3, "vehicle in km/h"),
        "knots": (speeds((43.45, 50), (47.8, 55), (52.1, 60)), 3, "GPS in knots"),
        "metres per second": (speeds((22.4, 50), (24.6, 55), (26.8, 60)), 3, "GPS in m/s"),
        "rounded to whole numbers": (speeds((80, 50), (89, 55), (97, 60), (0, 0)), 3, "GPS in km/h"),
    },
    "temperatures_are_in_celsius": {
        "engine": (one(ENGINE_TEMPERATURE=195.0), 1, "engine 195"),
        "environment": (one(ENVIRONMENT_TEMPERATURE=68.0), 1, "environment 68"),
        "boiling": (one(ENGINE_TEMPERATURE=210.0), 1, "engine 210"),
        "no environment": (one(ENGINE_TEMPERATURE=185.0, ENVIRONMENT_TEMPERATURE=None), 1, "environment -"),
    },
    "sensors_are_not_stuck": {
        "fuel": (hour(["FUEL_LEVEL"]), 15, "for an hour FUEL_LEVEL 90"),
        "position": (hour(["GPS_LATITUDE", "GPS_LONGITUDE"]), 15, "GPS_LATITUDE 52 GPS_LONGITUDE 13"),
        "odometer": (hour(["ODOMETER_READING"]), 15, "ODOMETER_READING 120000"),
        "engine temperature": (hour(["ENGINE_TEMPERATURE"]), 15, "ENGINE_TEMPERATURE 85"),
        "speed, and no odometer": (hour(["GPS_SPEED"], ODOMETER_READING=None), 15, "GPS_SPEED 40"),
        "two sensors, every five minutes": (
            hour(["FUEL_LEVEL", "ENGINE_RPM"], every=300),
            3,
            "FUEL_LEVEL 90 ENGINE_RPM 1200",
        ),
        "only the speed says that it moves": (
            hour(["GPS_LATITUDE", "GPS_LONGITUDE", "ODOMETER_READING"]),
            15,
            "ODOMETER_READING 120000",
        ),
    },
    "clocks_are_right": {
        "GPS week rollover": (clock(START - timedelta(days=7168)), 1, "GPS week rollover (1024 weeks)"),
        "two rollovers": (clock(START - timedelta(days=14336, hours=3)), 1, "GPS week rollover (2048 weeks)"),
        "1970": (clock(datetime(1970, 1, 1, 0, 3)), 1, "a clock that starts at 1970"),  # noqa: DTZ001
        "1980": (clock(datetime(1980, 1, 6)), 1, "a clock that starts at 1980"),  # noqa: DTZ001
        "2000": (clock(datetime(2000, 1, 1, 1)), 1, "a clock that starts at 2000"),  # noqa: DTZ001
        "a year": (clock(START - timedelta(days=365)), 1, "365 days before arrival"),
        "year 1": (clock(datetime(1, 1, 1)), 1, "days before arrival"),  # noqa: DTZ001
    },
}

# What happens to a healthy fleet.
HEALTHY_FLEETS = {
    "drives for an hour": hour(),
    "coarse sensors": hour(["BATTERY_VOLTAGE", "TIRE_PRESSURE_REAR_LEFT", "ENVIRONMENT_TEMPERATURE"]),
    "stands for an hour": hour(["GPS_LATITUDE", "GPS_LONGITUDE", "ODOMETER_READING"], VEHICLE_SPEED=0.0, GPS_SPEED=0.0),
    "parked on the date line": [
        each | {"GPS_LONGITUDE": (179.9999, -179.9999)[n % 2]}
        for n, each in enumerate(hour(["GPS_LATITUDE", "ODOMETER_READING"], ENGINE_RPM=0.0, VEHICLE_SPEED=0.0))
    ],
    "limited to 56 mph, read every five minutes": hour(every=300, VEHICLE_SPEED=56.0),
    "stuck for half an hour": hour()[:40] + [each | {"FUEL_LEVEL": 60.0} for each in hour()[40:]],
    "a sensor that it does not have": hour(FUEL_LEVEL=None, OIL_PRESSURE=None),
    "parked, and the fix drifts": [
        at((52.52 + n % 3 * 0.004, 13.405 - n % 2 * 0.004), 0.1 * n, ODOMETER_READING=120_000.0 - n % 2)
        for n in range(20)
    ],
    "across the date line": [at((-17.0, 179.9999), 0), at((-17.0, -179.9999), 10), at((-17.0, 179.9999), 20)],
    "near the date line, far north": [at((70.0, 180.0), 0), at((70.0, -180.0), 1)],
    "two readings within one second": [
        at((52.52 + n * 0.0003, 13.405), 0, EVENT_TIME=START + timedelta(milliseconds=n)) for n in range(5)
    ],
    "silent while a ferry carried it": [at(BERLIN, 0), at(HAMBURG, 3 * 3600, ODOMETER_READING=120_180.0)],
    "on the equator": [at((0.0, 36.8 + n / 1000), 10 * n) for n in range(5)],
    "on the meridian of Greenwich": [at((51.48 + n / 1000, 0.0), 10 * n) for n in range(5)],
    "no fix": [at((None, None), 0), at(BERLIN, 10), at((None, None), 20)],
    "no odometer": odometer(120_000.0, None, 120_000.2),
    "odometer rounded to kilometres": odometer(120_000.0, 119_999.4, 120_000.0),
    "odometer after a day": odometer(120_000.0, 120_900.0, every=20 * 3600),
    "the GPS speed lags when it brakes": speeds((60, 60), (58, 50), (50, 40), (40, 25), (20, 5), (0, 0)),
    "a ratio by chance, twice": speeds((48.3, 30), (50, 31.1)),
    "hot": one(ENGINE_TEMPERATURE=125.0, ENVIRONMENT_TEMPERATURE=55.0),
    "fast, high, full": one(VEHICLE_SPEED=90.0, GPS_ALTITUDE=5200.0, TIRE_PRESSURE_FRONT_LEFT=130.0, OIL_PRESSURE=80.0),
    "late by three weeks": clock(START - timedelta(days=21)),
    "landed twice": [at(BERLIN, 0), at(BERLIN, 0), at(BERLIN, 10)],
}


@pytest.fixture(scope="module")
def faulty(snowflake):
    """Each fault is a truck of its own, named after it; the findings of all as (rule, readings, detail) by truck."""
    snowflake.empty()
    return found_in(
        snowflake, {f"{rule}: {kind}": fault[0] for rule, kinds in FAULTS.items() for kind, fault in kinds.items()}
    )


@pytest.fixture(scope="module", params=[True, False], ids=["merged", "waiting"])
def healthy(request, snowflake):
    snowflake.empty()
    return found_in(snowflake, HEALTHY_FLEETS, merge=request.param)


def found_in(snowflake, fleet, merge=True):
    checks = Checks(snowflake)
    checks.arrive(*(each | {"TRUCK_ID": truck} for truck, readings in fleet.items() for each in readings), merge=merge)
    # The rule over the last hour is due in another quarter of an hour.
    checks.check(NOW + timedelta(minutes=15))
    found = {}
    for truck, rule, readings, detail in snowflake.execute(
        f"select TRUCK_ID, RULE, READINGS, DETAIL from {names.FINDINGS_TABLE}"
    ):
        found.setdefault(truck, []).append((rule, readings, detail))
    return found


def test_every_rule_has_faults():
    assert sorted(FAULTS) == sorted(rule.name for rule in RULES)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [pytest.param(rule, kind, id=f"{rule}: {kind}") for rule, kinds in FAULTS.items() for kind in kinds],
)
def test_rule_names_the_truck_and_what_is_implausible(faulty, rule, kind):
    _, expected, named = FAULTS[rule][kind]
    ((by, readings, detail),) = faulty[f"{rule}: {kind}"]
    assert (by, readings) == (rule, expected)
    assert named in detail


@pytest.mark.parametrize("kind", HEALTHY_FLEETS)
def test_no_false_alarm(healthy, kind):
    # The rule that needs three readings does not show one or two.
    found = [each for each in healthy.get(kind, []) if each[0] != "speeds_have_one_unit" or each[1] >= 3]
    assert found == []


@pytest.mark.parametrize("kind", ["there and back", "two devices under one name", "in a millisecond"])
def test_a_jump_is_found_one_reading_at_a_time_and_before_the_merge(checks, kind):
    readings, *_ = FAULTS["positions_do_not_jump"][kind]
    for each in readings:
        checks.arrive(each, merge=False).check()
        checks.snowflake.merge()
    assert list(checks.check()) == ["positions_do_not_jump"]


def test_a_jump_is_found_in_the_first_readings_of_a_truck_before_their_merge(checks):
    readings, expected, _ = FAULTS["positions_do_not_jump"]["there and back"]
    (sample,) = checks.arrive(*readings, merge=False).check()["positions_do_not_jump"]
    assert sample.startswith(f"TRK001 {expected} readings")
    checks.snowflake.merge()
    assert checks.check()["positions_do_not_jump"] == [sample]


def test_late_readings_between_two_older_ones(checks):
    # 40 miles apart in an hour.  The late readings lie between them; out of order they would be a jump.
    assert checks.arrive(at(POTSDAM, 0), at((52.0, 13.06), 1800, ODOMETER_READING=120_030.0)).check() == {}
    late = at((52.2, 13.06), 900, ODOMETER_READING=120_013.0)
    assert checks.arrive(late, at((52.3, 13.06), 450, ODOMETER_READING=120_006.0)).check() == {}
    found = checks.arrive(at(NAIROBI, 600, ODOMETER_READING=1.0)).check()
    assert sorted(found) == ["odometers_advance", "positions_do_not_jump"]


def test_a_finding_is_counted_once_and_stays_until_a_day_after_the_last(checks):
    def pass_time(minutes):
        moved = ", ".join(f"{column} = dateadd('minute', -{minutes}, {column})" for column in COLUMNS)
        checks.snowflake.execute(f"update {names.FINDINGS_TABLE} set {moved}")

    rule, (sample,) = next(iter(checks.arrive(at((0.0, 0.0), 0)).check().items()))
    assert rule == "positions_are_on_roads"
    assert sample == f"TRK001 1 reading at {START}: at 0, 0"
    assert checks.last[rule].failed_count == 1
    assert abs(checks.last[rule].newest_offender_at - checks.now) < timedelta(minutes=1)
    # Nothing new, and twice something new.
    assert checks.check()[rule] == [sample]
    pass_time(60)
    found = checks.arrive(at((0.0, 0.0), 1), at((0.0, 0.0), 2)).check()
    assert found[rule][0].startswith("TRK001 3 readings")
    assert abs(checks.last[rule].newest_offender_at - (checks.now - timedelta(hours=1))) < timedelta(minutes=1)
    pass_time(24 * 60 - 5)
    assert checks.check()
    pass_time(6)
    assert checks.check() == {}
    assert checks.last[rule].failed_count == 0
    # A new one begins again.
    found = checks.arrive(at((0.0, 0.0), 3)).check()
    assert found[rule][0].startswith("TRK001 1 reading")
    assert abs(checks.last[rule].newest_offender_at - checks.now) < timedelta(minutes=1)


def test_a_cause_of_most_trucks_is_one_line(checks):
    trucks = [f"TRK{number:03}" for number in range(1, 11)]
    checks.arrive(*(reading(0, truck) for truck in trucks))
    assert checks.check() == {}
    four = [reading(1, truck, ENGINE_TEMPERATURE=215.0) for truck in trucks[:4]]
    assert len(checks.arrive(*four).check()["values_are_measured"]) == 4
    seven = [reading(2, truck, ENGINE_TEMPERATURE=215.0) for truck in trucks[:7]]
    (line,) = checks.arrive(*seven).check()["values_are_measured"]
    assert line == "fleet-wide: 7 of 10 trucks, 11 readings, for example ENGINE_TEMPERATURE 215"
    assert checks.last["values_are_measured"].failed_count == 7


def test_what_a_rebuild_lands_again_is_not_checked_again(checks):
    week_ago = START - timedelta(days=7)
    again = [at((0.0, 0.0), 0, EVENT_TIME=week_ago, ARRIVAL_TIME=week_ago)]
    assert checks.arrive(*again).check() == {}


def test_a_check_that_fails_leaves_the_readings_to_the_next(checks):
    checks.arrive(at((0.0, 0.0), 0))
    broken = replace(RULES[0], statement="select no_column")
    results = check_readings(checks.snowflake.connection, [*RULES, broken], {}, NOW)
    statuses = {rule.name: result.status for rule, result in zip(RULES, results, strict=False)}
    assert {statuses[rule.name] for rule in RULES if rule.relation == broken.relation} == {"error"}
    assert statuses["sensors_are_not_stuck"] == "pass"
    assert list(checks.check()) == ["positions_are_on_roads"]


def test_an_erased_truck_does_not_come_back_from_the_stream(checks):
    checks.arrive(at((0.0, 0.0), 0, "GONE"), at((0.0, 0.0), 0, "TRK002"))
    truck_tables.erase_rows(checks.snowflake.connection, "GONE")
    assert checks.check() == {}
    checks.arrive(at((0.0, 0.0), 1, "GONE"), at((0.0, 0.0), 1, "TRK002"))
    truck_tables.erase_rows(checks.snowflake.connection, "GONE")
    (sample,) = checks.arrive(at((0.0, 0.0), 2, "TRK002")).check()["positions_are_on_roads"]
    assert sample.startswith("TRK002 1 reading")
