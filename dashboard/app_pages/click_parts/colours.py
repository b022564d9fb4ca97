"""The colours of items: in all charts of a session an item has the same, as far as the theme's colours go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

OTHERS = "all other items"
# The theme's colours (.streamlit/config.toml).  The last one is gray, for all other items together.
COLOURS = 7
_STATE = "item_colours"


def domain(items: Sequence[str]) -> list[str | int]:
    """Return the domain of a scale that gives each of at most :data:`COLOURS` items its colour in this session.

    A number stands for a colour that none of the items has.
    """
    kept: dict[str, int] = st.session_state.setdefault(_STATE, {})
    places = placed(items, kept)
    kept |= {item: place for item, place in places.items() if item != OTHERS}
    item_at = {place: item for item, place in places.items()}
    return [item_at.get(place, place) for place in range(COLOURS)]


def placed(items: Sequence[str], kept: Mapping[str, int]) -> dict[str, int]:
    """Return which of the colours each item has: that of ``kept``, unless another of ``items`` has it.

    A new item has a colour that no item ever had, if there is one.
    """
    places = {OTHERS: COLOURS - 1} if OTHERS in items else {}
    new = []
    for item in sorted(set(items) - {OTHERS}):
        if item in kept and kept[item] not in places.values():
            places[item] = kept[item]
        else:
            new.append(item)
    for item in new:
        free = set(range(COLOURS)) - set(places.values())
        places[item] = min(free, key=lambda place: (place == COLOURS - 1, place in kept.values(), place))
    return places
