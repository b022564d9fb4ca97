"""The statements of the dashboard's page Truck history, against the same figures in plain Python."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from dashboard import metric_series
from dashboard.spans import Span
from include import names, sql
from tests.sql.conftest import VERSION_COLUMNS

pytestmark = pytest.mark.sql

START = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
SECOND = timedelta(seconds=1)
SLICES = ("slice", "first_start", "lowest", "highest", "area", "lasted", "last_value")

# Second of the start, speed; the last one is current.
Sent = list[tuple[float, float | None]]


def put(snowflake: Any, truck: str, sent: Sent, **others: Any) -> None:
    rows = [
        {
            "TRUCK_ID": truck,
            "EFFECTIVE_START_DATE": START + second * SECOND,
            "EFFECTIVE_END_DATE": None if end is None else START + end * SECOND,
            "IS_CURRENT": end is None,
            "VEHICLE_SPEED": speed,
            "LOAD_TIMESTAMP": START,
        }
        | others
        for (second, speed), end in zip(sent, [second for second, _ in sent[1:]] + [None], strict=True)
    ]
    snowflake.load(names.HISTORY_TABLE, VERSION_COLUMNS, rows)


def ask(snowflake: Any, file: str, since: float, until: float, **values: Any) -> list[tuple]:
    bound = {"truck_id": "T", "since": (START + since * SECOND).isoformat()}
    bound |= {"until": (START + until * SECOND).isoformat(), "slice_microseconds": 10_000_000} | values
    return snowflake.execute(sql.render(f"dashboard/{file}.sql"), bound)


@pytest.fixture
def history(empty_snowflake: Any) -> Any:
    put(empty_snowflake, "OTHER", [(0, 9.0), (11, 8.0)])
    put(empty_snowflake, "T", [(0, 1.0), (4, 2.0), (12, None), (35, 2.0)])
    return empty_snowflake


@pytest.mark.parametrize(
    ("since", "until", "limit", "starts"),
    [
        (0, 40, 9, [35, 12, 4, 0]),
        # The one that ended at 4 is before the span, and says what the next one changed.
        (4, 34, 9, [12, 4, 0]),
        (5, 12, 9, [12, 4]),
        (0, 40, 2, [35, 12]),
        (-9, -1, 9, []),
        (50, 60, 9, [35]),
    ],
)
def test_versions_of_a_span(history: Any, since: float, until: float, limit: int, starts: list[float]) -> None:
    rows = ask(history, "versions", since, until, limit=limit)
    assert [(row[2] - START).total_seconds() for row in rows] == starts


@pytest.mark.parametrize(
    ("since", "until", "slices"),
    [
        # The first version of a truck changes nothing.
        (0, 40, [(0, 2, 1), (1, 1, 1), (3, 1, 1)]),
        # That of the span changes something: the one before it is known.
        (4, 40, [(0, 2, 2), (3, 1, 1)]),
        (-20, 11, [(2, 2, 1)]),
        (50, 60, []),
    ],
)
def test_versions_are_counted_by_slice(
    history: Any, since: float, until: float, slices: list[tuple[int, int, int]]
) -> None:
    rows = ask(history, "version_slices", since, until)
    changed = sql.ATTRIBUTES.index("VEHICLE_SPEED") + 1
    assert [(row[0], row[-1], row[changed]) for row in rows] == slices
    # Nothing else changed.
    assert all(sum(row[1:-1]) == row[changed] for row in rows)


def test_a_metric_by_slice_and_in_the_slices_between(history: Any) -> None:
    frame = metric_slices(history, -5, 40)
    # Slices begin at -5, 5, 15, 25 and 35; no version starts in those at 15 and 25.
    assert list(frame["slice"]) == [0, 1, 4]
    assert frame["last_value"].isna().tolist() == [False, True, False]
    assert frame["lasted"].tolist() == [5e6, 0.0, 5e6]


def metric_slices(snowflake: Any, since: float, until: float) -> pd.DataFrame:
    frame = pd.DataFrame(ask(snowflake, "metric_slices", since, until, metric="vehicle_speed"), columns=list(SLICES))
    frame["first_start"] = pd.to_datetime(frame["first_start"], utc=True)
    return frame.astype(dict.fromkeys(SLICES[2:], "float64"))


def test_the_mean_of_a_slice_is_that_of_the_time_in_it(empty_snowflake: Any, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(6):
        empty_snowflake.execute(f"delete from {names.HISTORY_TABLE}")
        seconds = sorted(chance.sample(range(100), chance.randint(1, 25)))
        sent: Sent = [(second, chance.choice((None, 1.0, 2.0, 5.0, 9.0))) for second in seconds]
        put(empty_snowflake, "T", sent)
        since, until = chance.randint(-20, 40), chance.randint(60, 120)
        at = [pd.Timestamp(START + second * SECOND, tz="UTC").to_pydatetime() for second in (since, until)]
        steps = metric_series.of_slices(metric_slices(empty_snowflake, since, until), Span(*at), 10 * SECOND)
        # Of each second, the value that held in it.
        held = {
            second: speed
            for (begin, speed), (end, _) in pairwise([*sent, (until, None)])
            for second in range(max(begin, since), min(end, until))
        }
        for step in steps.to_dict("records"):
            begin, end = (
                (edge - pd.Timestamp(START, tz="UTC")).total_seconds() for edge in (step["start"], step["end"])
            )
            known = [held[second] for second in range(int(begin), int(end)) if held.get(second) is not None]
            if known:
                assert step["mean"] == pytest.approx(sum(known) / len(known))
                assert (step["lowest"], step["highest"]) == (min(known), max(known))
            else:
                assert pd.isna(step["mean"]) or begin == end
        # Together they cover every second of which a value is known.
        covered = {
            second
            for step in steps.to_dict("records")
            for second in range(
                *(int((edge - pd.Timestamp(START, tz="UTC")).total_seconds()) for edge in (step["start"], step["end"]))
            )
        }
        assert {second for second, speed in held.items() if speed is not None} <= covered


def test_trucks_are_those_with_a_current_version(history: Any) -> None:
    assert history.execute(sql.render("dashboard/truck_ids.sql"), {"limit": 9}) == [("OTHER",), ("T",)]


def test_of_a_fleet_with_more_points_than_the_limit_every_truck_keeps_its_newest(empty_snowflake: Any) -> None:
    for truck in ("A", "B", "C"):
        put(empty_snowflake, truck, [(second, 1.0) for second in range(5)])
    bound = {"since": START.isoformat(), "slice_seconds": 1, "limit": 6}
    rows = empty_snowflake.execute(sql.render("dashboard/tracks.sql"), bound)
    assert sorted((row[0], (row[2] - START).seconds) for row in rows) == [(truck, s) for truck in "ABC" for s in (3, 4)]


def test_a_status_is_a_run_of_versions_until_it_changes(empty_snowflake: Any) -> None:
    for second, status in enumerate(["Good", "Good", None, None, "Worn", "Good"]):
        row = {
            "TRUCK_ID": "T",
            "EFFECTIVE_START_DATE": START + second * SECOND,
            "EFFECTIVE_END_DATE": None if second == 5 else START + (second + 1) * SECOND,
            "IS_CURRENT": second == 5,
            "VEHICLE_SPEED": second,
            "BRAKE_STATUS": status,
            "LOAD_TIMESTAMP": START,
        }
        empty_snowflake.load(names.HISTORY_TABLE, VERSION_COLUMNS, [row])

    def runs(since: float, until: float, limit: int) -> list[tuple]:
        return [
            ((begin - START) / SECOND, end and (end - START) / SECOND, status)
            for begin, status, end in ask(
                empty_snowflake, "status_runs", since, until, metric="brake_status", limit=limit
            )
        ]

    assert runs(-5, 9, 9) == [(5, None, "Good"), (4, 5, "Worn"), (2, 4, None), (0, 2, "Good")]
    assert runs(-5, 9, 2) == [(5, None, "Good"), (4, 5, "Worn")]
    # A run that began before the span begins with it, and the last one holds until its end.
    assert runs(1.5, 3.5, 9) == [(2, None, None), (1.5, 2, "Good")]
