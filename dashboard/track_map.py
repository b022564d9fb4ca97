"""The map of one truck's day: its trips as lines, its stops as dots, and the truck where it was at an instant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import pydeck as pdk

from dashboard import base_map
from dashboard.day_trips import SILENT, STOP

TO_COME, UNSEEN = [63, 143, 210, 150], [128, 128, 128, 160]
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
    unseen: list[dict[str, Any]] = []
    to_come: list[dict[str, Any]] = []
    driven: list[dict[str, Any]] = []
    stops: list[dict[str, Any]] = []
    for number, of_period in places.groupby("period", sort=True):
        kind, text = periods["kind"].iloc[number], said[number]
        if kind == STOP:
            stops.append({"p": _line(of_period)[-1], "s": text})
        elif kind == SILENT:
            unseen += base_map.segments(_line(of_period), s=text)
        else:
            before, after = _halves(of_period, at)
            driven += base_map.segments(before, s=text)
            to_come += base_map.segments(after, s=text)
    layers = [
        base_map.lines("unseen", unseen, get_color=UNSEEN, pixels=2, pickable=True),
        base_map.lines("to_come", to_come, get_color=TO_COME, pixels=3, pickable=True),
        base_map.lines("driven", driven, get_color=DRIVEN_IN_THE_DARK if dark else DRIVEN, pixels=5, pickable=True),
        _dots("stops", stops, STANDING, 6),
    ]
    if at is not None:
        layers.append(_dots("truck", [{"p": [at[2], at[1]], "s": ""}], TRUCK, 9))
    view = base_map.fitted(list(places["longitude"]), list(places["latitude"]))
    return base_map.deck(layers, view, dark=dark, tiles=tiles, tooltip=TOOLTIP)


def _halves(
    places: pd.DataFrame, at: tuple[datetime, float, float] | None
) -> tuple[list[list[float]], list[list[float]]]:
    """Return the line of a trip up to an instant, and from there on; without an instant, it is still to come."""
    if at is None:
        return [], _line(places)
    is_before = places["time"] <= at[0]
    here = [round(at[2], 5), round(at[1], 5)] if is_before.any() and not is_before.all() else None
    middle = [] if here is None else [here]
    return [*_line(places[is_before]), *middle], [*middle, *_line(places[~is_before])]


def _line(places: pd.DataFrame) -> list[list[float]]:
    # pandas has no types here.
    return places[["longitude", "latitude"]].astype(float).round(5).to_numpy().tolist()  # type: ignore[no-any-return]


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
