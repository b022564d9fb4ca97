"""track_map.py: what was driven before an instant and what was to come meet where the truck was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import track_map
from dashboard.day_trips import SILENT, STOP, TRIP

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
# A truck stands, drives north for two minutes, and is heard of again elsewhere.
KINDS = [STOP, TRIP, SILENT]
PLACES = pd.DataFrame(
    [(0, 0, 40.0), (0, 5, 40.0), (1, 5, 40.0), (1, 6, 40.1), (1, 7, 40.2), (2, 7, 40.2), (2, 60, 40.5)],
    columns=["period", "minute", "latitude"],
).assign(longitude=-83.0)
PLACES["time"] = [START + timedelta(minutes=minute) for minute in PLACES["minute"]]


def layers(at: tuple[datetime, float, float] | None) -> dict[str, list[dict[str, Any]]]:
    drawn = track_map.track_map(pd.DataFrame({"kind": KINDS}), PLACES, ["a stop", "a trip", "silence"], at, dark=False)
    return {layer["id"]: layer["data"] for layer in json.loads(drawn.to_json())["layers"]}


def lines(rows: list[dict[str, Any]]) -> list[tuple[float, float, str]]:
    return [(row["a"][1], row["b"][1], row["s"]) for row in rows]


def test_a_trip_is_cut_where_the_truck_was() -> None:
    drawn = layers((START + timedelta(minutes=6, seconds=30), 40.15, -83.0))
    assert lines(drawn["driven"]) == [(40.0, 40.1, "a trip"), (40.1, 40.15, "a trip")]
    assert lines(drawn["to_come"]) == [(40.15, 40.2, "a trip")]
    assert lines(drawn["unseen"]) == [(40.2, 40.5, "silence")]
    assert drawn["stops"] == [{"p": [-83.0, 40.0], "s": "a stop"}]
    assert drawn["truck"][0]["p"] == [-83.0, 40.15]


@pytest.mark.parametrize(
    ("minutes", "driven", "to_come"), [(4, 0, 2), (7, 2, 0), (60, 2, 0)], ids=["before", "at its end", "after"]
)
def test_a_trip_is_whole_before_it_begins_and_after_it_ends(minutes: int, driven: int, to_come: int) -> None:
    drawn = layers((START + timedelta(minutes=minutes), 40.0, -83.0))
    assert (len(drawn["driven"]), len(drawn["to_come"])) == (driven, to_come)


def test_without_an_instant_nothing_is_driven_yet() -> None:
    drawn = layers(None)
    assert (len(drawn["driven"]), len(drawn["to_come"])) == (0, 2)
    assert "truck" not in drawn
