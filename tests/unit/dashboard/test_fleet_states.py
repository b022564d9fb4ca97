"""fleet_states.py: a truck is moving, parked, silent or retired, and a truck nobody has heard from is not fine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import fleet_states
from dashboard.data import NO_REGISTER, FleetRegister
from dashboard.fleet_states import MOVING, PARKED, RETIRED, SILENT, fleet
from tests.unit.dashboard.pages import reading, typed

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 30, 20, tzinfo=UTC)
NOBODY = typed([reading("x", NOW)]).head(0)


def heard(seconds_ago: float, truck: str = "TRK001", **values: Any) -> dict[str, Any]:
    return reading(truck, NOW - timedelta(seconds=seconds_ago), **values)


def state(row: dict[str, Any], register: FleetRegister = NO_REGISTER) -> str:
    return str(fleet(typed([row]), register, NOW).trucks["state"].item())


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (heard(5, vehicle_speed=50.0), MOVING),
        (heard(5, vehicle_speed=3.0), MOVING),
        (heard(5, vehicle_speed=2.9), PARKED),
        (heard(5, vehicle_speed=0.0, gps_speed=60.0), PARKED),
        (heard(5, vehicle_speed=None, gps_speed=40.0), MOVING),
        (heard(5, vehicle_speed=159.0, gps_speed=0.4), PARKED),  # 0xFFFF, which says "not available".
        (heard(5, vehicle_speed=None), PARKED),
        (heard(900, vehicle_speed=50.0), MOVING),
        (heard(901, vehicle_speed=50.0), SILENT),
        (heard(86_400 * 365, vehicle_speed=0.0), SILENT),
    ],
)
def test_the_state_follows_from_the_speed_and_from_when_we_heard_of_it(row: dict[str, Any], expected: str) -> None:
    assert state(row) == expected


@pytest.mark.parametrize("clock", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)])
def test_a_devices_clock_neither_silences_a_truck_nor_hides_that_it_is_silent(clock: datetime) -> None:
    said = {"event_time": pd.Timestamp(clock), "vehicle_speed": 50.0}
    assert state(heard(5) | said) == MOVING
    assert state(heard(5000) | said) == SILENT


def test_an_arrival_just_ahead_of_our_clock_is_no_silence() -> None:
    assert state(heard(-30)) == MOVING


def test_a_truck_whose_arrival_is_not_known_is_silent() -> None:
    assert fleet(typed([heard(5, "A"), heard(5, "B") | {"arrival_time": pd.NaT}]), NO_REGISTER, NOW).trucks[
        "state"
    ].tolist() == [MOVING, SILENT]


def test_a_silent_truck_still_needs_attention_and_a_retired_one_does_not() -> None:
    rows = [heard(5, "GONE", fuel_level=4.0), heard(5000, "QUIET", fuel_level=9.0), heard(5, "FINE")]
    register = FleetRegister({"GONE": NOW}, NO_REGISTER.assignments)
    found = fleet(typed(rows), register, NOW)
    assert dict(zip(found.trucks["truck_id"], found.trucks["state"], strict=True)) == {
        "QUIET": SILENT, "FINE": MOVING, "GONE": RETIRED,
    }  # fmt: skip
    assert found.trucks["reasons"].tolist() == [("fuel 9 %",), (), ()]
    assert found.needing_attention["truck_id"].tolist() == ["QUIET"]
    assert [found.count(each) for each in (MOVING, PARKED, SILENT, RETIRED)] == [1, 0, 1, 1]


def test_a_doubtful_position_is_named_and_replaced_by_the_last_good_one() -> None:
    track = pd.DataFrame(
        {
            "truck_id": "TRK001",
            "last_time": [pd.Timestamp(NOW - timedelta(seconds=60))],
            "gps_latitude": [40.0],
            "gps_longitude": [-83.0],
        }
    )
    found = fleet(typed([heard(5, gps_latitude=0.0, gps_longitude=0.0), heard(5, "B")]), NO_REGISTER, NOW, track)
    assert found.doubtful["doubtful_position"].tolist() == ["0.00000, 0.00000"]
    assert found.trucks.loc[0, ["gps_latitude", "gps_longitude"]].tolist() == [40.0, -83.0]
    assert found.needing_attention.empty


@pytest.mark.parametrize(
    ("trucks", "kinds", "left"),
    [
        ((), (), ["A", "B", "C"]),
        (("A", "C", "gone"), (), ["A", "C"]),
        ((), (SILENT,), ["B"]),
        ((), (SILENT, fleet_states.DOUBTFUL), ["B", "C"]),
        ((), (fleet_states.ATTENTION,), ["B"]),
        (("A",), (SILENT,), []),
    ],
)
def test_a_fleet_is_narrowed_by_trucks_and_by_states(
    trucks: tuple[str, ...], kinds: tuple[str, ...], left: list[str]
) -> None:
    rows = [heard(5, "A"), heard(5000, "B", fuel_level=1.0), heard(5, "C", gps_latitude=0.0, gps_longitude=0.0)]
    track = slices(50.0).assign(truck_id="A", last_time=NOW, gps_latitude=40.0, gps_longitude=-83.0)
    narrowed = fleet(typed(rows), NO_REGISTER, NOW, track).only(trucks, kinds)
    assert list(narrowed.trucks["truck_id"]) == left
    assert list(narrowed.track["truck_id"]) == [truck for truck in left if truck == "A"]


def slices(*speeds: float) -> pd.DataFrame:
    starts = [pd.Timestamp(NOW - timedelta(minutes=len(speeds) - number)) for number in range(len(speeds))]
    return pd.DataFrame({"truck_id": "TRK001", "slice_start": starts, "vehicle_speed": speeds})


@pytest.mark.parametrize(
    ("now_driving", "speeds", "minutes", "is_known"),
    [
        (0.0, (50.0, 50.0, 0.0, 0.0), 2, True),
        (50.0, (50.0, 0.0, 50.0), 1, True),
        (50.0, (50.0, 50.0), 2, False),
        (50.0, (0.0, 0.0), 5 / 60, True),  # Its newest reading is the first one of its drive.
    ],
)
def test_since_when_a_truck_moves_or_is_parked(
    now_driving: float, speeds: tuple[float, ...], minutes: float, is_known: bool
) -> None:
    (row,) = fleet(typed([heard(5, vehicle_speed=now_driving)]), NO_REGISTER, NOW).trucks.to_dict("records")
    assert fleet_states.since(row, slices(*speeds)) == (NOW - timedelta(minutes=minutes), is_known)


def test_since_when_is_not_known_without_a_track_and_not_asked_of_a_silent_truck() -> None:
    for seconds, track in ((5, slices()), (5000, slices(50.0))):
        (row,) = fleet(typed([heard(seconds)]), NO_REGISTER, NOW).trucks.to_dict("records")
        assert fleet_states.since(row, track) == (None, False)


def test_an_empty_fleet_has_no_truck_in_any_state() -> None:
    found = fleet(NOBODY, NO_REGISTER, NOW)
    assert found.trucks.empty
    assert found.needing_attention.empty
    assert found.doubtful.empty
    assert found.count(SILENT) == 0


def test_the_historys_current_rows_stand_in_for_the_newest_readings() -> None:
    row = heard(5) | {"load_timestamp": pd.Timestamp(NOW), "effective_start_date": pd.Timestamp(NOW)}
    current = typed([row]).drop(columns=["event_time", "arrival_time"])
    assert fleet(fleet_states.readings_of_history(current), NO_REGISTER, NOW).trucks["state"].tolist() == [MOVING]
