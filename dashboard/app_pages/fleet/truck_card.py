"""The card of one truck: its state, what its newest reading said, why it needs attention, and where to read on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import as_sent, choices, data, fleet_states, times, ui
from dashboard.fleet_states import MOVING, PARKED, RETIRED, SILENT, Fleet

# The name in the address of the truck whose card is open, on the pages of trucks too.
PICK = "truck"
NOBODY = ""
# More reasons are on the page Pipeline health; more trucks in the part Health.
MAX_LISTED = 6
METRICS_HEIGHT = 250
POSITION = ("gps_latitude", "gps_longitude")
LINKS = (
    ("History", "truck_history", ":material/history:"),
    ("Trips", "trips", ":material/route:"),
    ("Maintenance", "maintenance", ":material/build:"),
)

_BADGES = {
    MOVING: ":blue-badge[:material/navigation: moving]",
    PARKED: ":green-badge[:material/stop: parked]",
    SILENT: ":gray-badge[:material/signal_disconnected: silent]",
    RETIRED: ":gray-badge[:material/inventory_2: retired]",
}


def pick(fleet: Fleet) -> str | None:
    """Ask for the truck whose card is open, and return it, or None if there is none.

    A click on the map makes the same choice; this one is for the keyboard.
    """
    words = {NOBODY: "none: click one on the map, or type a name here"}
    trucks = [NOBODY, *fleet.trucks["truck_id"]]
    return choices.one("Truck", trucks, PICK, default=NOBODY, words=lambda truck: words.get(truck, truck)) or None


def show(fleet: Fleet, register: data.FleetRegister, picked: str | None) -> None:
    """Show the card of ``picked``, or the trucks that need attention if no card is open."""
    if picked is None:
        _attention(fleet)
        return
    row = fleet.trucks[fleet.trucks["truck_id"] == picked].iloc[0].to_dict()
    st.markdown(f"{_BADGES[row['state']]} {_since(row, fleet, register)}")
    st.caption(f"Last heard {ui.age(row['heard_at'])} ago; newest reading of {times.named(row['event_time'])}")
    for reason in row["reasons"]:
        st.text(as_sent.visible(f"▲ {reason}"))
    if row["doubtful_position"]:
        st.text(f"? position {row['doubtful_position']} is doubtful")
    with ui.store_section():
        _findings(picked)
    _metrics(row)
    with st.container(horizontal=True):
        for label, page, icon in LINKS:
            ui.link(label, page, icon=icon, truck=picked)


def _attention(fleet: Fleet) -> None:
    found = fleet.needing_attention
    lines = [
        as_sent.visible(f"▲ {truck}: {', '.join(reasons)}")
        for truck, reasons in zip(found["truck_id"], found["reasons"], strict=True)
    ]
    if len(lines) > MAX_LISTED:
        lines = [*lines[:MAX_LISTED], f"and {len(lines) - MAX_LISTED:,} more in the part Health"]
    # Not Markdown: a status is as the device sent it.
    st.text("\n".join(lines) or "● No truck needs attention")


def _since(row: Mapping[str, Any], fleet: Fleet, register: data.FleetRegister) -> str:
    match row["state"]:
        case fleet_states.RETIRED:
            return f"left the fleet {times.named(register.retired[row['truck_id']])}"
        case fleet_states.SILENT:
            return "since then" if pd.isna(row["heard_at"]) else f"since {times.named(row['heard_at'])}"
    began, is_known = fleet_states.since(row, fleet.track)
    if began is None:
        return ""
    return f"since {times.named(began)}" if is_known else f"for {ui.age(began)} or longer"


def _findings(truck: str) -> None:
    """Show the quality rules that fail and name the truck among their examples."""
    results = data.quality_results()
    if results.empty:
        return
    failing = results[results["status"] == "fail"]
    named = [
        f"◆ {row['rule']}: {sample}"
        for row in failing.to_dict("records")
        for sample in json.loads(row["samples"])
        if _names(sample, truck)
    ]
    if named:
        st.text("\n".join(as_sent.visible(line) for line in named[:MAX_LISTED]))


def _names(sample: str, truck: str) -> bool:
    """Return whether an example of a rule names the truck, and not one whose id only begins or ends like it."""
    return f" {truck} " in f" {sample} "


def _metrics(row: Mapping[str, Any]) -> None:
    if row["doubtful_position"]:
        # As it was sent: the fleet has the truck at its last good position.
        row = {**row, **dict(zip(POSITION, map(float, row["doubtful_position"].split(", ")), strict=True))}
    known = [(ui.label(name).split(",")[0], _with_unit(row[name], name)) for name in data.METRIC_NAMES]
    st.dataframe(
        pd.DataFrame(known, columns=["Metric", "Value"]),
        hide_index=True,
        height=METRICS_HEIGHT,
        column_config={
            "Metric": st.column_config.TextColumn("Newest reading"),
            "Value": st.column_config.TextColumn("Value"),
        },
    )


def _with_unit(value: object, name: str) -> str:
    if value is None or pd.isna(value):
        return ui.UNKNOWN_VALUE
    if isinstance(value, str):
        return value
    decimals = 5 if name in POSITION else 1
    return f"{value:,.{decimals}f} {ui.UNITS[name]}"
