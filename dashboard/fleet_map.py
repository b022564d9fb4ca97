"""The map of the fleet: each truck with a sign for its state, and the way that it drove in the last hour.

The signs are in ``static/markers.svg``, a square each, side by side.  Shape and words say what a colour says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pydeck as pdk

from dashboard import as_sent, base_map
from dashboard.fleet_states import ATTENTION, DOUBTFUL, MOVING, PARKED, RETIRED, SILENT

# The id of the layer whose objects a person can pick.
PICKABLE = "trucks"
SIGNS = "app/static/markers.svg"
SIGN_PIXELS = 64
# In the order in which the file has them.
HEADING, PICKED = "heading", "picked"
ORDER = (HEADING, MOVING, PARKED, SILENT, RETIRED, ATTENTION, DOUBTFUL, PICKED)
SIGN_AT = {
    name: {"x": place * SIGN_PIXELS, "y": 0, "width": SIGN_PIXELS, "height": SIGN_PIXELS}
    for place, name in enumerate(ORDER)
}

# With more trucks, names on the map hide each other and what is under them.
MAX_NAMES = 60
NAME_LETTERS = 18
# With more trucks, the trails are a tangle; only the picked truck has its own.
MAX_TRAILS = 200
# All trails together, so that a refresh stays small.
MAX_TRAIL_POINTS = 2_000
TRAIL, TRAIL_OF_PICKED = [63, 143, 210, 150], [230, 110, 20, 230]

_READ = (
    "truck_id", "state", "reasons", "doubtful_position", "vehicle_speed", "gps_latitude", "gps_longitude", "heading",
)  # fmt: skip

TOOLTIP = {"text": "{t}\n{s}"}


def fleet_map(
    trucks: pd.DataFrame,
    trail: pd.DataFrame,
    picked: str | None,
    view: pdk.ViewState,
    *,
    dark: bool,
    tiles: str = "",
) -> pdk.Deck:
    """Draw each truck at its last position that is not doubtful, over its trail.

    Args:
        trucks: truck_id, state, reasons, doubtful_position, vehicle_speed, gps_latitude, gps_longitude (of
            :class:`dashboard.fleet_states.Fleet`), and heading (degrees clockwise from north, NaN if not known).
        trail: truck_id, last_time, gps_latitude, gps_longitude, without doubtful positions.
        picked: the truck whose card is open.
        view: what to show at first.
        dark: whether the page is dark.
        tiles: see :func:`dashboard.base_map.deck`.
    """
    rows = marks(trucks)
    layers = [
        _trails(trail, trucks, picked),
        _signs(PICKED, [row for row in rows if row["t"] == name_of(picked or "")], 34, icon=PICKED),
        _signs(PICKABLE, rows, 26, get_icon="i", get_angle="a", pickable=True),
        _badges(ATTENTION, [row for row, reasons in zip(rows, _on_map(trucks)["reasons"], strict=True) if reasons], 9),
        _badges(
            DOUBTFUL, [row for row, odd in zip(rows, _on_map(trucks)["doubtful_position"], strict=True) if odd], -9
        ),
    ]
    if len(rows) <= MAX_NAMES:
        layers.append(_names(rows, dark))
    return base_map.deck(layers, view, dark=dark, tiles=tiles, tooltip=TOOLTIP)


def marks(trucks: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what the browser needs of each truck that has a position, under short names: the message has all trucks.

    Keys: t, the truck; p, its position; i, its sign; a, how far the sign is turned (counter-clockwise); s, what the
    tooltip says of it.
    """
    return [
        {
            "t": name_of(row["truck_id"]),
            "p": [round(row["gps_longitude"], 5), round(row["gps_latitude"], 5)],
            "i": HEADING if _has_heading(row) else row["state"],
            "a": -round(row["heading"]) if _has_heading(row) else 0,
            "s": name_of(_said(row)),
        }
        for row in _on_map(trucks)[list(_READ)].to_dict("records")
    ]


def name_of(text: str) -> str:
    """Return text of a device as the map shows it, and as a click returns it."""
    shown = as_sent.visible(text)
    # deck.gl takes a text that begins so for an expression or a constant, in its data too.
    return f"\u2060{shown}" if shown.startswith("@@") else shown


def _on_map(trucks: pd.DataFrame) -> pd.DataFrame:
    return trucks.dropna(subset=["gps_latitude", "gps_longitude"])


def _has_heading(row: dict[Any, Any]) -> bool:
    return row["state"] == MOVING and not pd.isna(row["heading"])


def _said(row: dict[Any, Any]) -> str:
    speed = "" if pd.isna(row["vehicle_speed"]) or row["state"] != MOVING else f", {row['vehicle_speed']:.0f} mph"
    doubt = [f"position {row['doubtful_position']} is doubtful"] if row["doubtful_position"] else []
    return "; ".join([f"{row['state']}{speed}", *row["reasons"], *doubt])


def _signs(name: str, rows: list[dict[str, Any]], pixels: int, icon: str | None = None, **how: Any) -> pdk.Layer:
    accessors = how if icon is None else {**how, "get_icon": pdk.types.String(icon)}
    return pdk.Layer(
        "IconLayer",
        id=name,
        data=rows,
        icon_atlas=pdk.types.String(SIGNS),
        icon_mapping=SIGN_AT,
        get_position="p",
        get_size=pixels,
        **accessors,
    )


def _badges(name: str, rows: list[dict[str, Any]], right: int) -> pdk.Layer:
    return _signs(name, [{"p": row["p"]} for row in rows], 17, icon=name, get_pixel_offset=[right, -11])


def _trails(trail: pd.DataFrame, trucks: pd.DataFrame, picked: str | None) -> pdk.Layer:
    if len(trucks) > MAX_TRAILS:
        trail = trail[trail["truck_id"] == picked]
    known = trail.dropna(subset=["gps_latitude", "gps_longitude"]).sort_values(["truck_id", "last_time"])
    places = pd.DataFrame(
        {"t": known["truck_id"], "x": known["gps_longitude"].round(4), "y": known["gps_latitude"].round(4)}
    )
    # Where a truck stood, one point is enough.
    places = places[(places != places.shift()).any(axis=1)]
    every = max(1, -(-len(places) // MAX_TRAIL_POINTS))
    ends_at = _on_map(trucks)
    here = dict(zip(ends_at["truck_id"], ends_at[["gps_longitude", "gps_latitude"]].to_numpy().tolist(), strict=True))
    points = places[["x", "y"]].to_numpy().tolist()
    begins = np.flatnonzero((places["t"] != places["t"].shift()).to_numpy())
    ends = np.append(begins, len(points))[1:]
    rows = []
    for truck, begin, end in zip(places["t"].iloc[begins], begins, ends, strict=True):
        # To where the truck is now, which the history does not have yet.
        path = [*points[begin:end:every], *([here[truck]] if truck in here else [])]
        rows += base_map.segments(path, **({"c": 1} if truck == picked else {}))
    return base_map.lines("trails", rows, get_color=f"c ? {TRAIL_OF_PICKED} : {TRAIL}", pixels=3)


def _names(rows: Iterable[dict[str, Any]], dark: bool) -> pdk.Layer:
    ground = base_map.DARK if dark else base_map.LIGHT
    return pdk.Layer(
        "TextLayer",
        id="names",
        # The tooltip has the whole name.
        data=[{"t": _cut(row["t"]), "p": row["p"]} for row in rows],
        get_text="t",
        get_position="p",
        get_color=base_map.LIGHT.land if dark else base_map.DARK.water,
        get_size=13,
        get_pixel_offset=[0, 22],
        font_family=pdk.types.String("Source Sans, sans-serif"),
        font_weight=600,
        character_set=pdk.types.String("auto"),
        font_settings={"sdf": True},
        outline_width=3,
        outline_color=ground.land,
    )


def _cut(name: str) -> str:
    return name if len(name) <= NAME_LETTERS else f"{name[: NAME_LETTERS - 1]}…"
