"""Charts of clicks: over time, by item, as shares, and by hour."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Sized
from itertools import pairwise
from typing import Any

import altair as alt
import pandas as pd

from dashboard.charts.axes import HEIGHT, quiet_title, time_axis, when
from dashboard.quantities import count, duration

# Beside a bar that is so many times as long, another is a pixel or two.
DWARFED = 200
# A row of a legend under a chart, in pixels.  On a phone, a long name needs a row of its own.
LEGEND_ROW = 16
# Of a legend, in pixels: the longest label, a character of one, and the sign with the space around it.
LABEL_LIMIT, CHARACTER_PIXELS, SYMBOL_PIXELS = 220, 7, 26
# Okabe and Ito's vermilion, which stands out on a bar, and on light and dark grounds.
DAY_BEFORE = "#d55e00"


def clicks_over_time(
    clicks: pd.DataFrame, bucket_seconds: int, item_order: Sequence[str], colours: Sequence[str | int]
) -> alt.Chart:
    """Draw the clicks in each bucket, stacked by item, from time, item_name and clicks.

    In each chart of items, ``colours`` has the item of each of the theme's colours, or a number where none has it.
    """
    items = list(item_order)
    buckets = clicks_per_bucket(clicks, bucket_seconds)
    cut = cut_at(buckets.groupby("start")["clicks"].sum())
    title = alt.Undefined if cut is None else quiet_title(f"longer bars are cut at {count(int(cut))} clicks")
    bars: alt.Chart = (
        alt.Chart(_for_a_browser(buckets), height=_height(items), title=title)
        .mark_bar(binSpacing=1, clip=True)
        .encode(
            x=time_axis("start", binned=True),
            x2="end:T",
            y=alt.Y("clicks:Q", title=f"clicks per {duration(bucket_seconds)}", stack="zero", scale=_up_to(cut)),
            color=alt.Color("item_name:N", title=None, scale=alt.Scale(domain=list(colours)), legend=_legend(items)),
            order=alt.Order("item_order:Q"),
            tooltip=[
                when("start", "from"),
                alt.Tooltip("item_name:N", title="item"),
                alt.Tooltip("counted:N", title="clicks"),
            ],
        )
    )
    return _in_order(bars, items, "item_name")


def clicks_per_bucket(clicks: pd.DataFrame, bucket_seconds: int) -> pd.DataFrame:
    """Sum the clicks of each item in each bucket that has any: start, end (UTC), item_name, clicks."""
    floored = clicks.assign(start=clicks["time"].dt.floor(f"{bucket_seconds}s"))
    buckets = floored.groupby(["start", "item_name"], as_index=False)["clicks"].sum()
    buckets["end"] = buckets["start"] + pd.Timedelta(seconds=bucket_seconds)
    return buckets[["start", "end", "item_name", "clicks"]]


def item_totals(totals: pd.DataFrame, colours: Sequence[str | int]) -> alt.LayerChart:
    """Draw one labelled bar per item, from item_name and clicks.  A bar that would dwarf all others is cut."""
    cut = cut_at(totals["clicks"])
    shown = _for_a_browser(totals).assign(bar=lambda frame: frame["clicks"].clip(upper=cut))
    # By name: Vega-Lite drops a sort by a field that is not the length of the bars where charts are layered.
    longest_first = list(shown.sort_values("clicks", ascending=False)["item_name"])
    base = alt.Chart(shown, height=_height(shown["item_name"])).encode(
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
        color=alt.Color("item_name:N", legend=None, scale=alt.Scale(domain=list(colours)))
    )
    labels = base.mark_text(align="left", dx=5, color="gray").encode(text="counted:N")
    return alt.LayerChart(layer=[bars, labels])


def share_over_time(shares: pd.DataFrame, order: Sequence[str], per: str, colours: Sequence[str | int]) -> alt.Chart:
    """Draw each item's share of the clicks in each bar, from start, end, label and clicks; ``order`` has the labels."""
    totals: dict[Any, int] = shares.groupby("start")["clicks"].sum().to_dict()
    # Quotients of Python's integers: a browser could not divide counts beyond 53 bits exactly.
    share = [clicks / totals[start] for start, clicks in zip(shares["start"], shares["clicks"], strict=True)]
    items = list(order)
    chart: alt.Chart = (
        alt.Chart(_for_a_browser(shares).assign(share=share), height=_height(items))
        .mark_bar(binSpacing=1)
        .encode(
            x=time_axis("start", binned=True),
            x2="end:T",
            y=alt.Y(
                "share:Q",
                title=f"share per {per}",
                stack="zero",
                scale=alt.Scale(domain=[0, 1]),
                axis=alt.Axis(format="%", tickCount=5),
            ),
            color=alt.Color(
                "label:N",
                title=None,
                scale=alt.Scale(domain=list(colours)),
                legend=_legend(items),
            ),
            order=alt.Order("item_order:Q"),
            tooltip=[
                when("start", "from"),
                alt.Tooltip("label:N", title="item"),
                alt.Tooltip("share:Q", title="share", format=".1%"),
                alt.Tooltip("counted:N", title="clicks"),
            ],
        )
    )
    return _in_order(chart, items, "label")


def clicks_per_hour(hours: pd.DataFrame) -> alt.LayerChart:
    """Draw an item's clicks per hour, and a mark at those of the same hour a day before."""
    bars = pd.DataFrame(
        {"start": hours["hour"], "end": hours["hour"] + pd.Timedelta(hours=1), "clicks": hours["clicks"]}
    )
    marks = bars.assign(clicks=hours["clicks_day_before"]).dropna(subset=["clicks"])
    marks["middle"] = marks["start"] + pd.Timedelta(minutes=30)
    cut = cut_at([*bars["clicks"], *marks["clicks"]])
    y = alt.Y("clicks:Q", title="clicks per hour", scale=_up_to(cut))
    title = alt.Undefined if cut is None else quiet_title(f"longer bars are cut at {count(int(cut))} clicks")
    told = [when("start", "from"), alt.Tooltip("counted:N", title="clicks")]
    drawn = (
        alt.Chart(_for_a_browser(bars))
        .mark_bar(binSpacing=1, clip=True)
        .encode(x=time_axis("start", binned=True), x2="end:T", y=y, tooltip=told)
    )
    before = (
        alt.Chart(_for_a_browser(marks))
        .mark_point(shape="stroke", size=250, strokeWidth=3, color=DAY_BEFORE, clip=True)
        .encode(
            x=time_axis("middle"),
            y=y,
            tooltip=[told[0], alt.Tooltip("counted:N", title="clicks, the day before")],
        )
    )
    return alt.LayerChart(layer=[drawn, before], height=HEIGHT, title=title)


def cut_at(lengths: Iterable[float]) -> float | None:
    """Return where to cut the bars that would leave less than a pixel or two of all others, or None if none would.

    At most half of the bars are cut.  What they stand for is in their tooltips.
    """
    ranked = sorted(length for length in lengths if length > 0)
    for below, (shorter, longer) in enumerate(pairwise(ranked), start=1):
        if 2 * below >= len(ranked) and longer > DWARFED * shorter:
            return 1.25 * float(shorter)
    return None


def _height(items: Sized) -> int:
    """Return the height of a chart with a legend of ``items``, or of one beside it."""
    return HEIGHT + LEGEND_ROW * len(items)


def _legend(items: Sequence[str]) -> alt.Legend:
    """Return a legend under the chart, which leaves a phone's whole width to the bars, with as many columns as fit."""
    column = SYMBOL_PIXELS + min(LABEL_LIMIT, max(CHARACTER_PIXELS * len(item) for item in ["", *items]))
    return alt.Legend(
        orient="bottom",
        values=list(items),
        columns=alt.ExprRef(f"clamp(floor(width / {column}), 1, 4)"),
        labelLimit=LABEL_LIMIT,
        symbolLimit=0,
        offset=4,
    )


def _in_order(chart: alt.Chart, items: Sequence[str], field: str) -> alt.Chart:
    """Return ``chart`` with ``item_order``, the position of ``field`` in ``items``, by which a stack is ordered."""
    # JSON is a literal of Vega's expressions for any name; Python's repr is not.
    return chart.transform_calculate(item_order=f"indexof({json.dumps(list(items))}, datum.{field})")


def _for_a_browser(clicks: pd.DataFrame) -> pd.DataFrame:
    """Return ``clicks`` as numbers that a browser can draw, and ``counted``, their text: sums may exceed 64 bits."""
    return clicks.assign(clicks=clicks["clicks"].astype("float64"), counted=[count(n) for n in clicks["clicks"]])


def _up_to(cut: float | None) -> alt.Scale | Any:
    return alt.Undefined if cut is None else alt.Scale(domain=[0, cut], nice=False)
