"""The items of the shop: three by default, and as many more as asked for."""

from __future__ import annotations

from typing import NamedTuple


class CatalogueItem(NamedTuple):
    item_id: str
    name: str


_FIRST = (
    CatalogueItem("MOB001", "Aurora X5 Smartphone"),
    CatalogueItem("LAP002", "Meridian 14 Laptop"),
    CatalogueItem("CAM003", "Halcyon 35 Mirrorless Camera"),
)

_KINDS = (
    ("MOB", "Smartphone"),
    ("LAP", "Laptop"),
    ("CAM", "Mirrorless Camera"),
    ("TAB", "Tablet"),
    ("WCH", "Smartwatch"),
    ("AUD", "Wireless Headphones"),
    ("MON", "Monitor"),
    ("KEY", "Mechanical Keyboard"),
    ("DRN", "Camera Drone"),
    ("SPK", "Bluetooth Speaker"),
)
_SERIES = ("Aurora", "Meridian", "Halcyon", "Borealis", "Cascade", "Solstice", "Zephyr", "Lumen", "Tidal", "Vertex")


def items(count: int) -> list[CatalogueItem]:
    """The first ``count`` items of an endless catalogue; the same item has the same number whatever the count."""
    more = (_made_up(number) for number in range(len(_FIRST) + 1, count + 1))
    return [*_FIRST[:count], *more]


def _made_up(number: int) -> CatalogueItem:
    prefix, kind = _KINDS[number % len(_KINDS)]
    series = _SERIES[(number // len(_KINDS)) % len(_SERIES)]
    return CatalogueItem(f"{prefix}{number:03d}", f"{series} {number} {kind}")
