"""Truck history: the versions of one truck (SCD Type 2) over time, what each changed, and its state at any instant."""

from datetime import datetime

import pandas as pd
import streamlit as st

from dashboard import access, as_sent, choices, data, times, ui
from dashboard.app_pages.truck_history import over_time, state, timeline, version_table
from dashboard.app_pages.truck_history.span_choice import ask_span

OVER_TIME, TABLE = "Metrics over time", "All versions"

chosen = ui.filters()
ui.header(
    "Truck history",
    "Each version is the state of a truck from one change to the next. From TRUCK_HISTORY in Snowflake.",
)


@access.fragment(run_every=chosen.refresh)
def live() -> None:
    with ui.store_section():
        register = data.fleet_register()
        trucks = register.trucks(data.truck_ids())
        if not trucks:
            ui.no_history()
            return
        # Above the choice, but about the truck that is chosen.
        about = st.container()
        truck_column, span_column, instant_column = st.columns(3)
        with truck_column:
            truck = choices.one("Truck", trucks, key="truck")
        count, first, last = data.history_span(truck)
        with about:
            if truck in register.retired:
                last_seen(register.retired[truck], last)
            else:
                ui.freshness("version", last)
            assignments(register.named(truck), truck)
        if first is None or last is None:
            ui.empty(
                f"{as_sent.markdown(truck)} has no versions",
                "Its readings may belong to another truck, or it may have just been erased. Choose another truck.",
            )
            return
        figures(count, first, last)
        with span_column:
            span = ask_span(first, last)
        with instant_column:
            asked = state.ask_instant("As of", truck, key="at")
        if asked.problem:
            st.warning(asked.problem)
        if span is None:
            return
        shown = timeline.show(truck, span, first, asked.instant)
        part = choices.part("Part of the history", [OVER_TIME, state.PART, TABLE], key="part")
        if part == OVER_TIME:
            over_time.show(truck, span, shown, asked.instant)
        elif part == state.PART:
            state.show(truck, asked, span, shown)
        else:
            version_table.show(truck, span, shown)


def figures(count: int, first: datetime, last: datetime) -> None:
    """Show how long the history is."""
    cards = st.columns(3)
    cards[0].metric("Versions", f"{count:,}", border=True)
    cards[1].metric(times.titled("First version starts"), times.to_the_second(first), border=True)
    cards[2].metric(times.titled("Current version since"), times.to_the_second(last), border=True)


def last_seen(retired_at: datetime, last: datetime | None) -> None:
    """Say when the truck left the fleet, in place of the age of its last version: it is not late."""
    seen = "" if last is None else f" · as last seen, in the version of {times.named(last)}"
    st.markdown(f":gray-badge[:material/inventory_2: retired] Left the fleet {times.named(retired_at)}{seen}")


def assignments(named: pd.DataFrame, truck: str) -> None:
    """Say which readings of other ids the history has, and which of the truck's id it has not."""
    lines = []
    for each in named.to_dict("records"):
        since = "from the first one" if pd.isna(each["begins_at"]) else f"from {times.named(each['begins_at'])}"
        until = "" if pd.isna(each["ends_at"]) else f" until {times.named(each['ends_at'])}"
        of, to = as_sent.markdown(each["reported_id"]), as_sent.markdown(each["truck_id"])
        whose = f"belong to {to}" if each["reported_id"] == truck else "are in this history"
        decided = f"{as_sent.markdown(each['decided_by'])}: {as_sent.markdown(each['reason'])}"
        lines.append(f"Readings that {of} reported {since}{until} {whose} · decided by {decided}")
    if lines:
        st.caption("  \n".join(lines))


live()
