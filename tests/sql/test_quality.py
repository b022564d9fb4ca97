"""Each quality rule holds for a healthy fleet, and names the key of what it is there to find."""

from datetime import UTC, datetime, timedelta

import pytest

from include import names, quality
from include.contracts import METRICS
from include.local.history_oracle import ATTRIBUTES

pytestmark = pytest.mark.sql

RULES = {rule.name: rule for rule in quality.rules()}
# Some rules ask how old a reading is: half an hour ahead, so that it stays fresh while other tests run.
NOW = (datetime.now(UTC) + timedelta(minutes=30)).replace(tzinfo=None, microsecond=0)
EARLIER = NOW - timedelta(minutes=5)
HISTORY = names.HISTORY_TABLE
HEALTHY = dict.fromkeys(ATTRIBUTES, 42.0) | {
    "ENVIRONMENT_PRESSURE": 1013.0,
    "BRAKE_STATUS": "Good",
    "TRANSMISSION_STATUS": "Operational",
}


def reading(truck="TRK001", event_time=NOW, number=1, **changes):
    return {
        **HEALTHY,
        "TRUCK_ID": truck,
        "EVENT_TIME": event_time,
        "ARRIVAL_TIME": event_time,
        "SEQUENCE_NUMBER": str(10**20 + number),
        "FILE_NAME": f"telemetry-data/{number}.json.gz",
        "FILE_ROW_NUMBER": 1,
        "LOAD_TIMESTAMP": NOW,
    } | changes


def healthy_fleet():
    """Two versions of each known truck."""
    trucks = ("TRK001", "TRK002", "TRK003")
    first = [reading(truck, EARLIER, number, GPS_SPEED=30.0) for number, truck in enumerate(trucks)]
    return first + [reading(truck, NOW, number) for number, truck in enumerate(trucks, start=10)]


def offending(warehouse, rule):
    return [key for (key,) in warehouse.execute(f"select SAMPLE_KEY from (\n{rule.statement}\n) as OFFENDING")]


def history_where(change):
    return lambda warehouse: warehouse.execute(f"update {HISTORY} set {change}")


def arrives(*readings):
    def land_and_merge(warehouse):
        warehouse.land(readings)
        warehouse.merge()

    return land_and_merge


def waits(warehouse):
    warehouse.land([reading("TRK002", number=99, LOAD_TIMESTAMP=NOW - timedelta(minutes=46))])


def doubles_the_history_of_a_truck(warehouse):
    warehouse.execute(f"insert into {HISTORY} select * from {HISTORY} where TRUCK_ID = 'TRK001' and not IS_CURRENT")


def falls_silent(warehouse):
    warehouse.execute(f"delete from {names.RAW_TABLE} where TRUCK_ID = 'TRK003'")


def loses_the_latest_version(warehouse):
    warehouse.execute(f"delete from {HISTORY} where TRUCK_ID = 'TRK001' and IS_CURRENT")


# By rule: what goes wrong, and the keys that the rule must name.
FAULTS = {
    "one_current_version_per_truck": (
        history_where("IS_CURRENT = false where TRUCK_ID = 'TRK001'"),
        ["TRK001"],
    ),
    "versions_meet": (
        history_where(
            "EFFECTIVE_END_DATE = dateadd('second', 1, EFFECTIVE_END_DATE) where TRUCK_ID = 'TRK002' and not IS_CURRENT"
        ),
        [f"TRK002 {EARLIER}"],
    ),
    "versions_start_before_they_end": (
        history_where("EFFECTIVE_END_DATE = EFFECTIVE_START_DATE where TRUCK_ID = 'TRK001' and not IS_CURRENT"),
        [f"TRK001 {EARLIER}"],
    ),
    "version_key_is_unique": (doubles_the_history_of_a_truck, [f"TRK001 {EARLIER}"]),
    "versions_change_something": (
        history_where("GPS_SPEED = 42.0 where TRUCK_ID = 'TRK003'"),
        [f"TRK003 {NOW}"],
    ),
    "versions_are_complete": (
        history_where("LOAD_TIMESTAMP = null where TRUCK_ID = 'TRK001' and IS_CURRENT"),
        [f"TRK001 {NOW}"],
    ),
    "metrics_are_in_range": (
        history_where(
            "FUEL_LEVEL = 100.5, GPS_LATITUDE = -90.1, BRAKE_STATUS = '' where TRUCK_ID = 'TRK002' and IS_CURRENT"
        ),
        [f"TRK002 {NOW} GPS_LATITUDE FUEL_LEVEL BRAKE_STATUS"],
    ),
    "metrics_are_reported": (
        arrives(reading("TRK001", NOW + timedelta(seconds=1), 20, OIL_PRESSURE=None)),
        ["TRK001"],
    ),
    "trucks_report": (falls_silent, ["TRK003"]),
    "trucks_are_known": (arrives(reading("TRK999", number=20)), ["TRK999"]),
    "statuses_are_usual": (
        arrives(reading("TRK002", NOW + timedelta(seconds=1), 20, BRAKE_STATUS="On fire")),
        ["TRK002 On fire / Operational"],
    ),
    "envelopes_say_one_thing": (
        arrives(reading("TRK001", number=10, GPS_SPEED=41.0)),
        [f"TruckTelemetry shardId-000000000000 {10**20 + 10}"],
    ),
    "readings_are_merged_in_time": (waits, ["TRK002"]),
    "latest_reading_is_in_history": (loses_the_latest_version, [f"TRK001 {NOW}"]),
}


@pytest.fixture
def healthy_warehouse(empty_warehouse):
    empty_warehouse.land(healthy_fleet())
    empty_warehouse.merge()
    return empty_warehouse


def test_every_rule_holds_for_a_healthy_fleet(healthy_warehouse):
    assert {name: offending(healthy_warehouse, rule) for name, rule in RULES.items()} == {name: [] for name in RULES}


def test_every_rule_has_a_fault_that_it_finds():
    assert FAULTS.keys() == RULES.keys()


@pytest.mark.parametrize("name", FAULTS)
def test_rule_names_the_key_of_its_fault(healthy_warehouse, name):
    goes_wrong, keys = FAULTS[name]
    goes_wrong(healthy_warehouse)
    found = offending(healthy_warehouse, RULES[name])
    # A timestamp as text ends with the fraction of a second, however many digits of it.
    assert [key.replace(".000000000", "").replace(".000", "") for key in found] == keys


def test_readings_that_wait_for_the_next_merge_are_not_missing(healthy_warehouse):
    healthy_warehouse.land([reading("TRK001", NOW + timedelta(seconds=5), 30, GPS_SPEED=12.0)])
    assert offending(healthy_warehouse, RULES["latest_reading_is_in_history"]) == []
    assert offending(healthy_warehouse, RULES["readings_are_merged_in_time"]) == []


def test_limits_of_the_metrics_are_those_of_the_contracts(healthy_warehouse):
    def smallest(metric, below=0.0):
        return "x" * int(metric.minimum - (below > 0)) if metric.kind == "text" else metric.minimum - below

    def largest(metric, above=0.0):
        return "x" * int(metric.maximum + (above > 0)) if metric.kind == "text" else metric.maximum + above

    def measures(truck, values):
        assignments = ", ".join(f"{metric.name} = %s" for metric in METRICS)
        healthy_warehouse.execute(
            f"update {HISTORY} set {assignments} where TRUCK_ID = %s and IS_CURRENT", [*values, truck]
        )

    rule = RULES["metrics_are_in_range"]
    measures("TRK001", [smallest(metric) for metric in METRICS])
    measures("TRK002", [largest(metric) for metric in METRICS])
    assert offending(healthy_warehouse, rule) == []
    measures("TRK001", [smallest(metric, below=0.001) for metric in METRICS])
    measures("TRK002", [largest(metric, above=0.001) for metric in METRICS])
    found = sorted(offending(healthy_warehouse, rule))
    assert [key.split()[0] for key in found] == ["TRK001", "TRK002"]
    assert all(key.endswith(" ".join(ATTRIBUTES)) for key in found)
