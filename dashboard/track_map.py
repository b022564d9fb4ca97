"""The map of one truck's day: its trips as lines, its stops as dots, and the truck where it was at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import pydeck as pdk

from dashboard import base_map
from dashboard.day_trips import SILENT, STOP

WHOLE, UNSEEN = [63, 143, 210, 150], [128, 128, 128, 160]
DRIVEN, DRIVEN_IN_THE_DARK = [24, 90, 160, 255], [120, 190, 255, 255]
STANDING, TRUCK, RIM = [120, 90, 160, 230], [230, 110, 20, 255], [255, 255, 255, 255]
TOOLTIP = {"text": "{s}"}


def track_map(
    periods: pd.DataFrame,
    places: pd.DataFrame,
    said: Sequence[str],
    at: tuple[datetime, float, float] | None,
    *,
    dark: bool,
    tiles: str = "",
) -> pdk.Deck:
    """Draw the periods of a truck.

    Args:
        periods: kind of each period.
        places: as :func:`dashboard.day_trips.places` returns them for these periods.
        said: a tooltip for each period.
        at: an instant, with the truck's latitude and longitude then.  What it drove before is drawn bold.
        dark: whether the page is dark.
        tiles: see :func:`dashboard.base_map.deck`.
    """
    whole: list[dict[str, Any]] = []
    unseen: list[dict[str, Any]] = []
    stops: list[dict[str, Any]] = []
    driven: list[dict[str, Any]] = []
    for number, of_period in places.groupby("period", sort=True):
        kind, line = periods["kind"].iloc[number], _line(of_period)
        text = said[number]
        if kind == STOP:
            stops.append({"p": line[-1], "s": text})
        elif kind == SILENT:
            unseen.append({"p": line, "s": text})
        else:
            whole.append({"p": line, "s": text})
            before = [] if at is None else _line(of_period[of_period["time"] <= at[0]])
            if at is not None and before and of_period["time"].iloc[-1] > at[0]:
                before.append([round(at[2], 5), round(at[1], 5)])
            driven.append({"p": before, "s": text})
    layers = [
        _lines("unseen", unseen, UNSEEN, 2),
        _lines("trips", whole, WHOLE, 3),
        _lines("driven", [row for row in driven if len(row["p"]) > 1], DRIVEN_IN_THE_DARK if dark else DRIVEN, 5),
        _dots("stops", stops, STANDING, 6),
    ]
    if at is not None:
        layers.append(_dots("truck", [{"p": [at[2], at[1]], "s": ""}], TRUCK, 9))
    view = base_map.fitted(list(places["longitude"]), list(places["latitude"]))
    return base_map.deck(layers, view, dark=dark, tiles=tiles, tooltip=TOOLTIP)


def _line(places: pd.DataFrame) -> list[list[float]]:
    return places[["longitude", "latitude"]].astype(float).round(5).to_numpy().tolist()  # type: ignore[no-any-return]


def _lines(name: str, rows: list[dict[str, Any]], colour: list[int], pixels: int) -> pdk.Layer:
    return pdk.Layer(
        "PathLayer",
        id=name,
        data=rows,
        get_path="p",
        get_color=colour,
        width_min_pixels=pixels,
        width_max_pixels=pixels,
        cap_rounded=True,
        joint_rounded=True,
        pickable=True,
    )


def _dots(name: str, rows: list[dict[str, Any]], colour: list[int], pixels: int) -> pdk.Layer:
    return pdk.Layer(
        "ScatterplotLayer",
        id=name,
        data=rows,
        get_position="p",
        get_fill_color=colour,
        get_line_color=RIM,
        get_radius=pixels,
        radius_units=pdk.types.String("pixels"),
        line_width_min_pixels=2,
        stroked=True,
        pickable=True,
    )
