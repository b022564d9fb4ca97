"""base_map.py and tiles.py: the ground comes from this repository or from the one host of a setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dashboard import base_map, tiles
from dashboard.content_security import policy
from include.settings import SettingsError, read_settings

pytestmark = pytest.mark.unit

FOLDER = Path(base_map.__file__).with_name("static") / "base_map"
TILES = "https://tiles.example:8443/light/{z}/{x}/{y}.png?key=abc"


def spec(**how: Any) -> dict[str, Any]:
    drawn: dict[str, Any] = json.loads(base_map.deck([], base_map.WHOLE_WORLD, dark=False, **how).to_json())
    return drawn


def test_every_layer_of_the_ground_is_a_small_file_of_our_own() -> None:
    files = [layer["data"] for layer in spec()["layers"] if isinstance(layer["data"], str)]
    assert len(files) == 4
    for file in files:
        assert file.startswith(f"{base_map.FOLDER}/")
        assert json.loads((FOLDER / Path(file).name).read_text())
    assert sum(each.stat().st_size for each in FOLDER.iterdir()) < 180_000
    # Without this mark, Streamlit asks a map provider on the internet for a style.
    assert spec()["mapStyle"] == "__MAP_STYLE__"
    assert "mapProvider" not in spec()


def test_tiles_of_a_setting_replace_the_ground_and_only_their_host_is_allowed() -> None:
    address = tiles.template({"CTD_DEPLOYMENT_BUCKET": "x", "CTD_DASHBOARD_TILES": TILES})
    drawn = spec(tiles=address)
    assert drawn["layers"] == []
    assert drawn["mapStyle"][0]["sources"]["tiles"]["tiles"] == [TILES]
    assert "connect-src 'self' https://tiles.example:8443;" in policy("", tiles.origin(address))
    assert "connect-src 'self';" in policy("", tiles.origin(""))


@pytest.mark.parametrize(
    "address",
    [
        "https://tiles.example/{z}/{x}.png",
        "ftp://tiles.example/{z}/{x}/{y}.png",
        "https://tiles.example; script-src */{z}/{x}/{y}",
        "https:///{z}/{x}/{y}.png",
        "{z}/{x}/{y}.png",
    ],
)
def test_an_address_that_is_none_of_tiles_is_refused(address: str) -> None:
    environment = {"CTD_DEPLOYMENT_BUCKET": "x", "CTD_DASHBOARD_TILES": address}
    with pytest.raises(SettingsError, match="dashboard_tiles"):
        read_settings(environment)
    assert tiles.template(environment) == ""


def test_a_view_shows_all_positions() -> None:
    view = base_map.fitted([-83.2, -83.0], [40.0, 40.2])
    assert (view.longitude, view.latitude) == (pytest.approx(-83.1), pytest.approx(40.1, abs=0.01))
    assert 2**view.zoom * base_map.WORLD_PIXELS * 0.2 / 360 <= base_map.FIT_WIDTH
    assert view.zoom == pytest.approx(9.8, abs=0.3)


@pytest.mark.parametrize(
    ("longitudes", "latitudes", "zoom"),
    [
        ([], [], 1),
        ([5.0], [5.0], base_map.ONE_PLACE),
        ([5.0, 5.001], [5.0, 5.0], base_map.CLOSEST_FIT),
        ([-180.0, 180.0], [-90.0, 90.0], 0),
    ],
)
def test_a_view_of_nothing_of_one_place_and_of_the_whole_world(
    longitudes: list[float], latitudes: list[float], zoom: float
) -> None:
    assert base_map.fitted(longitudes, latitudes).zoom == zoom
