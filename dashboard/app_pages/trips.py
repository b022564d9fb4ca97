"""Trips: one truck's day.  Where it was, when it arrived, how long it stood, and whether it idled."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import date, timedelta

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import access, as_sent, choices, data, day_trips, quantities, tiles, times, track_map, ui
from dashboard.day_trips import SILENT, STOP, TRIP
from include.trip_detection import TRIP_THRESHOLDS, trip_limits

MAP_HEIGHT = 480
# While the day plays, the time line moves on once in so many seconds.
PLAY_SECONDS = 0.5
WHOLE_DAY = "day"
ICONS = {TRIP: "▶", STOP: "■", SILENT: "?"}

# What the session remembers: whether the day plays.
_PLAYS = "trips_play"

chosen = ui.filters()
ui.header("Trips", "One truck's day: where it was, when it arrived, and how long it stopped or idled.")


@access.fragment(run_every=chosen.refresh)
def live() -> None:
    with ui.store_section():
        trucks = data.fleet_register().trucks(data.truck_ids())
        if not trucks:
            ui.no_history()
            return
        controls = st.columns([3, 2.4, 3.4, 1.8], vertical_alignment="bottom")
        with controls[0]:
            truck = choices.one("Truck", trucks, "truck")
        _, first, last = data.history_span(truck)
        if first is None or last is None:
            ui.empty(
                f"{as_sent.markdown(truck)} has no versions",
                "Its readings may belong to another truck, or it may have just been erased. Choose another truck.",
            )
            return
        day = ask_for_the_day(controls[1], controls[2], times.day_of(first), times.day_of(last))
        begins, ends = times.bounds_of(day)
        with controls[3]:
            ui.link("Truck history", "truck_history", icon=":material/history:", truck=truck)
        ui.freshness("version", last)
        periods = day_trips.named(data.periods_of_day(truck, begins, ends))
        if periods.empty:
            ui.empty(
                f"Nothing is known of {as_sent.markdown(truck)} on {day.isoformat()}",
                f"Its first day is {times.day_of(first).isoformat()}, its newest is {times.day_of(last).isoformat()}.",
            )
            return
        show_totals(day_trips.totals(periods))
        shown = ask_for_the_period(periods)
        place_of_map = st.container()
        show_table(truck, day, periods)
        how_it_is_counted()
        # Last: while a browser draws its first map, it shows nothing else.
        with place_of_map:
            player(truck, periods if shown is None else periods[shown : shown + 1])


def ask_for_the_day(left: DeltaGenerator, right: DeltaGenerator, first: date, newest: date) -> date:
    """Ask for a day, the newest one at first, with buttons to the day before and the day after."""
    latest = max(newest, times.day_of(data.now()))
    with left:
        day = choices.day(times.titled("Day"), newest, first, latest, "day")

    def go(days: int) -> None:
        choices.put("day", (day + timedelta(days=days)).isoformat())

    buttons = right.container(horizontal=True)
    back, on = ":material/chevron_left:", ":material/chevron_right:"
    buttons.button("Day before", icon=back, on_click=go, args=[-1], disabled=day <= first)
    buttons.button("Day after", icon=on, on_click=go, args=[1], disabled=day >= latest)
    return day


def show_totals(of_day: day_trips.Totals) -> None:
    cards = st.columns(5)
    cards[0].metric("Distance", number(of_day.miles, "mi"), border=True)
    driving = f"Driving, {of_day.trips} {'trip' if of_day.trips == 1 else 'trips'}"
    cards[1].metric(driving, quantities.hours(of_day.driving_seconds), border=True)
    cards[2].metric("Standing", quantities.hours(of_day.standing_seconds), border=True)
    cards[3].metric("Idling", quantities.hours(of_day.idle_seconds), border=True)
    cards[4].metric("Fuel used", number(of_day.gallons, "gal"), border=True)
    remarks = []
    if of_day.odometer_differs:
        remarks.append(f"The odometer counted {number(of_day.odometer_miles, 'mi')}: see **How it is counted**.")
    if of_day.silent_seconds:
        remarks.append(
            f"No readings for {quantities.hours(of_day.silent_seconds)}, during which the truck went at least "
            f"{of_day.unseen_miles:,.1f} mi. The distance does not include them."
        )
    if remarks:
        st.caption("  \n".join(remarks))


def ask_for_the_period(periods: pd.DataFrame) -> int | None:
    """Ask what the map shows; return the number of a period, or None for the whole day."""
    ids = [instant.isoformat() for instant in periods["begins_at"].dt.tz_localize(None)]
    words = {WHOLE_DAY: "The whole day"} | {
        each: f"{row['name']}, {times.on_the_clock(row['begins_at'])} to {times.on_the_clock(row['ends_at'])}"
        for each, row in zip(ids, periods.to_dict("records"), strict=True)
    }
    if choices.kept("trip") not in words:
        # It was on another day.
        choices.put("trip")
    picked = choices.one("On the map", list(words), "trip", default=WHOLE_DAY, words=words.__getitem__)
    return None if picked == WHOLE_DAY else ids.index(picked)


def player(truck: str, periods: pd.DataFrame) -> None:
    """Show the map of these periods, and a time line that a person moves or plays."""
    begins, ends = periods["begins_at"].iloc[0], periods["ends_at"].iloc[-1]
    places = day_trips.places(periods, data.track_of_day(truck, begins.to_pydatetime(), ends.to_pydatetime()))
    if places.empty:
        st.session_state[_PLAYS] = False
        st.info("None of its positions on this day can be used, so there is no map.", icon=":material/location_off:")
        return
    instants = day_trips.steps(begins.to_pydatetime(), ends.to_pydatetime())
    # Another truck or day has a time line of its own.  That of today grows at its end.
    key = f"trips_time_{truck}_{begins.isoformat()}"

    @access.fragment(run_every=PLAY_SECONDS if st.session_state.get(_PLAYS) else None)
    def at_an_instant() -> None:
        instant = instants[time_line(key, [times.on_the_clock(each, seconds=True) for each in instants])]
        place = day_trips.place_at(places, instant)
        place_of_map = st.container()
        st.caption(
            f"{times.named(instant)} · {said(day_trips.period_at(periods, instant).to_dict())}  \n"
            "Blue lines: trips, bold up to the time above. Violet dots: stops. Grey lines: no readings. "
            "Large orange dot: the truck at the time above."
        )
        place_of_map.pydeck_chart(
            track_map.track_map(
                periods,
                places,
                [said(row) for row in periods.to_dict("records")],
                None if place is None else (instant, *place),
                dark=st.context.theme.type == "dark",
                tiles=tiles.template(os.environ),
            ),
            height=MAP_HEIGHT,
            key=f"{key}_map",
            alt=f"Map of {len(periods)} trips and stops. The table below says the same in words.",
        )

    at_an_instant()


def time_line(key: str, words: Sequence[str]) -> int:
    """Show the time line with its button, and return the step that it is at: the last one at first."""
    last, slider = len(words) - 1, f"{key}_slider"
    at: int = min(st.session_state.get(key, last), last)
    if st.session_state.get(_PLAYS) and at < last:
        at += 1
    elif st.session_state.get(_PLAYS):
        st.session_state[_PLAYS] = False
        st.rerun()
    st.session_state[key] = st.session_state[slider] = at

    def play() -> None:
        st.session_state[_PLAYS] = not st.session_state.get(_PLAYS)
        if st.session_state[_PLAYS] and st.session_state[key] == last:
            st.session_state[key] = 0

    def move() -> None:
        st.session_state[key] = st.session_state[slider]

    button, line = st.columns([1, 8], vertical_alignment="bottom")
    word, icon = ("Pause", ":material/pause:") if st.session_state.get(_PLAYS) else ("Play", ":material/play_arrow:")
    if button.button(word, icon=icon, key=f"{key}_play", on_click=play, width="stretch"):
        # The whole page: only that changes how often this part runs.
        st.rerun()
    line.select_slider(
        times.titled("Time"), options=range(last + 1), format_func=words.__getitem__, key=slider, on_change=move
    )
    return at


def said(row: dict[str, object]) -> str:
    """Return a period in words: for tooltips, and under the map."""
    of = pd.Series(row)
    text = (
        f"{of['name']}: {times.on_the_clock(of['begins_at'])} to {times.on_the_clock(of['ends_at'])}, "
        f"{quantities.hours(of['seconds'])}"
    )
    if of["kind"] != STOP:
        text += f", {number(of['miles'], 'mi')}"
    if of["kind"] == STOP and of["idle_seconds"] >= 1:
        text += f", {quantities.hours(of['idle_seconds'])} of it idling"
    return text


def number(value: float | None, unit: str) -> str:
    return ui.UNKNOWN_VALUE if value is None or pd.isna(value) else f"{value:,.1f} {unit}"


def show_table(truck: str, day: date, periods: pd.DataFrame) -> None:
    ids = [instant.isoformat() for instant in periods["begins_at"].dt.tz_localize(None)]
    key = f"trips_table_{truck}_{day.isoformat()}"

    def pick() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        choices.put("trip", *[ids[row] for row in rows if row < len(ids)])

    table = pd.DataFrame(
        {
            "what": [
                f"{ICONS[row['kind']]} {row['name']}"
                + (" (since the day before)" if row["began_earlier"] else "")
                + (" (into the next day)" if row["goes_on"] else " (goes on)" if row["is_last"] else "")
                for row in periods.to_dict("records")
            ],
            "begins_at": [times.on_the_clock(instant) for instant in periods["begins_at"]],
            "ends_at": [times.on_the_clock(instant) for instant in periods["ends_at"]],
            "lasted": [quantities.hours(seconds) for seconds in periods["seconds"]],
            "miles": periods["miles"],
            "odometer_miles": periods["odometer_miles"],
            "mean_speed": periods["mean_speed"],
            "top_speed": periods["top_speed"],
            "idle": [quantities.hours(seconds) if seconds else ui.UNKNOWN_VALUE for seconds in periods["idle_seconds"]],
            "gallons": periods["gallons"],
            "fuel": [fuel_level(row) for row in periods.to_dict("records")],
        }
    )
    st.dataframe(
        table,
        key=key,
        on_select=pick,
        selection_mode="single-row",
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_config={
            "what": st.column_config.TextColumn("What", width="medium", help="Select a row to see it on the map."),
            "begins_at": times.titled("From"),
            "ends_at": times.titled("To"),
            "lasted": "Lasted",
            "miles": st.column_config.NumberColumn("Distance, mi", format="%.1f"),
            "odometer_miles": st.column_config.NumberColumn("Odometer, mi", format="%.1f"),
            "mean_speed": st.column_config.NumberColumn("Mean, mph", format="%.0f"),
            "top_speed": st.column_config.NumberColumn("Top, mph", format="%.0f"),
            "idle": st.column_config.TextColumn("Idling", help="The engine ran and the truck stood."),
            "gallons": st.column_config.NumberColumn("Fuel, gal", format="%.1f"),
            "fuel": st.column_config.TextColumn("Fuel level, %"),
        },
    )
    if len(periods) == data.MAX_PERIODS:
        st.caption(f"The table shows the first {len(periods):,} trips and stops of the day.")
    st.download_button(
        "Download CSV",
        day_trips.csv(periods),
        f"trips_{re.sub('[^A-Za-z0-9_-]+', '_', truck)}_{day.isoformat()}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def fuel_level(row: dict[str, object]) -> str:
    of = pd.Series(row)
    if pd.isna(of["fuel_before"]) or pd.isna(of["fuel_after"]):
        return ui.UNKNOWN_VALUE
    refuelled = f", refuelled {of['refuelled']:.0f}" if of["refuelled"] > 0 else ""
    return f"{of['fuel_before']:.0f} → {of['fuel_after']:.0f}{refuelled}"


def how_it_is_counted() -> None:
    with st.expander("How it is counted"):
        st.markdown(
            f"""A **trip** is everything between two stops or silences, waiting at lights included, if it leads at least
{trip_limits["trip_miles"]:g} mi away. A **stop** is standing for {trip_limits["stop_minutes"]:g} minutes or longer.
**No readings** means at least {trip_limits["silent_minutes"]:g} minutes without a change, after which the truck is
elsewhere: nobody knows when and how it went there. A silent truck that is still where it was has stood.

Distance is measured between positions, without those at 0,0 and those that a truck can't have reached, so it is a
little short where a road winds between two of them. The odometer's distance is a second opinion. Fuel used is
consumption by time; idling is standing with a running engine. After {trip_limits["silent_minutes"]:g} minutes without
a change, neither is counted any further."""
        )
        st.dataframe(
            pd.DataFrame(
                [(each.name.replace("_", " "), each.value, each.unit, each.source) for each in TRIP_THRESHOLDS],
                columns=["Threshold", "Value", "Unit", "Why"],
            ),
            hide_index=True,
        )


live()
