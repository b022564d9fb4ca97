"""The way that one truck drove, as an Altair chart without ground: at the scale of a street there is none to draw.

The projection is equirectangular about the middle of the data.  The browser computes the axes from the chart's real
size: a kilometre is as long to the north as to the east, and the scale bar shows its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import altair as alt
import pandas as pd

from dashboard.fleet_states import MOVING, PARKED, RETIRED, SILENT

MAP_HEIGHT = 300
# A longer name is cut on the map; the tooltip of the truck has all of it.
LABEL_PIXELS = 140
KM_PER_DEGREE = 111.32
TICKS = 6


class MapPosition(NamedTuple):
    """The encodings that place a mark on the map."""

    x: alt.X
    y: alt.Y


def route_map(states: pd.DataFrame, track: pd.DataFrame, trucks: Sequence[str]) -> alt.LayerChart:
    """Draw each truck at its newest position, over the route it drove.

    Args:
        states: truck_id, state, vehicle_speed, gps_latitude, gps_longitude (degrees), of
            :attr:`dashboard.fleet_states.Fleet.trucks`.
        track: truck_id, last_time, gps_latitude, gps_longitude.
        trucks: all trucks of the page, so that each has the same colour on every map.
    """
    states = states.dropna(subset=["gps_latitude", "gps_longitude"])
    track = track.dropna(subset=["gps_latitude", "gps_longitude"])
    position = _position()
    colour = alt.Color("truck_id:N", legend=None, scale=alt.Scale(domain=list(trucks)))
    layers = [
        _routes(track, position, colour),
        _trucks(states, position, colour),
        _labels(states, position, colour),
    ]
    params = _projection(
        bounds(
            pd.concat([states["gps_longitude"], track["gps_longitude"]]),
            pd.concat([states["gps_latitude"], track["gps_latitude"]]),
        )
    )
    return alt.LayerChart(layer=[*layers, *_scale_bar()], height=MAP_HEIGHT).add_params(*params)


def bounds(longitudes: pd.Series, latitudes: pd.Series) -> tuple[float, float, float, float]:
    """Return west, east, south and north of the positions in degrees, at least a kilometre apart in each direction."""
    if longitudes.empty:
        return -180.0, 180.0, -90.0, 90.0
    west, east = float(longitudes.min()), float(longitudes.max())
    south, north = float(latitudes.min()), float(latitudes.max())
    margin = max(0.0, 1 / KM_PER_DEGREE - min(east - west, north - south)) / 2
    return west - margin, east + margin, south - margin, north + margin


def _projection(bounds: tuple[float, float, float, float]) -> list[Any]:
    """Return the parameters from which the browser computes the axes and the scale bar."""
    west, east, south, north = bounds
    return [
        alt.param(name="middle_longitude", value=(west + east) / 2),
        alt.param(name="middle_latitude", value=(south + north) / 2),
        alt.param(name="squeeze", expr="max(cos(middle_latitude * PI / 180), 0.05)"),
        alt.param(
            name="degrees_per_pixel",
            expr=f"1.25 * max({east - west!r} * squeeze / max(width, 1), {north - south!r} / max(height, 1))",
        ),
        # The bar shows the roundest length (1, 2 or 5 times a power of ten) that fits into a fifth of the width.
        alt.param(name="room_km", expr=f"degrees_per_pixel * {KM_PER_DEGREE} * width / 5"),
        alt.param(name="decade", expr="pow(10, floor(log(room_km) / LN10))"),
        alt.param(
            name="bar_km",
            expr="room_km / decade >= 5 ? 5 * decade : room_km / decade >= 2 ? 2 * decade : decade",
        ),
        alt.param(name="bar_pixels", expr=f"bar_km / (degrees_per_pixel * {KM_PER_DEGREE})"),
    ]


def _position() -> MapPosition:
    """Return the encodings of longitude and latitude, in terms of the parameters of :func:`_projection`."""
    longitude = alt.Scale(
        domainMin=alt.expr("middle_longitude - degrees_per_pixel * width / 2 / squeeze"),
        domainMax=alt.expr("middle_longitude + degrees_per_pixel * width / 2 / squeeze"),
        nice=False,
        zero=False,
    )
    latitude = alt.Scale(
        domainMin=alt.expr("middle_latitude - degrees_per_pixel * height / 2"),
        domainMax=alt.expr("middle_latitude + degrees_per_pixel * height / 2"),
        nice=False,
        zero=False,
    )
    to_the_east = _degrees("E", "W", "(degrees_per_pixel * width / squeeze)")
    to_the_north = _degrees("N", "S", "(degrees_per_pixel * height)")
    return MapPosition(
        alt.X("gps_longitude:Q", scale=longitude, title=None, axis=to_the_east),
        alt.Y("gps_latitude:Q", scale=latitude, title=None, axis=to_the_north),
    )


def _degrees(positive: str, negative: str, span: str) -> alt.Axis:
    """Return an axis in degrees.  ``span`` is the Vega expression of its length in degrees."""
    # Enough decimals to make neighbouring ticks differ.
    decimals = f"max(0, ceil(-log({span} / {TICKS}) / LN10))"
    text = f"format(abs(datum.value), '.' + {decimals} + 'f') + '° ' + (datum.value < 0 ? '{negative}' : '{positive}')"
    return alt.Axis(
        labelExpr=text, grid=True, gridDash=[2, 3], tickCount=TICKS, labelOverlap=True, ticks=False, domain=False
    )


def _routes(track: pd.DataFrame, position: MapPosition, colour: alt.Color) -> alt.Chart:
    lines: alt.Chart = (
        alt.Chart(track[["truck_id", "last_time", "gps_latitude", "gps_longitude"]])
        .mark_line(strokeWidth=2.5, opacity=0.45, strokeJoin="round", clip=True)
        .encode(x=position.x, y=position.y, color=colour, order="last_time:T")
    )
    return lines


def _trucks(states: pd.DataFrame, position: MapPosition, colour: alt.Color) -> alt.Chart:
    shape = alt.Shape(
        "state:N",
        title=None,
        scale=alt.Scale(domain=[MOVING, PARKED, SILENT, RETIRED], range=["triangle-up", "square", "cross", "circle"]),
        legend=None,
    )
    tooltip = [
        alt.Tooltip("truck_id:N", title="truck"),
        alt.Tooltip("state:N", title="state"),
        alt.Tooltip("speed:N", title="speed, mph"),
        alt.Tooltip("gps_latitude:Q", title="latitude, °", format=".5f"),
        alt.Tooltip("gps_longitude:Q", title="longitude, °", format=".5f"),
    ]
    # Vega formats an unknown speed as 0.
    speeds = ["–" if pd.isna(speed) else f"{speed:.0f}" for speed in states["vehicle_speed"]]
    shown = states[["truck_id", "gps_latitude", "gps_longitude", "state"]].assign(speed=speeds)
    points: alt.Chart = (
        alt.Chart(shown)
        .mark_point(filled=True, size=190, opacity=1, stroke="white", strokeWidth=1.5)
        .encode(x=position.x, y=position.y, color=colour, shape=shape, tooltip=tooltip)
    )
    return points


def _labels(states: pd.DataFrame, position: MapPosition, colour: alt.Color) -> alt.Chart:
    names: alt.Chart = (
        alt.Chart(states[["truck_id", "gps_latitude", "gps_longitude"]])
        .mark_text(align="left", dx=11, dy=-9, fontWeight="bold", fontSize=12, limit=LABEL_PIXELS)
        .encode(x=position.x, y=position.y, text="truck_id:N", color=colour)
    )
    return names


def _scale_bar() -> list[alt.Chart]:
    bar = alt.Chart(pd.DataFrame({"unit": ["km"]}))
    left, bottom = 14, alt.expr("height - 14")
    return [
        bar.mark_rule(strokeWidth=3, color="gray", aria=False).encode(
            x=alt.value(left), x2=alt.value(alt.expr(f"{left} + bar_pixels")), y=alt.value(bottom)
        ),
        bar.mark_text(
            align="left", color="gray", dy=-9, aria=False, text=alt.expr("format(bar_km, '~r') + ' km'")
        ).encode(x=alt.value(left), y=alt.value(bottom)),
    ]
