"""TRUCK_HISTORY is the history of the readings as people assigned them, against the oracle."""

from __future__ import annotations

import itertools
import random
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

import pytest

from include import names, register
from sql.merge.history_oracle import Assignment, HistoryVersion, assigned, history

pytestmark = pytest.mark.sql

START = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
ALWAYS, OPEN = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001
VIEW = names.TRUCK_HISTORY_VIEW
COLUMNS = ("REPORTED_ID", "FROM_TIME", "UNTIL_TIME", "TRUCK_ID", "DECIDED_AT", "DECIDED_BY", "REASON")


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def readings(truck: str, *sent: tuple[float, float | None], first_number: int = 1) -> list[dict[str, Any]]:
    """Readings of (second, speed), in the order of their arrival."""
    return [
        {
            "TRUCK_ID": truck,
            "EVENT_TIME": at(second),
            "ARRIVAL_TIME": at(100),
            "SEQUENCE_NUMBER": str(first_number + number),
            "VEHICLE_SPEED": speed,
            "FILE_NAME": f"telemetry-data/{truck}.json.gz",
            "FILE_ROW_NUMBER": number,
            "LOAD_TIMESTAMP": at(200 + first_number + number),
        }
        for number, (second, speed) in enumerate(sent)
    ]


def assign(snowflake: Any, *assignments: Assignment) -> None:
    rows = [(*assignment, START, "tests", "-") for assignment in assignments]
    snowflake.insert(names.ASSIGNMENTS_TABLE, COLUMNS, rows)


def seen(versions: list[HistoryVersion]) -> list[tuple[str, float, float | None, Any]]:
    """Truck, start and end in seconds, speed."""

    def second(time: datetime | None) -> float | None:
        return None if time is None else (time - START).total_seconds()

    return [(each.truck_id, second(each.start), second(each.end), each.attributes[4]) for each in versions]


def from_to(reported: str, since: float | None, until: float | None, truck: str) -> Assignment:
    return Assignment(reported, ALWAYS if since is None else at(since), OPEN if until is None else at(until), truck)


# What was reported, the decisions, and the history that follows from them.
SITUATIONS = {
    "a_replaced_tracker_keeps_the_history": (
        [*readings("OLD", (0, 1), (1, 2)), *readings("NEW", (5, 3), first_number=50)],
        [from_to("NEW", None, None, "OLD")],
        [("OLD", 0, 1, 1), ("OLD", 1, 5, 2), ("OLD", 5, None, 3)],
    ),
    "the_new_tracker_was_tested_before": (
        [*readings("OLD", (0, 1), (1, 2)), *readings("NEW", (-9, 7), (5, 3), first_number=50)],
        [from_to("NEW", 2, None, "OLD")],
        [("NEW", -9, None, 7), ("OLD", 0, 1, 1), ("OLD", 1, 5, 2), ("OLD", 5, None, 3)],
    ),
    "equal_states_on_both_sides_of_the_seam_are_one_version": (
        [*readings("OLD", (0, 1), (1, 1)), *readings("NEW", (5, 1), (6, 2), first_number=50)],
        [from_to("NEW", None, None, "OLD")],
        [("OLD", 0, 6, 1), ("OLD", 6, None, 2)],
    ),
    "a_moved_tracker_splits_a_version_that_went_on": (
        readings("OLD", (0, 1), (1, 1), (5, 1), (6, 1), (7, 2)),
        [from_to("OLD", 4, None, "OTHER")],
        [("OLD", 0, None, 1), ("OTHER", 5, 7, 1), ("OTHER", 7, None, 2)],
    ),
    "two_trackers_of_one_truck_take_turns": (
        [*readings("OLD", (0, 1), (2, 1), (4, 1)), *readings("NEW", (1, 2), (3, 1), first_number=50)],
        [from_to("NEW", None, None, "OLD")],
        [("OLD", 0, 1, 1), ("OLD", 1, 2, 2), ("OLD", 2, None, 1)],
    ),
    "two_trackers_at_one_instant_the_last_arrival_wins": (
        [*readings("OLD", (0, 1), (1, 1)), *readings("NEW", (1, 2), first_number=50)],
        [from_to("NEW", None, None, "OLD")],
        [("OLD", 0, 1, 1), ("OLD", 1, None, 2)],
    ),
    "two_trackers_were_mixed_up_for_a_while": (
        [*readings("A", (0, 1), (2, 2), (4, 3)), *readings("B", (0, 7), (2, 8), (4, 9), first_number=50)],
        [from_to("A", 1, 3, "B"), from_to("B", 1, 3, "A")],
        [("A", 0, 2, 1), ("A", 2, 4, 8), ("A", 4, None, 3), ("B", 0, 2, 7), ("B", 2, 4, 2), ("B", 4, None, 9)],
    ),
    "a_tracker_served_three_trucks": (
        readings("T", (0, 1), (1, 1), (2, 1), (3, 1)),
        [from_to("T", 1, 2, "X"), from_to("T", 2, 3, "Y")],
        [("T", 0, None, 1), ("X", 1, None, 1), ("Y", 2, None, 1)],
    ),
    "the_period_is_half_open_to_the_microsecond": (
        readings("T", (0.999999, 1), (1, 2), (1.999999, 3), (2, 4)),
        [from_to("T", 1, 2, "X")],
        [("T", 0.999999, 2, 1), ("T", 2, None, 4), ("X", 1, 1.999999, 2), ("X", 1.999999, None, 3)],
    ),
    "nothing_was_reported_in_the_period": (
        readings("T", (0, 1)),
        [from_to("T", 5, None, "X")],
        [("T", 0, None, 1)],
    ),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_history_follows_from_the_decisions_and_returns_without_them(empty_snowflake, situation):
    reported, assignments, expected = SITUATIONS[situation]
    empty_snowflake.land([*reported, *readings("BESIDE", (0, 1), (3, 2), first_number=90)])
    empty_snowflake.merge()
    before = empty_snowflake.history()
    assert empty_snowflake.history(table=VIEW) == before
    assign(empty_snowflake, *assignments)
    found = empty_snowflake.history(table=VIEW)
    assert found == history(assigned(empty_snowflake.readings(), assignments))
    beside = [("BESIDE", 0, 3, 1), ("BESIDE", 3, None, 2)]
    assert seen(found) == sorted([*expected, *beside], key=lambda version: version[:2])
    assert empty_snowflake.history() == before
    empty_snowflake.execute(f"delete from {names.ASSIGNMENTS_TABLE}")
    assert empty_snowflake.history(table=VIEW) == before


def test_the_version_names_the_tracker_that_opened_it(empty_snowflake):
    reported, assignments, _ = SITUATIONS["a_replaced_tracker_keeps_the_history"]
    empty_snowflake.land(reported)
    empty_snowflake.merge()
    assign(empty_snowflake, *assignments)
    rows = empty_snowflake.execute(f"select TRUCK_ID, REPORTED_ID from {VIEW} order by EFFECTIVE_START_DATE")
    assert rows == [("OLD", "OLD"), ("OLD", "OLD"), ("OLD", "NEW")]


PLAYS = 60
IDS = ("a", "b", "c")


def some_assignments(chance: random.Random, play: str) -> list[Assignment]:
    """Periods of each id that don't overlap, to any truck; open at either end or not."""
    found = []
    for reported in IDS:
        cuts = [ALWAYS, *map(at, sorted(chance.sample(range(11), chance.randrange(4)))), OPEN]
        for since, until in itertools.pairwise(cuts):
            truck = chance.choice([other for other in (*IDS, "d") if other != reported])
            if chance.random() < 0.4:
                found.append(Assignment(f"{play}/{reported}", since, until, f"{play}/{truck}"))
    return found


def test_many_histories_with_many_assignments_are_what_the_oracle_says(empty_snowflake, seed):
    chance = random.Random(seed)
    assignments: list[Assignment] = []
    for batch in range(3):
        landed = []
        for play in range(PLAYS):
            for number, reported in enumerate(IDS):
                sent = [(chance.randrange(11), chance.choice((1, 1, 2, None))) for _ in range(chance.randrange(6))]
                landed += readings(f"{play:03}/{reported}", *sent, first_number=1000 * number + 100 * batch + 1)
        empty_snowflake.land(row | {"FILE_ROW_NUMBER": line} for line, row in enumerate(landed))
        empty_snowflake.merge()
        if batch == 0:
            for play in range(PLAYS):
                assignments += some_assignments(chance, f"{play:03}")
            assign(empty_snowflake, *assignments)
        arrived = empty_snowflake.readings()
        assert empty_snowflake.history(table=VIEW) == history(assigned(arrived, assignments))
        assert empty_snowflake.history() == history(arrived)
    empty_snowflake.execute(f"delete from {names.ASSIGNMENTS_TABLE}")
    assert empty_snowflake.history(table=VIEW) == history(arrived)


# --- The changes of include/register ---------------------------------------------------------------------------------
def change(snowflake: Any, dry_run: bool = False, **plan: str) -> register.Effect:
    return register.apply(snowflake.connection, register.change_of(plan), dry_run=dry_run)


def rows_of(snowflake: Any, table: str) -> list[tuple]:
    return sorted(snowflake.execute(f"select * from {table}"), key=str)


@pytest.fixture
def fleet(empty_snowflake):
    yield empty_snowflake
    empty_snowflake.execute(f"delete from {names.KNOWN_TRUCKS_TABLE} where TRUCK_ID = 'TRK404'")


def test_a_truck_is_registered_retired_and_registered_again(fleet):
    def retired_at() -> list[tuple]:
        return fleet.execute(f"select RETIRED_AT from {names.FLEET_VIEW} where TRUCK_ID = 'TRK404'")

    with pytest.raises(register.RefusedError, match="TRK404 is not in the register"):
        change(fleet, action=register.RETIRE, truck_id="TRK404", since="2026-11-22T10:00:00Z")
    assert change(fleet, dry_run=True, action=register.REGISTER, truck_id="TRK404").rows == 1
    assert retired_at() == []
    for rows in (1, 0):
        assert change(fleet, action=register.REGISTER, truck_id="TRK404").rows == rows
    ((registered_at,),) = fleet.execute(f"select REGISTERED_AT from {names.FLEET_VIEW} where TRUCK_ID = 'TRK404'")
    for rows, when in ((1, "2026-11-22T10:00:00Z"), (0, "2026-11-22T10:00:00Z"), (1, "2026-11-22T12:00:01+02:00")):
        assert change(fleet, action=register.RETIRE, truck_id="TRK404", since=when).rows == rows
    assert retired_at() == [(at(1),)]
    for rows in (1, 0):
        assert change(fleet, action=register.REGISTER, truck_id="TRK404").rows == rows
    assert retired_at() == [(None,)]
    after = fleet.execute(f"select REGISTERED_AT from {names.FLEET_VIEW} where TRUCK_ID = 'TRK404'")
    assert after == [(registered_at,)]


DECIDED = {"decided_by": "fleet manager", "reason": "the tracker was replaced"}


def test_an_assignment_shows_what_it_would_do_does_it_once_and_is_undone(fleet):
    fleet.land([*readings("OLD", (0, 1), (1, 1)), *readings("NEW", (5, 1), (5, 2), (6, 3), first_number=50)])
    fleet.merge()
    before = rows_of(fleet, VIEW)
    plan = {"action": register.ASSIGN, "reported_id": "NEW", "truck_id": "OLD", "since": "2026-11-22T10:00:05Z"}
    shown = change(fleet, dry_run=True, **plan, **DECIDED)
    assert (shown.rows, shown.readings, shown.first, shown.last) == (1, 2, at(5), at(6))
    assert (shown.versions_before, shown.versions_after) == ({"NEW": 2, "OLD": 1}, {"OLD": 3})
    assert rows_of(fleet, VIEW) == before
    done = change(fleet, **plan, **DECIDED)
    assert (done.rows, done.versions_after) == (1, shown.versions_after)
    assert change(fleet, **plan, **DECIDED).rows == 0
    mapped = rows_of(fleet, VIEW)
    assert mapped != before
    undo = {"action": register.UNDO, "reported_id": "NEW", "since": "2026-11-22T12:00:05+02:00"}
    undone = change(fleet, dry_run=True, **undo)
    assert (undone.rows, undone.readings, undone.versions_after) == (1, 2, shown.versions_before)
    assert rows_of(fleet, VIEW) == mapped
    assert [change(fleet, **undo).rows for _ in range(2)] == [1, 0]
    assert rows_of(fleet, VIEW) == before


@pytest.mark.parametrize(
    ("since", "until", "truck", "is_refused"),
    [
        ("2026-11-22T10:00:03Z", "", "OLD", True),
        ("", "2026-11-22T10:00:02Z", "OLD", True),
        ("2026-11-22T10:00:01Z", "2026-11-22T10:00:05Z", "OTHER", True),
        ("", "2026-11-22T10:00:01Z", "OLD", False),
        ("2026-11-22T10:00:05Z", "", "OTHER", False),
    ],
)
def test_a_reading_is_assigned_to_one_truck(fleet, since, until, truck, is_refused):
    assign(fleet, from_to("NEW", 1, 5, "OLD"), from_to("BESIDE", None, None, "OLD"))
    plan = {"action": register.ASSIGN, "reported_id": "NEW", "truck_id": truck, "since": since, "until": until}
    rows = 0
    with pytest.raises(register.RefusedError, match="to OLD from") if is_refused else nullcontext():
        rows = change(fleet, **plan, **DECIDED).rows
    assert rows == (not is_refused)
    assert len(rows_of(fleet, names.ASSIGNMENTS_TABLE)) == 2 + rows


def test_a_register_from_before_retirement_gets_the_column_and_keeps_its_rows(fleet, provision):
    before = rows_of(fleet, f"(select TRUCK_ID, REGISTERED_AT from {names.KNOWN_TRUCKS_TABLE})")
    fleet.execute(f"alter table {names.KNOWN_TRUCKS_TABLE} drop column RETIRED_AT")
    provision(fleet)
    assert rows_of(fleet, names.KNOWN_TRUCKS_TABLE) == [(*row, None) for row in before]
    assert rows_of(fleet, names.FLEET_VIEW) == rows_of(fleet, names.KNOWN_TRUCKS_TABLE)
