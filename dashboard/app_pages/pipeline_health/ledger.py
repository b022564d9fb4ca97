"""The tab Ledger: whether every record of each hour of arrival is accounted for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from dashboard import data, times, ui

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

# The columns that are 0 if every record is accounted for.
DIFFERENCES = ("missing", "unexpected", "conflicts", "overdue", "uncovered")


def show() -> None:
    """Show the last two days of the conservation ledger."""
    rows = data.ledger()
    if rows.empty:
        ui.empty(
            "No hour has been counted yet",
            "The DAG **reconcile** counts each hour after it has closed, at 20 minutes past. To count now, including "
            "the open hour, trigger the DAG in Airflow with a time in *Since*.",
        )
        return
    rows = rows.astype({"is_open": bool, "balanced": bool})
    _cards(rows)
    _table(rows)


def _cards(rows: pd.DataFrame) -> None:
    closed = rows[~rows["is_open"]]
    differing = int(closed[list(DIFFERENCES)].sum().sum())
    cards = st.columns(4)
    cards[0].metric(
        "Balanced hours",
        f"{closed['balanced'].sum()} of {len(closed)}",
        border=True,
        help="Closed hours of arrival in the last two days, counted separately for each stream.",
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
        rows.assign(
            result=[verdict(*row) for row in zip(rows["balanced"], rows["is_open"], strict=True)],
            differences=[_differences(row) for row in rows.to_dict("records")],
        ),
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_order=[
            *("result", "stream_name", "arrival_hour", "archived", "landed", "nulled", "duplicates", "quarantined"),
            "resolved",
            *("differences", "details", "checked_at"),
        ],
        column_config={
            "result": st.column_config.TextColumn("Result", width=95),
            "stream_name": st.column_config.TextColumn("Stream", width=130),
            "arrival_hour": times.column("Arrived", precision="minutes", width=130),
            "archived": _count("Archived", "Distinct records in the raw archive."),
            "landed": _count("Landed", "Readings in RAW, or clicks in ClickStreamData."),
            "nulled": _count("Nulled", "Of the landed readings, those with a metric that was sent outside its range."),
            "duplicates": _count("Duplicates", "Clicks that were sent again."),
            "quarantined": _count("Quarantined", "Invalid or undeliverable records that wait for a replay."),
            "resolved": _count("Resolved", "Records only in quarantine-resolved/, such as probes."),
            "differences": st.column_config.TextColumn(
                "Differences",
                width=140,
                help="missing: archived, but nowhere else; unexpected: found, but not archived; conflicts: keys with "
                "more than one content; overdue, uncovered: in RAW, but not in the history.",
            ),
            "details": st.column_config.TextColumn("Files and sequence numbers", width="large"),
            "checked_at": times.column("Counted"),
        },
    )


def verdict(balanced: bool, is_open: bool) -> str:
    """Return an hour's result.  An open hour may differ while records are on their way, so it never fails."""
    if is_open:
        return "… open"
    return "✓ balanced" if balanced else "✕ differs"


def _differences(row: Mapping[Hashable, int]) -> str:
    return ", ".join(f"{row[kind]:,} {kind}" for kind in DIFFERENCES if row[kind])


def _count(title: str, meaning: str) -> ColumnConfig:
    return st.column_config.NumberColumn(title, format="localized", width=90, help=meaning)
