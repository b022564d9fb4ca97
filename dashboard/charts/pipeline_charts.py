"""Charts of the pipeline itself: merge runs, and the quarantine."""

from __future__ import annotations

import altair as alt
import pandas as pd

from dashboard.charts.axes import HEIGHT, time_axis, when


def merge_rows(runs: pd.DataFrame) -> alt.Chart:
    """Draw the rows that each merge run wrote, from started_at, rows_inserted, rows_updated and rows_deleted."""
    kinds = {"rows_inserted": "inserted", "rows_updated": "updated", "rows_deleted": "deleted"}
    rows = runs.rename(columns=kinds).melt("started_at", list(kinds.values()), "kind", "rows")
    bars: alt.Chart = (
        alt.Chart(rows, height=HEIGHT)
        .mark_bar(width=8)
        .encode(
            x=time_axis("started_at", "run started"),
            y=alt.Y("rows:Q", title="rows written", stack="zero"),
            color=alt.Color("kind:N", title=None, sort=list(kinds.values()), legend=alt.Legend(orient="top")),
            tooltip=[when("started_at", "started"), "kind:N", alt.Tooltip("rows:Q", format=",")],
        )
    )
    return bars


def quarantine_by_hour(counts: pd.DataFrame) -> alt.Chart:
    """Draw quarantined records by hour of arrival, stacked by reason, from hour, reason and records."""
    hours = counts.assign(end=counts["hour"] + pd.Timedelta(hours=1))
    bars: alt.Chart = (
        alt.Chart(hours, height=HEIGHT)
        .mark_bar(binSpacing=2)
        .encode(
            x=time_axis("hour", "hour of arrival", binned=True),
            x2="end:T",
            y=alt.Y("sum(records):Q", title="records"),
            color=alt.Color("reason:N", title=None),
            tooltip=[
                when("hour", "hour"),
                alt.Tooltip("reason:N"),
                alt.Tooltip("sum(records):Q", title="records", format=","),
            ],
        )
    )
    return bars
