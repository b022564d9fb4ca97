"""The table of a truck's versions in the chosen span, newest first, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from dashboard import choices, data, times, ui
from dashboard.app_pages.truck_history import state
from dashboard.app_pages.truck_history.instants import written
from dashboard.app_pages.truck_history.timeline import Shown, key_of, versions_of
from dashboard.spans import Span, moved
from dashboard.version_changes import lasted

COLUMNS = ("effective_start_date", "effective_end_date", "lasted", "is_current", "reported_id", "changed")
# The instants at which the pages before this one begin: a page is found by an instant and not by its number, so that
# a version that arrives moves no page.
_PAGES = "version_pages"


def show(truck: str, span: Span, shown: Shown) -> None:
    """Show a page of the versions."""
    about, ends = st.session_state.get(_PAGES, (None, []))
    if about != (truck, span.since):
        ends = []
    until = ends[-1] if ends else span.until
    versions = shown.versions
    if versions is None or ends:
        versions = versions_of(data.versions(truck, span.since, until), span.since)
    if versions.empty:
        ui.empty("No version in this span", "Choose a longer time above.")
        return
    number = len(ends) * data.MAX_VERSIONS
    st.caption(
        f"Versions {number + 1:,} to {number + len(versions):,} of those in this span, newest first. "
        "Select a row to see what it changed."
    )
    _table(truck, versions)
    oldest = versions["effective_start_date"].iloc[-1].to_pydatetime()
    older = [*ends, moved(oldest, timedelta(microseconds=-1))]
    row = st.container(horizontal=True)
    for label, icon, pages, is_off in (
        ("Newest", ":material/first_page:", [], not ends),
        ("Newer", ":material/chevron_left:", ends[:-1], not ends),
        ("Older", ":material/chevron_right:", older, len(versions) < data.MAX_VERSIONS or oldest <= span.since),
    ):
        row.button(label, icon=icon, disabled=is_off, on_click=_turn, args=[(truck, span.since), pages])


def _turn(about: tuple[str, datetime], ends: Sequence[datetime]) -> None:
    st.session_state[_PAGES] = (about, list(ends))


def _table(truck: str, versions: pd.DataFrame) -> None:
    starts = versions["effective_start_date"]
    length = (versions["effective_end_date"] - starts).dt.total_seconds()
    table = versions.assign(lasted=[lasted(seconds) for seconds in length])
    # Rows that arrive would move the selection, so it begins anew with them.
    key = key_of("versions", truck, starts.iloc[0], len(versions))
    st.dataframe(
        table[[*COLUMNS, *data.METRIC_NAMES]],
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        height=400,
        key=key,
        selection_mode="single-row",
        on_select=lambda: _select(key, starts),
        column_config={name: st.column_config.NumberColumn(ui.label(name), format="%.5g") for name in ui.UNITS}
        | {
            "effective_start_date": times.column("Start", precision="milliseconds"),
            "effective_end_date": times.column("End", precision="milliseconds"),
            "lasted": st.column_config.TextColumn("Lasted", width="small"),
            "is_current": st.column_config.CheckboxColumn("Current", width="small"),
            "reported_id": st.column_config.TextColumn("Reported by", width="small"),
            "changed": st.column_config.TextColumn("Changed", width="large"),
            "brake_status": "Brakes",
            "transmission_status": "Transmission",
        },
    )


def _select(key: str, starts: pd.Series) -> None:
    """Show the state at the start of the version that a person selected."""
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        choices.put("at", written(starts.iloc[rows[0]].to_pydatetime()))
        choices.put("part", state.PART)
