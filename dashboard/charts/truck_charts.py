"""Charts of trucks: metrics over time, and versions."""

from __future__ import annotations

from datetime import datetime

import altair as alt
import pandas as pd

from dashboard.charts.axes import FEW_POINTS, HEIGHT, time_axis, when


def over_time(track: pd.DataFrame, column: str, title: str, zero: bool = True) -> alt.Chart:
    """Draw ``column`` over time, one line per truck, from truck_id, slice_start and ``column``.

    ``title`` names the quantity and its unit.  The axis starts at zero if ``zero``.
    """
    lines: alt.Chart = (
        alt.Chart(track[["truck_id", "slice_start", column]].dropna(subset=[column]), height=HEIGHT)
        .mark_line(strokeWidth=2, strokeJoin="round", point=len(track) <= FEW_POINTS)
        .encode(
            x=time_axis("slice_start"),
            y=alt.Y(f"{column}:Q", title=title, scale=alt.Scale(zero=zero, nice=True)),
            color=alt.Color("truck_id:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[
                alt.Tooltip("truck_id:N", title="truck"),
                when("slice_start"),
                alt.Tooltip(f"{column}:Q", title=title, format=".1f"),
            ],
        )
    )
    return lines


def version_timeline(versions: pd.DataFrame, until: pd.Timestamp, instant: datetime | None) -> alt.LayerChart:
    """Draw a truck's versions as a band over time, with a line at the chosen ``instant`` if there is one.

    ``versions`` has effective_start_date, effective_end_date, is_current and changed.  A version without an end reaches
    ``until``.
    """
    band = pd.DataFrame(
        {
            "start": versions["effective_start_date"],
            "end": versions["effective_end_date"].fillna(until),
            "state": versions["is_current"].map({True: "current", False: "past"}),
            "changed": versions["changed"],
        }
    )
    bars = (
        alt.Chart(band, height=110)
        .mark_bar(stroke="white", strokeWidth=0.5, height=30)
        .encode(
            x=time_axis("start"),
            x2="end:T",
            color=alt.Color("state:N", legend=None, scale=alt.Scale(domain=["past", "current"])),
            tooltip=[when("start", "valid from"), when("end", "to"), "state:N", "changed:N"],
        )
    )
    if instant is None:
        return alt.LayerChart(layer=[bars])
    mark = (
        alt.Chart(pd.DataFrame({"instant": [instant]}))
        .mark_rule(strokeWidth=3, color="#D55E00")
        .encode(x=time_axis("instant"), tooltip=[when("instant", "as of")])
    )
    return alt.LayerChart(layer=[bars, mark])
