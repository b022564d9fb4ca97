import itertools
import math
import random

import msgspec
import pytest

from include.contracts import METRICS
from include.generator.trucks import BRAKE, TRANSMISSION, FleetSimulation, Truck, truck_ids

pytestmark = pytest.mark.unit

START = 1_790_000_000_000_000
SECOND = 1_000_000
INDEX = {metric.name: position for position, metric in enumerate(METRICS)}


def _course(hours: float, every: float, seed: int = 7, truck: int = 0) -> list[dict]:
    fleet = FleetSimulation(seed, truck + 1, START)
    names = [metric.name for metric in METRICS]
    return [
        dict(zip(names, fleet.reading(truck, START + int(second * SECOND))[1], strict=True))
        for second in itertools.takewhile(lambda s: s < hours * 3600, itertools.count(0, every))
    ]


@pytest.fixture(scope="module")
def day() -> list[dict]:
    """A truck's day, a reading every five seconds."""
    return _course(hours=24, every=5)


@pytest.fixture(scope="module")
def days() -> list[dict]:
    return _course(hours=24 * 5, every=10, seed=11)


def _miles(a: dict, b: dict) -> float:
    """Great circle: https://en.wikipedia.org/wiki/Haversine_formula"""
    p, q = math.radians(a["gps_latitude"]), math.radians(b["gps_latitude"])
    east = math.radians(b["gps_longitude"] - a["gps_longitude"])
    h = math.sin((q - p) / 2) ** 2 + math.cos(p) * math.cos(q) * math.sin(east / 2) ** 2
    return 2 * 3958.8 * math.asin(math.sqrt(h))


def test_the_odometer_never_goes_back_and_the_truck_gets_somewhere(day):
    readings = [reading["odometer_reading"] for reading in day]
    assert readings == sorted(readings)
    assert 100 < readings[-1] - readings[0] < 24 * 75


def test_position_moves_as_far_as_the_odometer_says(day):
    for a, b in itertools.pairwise(day):
        assert _miles(a, b) == pytest.approx(b["odometer_reading"] - a["odometer_reading"], abs=0.003)


def test_speed_is_what_the_odometer_gains(day):
    for a, b in itertools.pairwise(day[::2]):  # Knot to knot.
        gained = (b["odometer_reading"] - a["odometer_reading"]) / 10 * 3600
        assert gained == pytest.approx((a["vehicle_speed"] + b["vehicle_speed"]) / 2, abs=1.0)


def test_fuel_falls_while_driving_and_rises_only_while_standing(days):
    refuelled = 0
    for a, b in itertools.pairwise(days):
        if b["fuel_level"] > a["fuel_level"]:
            refuelled += 1
            assert b["vehicle_speed"] == 0
        if min(a["vehicle_speed"], b["vehicle_speed"]) > 20:
            assert b["fuel_level"] <= a["fuel_level"]
    assert refuelled > 0
    assert min(reading["fuel_level"] for reading in days) > 5


def test_the_engine_is_warmer_under_load_than_idling(day):
    fast = [r["engine_temperature"] for r in day if r["vehicle_speed"] > 55]
    idling = [r["engine_temperature"] for r in day if r["vehicle_speed"] == 0 and r["engine_rpm"] > 0]
    assert fast
    assert idling
    assert sum(fast) / len(fast) > sum(idling) / len(idling) + 2


def test_an_engine_that_is_off_burns_nothing_and_turns_nothing(days):
    off = [r for r in days if r["engine_rpm"] == 0]
    assert off
    assert all(r["fuel_consumption"] == 0 and r["oil_pressure"] == 0 and r["vehicle_speed"] == 0 for r in off)


def test_tyres_leak_and_are_filled_at_the_station_only(days):
    cold = [r["tire_pressure_rear_left"] - 0.04 * r["vehicle_speed"] for r in days]
    assert any(b > a + 1 for a, b in itertools.pairwise(cold)) or cold[-1] < cold[0]
    for (a, b), (before, after) in zip(itertools.pairwise(cold), itertools.pairwise(days), strict=True):
        if b > a + 0.3:
            assert after["fuel_level"] > before["fuel_level"] or before["vehicle_speed"] == 0


@pytest.mark.parametrize(("status", "words"), [("brake_status", BRAKE), ("transmission_status", TRANSMISSION)])
def test_a_status_changes_rarely_gets_worse_by_driving_and_better_at_the_station(days, status, words):
    changes = [(a, b) for a, b in itertools.pairwise(days) if a[status] != b[status]]
    assert 1 <= len(changes) <= 100
    for a, b in changes:
        if b[status] == words[1]:
            assert max(a["vehicle_speed"], b["vehicle_speed"]) > 0
        else:
            assert b["vehicle_speed"] == 0
            assert b["engine_rpm"] == 0


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.verify)])
def test_every_metric_stays_within_the_contract(seed):
    fleet = FleetSimulation(seed, 8, START)
    for minute in range(0, 24 * 60, 3):
        for truck in range(8):
            for metric, value in zip(METRICS, fleet.reading(truck, START + minute * 60 * SECOND)[1], strict=True):
                assert metric.check(value) == value


def test_a_parked_truck_repeats_itself(days):
    """So that history has runs to collapse."""
    assert any(a == b for a, b in itertools.pairwise(days))


def test_readings_asked_for_late_and_in_any_order_agree_with_those_on_time():
    times = [START + number * 700_000 for number in range(1500)]
    in_order = FleetSimulation(5, 1, START)
    expected = {at: in_order.reading(0, at) for at in times}
    displaced = FleetSimulation(5, 1, START)
    displaced.reading(0, times[-1])
    random.Random(0).shuffle(times)
    assert all(displaced.reading(0, at) == expected[at] for at in times)


def test_a_first_run_can_send_events_twenty_minutes_late():
    fleet = FleetSimulation(5, 2, START)
    late = fleet.reading(1, START - 20 * 60 * SECOND)[1][INDEX["odometer_reading"]]
    assert late <= fleet.reading(1, START)[1][INDEX["odometer_reading"]]


def test_courses_do_not_depend_on_the_size_of_the_fleet():
    assert FleetSimulation(5, 1, START).reading(0, START) == FleetSimulation(5, 50, START).reading(0, START)


def test_fleet_names():
    assert truck_ids(3) == ["TRK001", "TRK002", "TRK003"]
    assert len(set(truck_ids(2000))) == 2000


def _saved(fleet: FleetSimulation) -> dict[str, Truck]:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(fleet.rest()), type=dict[str, Truck])


def test_saved_trucks_drive_on_as_if_nothing_had_happened():
    whole = FleetSimulation(5, 2, START)
    expected = [whole.reading(1, START + second * SECOND) for second in range(0, 1200, 7)]
    first = FleetSimulation(5, 2, START)
    halves = [first.reading(1, START + second * SECOND) for second in range(0, 600, 7)]
    second_run = FleetSimulation(5, 2, START + 602 * SECOND, _saved(first))
    halves += [second_run.reading(1, START + second * SECOND) for second in range(602, 1200, 7)]
    assert halves == expected


def test_a_run_that_was_killed_before_it_saved_is_driven_again_the_same_way():
    killed = FleetSimulation(5, 1, START)
    before = _saved(killed)
    expected = [killed.reading(0, START + second * SECOND) for second in range(0, 300, 7)]
    again = FleetSimulation(5, 1, START + 300 * SECOND, before)
    assert [again.reading(0, START + second * SECOND) for second in range(0, 300, 7)] == expected


@pytest.mark.parametrize("days", [0.2, 3, 400])
def test_after_a_long_pause_the_truck_was_parked_and_its_odometer_goes_on(days):
    first = FleetSimulation(5, 1, START)
    end = first.reading(0, START + 600 * SECOND)[1]
    later = START + int(days * 86_400) * SECOND
    second = FleetSimulation(5, 1, later, _saved(first))
    late = second.reading(0, later - 20 * 60 * SECOND)[1]
    now = second.reading(0, later)[1]
    assert end[INDEX["odometer_reading"]] <= late[INDEX["odometer_reading"]] <= now[INDEX["odometer_reading"]]
    assert now[INDEX["odometer_reading"]] - end[INDEX["odometer_reading"]] < 100
    assert len(second.trucks[0].knots) < 300


def test_a_time_before_the_remembered_course_is_an_error():
    with pytest.raises(ValueError, match="TRK001 is remembered from"):
        FleetSimulation(5, 1, START).reading(0, START - 3600 * SECOND)


def test_the_remembered_course_does_not_grow_without_end():
    fleet = FleetSimulation(5, 1, START)
    for second in range(0, 24 * 3600, 10):
        fleet.reading(0, START + second * SECOND)
    assert len(fleet.trucks[0].knots) < 300
