"""The part Ledger: whether every record of each hour of arrival is accounted for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import airflow_links, as_sent, choices, data, times, ui
from dashboard.charts import pipeline_charts
from dashboard.charts.drawing import draw

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

DAYS = 7
ALL_HOURS, ONLY_DIFFERING = "All hours", "Hours that differ"
# The columns that are 0 if every record is accounted for.
DIFFERENCES = ("missing", "unexpected", "conflicts", "overdue", "uncovered")


def show() -> None:
    """Show the last :data:`DAYS` of the conservation ledger."""
    rows = data.ledger(24 * DAYS)
    if rows.empty:
        ui.empty(
            "No hour has been counted yet",
            "The DAG **reconcile** counts each hour after it has closed, at 20 minutes past. To count now, including "
            "the open hour, trigger the DAG in Airflow with a time in *Since*.",
        )
        return
    rows = rows.astype({"is_open": bool, "balanced": bool})
    rows = rows.assign(
        state=[_state(*row) for row in zip(rows["balanced"], rows["is_open"], strict=True)],
        differences=[_differences(row) for row in rows.to_dict("records")],
        link=[airflow_links.run(airflow_links.RECONCILE, run) for run in rows["run_id"]],
    )
    _cards(rows)
    for column, (stream, hours) in zip(st.columns(2), rows.groupby("stream_name"), strict=False):
        with column.container(border=True):
            st.markdown(f"**{as_sent.markdown(str(stream))}, by hour of arrival**")
            draw(
                pipeline_charts.ledger_hours(by_day_and_hour(hours)),
                width="stretch",
                alt="Result of each hour of arrival, by day. The table below has the numbers.",
            )
    st.caption("An hour without a cell was not counted: no record arrived, or reconcile has not run since.")
    shown = choices.part("Hours in the table", [ALL_HOURS, ONLY_DIFFERING], "hours")
    _table(rows[rows["state"] == "differs"] if shown == ONLY_DIFFERING else rows)


def by_day_and_hour(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the hours with their day (text) and hour of the day (0 to 23) in the zone of the page."""
    shown = rows["arrival_hour"].dt.tz_convert(times.zone_name())
    return rows.assign(day=shown.dt.strftime("%Y-%m-%d %a"), hour=shown.dt.hour)[
        ["arrival_hour", "day", "hour", "state", "archived", "differences"]
    ]


def _cards(rows: pd.DataFrame) -> None:
    closed = rows[~rows["is_open"]]
    differing = int(closed[list(DIFFERENCES)].sum().sum())
    cards = st.columns(4)
    cards[0].metric(
        "Balanced hours",
        f"{closed['balanced'].sum()} of {len(closed)}",
        border=True,
        help="Closed hours of arrival in the last week, counted separately for each stream.",
    )
    cards[1].metric(
        "Differences",
        f"{differing:,}",
        border=True,
        help="Records of closed hours that are missing, unexpected, conflicting, overdue or uncovered.",
    )
    cards[2].metric(
        "Records archived", f"{rows['archived'].sum():,}", border=True, help="Distinct records in the hours shown."
    )
    cards[3].metric("Last counted", f"{ui.age(rows['checked_at'].max())} ago", border=True)


def _table(rows: pd.DataFrame) -> None:
    st.dataframe(
        rows.assign(result=[f"{pipeline_charts.LEDGER_STATES[state][0]} {state}" for state in rows["state"]]),
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_order=[
            *("result", "stream_name", "arrival_hour", "archived", "landed", "nulled", "duplicates", "quarantined"),
            "resolved",
            *("differences", "details", "checked_at"),
            *(["link"] if rows["link"].notna().any() else []),
        ],
        column_config={
            "result": st.column_config.TextColumn("Result", width=95),
            "stream_name": st.column_config.TextColumn("Stream", width=130),
            "arrival_hour": times.column("Arrived", precision="minutes", width=130),
            "archived": _count("Archived", "Distinct records in the raw archive."),
            "landed": _count("Landed", "Readings in RAW, or clicks in ClickStreamData."),
            "nulled": _count("Nulled", "Of the landed readings, those with a metric that was sent outside its range."),
            "duplicates": _count(
                "Duplicates", "Clicks that were sent again, and those that only an event id would tell apart."
            ),
            "quarantined": _count("Quarantined", "Invalid or undeliverable records that wait for a replay."),
            "resolved": _count("Resolved", "Records only in quarantine-resolved/, such as probes."),
            "differences": st.column_config.TextColumn(
                "Differences",
                width=140,
                help="missing: archived, but nowhere else; unexpected: found, but not archived; conflicts: keys or "
                "event ids with more than one content; overdue, uncovered: in RAW, but not in the history.",
            ),
            "details": st.column_config.TextColumn("Files and sequence numbers", width="large"),
            "checked_at": times.column("Counted"),
            "link": airflow_links.column("The run of reconcile that counted the hour."),
        },
    )


def _state(balanced: bool, is_open: bool) -> str:
    """Return an hour's result.  An open hour may differ while records are on their way, so it never fails."""
    if is_open:
        return "open"
    return "balanced" if balanced else "differs"


def _differences(row: Mapping[Hashable, int]) -> str:
    return ", ".join(f"{row[kind]:,} {kind}" for kind in DIFFERENCES if row[kind])


def _count(title: str, meaning: str) -> ColumnConfig:
    return st.column_config.NumberColumn(title, format="localized", width=90, help=meaning)
