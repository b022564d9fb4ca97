"""maps.py: which marks the map of a route has, where they are, and that it loads nothing."""

from __future__ import annotations

import pandas as pd
import pytest

from dashboard import maps
from dashboard.fleet_states import MOVING, PARKED

pytestmark = pytest.mark.unit

STATES = pd.DataFrame(
    {
        "truck_id": ["TRK001", "TRK002", "TRK003"],
        "gps_latitude": [40.0, 40.1, None],
        "gps_longitude": [-83.0, -83.2, -83.1],
        "vehicle_speed": [50.0, 0.0, 1.0],
        "state": [MOVING, PARKED, PARKED],
    }
)
TRACK = pd.DataFrame(
    {
        "truck_id": ["TRK001"] * 2,
        "last_time": [pd.Timestamp("2026-11-22T14:00:00Z"), pd.Timestamp("2026-11-22T14:00:05Z")],
        "gps_latitude": [39.9, 40.0],
        "gps_longitude": [-83.1, -83],
    }
)
TRUCKS = list(STATES["truck_id"])


def test_the_map_draws_tracks_trucks_labels_and_scale_and_loads_nothing() -> None:
    spec = maps.route_map(STATES, TRACK, TRUCKS).to_dict()
    assert [layer["mark"]["type"] for layer in spec["layer"]] == ["line", "point", "text", "rule", "text"]
    drawn = [row["truck_id"] for rows in spec["datasets"].values() for row in rows if "state" in row]
    assert drawn == ["TRK001", "TRK002"]  # One has no position.
    assert "url" not in str(spec["datasets"])
    assert not any("url" in layer.get("data", {}) for layer in spec["layer"])


def test_an_unknown_speed_is_not_0_and_a_long_name_is_cut_with_a_tooltip() -> None:
    spec = maps.route_map(STATES.assign(vehicle_speed=[None, 0.0, 1.0]), TRACK, TRUCKS).to_dict()
    speeds = [row["speed"] for rows in spec["datasets"].values() for row in rows if "speed" in row]
    assert speeds == ["–", "0"]
    assert spec["layer"][2]["mark"]["limit"] == maps.LABEL_PIXELS
    assert spec["layer"][1]["encoding"]["tooltip"][0]["field"] == "truck_id"


def test_the_map_without_history_still_draws_trucks() -> None:
    assert maps.route_map(STATES, STATES.head(0).assign(last_time=[]), TRUCKS).to_dict()["layer"]


def test_a_truck_has_the_same_colour_on_a_map_of_its_own() -> None:
    spec = maps.route_map(STATES.tail(1), TRACK.head(0), TRUCKS).to_dict()
    assert spec["layer"][1]["encoding"]["color"]["scale"]["domain"] == TRUCKS


def test_bounds_of_one_standing_truck_are_a_kilometre_wide() -> None:
    west, east, south, north = maps.bounds(pd.Series([-83.0]), pd.Series([40.0]))
    assert (east - west) * maps.KM_PER_DEGREE == pytest.approx(1)
    assert (north - south) * maps.KM_PER_DEGREE == pytest.approx(1)
    assert (west + east) / 2 == pytest.approx(-83)


def test_bounds_of_nothing_are_the_world() -> None:
    assert maps.bounds(pd.Series(dtype=float), pd.Series(dtype=float)) == (-180, 180, -90, 90)
