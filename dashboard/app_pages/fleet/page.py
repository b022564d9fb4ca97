"""Fleet: where the trucks are, which of them move, and which need somebody's attention."""

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import access, choices, data, fleet_states, ui
from dashboard.app_pages.fleet import cards, parts, positions_map, truck_card
from dashboard.fleet_states import Fleet

# How far back trails go, whatever the time window of the charts is.
TRAIL_MINUTES = 60
# The palette has no more colours, and lines of the same colour can't be told apart.
MAX_CHARTED = 7

TABLE, OVER_TIME, ROUTES, HEALTH, CURRENT = "Trucks", "Speed and fuel", "Routes", "Health", "Current rows in Snowflake"

chosen = ui.filters()
ui.header("Fleet", "The newest reading of each truck from DynamoDB, and its route in the last hour from Snowflake.")


@access.fragment(run_every=chosen.refresh)
def live() -> None:
    failures: dict[str, data.StoreUnavailableError] = {}
    readings, trail, register = ui.ask_all(
        failures, data.truck_states, partial(data.tracks, TRAIL_MINUTES), data.fleet_register
    )
    register = register or data.NO_REGISTER
    if readings is None and (current := ui.ask(failures, data.current_rows)) is not None:
        # DynamoDB is only seconds behind.  If it can't answer, the history's current rows are the next best.
        readings = fleet_states.readings_of_history(current)
    # A container, so that a message does not move what follows.
    with st.container():
        show_freshness(readings, failures)
    if readings is None:
        return
    if readings.empty:
        ui.empty(
            "No truck has reported yet",
            "Start traffic with the DAG **generate_traffic** in Airflow. Positions appear here seconds later.",
        )
        return

    if len(readings) >= data.MAX_TRUCKS:
        st.caption(f"Only {data.MAX_TRUCKS:,} trucks are read; there are more.")
    fleet = fleet_states.fleet(readings, register, data.now(), trail)
    cards.show(fleet)
    trucks = list(fleet.trucks["truck_id"])
    of_trucks, of_kinds = st.columns([5, 3])
    with of_trucks:
        named = choices.many("Trucks (empty: all)", trucks, [], key="trucks")
    with of_kinds:
        kinds = choices.many("States (empty: all)", fleet_states.KINDS, [], key="state")
    shown = fleet.only(named, kinds)
    left, right = st.columns([5, 3])
    with right.container(border=True):
        picked = truck_card.pick(fleet)
        truck_card.show(fleet, register, picked)
    place_of_map = left.container(border=True)
    show_part(shown, is_filtered=bool(named or kinds))
    # Last: while a browser draws its first map, it shows nothing else.
    with place_of_map:
        positions_map.show(shown, (*named, *kinds), picked)


def show_part(fleet: Fleet, *, is_filtered: bool) -> None:
    """Show the part of the page that is open under the map.  Only that part asks its store."""
    charted = list(fleet.trucks["truck_id"][:MAX_CHARTED])
    with ui.store_section():
        match choices.part("Below the map", [TABLE, OVER_TIME, ROUTES, HEALTH, CURRENT], key="part"):
            case "Speed and fuel":
                say_what_is_left_out(fleet, charted)
                parts.over_time(data.tracks(chosen.minutes), charted, chosen.window)
            case "Routes":
                say_what_is_left_out(fleet, charted)
                parts.routes(fleet, charted)
            case "Health":
                parts.conditions(fleet.trucks)
            case "Current rows in Snowflake":
                current = data.current_rows()
                parts.current_rows(
                    current[current["truck_id"].isin(fleet.trucks["truck_id"])] if is_filtered else current
                )
            case _:
                parts.table(fleet.trucks)


def say_what_is_left_out(fleet: Fleet, charted: list[str]) -> None:
    if len(charted) < len(fleet.trucks):
        st.caption(f"The first {len(charted)} of {len(fleet.trucks):,} trucks. Name others above the map.")


def show_freshness(readings: pd.DataFrame | None, failures: dict[str, data.StoreUnavailableError]) -> None:
    """Show how old the newest reading is, and which store can't answer."""
    if readings is not None or not failures:
        newest = None if readings is None or readings.empty else readings["event_time"].max()
        ui.freshness("reading", newest)
    for failure in failures.values():
        ui.unavailable(failure)


live()
