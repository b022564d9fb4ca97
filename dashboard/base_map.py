"""The ground under a map: land, lakes, borders and places, from small files of our own.

The browser loads them once, from this server (``static/base_map``).  So a map works without internet, and tells nobody
where the trucks are.  A deployment can have the tiles of a server of its own instead (``CTD_DASHBOARD_TILES``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pydeck as pdk
from pydeck.bindings.json_tools import default_serialize

FOLDER = "app/static/base_map"
# A view is fitted to a map of this size, in pixels: a phone's, less the room that signs and labels need.  A wide screen
# shows more on either side.
FIT_WIDTH, FIT_HEIGHT = 300, 300
# The side of the world at zoom 0, in pixels.
WORLD_PIXELS = 512
# About a city, for positions that have to be told apart.
CLOSEST_FIT, CLOSEST = 10.0, 17
# About a part of a state, for one position.  Around most of them, a town, a border or a coast is in sight.
ONE_PLACE = 7.0
# Where Web Mercator ends, in degrees of latitude.
MERCATOR_END = 85.0
WHOLE_WORLD = pdk.ViewState(longitude=-40, latitude=30, zoom=1, max_zoom=CLOSEST)

Colour = list[int]


class _CompactDeck(pdk.Deck):  # type: ignore[misc]  # pydeck has no types.
    """A map whose message is a third as long: pydeck indents it."""

    def to_json(self) -> str:
        """Return the map as Streamlit sends it to the browser."""
        return json.dumps(self, sort_keys=True, default=default_serialize, separators=(",", ":"))


class Ground(NamedTuple):
    """The colours of the ground, as red, green, blue."""

    water: Colour
    land: Colour
    border: Colour
    place: Colour


LIGHT = Ground(water=[208, 224, 235], land=[247, 245, 240], border=[176, 180, 186], place=[90, 97, 105])
DARK = Ground(water=[12, 22, 31], land=[38, 46, 55], border=[86, 96, 107], place=[158, 167, 176])


def deck(
    layers: Sequence[pdk.Layer],
    view: pdk.ViewState,
    *,
    dark: bool,
    tiles: str = "",
    tooltip: dict[str, str] | None = None,
) -> pdk.Deck:
    """Return a map of ``layers`` over the ground.

    A map stays as a person moved and zoomed it for as long as ``view`` is the same.

    Args:
        layers: what to draw, the lowest first.
        view: what to show at first.
        dark: whether the page is dark.
        tiles: the address of tiles with {z}, {x} and {y} to draw instead of our own ground; "" for our own.
        tooltip: pydeck's description of tooltips.
    """
    ground = [] if tiles else _ground(DARK if dark else LIGHT)
    # Without a provider: Streamlit would ask one on the internet for its style.
    drawn = _CompactDeck([*ground, *layers], map_provider=None, initial_view_state=view, tooltip=tooltip or False)
    if tiles:
        # The browser takes a style from a list.  pydeck's own argument is only for the address of one.
        drawn.map_style = [_tile_style(tiles)]
    return drawn


def fitted(longitudes: Sequence[float], latitudes: Sequence[float]) -> pdk.ViewState:
    """Return the view that shows all of these positions (degrees), or the whole world if there are none."""
    if not len(longitudes):
        return WHOLE_WORLD
    west, east = min(longitudes), max(longitudes)
    south, north = _mercator(min(latitudes)), _mercator(max(latitudes))
    sizes = ((FIT_WIDTH, (east - west) / 360), (FIT_HEIGHT, north - south))
    zooms = [math.log2(pixels / (size * WORLD_PIXELS)) for pixels, size in sizes if size > 0] or [ONE_PLACE]
    middle = 2 * math.atan(math.exp((south + north) * math.pi)) - math.pi / 2
    return pdk.ViewState(
        longitude=round((west + east) / 2, 5),
        latitude=round(math.degrees(middle), 5),
        zoom=round(max(0.0, min([CLOSEST_FIT, *zooms])), 2),
        max_zoom=CLOSEST,
    )


def lines(
    name: str,
    rows: Sequence[dict[str, Any]] | str,
    *,
    get_color: Any,
    pixels: int = 1,
    ends: tuple[str, str] = ("a", "b"),
    **how: Any,
) -> pdk.Layer:
    """Return a layer of straight lines.

    Not deck.gl's layer of paths: a browser without a graphics card takes three times as long to draw its first one.

    Args:
        name: the id of the layer.
        rows: one for each line, or the address of a file of them.
        get_color: the colour, or an expression of it.
        pixels: the width.
        ends: the expressions of both ends (longitude and latitude) in a row.
        how: further properties of the layer.
    """
    return pdk.Layer(
        "LineLayer",
        id=name,
        data=rows,
        get_source_position=ends[0],
        get_target_position=ends[1],
        get_color=get_color,
        get_width=pixels,
        **how,
    )


def segments(path: Iterable[Sequence[float]], **values: Any) -> list[dict[str, Any]]:
    """Return the rows of :func:`lines` that draw a path, each with ``values``."""
    return [{"a": begin, "b": end, **values} for begin, end in pairwise(path)]


def _mercator(latitude: float) -> float:
    """Return how far north a latitude is on the map, in sides of the world."""
    inside = math.radians(max(-MERCATOR_END, min(MERCATOR_END, latitude)))
    return math.log(math.tan(math.pi / 4 + inside / 2)) / (2 * math.pi)


def _ground(colours: Ground) -> list[pdk.Layer]:
    sea = [[-180, -MERCATOR_END], [180, -MERCATOR_END], [180, MERCATOR_END], [-180, MERCATOR_END]]
    return [
        pdk.Layer("SolidPolygonLayer", id="sea", data=[{"p": sea}], get_polygon="p", get_fill_color=colours.water),
        _shapes("land", get_fill_color=colours.land, stroked=False),
        _shapes("lakes", get_fill_color=colours.water, stroked=False),
        lines(
            "borders",
            f"{FOLDER}/borders.json",
            get_color=colours.border,
            # Each row of the file is a list of four numbers.
            ends=("[this[0], this[1]]", "[this[2], this[3]]"),
        ),
        pdk.Layer(
            "TextLayer",
            id="places",
            data=f"{FOLDER}/places.json",
            get_text="n",
            get_position="p",
            get_color=colours.place,
            get_size=12,
            font_family=pdk.types.String("Source Sans, sans-serif"),
            character_set=pdk.types.String("auto"),
            # Where two names overlap, the larger place has its own.
            extensions=[{"@@type": "CollisionFilterExtension"}],
            get_collision_priority="r",
            collision_test_props={"sizeScale": 4},
        ),
    ]


def _shapes(name: str, **how: Any) -> pdk.Layer:
    return pdk.Layer("GeoJsonLayer", id=name, data=f"{FOLDER}/{name}.geojson", **how)


def _tile_style(tiles: str) -> dict[str, Any]:
    """Return a style of Mapbox's specification, version 8, with these tiles and nothing else."""
    return {
        "version": 8,
        "sources": {"tiles": {"type": "raster", "tiles": [tiles], "tileSize": 256}},
        "layers": [{"id": "tiles", "type": "raster", "source": "tiles"}],
    }
