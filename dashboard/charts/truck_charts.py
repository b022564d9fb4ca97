"""Charts of trucks: metrics over time, and versions."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import altair as alt
import pandas as pd

from dashboard.charts.axes import FEW_POINTS, HEIGHT, time_axis, when
from dashboard.spans import Span

# The selection of a span by dragging.
BRUSH = "brush"
# A line is interrupted where a value is unknown.
_GAPS: Final = "break-paths-filter-domains"


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


def version_bars(slices: pd.DataFrame, span: Span, instant: datetime | None) -> alt.LayerChart:
    """Draw how many versions start in each slice of time, with a line at the chosen ``instant`` if there is one.

    ``slices`` has start, end and versions.  A person can drag over the bars: the selection is :data:`BRUSH`.
    """
    bars = (
        alt.Chart(slices[["start", "end", "versions"]], height=170)
        .mark_rect()
        .encode(
            x=time_axis("start"),
            x2="end:T",
            y=alt.Y("versions:Q", title="versions", axis=alt.Axis(tickCount=4, tickMinStep=1)),
            y2=alt.datum(0),
            tooltip=[when("start", "from"), when("end", "to"), alt.Tooltip("versions:Q", format=",")],
        )
        .add_params(_brush())
    )
    return _on_canvas(alt.LayerChart(layer=[bars, _ends(span), *_marked(instant)]))


def version_bands(versions: pd.DataFrame, span: Span, instant: datetime | None) -> alt.LayerChart:
    """Draw each version from its start to its end, with a line at the chosen ``instant`` if there is one.

    ``versions`` has start, end, state (current or past) and changed (text).  A person can drag over the bands: the
    selection is :data:`BRUSH`.
    """
    bands = (
        alt.Chart(versions[["start", "end", "state", "changed"]].assign(row="versions"), height=120)
        .mark_bar(stroke="white", strokeWidth=0.5, height=24)
        .encode(
            x=time_axis("start"),
            x2="end:T",
            y=alt.Y("row:N", title=None, axis=None),
            color=alt.Color("state:N", legend=None, scale=alt.Scale(domain=["past", "current"])),
            tooltip=[when("start", "valid from"), when("end", "to"), "state:N", "changed:N"],
        )
        .add_params(_brush())
    )
    return _on_canvas(alt.LayerChart(layer=[bands, _ends(span), *_marked(instant)]))


def change_matrix(shares: pd.DataFrame, span: Span) -> alt.LayerChart:
    """Draw how often each field changed in each slice of time: the darker, the more of the versions changed it.

    ``shares`` has start, end, field, changed (versions that changed it), versions and share (0..1).
    """
    fields = list(dict.fromkeys(shares["field"]))
    cells = (
        alt.Chart(shares, height=80 + 16 * len(fields))
        .mark_rect()
        .encode(
            x=time_axis("start"),
            x2="end:T",
            y=alt.Y("field:N", title=None, sort=fields, axis=_words()),
            opacity=alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.08, 1])),
            tooltip=[
                alt.Tooltip("field:N"),
                when("start", "from"),
                when("end", "to"),
                alt.Tooltip("share:Q", title="versions that changed it", format=".0%"),
                alt.Tooltip("changed:Q", title="so many", format=","),
                alt.Tooltip("versions:Q", title="of", format=","),
            ],
        )
    )
    return alt.LayerChart(layer=[cells, _ends(span)])


def metric_steps(steps: pd.DataFrame, title: str, span: Span, instant: datetime | None) -> alt.LayerChart:
    """Draw a metric over time as steps: the mean as a line, and the range from lowest to highest as a band.

    ``steps`` has start, end, mean, lowest and highest; a step with an unknown mean is a gap.  ``title`` names the
    quantity and its unit.
    """
    x = time_axis("start")
    y = alt.Y("mean:Q", title=title, scale=alt.Scale(zero=False, nice=True))
    tooltip = [
        when("start", "from"),
        when("end", "to"),
        *(alt.Tooltip(f"{name}:Q", format=",.5~g") for name in ("mean", "lowest", "highest")),
    ]
    known = alt.Chart(steps.dropna(subset=["mean"]), height=220)
    line = alt.Chart(_line(steps), height=220)
    layers = [
        known.mark_rect(opacity=0.25).encode(
            x=x, x2="end:T", y=alt.Y("lowest:Q", title=title), y2="highest:Q", tooltip=tooltip
        ),
        line.mark_line(interpolate="step-after", strokeWidth=1.5, invalid=_GAPS).encode(x=x, y=y),
        # The pointer need not hit the line exactly.
        known.mark_rule(strokeWidth=14, opacity=0).encode(x=x, x2="end:T", y=y, tooltip=tooltip),
    ]
    return alt.LayerChart(layer=[*layers, _ends(span), *_marked(instant)])


def status_bands(runs: pd.DataFrame, span: Span, instant: datetime | None) -> alt.LayerChart:
    """Draw which value a status had when, from start, end and status."""
    bands = (
        alt.Chart(runs[["start", "end", "status"]], height=60 + 22 * runs["status"].nunique())
        .mark_bar()
        .encode(
            x=time_axis("start"),
            x2="end:T",
            y=alt.Y("status:N", title=None, axis=_words()),
            tooltip=[when("start", "from"), when("end", "to"), "status:N"],
        )
    )
    return alt.LayerChart(layer=[bands, _ends(span), *_marked(instant)])


def _line(steps: pd.DataFrame) -> pd.DataFrame:
    """Return the points of a line over the steps: it ends where a step is followed by none, or by an unknown one."""
    following = steps.shift(-1)
    is_last = steps["mean"].notna() & (following["mean"].isna() | (following["start"] > steps["end"]))
    ends = steps[is_last].assign(start=steps["end"])
    points = pd.concat([ends, ends.assign(mean=float("nan")), steps])
    return points[["start", "mean"]].sort_values("start", kind="stable", ignore_index=True)


def _words() -> alt.Axis:
    """Return a vertical axis of which each word is shown."""
    return alt.Axis(labelLimit=130, labelOverlap=False, ticks=False)


def _brush() -> alt.Parameter:
    brush: alt.Parameter = alt.selection_interval(name=BRUSH, encodings=["x"])
    return brush


def _on_canvas(chart: alt.LayerChart) -> alt.LayerChart:
    """Have Vega draw pixels: a screen reader reads the chart's description, and no selection without a name."""
    drawn: alt.LayerChart = chart.properties(usermeta={"embedOptions": {"renderer": "canvas"}})
    return drawn


def _ends(span: Span) -> alt.Chart:
    """Return marks that nobody sees at both ends of the span, so that the axis of time reaches over all of it."""
    ends: alt.Chart = alt.Chart(pd.DataFrame({"start": list(span)})).mark_point(opacity=0).encode(x=time_axis("start"))
    return ends


def _marked(instant: datetime | None) -> list[alt.Chart]:
    if instant is None:
        return []
    mark = alt.Chart(pd.DataFrame({"instant": [instant]})).mark_rule(strokeWidth=2, color="#D55E00", strokeDash=[5, 3])
    return [mark.encode(x=time_axis("instant"), tooltip=[when("instant", "as of")])]
