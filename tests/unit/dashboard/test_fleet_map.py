"""fleet_map.py: each truck has the sign of its state, heads where it drives, and is named as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dashboard import base_map, fleet_map
from dashboard.fleet_states import ATTENTION, DOUBTFUL, MOVING, PARKED, RETIRED, SILENT

pytestmark = pytest.mark.unit

NAN = float("nan")


def truck(name: str, state: str = MOVING, **values: Any) -> dict[str, Any]:
    return {
        "truck_id": name, "state": state, "reasons": (), "doubtful_position": "", "vehicle_speed": 50.0,
        "gps_latitude": 40.0, "gps_longitude": -83.0, "heading": NAN,
    } | values  # fmt: skip


def trail_of(name: str, *places: tuple[float, float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "truck_id": name,
            "last_time": pd.date_range("2026-11-22T14:00:00Z", periods=len(places), freq="15s"),
            "gps_latitude": [place[0] for place in places],
            "gps_longitude": [place[1] for place in places],
        }
    )


def layers(
    trucks: list[dict[str, Any]], trail: pd.DataFrame | None = None, picked: str | None = None
) -> dict[str, Any]:
    drawn = fleet_map.fleet_map(
        pd.DataFrame(trucks),
        trail_of("x").head(0) if trail is None else trail,
        picked,
        base_map.WHOLE_WORLD,
        dark=False,
    )
    return {layer["id"]: layer for layer in json.loads(drawn.to_json())["layers"]}


def test_the_sign_is_that_of_the_state_and_an_arrow_where_the_heading_is_known() -> None:
    rows = fleet_map.marks(
        pd.DataFrame(
            [
                truck("A", heading=90.0), truck("B"), truck("C", PARKED, heading=90.0), truck("D", SILENT),
                truck("E", RETIRED), truck("F", gps_latitude=NAN),
            ]
        )
    )  # fmt: skip
    # deck.gl turns counter-clockwise.  A truck without a position is not on the map.
    assert [(row["t"], row["i"], row["a"]) for row in rows] == [
        ("A", fleet_map.HEADING, -90), ("B", MOVING, 0), ("C", PARKED, 0), ("D", SILENT, 0), ("E", RETIRED, 0),
    ]  # fmt: skip


def test_the_file_has_a_sign_for_each_name() -> None:
    drawing = (Path(base_map.__file__).with_name("static") / Path(fleet_map.SIGNS).name).read_text()
    assert re.search(r'viewBox="0 0 (\d+) (\d+)"', drawing).groups() == (  # type: ignore[union-attr]
        str(len(fleet_map.ORDER) * fleet_map.SIGN_PIXELS),
        str(fleet_map.SIGN_PIXELS),
    )


def test_a_tooltip_says_what_the_signs_say() -> None:
    odd = truck("A", reasons=("fuel 4 %", "oil 8 psi"), doubtful_position="0.00000, 0.00000")
    said = [row["s"] for row in fleet_map.marks(pd.DataFrame([odd, truck("B", vehicle_speed=NAN), truck("C", SILENT)]))]
    assert said == [
        "moving, 50 mph; fuel 4 %; oil 8 psi; position 0.00000, 0.00000 is doubtful",
        "moving",
        "silent",
    ]


def test_attention_and_doubt_have_badges_and_the_picked_truck_a_ring() -> None:
    trucks = [truck("A", reasons=("fuel 4 %",)), truck("B", doubtful_position="0, 0"), truck("C", gps_latitude=41.0)]
    drawn = layers(trucks, picked="C")
    assert [len(drawn[name]["data"]) for name in (ATTENTION, DOUBTFUL, fleet_map.PICKED)] == [1] * 3
    assert drawn[fleet_map.PICKED]["data"][0]["p"] == [-83.0, 41.0]
    assert [name for name, layer in drawn.items() if layer.get("pickable")] == [fleet_map.PICKABLE]


@pytest.mark.parametrize("name", ["@@=1+1", "@@#x", "a\u202eb"])
def test_a_name_is_no_expression_and_hides_nothing(name: str) -> None:
    shown = fleet_map.marks(pd.DataFrame([truck(name)]))[0]["t"]
    assert not shown.startswith("@@")
    assert shown.isprintable() or shown.lstrip("\u2060") == name


def test_a_trail_ends_at_its_truck_and_where_it_stood_it_has_one_point() -> None:
    trail = trail_of("A", (39.9, -83.0), (39.9, -83.0), (39.95, -83.0))
    rows = layers([truck("A")], trail)["trails"]["data"]
    assert rows == [{"a": [-83.0, 39.9], "b": [-83.0, 39.95]}, {"a": [-83.0, 39.95], "b": [-83.0, 40.0]}]
    # The browser gives the trail of the picked truck another colour.
    assert all(row["c"] == 1 for row in layers([truck("A")], trail, picked="A")["trails"]["data"])


def test_the_trails_of_many_trucks_stay_small() -> None:
    trails = pd.concat(
        [trail_of(f"T{number}", *[(40 + step / 1000, -83.0) for step in range(200)]) for number in range(60)]
    )
    drawn = layers([truck(f"T{number}") for number in range(60)], trails)["trails"]["data"]
    assert len(drawn) < 2 * fleet_map.MAX_TRAIL_POINTS
    # One for each truck leads to where it is.
    assert sum(row["b"] == [-83.0, 40.0] for row in drawn) == 60


def test_names_are_left_out_where_they_would_hide_the_map() -> None:
    few, many = [[truck(f"T{number}") for number in range(count)] for count in (60, 61)]
    assert "names" in layers(few)
    assert "names" not in layers(many)
