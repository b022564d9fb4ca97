"""The map of the page Fleet: what it shows, and a click on a truck."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import pandas as pd
import pydeck as pdk
import streamlit as st

from dashboard import as_sent, base_map, choices, fleet_map, positions, tiles
from dashboard.app_pages.fleet.truck_card import PICK
from dashboard.fleet_states import ATTENTION, DOUBTFUL, MOVING, PARKED, RETIRED, SILENT, Fleet

HEIGHT = 520
# More of them are only counted.
MAX_DOUBTFUL_NAMED = 5

# What the session remembers: the view that the map has, the truck that the browser has selected on it, the trucks by
# their names on the map, and the trucks in the order in which the session saw them.
_VIEW, _SELECTED, _NAMES, _SEEN = "fleet_view", "fleet_selected", "fleet_names", "fleet_seen"


class _View(NamedTuple):
    """What the map shows at first, and for what.

    Attributes:
        wanted: the trucks and states that a person named, or None to show all again.
        picked: the truck whose card was open.
        is_empty: whether no truck had a position.
        number: the number of views before.
        view: the view.
    """

    wanted: tuple[str, ...] | None
    picked: str | None
    is_empty: bool
    number: int
    view: pdk.ViewState


def show(fleet: Fleet, wanted: Sequence[str], picked: str | None) -> None:
    """Show the trucks on a map with a legend, and say which trucks are not where they say they are.

    Args:
        fleet: the trucks to show.
        wanted: the trucks and states that a person named, none if the map has all trucks.
        picked: the truck whose card is open.
    """
    trucks = _in_order_seen(fleet.trucks)
    trucks = trucks.assign(heading=positions.headings(trucks, fleet.track))
    st.session_state[_NAMES] = {fleet_map.name_of(truck): truck for truck in trucks["truck_id"]}
    view = _view(trucks, wanted, picked)
    # The browser's selection is a place in the list, so a map of other trucks is another map.
    key = f"fleet_map_{hash(tuple(wanted))}"
    place_of_map = st.container()
    _legend(trucks)
    _doubtful(trucks)
    place_of_map.pydeck_chart(
        fleet_map.fleet_map(
            trucks,
            fleet.track,
            picked,
            view,
            dark=st.context.theme.type == "dark",
            tiles=tiles.template(os.environ),
        ),
        height=HEIGHT,
        key=key,
        on_select=partial(_clicked, key),
        alt=f"Map of {len(trucks):,} trucks. The part Trucks below says the same in words.",
    )


def _in_order_seen(trucks: pd.DataFrame) -> pd.DataFrame:
    """Return the trucks so that one keeps its place when another appears: the browser selects a place, not a truck."""
    seen: dict[str, int] = st.session_state.setdefault(_SEEN, {})
    for truck in trucks["truck_id"]:
        seen.setdefault(truck, len(seen))
    return trucks.sort_values("truck_id", key=lambda ids: ids.map(seen), ignore_index=True)


def _view(trucks: pd.DataFrame, wanted: Sequence[str], picked: str | None) -> pdk.ViewState:
    """Return the view that the map already has, or another if a person asked for one.

    The browser keeps how a person moved and zoomed the map for as long as it gets the same view.
    """
    placed = trucks.dropna(subset=["gps_latitude", "gps_longitude"])
    before: _View | None = st.session_state.get(_VIEW)
    of_picked = placed[placed["truck_id"] == picked]
    # A truck picked on the map is already in sight.
    is_from_list = picked != (before and before.picked) and picked != st.session_state.get(_SELECTED)
    if is_from_list and len(of_picked):
        found = of_picked
    elif before is None or (before.wanted, before.is_empty) != (tuple(wanted), placed.empty):
        found = placed[placed["state"] != RETIRED]
    else:
        st.session_state[_VIEW] = before._replace(picked=picked)
        return before.view
    number = 0 if before is None else before.number + 1
    view = base_map.fitted(list(found["gps_longitude"]), list(found["gps_latitude"]))
    # The browser goes back only if the view differs from the last one that it got, in each coordinate.
    for coordinate in ("longitude", "latitude", "zoom"):
        setattr(view, coordinate, getattr(view, coordinate) + number % 2 * 1e-7)
    st.session_state[_VIEW] = _View(tuple(wanted), picked, placed.empty, number, view)
    return view


def _show_all() -> None:
    if before := st.session_state.get(_VIEW):
        st.session_state[_VIEW] = before._replace(wanted=None)


def _clicked(key: str) -> None:
    """Open the card of the truck that a person clicked, or close it after a click beside the trucks."""
    selected = st.session_state[key]["selection"]["objects"].get(fleet_map.PICKABLE, [])
    before = st.session_state.get(_SELECTED)
    truck = st.session_state[_NAMES].get(selected[0]["t"]) if selected else None
    if truck is None and before is not None and before != choices.kept(PICK):
        # Another truck was picked from the list, and then the one that the browser still has selected was clicked.
        truck = before
    elif truck == before:
        return
    st.session_state[_SELECTED] = truck
    choices.put(PICK, *([truck] if truck else []))


def _legend(trucks: pd.DataFrame) -> None:
    counts = trucks["state"].value_counts()
    found = {state: int(counts.get(state, 0)) for state in (MOVING, PARKED, SILENT, RETIRED)}
    found[ATTENTION] = int(trucks["reasons"].map(bool).sum())
    found[DOUBTFUL] = int((trucks["doubtful_position"] != "").sum())
    signs = {MOVING: fleet_map.HEADING}
    entries = "".join(
        f"<span style='white-space: nowrap; margin-right: 1rem'>{_sign(signs.get(name, name))} {name} {number:,}</span>"
        for name, number in found.items()
        if number
    )
    left, right = st.columns([4, 1], vertical_alignment="center")
    left.html(f"<div style='font-size: 0.875rem; line-height: 1.9'>{entries}</div>")
    right.button("Show all", icon=":material/zoom_out_map:", on_click=_show_all, width="stretch")


def _sign(name: str) -> str:
    place = -20 * fleet_map.ORDER.index(name)
    return (
        "<span style='display: inline-block; width: 20px; height: 20px; vertical-align: -5px; "
        f"background: url({fleet_map.SIGNS}) {place}px 0 / auto 20px'></span>"
    )


def _doubtful(trucks: pd.DataFrame) -> None:
    found = trucks[trucks["doubtful_position"] != ""]
    for row in found.head(MAX_DOUBTFUL_NAMED).to_dict("records"):
        shown = "not on the map" if pd.isna(row["gps_latitude"]) else "shown at its last good position"
        st.caption(
            f"{as_sent.markdown(row['truck_id'])} reports {row['doubtful_position']}, which is doubtful: {shown}."
        )
    if len(found) > MAX_DOUBTFUL_NAMED:
        st.caption(f"{len(found) - MAX_DOUBTFUL_NAMED:,} more positions are doubtful.")
