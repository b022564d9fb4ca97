"""The parts under the map: the trucks in a table, charts over time, routes, health and the history's current rows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import as_sent, health, maps, times, ui
from dashboard.charts import truck_charts
from dashboard.charts.drawing import draw
from dashboard.fleet_states import MOVING, PARKED, RETIRED, SILENT, Fleet

_SIGNS = {MOVING: "▶ moving", PARKED: "■ parked", SILENT: "✕ silent", RETIRED: "□ retired"}


def table(trucks: pd.DataFrame) -> None:
    """Show each truck in a row: what the map shows, in words."""
    shown = trucks.assign(
        state=trucks["state"].map(_SIGNS),
        heard=[ui.age(time) for time in trucks["heard_at"]],
        attention=[_attention(row) for row in trucks[["reasons", "doubtful_position"]].to_dict("records")],
    )
    st.dataframe(
        shown[["truck_id", "state", "attention", "heard", "vehicle_speed", "fuel_level", "event_time"]],
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_config={
            "truck_id": st.column_config.TextColumn("Truck", width="medium", pinned=True),
            "state": st.column_config.TextColumn("State", width="small"),
            "attention": st.column_config.TextColumn("Needs attention", width="medium"),
            "heard": st.column_config.TextColumn("Last heard", width="small"),
            "vehicle_speed": st.column_config.NumberColumn("Speed, mph", format="%.0f", width="small"),
            "fuel_level": st.column_config.ProgressColumn(
                "Fuel, %", format="%.0f", min_value=0, max_value=100, width="small"
            ),
            "event_time": times.column("Newest reading"),
        },
    )


def _attention(row: dict[str, object]) -> str:
    reasons = row["reasons"]
    doubt = [f"position {row['doubtful_position']} is doubtful"] if row["doubtful_position"] else []
    return ", ".join([*(reasons if isinstance(reasons, tuple) else ()), *doubt]) or "no"


def over_time(driven: pd.DataFrame, trucks: Sequence[str], window: str) -> None:
    """Show speed, fuel, consumption and engine temperature of ``trucks``."""
    shown = driven[driven["truck_id"].isin(trucks)]
    if shown.empty:
        ui.empty(
            f"No history in the last {window}",
            "Choose a longer time window, or check **Pipeline health**: a merge may be overdue.",
        )
        return
    upper, lower = st.columns(2), st.columns(2)
    for column, metric, title, zero in (
        (upper[0], "vehicle_speed", "speed, mph", True),
        (upper[1], "fuel_level", "fuel level, %", True),
        (lower[0], "fuel_consumption", "fuel consumption, gal/h", True),
        (lower[1], "engine_temperature", "engine temperature, °C", False),
    ):
        with column.container(border=True):
            draw(
                truck_charts.over_time(shown, metric, title, zero),
                width="stretch",
                alt=f"{title} of each truck over time.",
            )


def routes(fleet: Fleet, trucks: Sequence[str]) -> None:
    """Show one map per truck, fitted to its way of the last hour, side by side."""
    columns = st.columns(3)
    for position, truck in enumerate(trucks):
        with columns[position % len(columns)].container(border=True):
            st.markdown(f"**{as_sent.markdown(truck)}**")
            alone = fleet.only([truck])
            draw(
                maps.route_map(alone.trucks, alone.track, trucks),
                width="stretch",
                alt="Route of this truck in the last hour.",
            )


def conditions(trucks: pd.DataFrame) -> None:
    """Show the metrics that say whether a truck needs attention, and the limits."""
    shown = [
        *health.TYRES, "oil_pressure", "engine_temperature", "battery_voltage", "brake_status", "transmission_status",
    ]  # fmt: skip
    reasons = [", ".join(found) or "no" for found in trucks["reasons"]]
    values = trucks.assign(warnings=reasons)[["truck_id", "warnings", *shown]]
    config = {name: st.column_config.NumberColumn(ui.label(name), format="%.1f") for name in shown if name in ui.UNITS}
    st.dataframe(
        values,
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_config=config
        | {
            "truck_id": st.column_config.TextColumn("Truck", width="small", pinned=True),
            "warnings": st.column_config.TextColumn("Needs attention", width="medium", pinned=True),
            "brake_status": "Brakes",
            "transmission_status": "Transmission",
        },
    )
    st.caption(
        "A truck needs attention if its brakes or transmission are not in order, "
        f"the engine is above {health.HIGH_ENGINE_TEMPERATURE_C:.0f} °C, "
        f"the oil pressure is below {health.LOW_OIL_PRESSURE_PSI:.0f} psi while the engine runs, "
        f"a tyre is {health.TYRE_PRESSURE_DROP:.0%} below the truck's highest, "
        f"the fuel is below {health.LOW_FUEL_PERCENT:.0f} % or the battery is below {health.LOW_BATTERY_VOLTS} V. "
        "A position is doubtful if it is at 0,0, or farther from the truck's other positions than it can drive."
    )


def current_rows(current: pd.DataFrame) -> None:
    """Show the history's current version of each truck."""
    if current.empty:
        ui.empty(
            "No current rows in TRUCK_TELEMETRY_DATA",
            "The DAG **scd2_merge** writes them once Snowpipe has loaded readings. **Pipeline health** shows the "
            "progress of both.",
        )
        return
    st.dataframe(
        current.drop(columns=["effective_end_date", "is_current"]),
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_config={name: st.column_config.NumberColumn(ui.label(name), format="%.4g") for name in ui.UNITS}
        | {
            name: st.column_config.NumberColumn(ui.label(name), format="%.5f")
            for name in ("gps_latitude", "gps_longitude")
        }
        | {
            "truck_id": st.column_config.TextColumn("Truck", width="small", pinned=True),
            "effective_start_date": times.column("Valid from"),
            "load_timestamp": times.column("Loaded"),
            "odometer_reading": st.column_config.NumberColumn(ui.label("odometer_reading"), format="%.1f"),
            "brake_status": "Brakes",
            "transmission_status": "Transmission",
        },
    )
