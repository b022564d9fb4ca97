"""The repair of the history, for one truck and one range of time, and the rebuild of the whole history."""

import random
from datetime import datetime

import pytest

from include import names
from sql.merge.history_oracle import ATTRIBUTES, HistoryVersion, from_raw, history
from tests.fixtures.raw_rows import LOADED, START, at, raw_row

pytestmark = pytest.mark.sql

SECONDS = 60
TRUCKS = 150
REBUILD = "ops/rebuild_history.sql"
SPEED = ATTRIBUTES.index("VEHICLE_SPEED")


def drive(truck, chance):
    """Readings of one minute, some for the same instant, with the same speed for a while."""
    seconds = sorted(chance.choices(range(SECONDS), k=chance.randint(1, 25)))
    speed = 10.0
    for number, second in enumerate(seconds, start=98):
        speed = chance.choice([speed, speed, 10.0, 20.0, None])
        yield raw_row(truck, second, speed, number)


# --- Damage to the rows of one truck, all of it within the scope -----------------------------------------------------


def lost(version, inside, chance):
    return []


def doubled(version, inside, chance):
    return [version, version]


def stored_twice(version, inside, chance):
    return [version, version._replace(attributes=(99.0,) * len(ATTRIBUTES))]


def falsified(version, inside, chance):
    place = chance.randrange(len(ATTRIBUTES))
    wrong = "wrong" if ATTRIBUTES[place].endswith("_STATUS") else -1.0
    return [version._replace(attributes=(*version.attributes[:place], wrong, *version.attributes[place + 1 :]))]


def ended_otherwise(version, inside, chance):
    return [version._replace(end=chance.choice([None, version.start, at(SECONDS), at(3)]))]


def current_or_not(version, inside, chance):
    return [version._replace(is_current=not version.is_current)]


def loaded_otherwise(version, inside, chance):
    return [version._replace(load_timestamp=chance.choice([None, START]))]


def invented(version, inside, chance):
    start = at(chance.choice(inside)) if inside else version.start
    return [version, version._replace(start=start, end=None, is_current=True)]


def without_a_start(version, inside, chance):
    return [version._replace(start=None)]


DAMAGES = (
    lost,
    doubled,
    stored_twice,
    falsified,
    ended_otherwise,
    current_or_not,
    loaded_otherwise,
    invented,
    without_a_start,
)


def damaged(versions, since, until, chance):
    """A truck's versions, with damage to one to three of those that are in the scope or reach into it."""
    rows = list(versions)
    first, last = at(since) or datetime.min, at(until) or datetime.max  # noqa: DTZ901
    inside = range(since or 0, SECONDS if until is None else until)
    for _ in range(chance.randint(1, 3)):
        suspects = [row for row in rows if row.start and row.start < last and (row.end is None or row.end > first)]
        if not suspects:
            break
        victim = chance.choice(suspects)
        rows.remove(victim)
        rows += chance.choice(DAMAGES)(victim, inside, chance)
    before = [row for row in rows if row.start and row.start < first]
    if before and chance.random() < 0.3:
        # A version that ended long ago reaches into the scope.
        reopened = chance.choice(before)
        rows.remove(reopened)
        rows.append(reopened._replace(end=chance.choice([None, at(SECONDS)]), is_current=chance.choice([True, False])))
    return rows


def wrong_trucks(snowflake, name, expected):
    stored = snowflake.history(f"{name}/%")
    return {version.truck_id for version in set(stored) ^ set(expected)} | (
        set() if len(stored) == len(expected) else {"?"}
    )


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (20, 40),
        (None, None),
        *(pytest.param(*span, marks=pytest.mark.verify) for span in ((None, 30), (30, None), (15, 16))),
    ],
)
def test_repair_of_a_time_puts_right_whatever_happened_to_it(snowflake, seed, since, until):
    chance = random.Random(f"{seed} {since} {until}")
    name = f"repair-{since}-{until}"
    readings = [row for number in range(TRUCKS) for row in drive(f"{name}/{number:03}", chance)]
    expected = history(map(from_raw, readings))
    snowflake.land(readings)
    snowflake.merge()
    rows = []
    for number in range(TRUCKS):
        of_truck = [version for version in expected if version.truck_id == f"{name}/{number:03}"]
        rows += damaged(of_truck, since, until, chance) if number % 5 else of_truck
    snowflake.put_history(rows, f"{name}/%")
    assert snowflake.history(f"{name}/%") != expected

    assert snowflake.repair(since=at(since), until=at(until)) > 0

    assert wrong_trucks(snowflake, name, expected) == set(), f"seed {seed}"
    assert snowflake.history(f"{name}/%") == expected
    assert snowflake.repair(since=at(since), until=at(until)) == 0


@pytest.fixture
def trucks(empty_snowflake):
    """Merges two trucks whose speed changes every ten seconds; returns the right history."""
    readings = [
        raw_row(truck, second, float(second // 10), second)
        for truck in ("TRK001", "TRK002")
        for second in range(0, SECONDS, 5)
    ]
    empty_snowflake.land(readings)
    empty_snowflake.merge()
    assert len(empty_snowflake.history()) == 12
    return empty_snowflake.history()


def falsify(snowflake, where="true"):
    snowflake.execute(f"update {names.HISTORY_TABLE} set VEHICLE_SPEED = 99 where {where}")


def test_repair_of_a_truck_leaves_others_as_they_are(empty_snowflake, trucks):
    falsify(empty_snowflake)
    empty_snowflake.repair("TRK001")
    assert empty_snowflake.history("TRK001") == trucks[:6]
    assert {version.attributes[SPEED] for version in empty_snowflake.history("TRK002")} == {99.0}


def test_repair_of_a_truck_and_time_writes_what_is_wrong_there_and_nothing_else(empty_snowflake, trucks):
    falsify(empty_snowflake)
    # The versions from 20 s to 30 s and to 40 s, each deleted and inserted; the one before is checked too.
    assert empty_snowflake.repair("TRK001", at(20), at(40)) == 6
    repaired = empty_snowflake.history("TRK001")
    assert [version == right for version, right in zip(repaired, trucks[:6], strict=True)] == [
        False, True, True, True, False, False,
    ]  # fmt: skip
    assert {version.attributes[SPEED] for version in empty_snowflake.history("TRK002")} == {99.0}


@pytest.mark.parametrize(
    "scope", [(None, None, None), ("TRK001", None, None), (None, at(12), at(48)), ("TRK009", None, None)]
)
def test_repair_of_what_is_right_changes_nothing(empty_snowflake, trucks, scope):
    assert empty_snowflake.repair(*scope) == 0
    assert empty_snowflake.history() == trucks


def test_repair_of_one_truck_when_the_other_has_no_history_left(empty_snowflake, trucks):
    empty_snowflake.execute(f"delete from {names.HISTORY_TABLE}")
    empty_snowflake.repair("TRK002", at(30), at(31))
    assert empty_snowflake.history() == trucks[6:]


def test_repair_takes_away_what_raw_does_not_have(empty_snowflake, trucks):
    empty_snowflake.execute(f"delete from {names.RAW_TABLE} where TRUCK_ID = 'TRK001'")
    empty_snowflake.repair("TRK001")
    assert empty_snowflake.history() == trucks[6:]


def test_repair_does_not_consume_the_stream_and_the_next_merge_agrees(empty_snowflake, trucks):
    late = [
        raw_row("TRK001", 22, 0.0, 1000),
        raw_row("TRK001", 31, 2.0, 1001),
        # Corrections on both edges of the scope: two versions become one.
        raw_row("TRK001", 20, 1.0, 1002, ARRIVAL_TIME=at(100)),
        raw_row("TRK001", 40, 3.0, 1003, ARRIVAL_TIME=at(100)),
        raw_row("TRK002", 70, 7.0, 1004),
        raw_row("TRK003", 0, 7.0, 1005),
    ]
    empty_snowflake.land(late)
    falsify(empty_snowflake, f"TRUCK_ID = 'TRK001' and EFFECTIVE_START_DATE = '{at(30)}'")
    empty_snowflake.repair("TRK001", at(20), at(40))
    assert empty_snowflake.execute(f"select count(*) from {names.RAW_STREAM}") == [(len(late),)]
    empty_snowflake.merge()
    assert empty_snowflake.history() == history(empty_snowflake.readings())


def test_repair_that_is_rolled_back_leaves_the_damage(empty_snowflake, trucks):
    falsify(empty_snowflake)
    damage = empty_snowflake.history()
    empty_snowflake.execute("begin")
    empty_snowflake.repair()
    empty_snowflake.execute("rollback")
    assert empty_snowflake.history() == damage


# --- Rebuild ---------------------------------------------------------------------------------------------------------


def test_rebuild_makes_the_history_that_merges_would_have_made(empty_snowflake, trucks):
    late = [raw_row("TRK001", 22, 0.0, 1000), raw_row("TRK003", 0, 7.0, 1001)]
    falsify(empty_snowflake)
    empty_snowflake.land(late)
    empty_snowflake.run(REBUILD)
    rebuilt = empty_snowflake.history()
    assert empty_snowflake.execute(f"select count(*) from {names.RAW_STREAM}") == [(0,)]
    assert empty_snowflake.repair() == 0
    assert len(rebuilt) == len(trucks) + 3
    assert HistoryVersion("TRK003", at(0), None, True, rebuilt[-1].attributes, LOADED) == rebuilt[-1]


def test_rebuild_that_is_rolled_back_leaves_history_and_stream_as_they_were(empty_snowflake, trucks):
    late = [raw_row("TRK001", 22, 0.0, 1000)]
    empty_snowflake.land(late)
    empty_snowflake.execute("begin")
    empty_snowflake.run(REBUILD)
    empty_snowflake.execute("rollback")
    assert empty_snowflake.history() == trucks
    assert empty_snowflake.execute(f"select count(*) from {names.RAW_STREAM}") == [(1,)]
    empty_snowflake.merge()
    assert len(empty_snowflake.history("TRK001")) == 8
