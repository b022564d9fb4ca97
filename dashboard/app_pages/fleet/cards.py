"""The fleet in numbers: how many trucks are in each state, and how many need attention."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import quantities, ui
from dashboard.fleet_states import MOVING, MOVING_MPH, PARKED, SILENT, SILENT_SECONDS, Fleet

# Wide enough for each label; a narrow screen shows fewer of them side by side.
CARD_PIXELS = 150


def show(fleet: Fleet) -> None:
    """Show the numbers of trucks, and two numbers about those that report."""
    heard = fleet.trucks[fleet.trucks["state"].isin([MOVING, PARKED])]
    speed = heard["vehicle_speed"][heard["state"] == MOVING].mean()
    fuel = heard["fuel_level"].min()
    silence = quantities.duration(SILENT_SECONDS)
    with st.container(horizontal=True):
        _card("Moving", f"{fleet.count(MOVING):,}", f"Trucks that drive {MOVING_MPH:.0f} mph or more.")
        _card("Parked", f"{fleet.count(PARKED):,}", "Trucks that report, and do not drive.")
        _card("Silent", f"{fleet.count(SILENT):,}", f"Trucks that we have not heard from for {silence}.")
        _card(
            "Need attention",
            f"{len(fleet.needing_attention):,}",
            "Trucks whose newest reading is a reason to call the driver, including silent ones; see the part Health.",
        )
        _card(
            "Mean speed",
            ui.UNKNOWN_VALUE if pd.isna(speed) else f"{speed:.0f} mph",
            "Of the trucks that move.",
        )
        _card(
            "Lowest fuel",
            ui.UNKNOWN_VALUE if pd.isna(fuel) else f"{fuel:.0f} %",
            "Of the trucks that report.",
        )


def _card(label: str, value: str, meaning: str) -> None:
    st.metric(label, value, border=True, help=meaning, width=CARD_PIXELS)
