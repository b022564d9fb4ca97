"""Charts over time and by kind: pure functions from a frame to an Altair chart.

The theme sets the colours (.streamlit/config.toml).  Times are in UTC, whatever the browser's time zone.  No chart
loads anything from the network.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import altair as alt
import pandas as pd

HEIGHT = 290
# With so few points, a line alone might not be visible.
FEW_POINTS = 20
# Beside a bar that is so many times as long, another is a pixel or two.
DWARFED = 200
# Beyond so many, a count is rounded: more digits don't fit, and nobody reads them.
MOST_COUNTED = 10**12

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def clicks_over_time(clicks: pd.DataFrame, bucket_seconds: int, item_order: Sequence[str]) -> alt.Chart:
    """Draw the clicks in each bucket, stacked by item, from time, item_name and clicks."""
    items = list(item_order)
    buckets = clicks_per_bucket(clicks, bucket_seconds)
    cut = cut_at(buckets.groupby("start")["clicks"].sum())
    title = alt.Undefined if cut is None else _quiet_title(f"longer bars are cut at {count(int(cut))} clicks")
    bars: alt.Chart = (
        alt.Chart(_for_a_browser(buckets), height=HEIGHT, title=title)
        .mark_bar(binSpacing=1, clip=True)
        .encode(
            x=_time_axis("start", binned=True),
            x2="end:T",
            y=alt.Y("clicks:Q", title=f"clicks per {duration(bucket_seconds)}", stack="zero", scale=_up_to(cut)),
            color=alt.Color("item_name:N", title=None, sort=items, scale=alt.Scale(domain=items)),
            order=alt.Order("item_order:Q"),
            tooltip=[
                _when("start", "from (UTC)"),
                alt.Tooltip("item_name:N", title="item"),
                alt.Tooltip("counted:N", title="clicks"),
            ],
        )
    )
    # JSON is a literal of Vega's expressions for any name; Python's repr is not.
    return bars.transform_calculate(item_order=f"indexof({json.dumps(items)}, datum.item_name)")


def clicks_per_bucket(clicks: pd.DataFrame, bucket_seconds: int) -> pd.DataFrame:
    """Sum the clicks of each item in each bucket that has any: start, end (UTC), item_name, clicks."""
    floored = clicks.assign(start=clicks["time"].dt.floor(f"{bucket_seconds}s"))
    buckets = floored.groupby(["start", "item_name"], as_index=False)["clicks"].sum()
    buckets["end"] = buckets["start"] + pd.Timedelta(seconds=bucket_seconds)
    return buckets[["start", "end", "item_name", "clicks"]]


def item_totals(totals: pd.DataFrame, item_order: Sequence[str]) -> alt.LayerChart:
    """Draw one labelled bar per item, from item_name and clicks.  A bar that would dwarf all others is cut."""
    cut = cut_at(totals["clicks"])
    shown = _for_a_browser(totals).assign(bar=lambda frame: frame["clicks"].clip(upper=cut))
    # By name: Vega-Lite drops a sort by a field that is not the length of the bars where charts are layered.
    longest_first = list(shown.sort_values("clicks", ascending=False)["item_name"])
    base = alt.Chart(shown, height=HEIGHT).encode(
        y=alt.Y(
            "item_name:N",
            sort=longest_first,
            title=None,
            axis=alt.Axis(labelLimit=160, ticks=False, domain=False),
        ),
        x=alt.X("bar:Q", title="clicks" if cut is None else "clicks, the longest bar cut", axis=alt.Axis(tickCount=4)),
        tooltip=[alt.Tooltip("item_name:N", title="item"), alt.Tooltip("counted:N", title="clicks")],
    )
    bars = base.mark_bar(cornerRadiusEnd=3, height={"band": 0.6}).encode(
        color=alt.Color("item_name:N", legend=None, scale=alt.Scale(domain=list(item_order)))
    )
    labels = base.mark_text(align="left", dx=5, color="gray").encode(text="counted:N")
    return alt.LayerChart(layer=[bars, labels])


def over_time(track: pd.DataFrame, column: str, title: str, zero: bool = True) -> alt.Chart:
    """Draw ``column`` over time, one line per truck, from truck_id, slice_start and ``column``.

    ``title`` names the quantity and its unit.  The axis starts at zero if ``zero``.
    """
    lines: alt.Chart = (
        alt.Chart(track[["truck_id", "slice_start", column]].dropna(subset=[column]), height=HEIGHT)
        .mark_line(strokeWidth=2, strokeJoin="round", point=len(track) <= FEW_POINTS)
        .encode(
            x=_time_axis("slice_start"),
            y=alt.Y(f"{column}:Q", title=title, scale=alt.Scale(zero=zero, nice=True)),
            color=alt.Color("truck_id:N", title=None, legend=alt.Legend(orient="top")),
            tooltip=[
                alt.Tooltip("truck_id:N", title="truck"),
                _when("slice_start"),
                alt.Tooltip(f"{column}:Q", title=title, format=".1f"),
            ],
        )
    )
    return lines


def merge_rows(runs: pd.DataFrame) -> alt.Chart:
    """Draw the rows that each merge run wrote, from started_at, rows_inserted, rows_updated and rows_deleted."""
    kinds = {"rows_inserted": "inserted", "rows_updated": "updated", "rows_deleted": "deleted"}
    rows = runs.rename(columns=kinds).melt("started_at", list(kinds.values()), "kind", "rows")
    bars: alt.Chart = (
        alt.Chart(rows, height=HEIGHT)
        .mark_bar(width=8)
        .encode(
            x=_time_axis("started_at", "run started, UTC"),
            y=alt.Y("rows:Q", title="rows written", stack="zero"),
            color=alt.Color("kind:N", title=None, sort=list(kinds.values()), legend=alt.Legend(orient="top")),
            tooltip=[_when("started_at", "started (UTC)"), "kind:N", alt.Tooltip("rows:Q", format=",")],
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
            x=_time_axis("hour", "hour of arrival, UTC", binned=True),
            x2="end:T",
            y=alt.Y("sum(records):Q", title="records"),
            color=alt.Color("reason:N", title=None),
            tooltip=[
                _when("hour", "hour (UTC)"),
                alt.Tooltip("reason:N"),
                alt.Tooltip("sum(records):Q", title="records", format=","),
            ],
        )
    )
    return bars


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
            x=_time_axis("start"),
            x2="end:T",
            color=alt.Color("state:N", legend=None, scale=alt.Scale(domain=["past", "current"])),
            tooltip=[_when("start", "valid from (UTC)"), _when("end", "to (UTC)"), "state:N", "changed:N"],
        )
    )
    if instant is None:
        return alt.LayerChart(layer=[bars])
    mark = (
        alt.Chart(pd.DataFrame({"instant": [instant]}))
        .mark_rule(strokeWidth=3, color="#D55E00")
        .encode(x=_time_axis("instant"), tooltip=[_when("instant", "as of (UTC)")])
    )
    return alt.LayerChart(layer=[bars, mark])


def duration(seconds: float) -> str:
    """Return a length of time for a person to read: ``45 s``, ``5 min``, ``2 h``, ``3 d``."""
    seconds = max(0.0, seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def count(number: int) -> str:
    """Return a count for a person to read: ``9,007``, or ``9.22 × 10¹⁸`` where digits would fill the page."""
    if abs(number) < MOST_COUNTED:
        return f"{number:,}"
    mantissa, exponent = f"{Decimal(number):.2e}".split("e")
    return f"{mantissa} × 10{exponent.lstrip('+').translate(_SUPERSCRIPTS)}"


def cut_at(lengths: Iterable[float]) -> float | None:
    """Return where to cut the bars that would leave less than a pixel or two of all others, or None if none would.

    At most half of the bars are cut.  What they stand for is in their tooltips.
    """
    ranked = sorted(length for length in lengths if length > 0)
    for below, (shorter, longer) in enumerate(pairwise(ranked), start=1):
        if 2 * below >= len(ranked) and longer > DWARFED * shorter:
            return 1.25 * float(shorter)
    return None


def _for_a_browser(clicks: pd.DataFrame) -> pd.DataFrame:
    """Return ``clicks`` as numbers that a browser can draw, and ``counted``, their text: sums may exceed 64 bits."""
    return clicks.assign(clicks=clicks["clicks"].astype("float64"), counted=[count(n) for n in clicks["clicks"]])


def _up_to(cut: float | None) -> alt.Scale | Any:
    return alt.Undefined if cut is None else alt.Scale(domain=[0, cut], nice=False)


def _quiet_title(text: str) -> alt.TitleParams:
    return alt.TitleParams(text, anchor="end", fontSize=11, fontWeight="normal", color="gray")


def _time_axis(field: str, title: str | None = None, *, binned: bool = False) -> alt.X:
    clock = {"seconds": "%H:%M:%S", "minutes": "%H:%M", "hours": "%H:%M", "date": "%b %d"}
    axis = alt.Axis(grid=False, labelFlush=True, tickCount=6, labelOverlap=True, format=clock)
    # Vega-Lite stacks bars that span from a start to an end only if it knows that the field is binned.
    return alt.X(
        f"{field}:T", title=title, scale=alt.Scale(type="utc"), axis=axis, bin="binned" if binned else alt.Undefined
    )


def _when(field: str, title: str = "time (UTC)") -> alt.Tooltip:
    return alt.Tooltip(f"utcyearmonthdatehoursminutesseconds({field}):T", title=title, format="%Y-%m-%d %H:%M:%S")
