"""The MERGE, the repair and the rebuild over rows of RAW that exist twice, and over a history that a bad tool wrote.

Trucks don't touch each other, so each kind of damage has trucks of its own, and all of them share the merges.
"""

import itertools

import pytest

from include import names
from sql.merge.history_oracle import ATTRIBUTES, history
from tests.fixtures.raw_rows import at, raw_row
from tests.sql.conftest import RAW_COLUMNS

pytestmark = pytest.mark.sql

REBUILD = "ops/rebuild_history.sql"
SPEED = ATTRIBUTES.index("VEHICLE_SPEED")
OTHER = "TRK002"
RULES = (
    "one_current_version_per_truck",
    "version_key_is_unique",
    "versions_meet",
    "versions_start_before_they_end",
    "versions_are_complete",
)


def reading(second, speed, number, truck="TRK001", **changes):
    return raw_row(truck, second, speed, number, **changes)


def expected(snowflake):
    return history(snowflake.readings())


# --- Rows of RAW that exist more than once ---------------------------------------------------------------------------

EVERY_COLUMN = ", ".join(RAW_COLUMNS)
COPIES = {
    "all": (EVERY_COLUMN, "true"),
    "some": (EVERY_COLUMN, f"EVENT_TIME in ('{at(5)}', '{at(9)}')"),
    "another load": (EVERY_COLUMN.replace("LOAD_TIMESTAMP", "dateadd('hour', 1, LOAD_TIMESTAMP)"), "true"),
    "another file": (EVERY_COLUMN.replace("FILE_NAME", "'telemetry-data/restored.json.gz'"), "true"),
}


# Generated histories (test_scd2_histories.py) are restored twice too.
@pytest.mark.verify
def test_rows_that_exist_several_times_count_once(empty_snowflake):
    kinds = list(itertools.product(["merged", "new"], COPIES, [1, 2]))
    for merged, of_kind in itertools.groupby(kinds, key=lambda kind: kind[0]):
        trucks = ["/".join(map(str, kind)) for kind in of_kind]
        empty_snowflake.land(
            reading(second, speed, number, truck)
            for truck in trucks
            for number, (second, speed) in enumerate([(0, 1.0), (5, 2.0), (7, 2.0), (9, 3.0), (9, 4.0)], start=97)
        )
        if merged == "merged":
            empty_snowflake.merge()
    right = expected(empty_snowflake)
    for (name, (columns, where)), repetition in itertools.product(COPIES.items(), [1, 2]):
        # Insert RAW into itself, as a restore that ran twice does.
        for _ in range(repetition):
            empty_snowflake.execute(
                f"insert into {names.RAW_TABLE} ({EVERY_COLUMN}) select {columns} from {names.RAW_TABLE}"
                f" where TRUCK_ID like '%/{name}/{repetition}' and {where}"
            )
    versions_of_new_trucks = sum(version.truck_id.startswith("new") for version in right)
    assert empty_snowflake.merge() == versions_of_new_trucks
    assert empty_snowflake.history() == right == expected(empty_snowflake)
    # The next readings, between the copies and after them, find them in RAW.
    empty_snowflake.land(
        reading(second, speed, 110 + second, "/".join(map(str, kind)))
        for kind in kinds
        for second, speed in [(6, 5.0), (10, 4.0)]
    )
    empty_snowflake.merge()
    assert empty_snowflake.history() == expected(empty_snowflake) != right
    assert empty_snowflake.repair() == 0
    empty_snowflake.run(REBUILD)
    assert empty_snowflake.history() == expected(empty_snowflake)


def test_one_record_with_two_contents_is_one_version_and_every_statement_takes_the_same(empty_snowflake):
    trucks = [f"TRK{number:03}" for number in range(20)]
    empty_snowflake.land(reading(0, speed, 100, truck) for truck in trucks for speed in (1.0, 2.0))
    empty_snowflake.merge()
    merged = empty_snowflake.history()
    assert [version.truck_id for version in merged] == trucks
    assert {version.attributes[SPEED] for version in merged} <= {1.0, 2.0}
    assert empty_snowflake.repair() == 0
    empty_snowflake.run(REBUILD)
    assert empty_snowflake.history() == merged


# --- A history that a bad tool wrote ---------------------------------------------------------------------------------


def two_current_versions_of_one_start(first, second, current):
    return [first, second, current, current]


def three_current_versions_of_one_start(first, second, current):
    return [first, second, current, current, current]


def two_current_versions_of_one_start_that_differ(first, second, current):
    return [first, second, current, current._replace(attributes=(9.0,) * len(ATTRIBUTES))]


def two_current_versions_of_two_starts(first, second, current):
    return [first, second._replace(end=None, is_current=True), current]


def two_versions_of_one_start_and_none_current(first, second, current):
    ended = current._replace(end=at(12), is_current=False)
    return [first, second, ended, ended]


def an_ended_version_twice(first, second, current):
    return [first, second, second, current]


def an_overlap(first, second, current):
    return [first, second._replace(end=at(12)), current]


def a_gap(first, second, current):
    return [first, current]


def an_end_before_the_start(first, second, current):
    return [first, second._replace(end=at(3)), current]


def a_current_version_with_an_end(first, second, current):
    return [first, second, current._replace(end=at(12))]


def a_foreign_version(first, second, current):
    return [first, second, current, current._replace(start=at(11), attributes=(9.0,) * len(ATTRIBUTES))]


def a_foreign_version_of_no_start(first, second, current):
    return [first, second, current, current._replace(start=None)]


DAMAGES = [
    two_current_versions_of_one_start,
    three_current_versions_of_one_start,
    two_current_versions_of_one_start_that_differ,
    two_current_versions_of_two_starts,
    two_versions_of_one_start_and_none_current,
    an_ended_version_twice,
    an_overlap,
    a_gap,
    an_end_before_the_start,
    a_current_version_with_an_end,
    a_foreign_version,
    a_foreign_version_of_no_start,
]


# Late, on time, and for the start of a version.
ARRIVALS = {"after": (13,), "amid": (6,), "before": (-5,), "at a start": (5,), "at the last": (10,), "all": (-5, 6, 13)}


def named_by_rules(snowflake):
    """The trucks that rules of severity fail name."""
    found = set()
    for rule in RULES:
        rows = snowflake.execute(snowflake.statements(f"quality/{rule}.sql")[0], {"since": at(-60)})
        found |= {key.rsplit(" ", 2)[0] if rule != RULES[0] else key for (key,) in rows}
    return found


def truck_of(damage, arrivals):
    return f"{damage.__name__}/{arrivals.replace(' ', '-')}"


@pytest.fixture
def damaged(empty_snowflake):
    """A truck for each damage and each set of readings that come next, and one that is not damaged."""
    trucks = [truck_of(*each) for each in itertools.product(DAMAGES, ARRIVALS)]
    empty_snowflake.land(
        reading(second, float(second // 5), 100 + second, truck)
        for truck in (OTHER, *trucks)
        for second in (0, 5, 7, 10)
    )
    empty_snowflake.merge()
    right = {
        truck: list(versions)
        for truck, versions in itertools.groupby(empty_snowflake.history(), key=lambda version: version.truck_id)
    }
    rows = [version for each in itertools.product(DAMAGES, ARRIVALS) for version in each[0](*right[truck_of(*each)])]
    empty_snowflake.put_history([*right[OTHER], *rows])
    assert named_by_rules(empty_snowflake) == set(trucks)
    return empty_snowflake


def wrong_trucks(snowflake):
    stored, right = snowflake.history(), expected(snowflake)
    return {version.truck_id for version in {*stored, *right} if stored.count(version) != right.count(version)}


@pytest.mark.verify
def test_the_next_merge_repairs_damaged_trucks_and_a_rule_names_those_that_it_can_not(damaged):
    damaged.land(
        reading(second, 7.0, 200 + second, truck_of(damage, arrivals), ARRIVAL_TIME=at(20))
        for damage, (arrivals, seconds) in itertools.product(DAMAGES, ARRIVALS.items())
        for second in seconds
    )
    damaged.land([reading(second, 7.0, 200 + second, OTHER, ARRIVAL_TIME=at(20)) for second in ARRIVALS["all"]])
    damaged.merge()
    left = wrong_trucks(damaged)
    assert OTHER not in left
    assert left <= named_by_rules(damaged)
    # A merge reads the current version, and ended ones from its first reading on: it repairs what it sees.
    seen = {truck_of(damage, arrivals) for damage in DAMAGES for arrivals in ("before", "all")}
    of_no_start = {truck_of(a_foreign_version_of_no_start, arrivals) for arrivals in ARRIVALS}
    doubled = {
        truck_of(damage, arrivals)
        for damage in (
            two_current_versions_of_one_start,
            three_current_versions_of_one_start,
            two_current_versions_of_one_start_that_differ,
            two_current_versions_of_two_starts,
            a_current_version_with_an_end,
            a_foreign_version,
        )
        for arrivals in ARRIVALS
    }
    assert left & (seen | doubled) <= of_no_start
    for truck in left:
        damaged.repair(truck)
    assert wrong_trucks(damaged) == set() == named_by_rules(damaged)


def test_the_repair_repairs_all_damage(damaged):
    damaged.repair(since=at(-60))
    assert damaged.history() == expected(damaged)
    assert named_by_rules(damaged) == set()


@pytest.mark.verify
def test_the_rebuild_repairs_all_damage(damaged):
    damaged.run(REBUILD)
    assert damaged.history() == expected(damaged)


def test_a_damaged_truck_is_repaired_from_before_the_bound(empty_snowflake):
    empty_snowflake.land(reading(second, float(second), 100 + second) for second in (0, 5, 10))
    empty_snowflake.merge()
    empty_snowflake.put_history(two_current_versions_of_one_start(*empty_snowflake.history()))
    empty_snowflake.land([reading(7200, 7.0, 200)])
    empty_snowflake.merge()
    assert empty_snowflake.history() == expected(empty_snowflake)
