"""Fleet: where the trucks are, how fast they drive and which need attention."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard import access, as_sent, choices, data, health, maps, positions, times, ui
from dashboard.charts import truck_charts

# The palette has no more colours, and lines of the same colour can't be distinguished.
SHOWN_BY_DEFAULT = 7
# The list beside the map is this long at most; the Health tab has the rest.
MOST_WARNED = 5

chosen = ui.filters()
ui.header("Fleet", f"The newest reading of each truck from DynamoDB, and the last {chosen.window} from Snowflake.")


@access.fragment(run_every=chosen.refresh)
def live() -> None:
    failures: dict[str, data.StoreUnavailableError] = {}
    states = ui.ask(failures, data.truck_states)
    track = ui.ask(failures, data.tracks, chosen.minutes)
    current = ui.ask(failures, data.current_rows)
    register = ui.ask(failures, data.fleet_register) or data.NO_REGISTER
    # A container, so that a message does not move what follows: the browser would forget which tab is open.
    with st.container():
        show_freshness(states, current, failures)

    # DynamoDB is only seconds behind.  If it can't answer, the history's current rows are the next best.
    if states is None and current is not None:
        states = current.rename(columns={"effective_start_date": "event_time"})
    if states is None:
        return
    if states.empty:
        ui.empty(
            "No truck has reported yet",
            "Start traffic with the DAG **generate_traffic** in Airflow. Positions appear here seconds later.",
        )
        return
    states = register.newest_by_truck(states, "event_time")
    track = None if track is None else register.by_truck(track, "last_time")
    retired = states["truck_id"].isin(list(register.retired))
    # Without the history, the map still shows where the trucks are.
    states, driven = positions.checked(states, states.head(0).assign(last_time=[]) if track is None else track)
    states = judged(states, retired)

    cards(states[~retired])
    trucks = list(states["truck_id"])
    shown = choices.many("Trucks on the map and in the charts", trucks, trucks[:SHOWN_BY_DEFAULT], key="trucks")
    picked = states[states["truck_id"].isin(shown)]
    driven = driven[driven["truck_id"].isin(shown)]

    left, right = st.columns(2)
    with left.container(border=True):
        st.markdown("**Positions**")
        st.altair_chart(maps.fleet_map(picked, driven, shown), width="stretch")
        doubtful(picked)
    with right.container(border=True):
        st.markdown("**Newest reading of each truck**")
        latest(states)
        attention(states)

    over_time_tab, routes_tab, health_tab, current_tab = st.tabs(
        ["Speed and fuel", "Routes", "Health", "Current rows in Snowflake"]
    )
    with over_time_tab:
        if track is not None:
            over_time(track[track["truck_id"].isin(shown)])
    with routes_tab:
        routes(picked, driven, shown)
    with health_tab:
        conditions(states)
    with current_tab:
        if current is not None:
            current_rows(current)


def judged(states: pd.DataFrame, retired: pd.Series) -> pd.DataFrame:
    """Add warnings (text, "" if there is none) and condition (of :mod:`dashboard.maps`) to each truck's state."""
    found = [_judged(row, left) for row, left in zip(states.to_dict("records"), retired, strict=True)]
    return states.assign(warnings=[text for text, _ in found], condition=[condition for _, condition in found])


def _judged(row: Mapping[str, Any], left: bool) -> tuple[str, str]:
    if left:
        # Nobody has to act on the last state of a truck that left.
        return "", maps.RETIRED
    reasons = health.warnings(row)
    if not row["doubtful_position"]:
        return ", ".join(reasons), maps.ATTENTION if reasons else maps.OK
    doubt = f"position {row['doubtful_position']} is doubtful"
    return ", ".join([*reasons, doubt]), maps.ATTENTION if reasons else maps.DOUBTFUL


def doubtful(picked: pd.DataFrame) -> None:
    """Say under the map which trucks are not where they say they are."""
    for row in picked[picked["doubtful_position"] != ""].to_dict("records"):
        shown = "not on the map" if pd.isna(row["gps_latitude"]) else "shown at its last position that is not"
        st.caption(
            f"{as_sent.markdown(row['truck_id'])} reports {row['doubtful_position']}, which is doubtful: {shown}."
        )


def show_freshness(
    states: pd.DataFrame | None, current: pd.DataFrame | None, failures: dict[str, data.StoreUnavailableError]
) -> None:
    """Show how old the newest reading of either store is, and which store can't answer."""
    newest = [
        frame[column].max()
        for frame, column in ((states, "event_time"), (current, "effective_start_date"))
        if frame is not None and len(frame)
    ]
    if newest or not failures:
        ui.freshness("reading", max(newest, default=None))
    for failure in failures.values():
        ui.unavailable(failure)


def cards(states: pd.DataFrame) -> None:
    moving = (states["vehicle_speed"] > 0).sum()
    speed, fuel = states["vehicle_speed"].mean(), states["fuel_level"].min()
    reporting = sum((ui.age_seconds(time) or 0) <= ui.STALE_SECONDS for time in states["event_time"])
    columns = st.columns(5)
    columns[0].metric(
        "Reporting",
        f"{reporting} of {len(states)}",
        border=True,
        help="Trucks with a reading in the last 15 minutes, of all trucks that are not retired.",
    )
    columns[1].metric("Moving", f"{moving}", border=True)
    columns[2].metric("Mean speed", ui.UNKNOWN_VALUE if pd.isna(speed) else f"{speed:.0f} mph", border=True)
    columns[3].metric("Lowest fuel", ui.UNKNOWN_VALUE if pd.isna(fuel) else f"{fuel:.0f} %", border=True)
    columns[4].metric("Need attention", f"{(states['warnings'] != '').sum()}", border=True)


def latest(states: pd.DataFrame) -> None:
    # Wide enough for the ids, up to a third of the table; a click on a longer one shows all of it.
    width = min(max(80, 10 * int(states["truck_id"].str.len().max())), 180)
    table = states.assign(
        age=[ui.age(time) for time in states["event_time"]],
        state=states["condition"].map(
            {maps.OK: "● ok", maps.ATTENTION: "▲ attention", maps.DOUBTFUL: "✕ doubtful", maps.RETIRED: "■ retired"}
        ),
    )
    st.dataframe(
        table[["truck_id", "state", "age", "vehicle_speed", "fuel_level"]],
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_config={
            "truck_id": st.column_config.TextColumn("Truck", width=width, pinned=True),
            "state": st.column_config.TextColumn("State", width=90),
            "age": st.column_config.TextColumn("Age", width=55),
            "vehicle_speed": st.column_config.NumberColumn("Speed, mph", format="%.0f", width=90),
            "fuel_level": st.column_config.ProgressColumn(
                "Fuel, %", format="%.0f", min_value=0, max_value=100, width=100
            ),
        },
    )


def attention(states: pd.DataFrame) -> None:
    """List the trucks that need attention, and why."""
    flagged = states[states["warnings"] != ""]
    lines = [
        as_sent.visible(f"▲ {truck}: {why}")
        for truck, why in zip(flagged["truck_id"], flagged["warnings"], strict=True)
    ]
    if len(lines) > MOST_WARNED:
        lines = [*lines[:MOST_WARNED], f"and {len(lines) - MOST_WARNED} more in the tab Health"]
    # Not Markdown: a status is whatever the device sent.
    st.text("\n".join(lines) or "● No truck needs attention")


def over_time(driven: pd.DataFrame) -> None:
    """Show speed, fuel, consumption and engine temperature of the chosen trucks."""
    if driven.empty:
        ui.empty(
            f"No history in the last {chosen.window}",
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
            st.altair_chart(truck_charts.over_time(driven, metric, title, zero), width="stretch")


def routes(states: pd.DataFrame, driven: pd.DataFrame, shown: list[str]) -> None:
    """Show one map per truck, fitted to its route: on a map of several cities, trucks are only dots."""
    columns = st.columns(3)
    for position, truck in enumerate(shown):
        with columns[position % len(columns)].container(border=True):
            st.markdown(f"**{as_sent.markdown(truck)}**")
            state, route = states[states["truck_id"] == truck], driven[driven["truck_id"] == truck]
            st.altair_chart(maps.fleet_map(state, route, shown, height=300), width="stretch")


def conditions(states: pd.DataFrame) -> None:
    """Show the metrics that say whether a truck needs attention, and the limits."""
    shown = [
        *health.TYRES, "oil_pressure", "engine_temperature", "battery_voltage", "brake_status", "transmission_status",
    ]  # fmt: skip
    table = states.assign(warnings=states["warnings"].replace("", "none"))[["truck_id", "warnings", *shown]]
    config = {name: st.column_config.NumberColumn(ui.label(name), format="%.1f") for name in shown if name in ui.UNITS}
    st.dataframe(
        table,
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


live()
