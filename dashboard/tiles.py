"""The tiles of a deployment's own server, which the maps can have instead of the ground in this repository."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from include.settings import SettingsError, read_settings


def template(environ: Mapping[str, str]) -> str:
    """Return the address of tiles with {z}, {x} and {y} in it, or "" if no setting gives it.

    A setting that can't be used is reported where a setting is needed; until then the maps have their own ground.
    """
    try:
        return read_settings(environ).dashboard_tiles
    except SettingsError:
        return ""


def origin(address: str) -> str:
    """Return the scheme, host and port of tiles, which a browser has to be allowed to ask; "" if there are none."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if address else ""
