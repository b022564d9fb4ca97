"""What needs attention: the rules, and the sentences that the start page shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import data, fleet_states, verdicts
from tests.unit.dashboard.pages import reading, typed

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)
A_WHILE = timedelta(minutes=20)


def a_pace(now: float = 10.0, yesterday: float = 10.0, clicks_yesterday: int = 150, **more: Any) -> verdicts.Pace:
    return verdicts.Pace(now, yesterday, clicks_yesterday, **{"top": None, "is_partial": False, **more})


def said(problems: list[verdicts.Problem]) -> list[tuple[str, bool]]:
    return [(problem.text, problem.is_failure) for problem in problems]


@pytest.mark.parametrize(
    ("pace", "age", "expected"),
    [
        (a_pace(), timedelta(seconds=4), []),
        (
            a_pace(now=0.0),
            A_WHILE,
            [("No click has arrived for 20 min, and yesterday at this time there were some", True)],
        ),
        (a_pace(0.0, 0.0, 0), A_WHILE, []),  # Nobody clicks at this time of the day.
        (a_pace(now=4.0), timedelta(0), [("There are 60% fewer clicks than at the same time yesterday", False)]),
        (a_pace(0.5, 2.0, 29), timedelta(0), []),  # Too few to compare.
        (a_pace(now=120.0), A_WHILE, []),  # The newest clicks are of items beyond the first 200.
        (
            a_pace(now=4.0),
            A_WHILE,
            [("There are 60% fewer clicks than at the same time yesterday", False)],
        ),
        (a_pace(now=4.0, is_partial=True), timedelta(0), []),
        (None, timedelta(0), []),
    ],
)  # fmt: skip
def test_clicks_are_judged_by_the_same_time_yesterday(
    pace: verdicts.Pace | None, age: timedelta, expected: list[tuple[str, bool]]
) -> None:
    assert said(verdicts.of_clicks(pace, NOW - age, NOW)) == expected


@pytest.mark.parametrize("newest", [None, NOW - A_WHILE], ids=["none of them was clicked", "one was clicked"])
def test_a_newest_click_of_only_some_items_does_not_say_since_when_no_other_was_clicked(
    newest: datetime | None,
) -> None:
    assert said(verdicts.of_clicks(a_pace(now=0.0), newest, NOW, is_newest_of_all=False)) == [
        ("No click has arrived in the last 15 minutes, and yesterday at this time there were some", True)
    ]


def test_the_pace_is_of_both_days_and_names_the_most_clicked_item() -> None:
    items = pd.DataFrame(
        [("A", "Camera", 30, 2, 15), ("B", "Laptop", 45, 3, 0)],
        columns=["item_id", "item_name", "clicks", "events", "clicks_before"],
    )
    sums = data.PeriodSums(items, pd.DataFrame(), 0, 0, 0, None, 0, 0)
    assert verdicts.pace(sums) == verdicts.Pace(5.0, 1.0, 15, ("B", "Laptop", 45), False)
    nothing = sums._replace(items=items.head(0))
    assert verdicts.pace(nothing) == verdicts.Pace(0.0, 0.0, 0, None, False)


def fleet_of(*readings: dict[str, Any]) -> fleet_states.Fleet:
    return fleet_states.fleet(typed(list(readings)), data.NO_REGISTER, NOW)


def test_trucks_that_need_attention_are_named_and_the_rest_counted() -> None:
    tired = [reading(f"TRK00{number}", NOW, fuel_level=1.0) for number in range(5)]
    quiet = reading("*quiet*", NOW - A_WHILE)
    lost = reading("LOST", NOW, gps_latitude=0.0, gps_longitude=0.0)
    assert said(verdicts.of_trucks(fleet_of(*tired, quiet, lost), NOW)) == [
        ("1 truck is silent: `*quiet*`", False),
        ("5 trucks need attention: `TRK000`, `TRK001`, `TRK002` and 2 more", False),
        ("1 truck reports a doubtful position: `LOST`", False),
    ]
    few, many = fleet_of(quiet).trucks, fleet_of(*[reading(f"T{number}", NOW) for number in range(21)]).trucks
    assert (verdicts.only(few), verdicts.only(many)) == ({"trucks": ["*quiet*"]}, {})
    assert said(verdicts.of_trucks(fleet_of(quiet), NOW)) == [("No truck has reported for 20 min", True)]
    assert verdicts.of_trucks(fleet_of(reading("TRK001", NOW)), NOW) == []


def test_readings_stop_where_the_next_stage_is_far_behind() -> None:
    first, second, third = (verdicts.Stage(name, NOW) for name in ("a", "b", "c"))
    assert verdicts.of_stages([first, second, third]) == []
    late = third._replace(newest=NOW - A_WHILE)
    assert said(verdicts.of_stages([first, second, late])) == [("Readings stop before c: 20 min behind b", True)]
    none = second._replace(newest=None)
    # What follows is as old as it must be.
    assert said(verdicts.of_stages([first, none, late])) == [("Readings stop before b: there are none", True)]
    assert verdicts.of_stages([first._replace(newest=None), none]) == []


def test_a_stage_is_not_judged_by_readings_older_than_what_was_asked_of_it() -> None:
    silent_since = NOW - timedelta(hours=5)
    first, third = (verdicts.Stage(name, silent_since) for name in ("a", "c"))
    asked = verdicts.Stage("b", None, asked_since=silent_since + timedelta(seconds=1))
    assert verdicts.of_stages([first, asked, third]) == []
    # What follows is then judged by the stage before.
    late = third._replace(newest=silent_since - A_WHILE)
    assert said(verdicts.of_stages([first, asked, late])) == [("Readings stop before c: 20 min behind a", True)]
    # A reading that would have been found is missing.
    stopped = [("Readings stop before b: there are none", True)]
    assert said(verdicts.of_stages([first, asked._replace(asked_since=silent_since), third])) == stopped


def test_failures_of_rules_and_warnings_are_told_apart() -> None:
    rules = [("a", "fail", "pass"), ("b", "warn", "fail"), ("c", "fail", "fail"), ("d", "warn", "error")]
    results = pd.DataFrame(rules, columns=["rule", "severity", "status"])
    problems = verdicts.of_quality(results)
    assert said(problems) == [("2 quality rules fail: `c`, `d`", True), ("1 quality rule warns: `b`", False)]
    assert problems[0].chosen == {"part": "Quality"}
    assert verdicts.of_quality(results.head(1)) == []


def test_only_closed_hours_have_to_balance() -> None:
    hours = pd.DataFrame(
        {
            "arrival_hour": [pd.Timestamp(NOW) - timedelta(hours=age) for age in (0, 1, 2)],
            "is_open": [True, False, False],
            "balanced": [False, True, False],
            "archived": [100, 100, 100],
            "quarantined": [90, 6, 0],
        }
    )
    assert said(verdicts.of_ledger(hours)) == [
        ("1 hour of the ledger does not balance", True),
        ("6% of the records of the last closed hour are in quarantine", False),
    ]
    assert verdicts.of_ledger(hours.assign(balanced=True, quarantined=1)) == []
