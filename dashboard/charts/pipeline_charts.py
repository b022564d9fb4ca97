"""Charts of the pipeline itself: lag and delays, merge runs, the ledger, quality results and the quarantine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from dashboard import times
from dashboard.charts.axes import FEW_POINTS, HEIGHT, time_axis, when

# In pixels: the height of a small chart and of one with a legend, axes included, that of a row of cells, and the
# longest label of a row.
SMALL, SMALL_WITH_LEGEND, CELL, LABEL_PIXELS = 150, 210, 22, 260
# Of a cell, the share that is left free beside its neighbour.
GAP = 0.1
# The reasons of a quarantine that have a colour of their own; all others together have the theme's last one.
MOST_REASONS, OTHER_REASONS = 6, "all other reasons"

SECONDS = alt.Y("seconds:Q", title="seconds", scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=3, format=",.2~f"))

# The signs of a state, as the tables write them, and its colour.  Colour is never the only sign.
LEDGER_STATES = {"balanced": ("✓", "#2280B7"), "differs": ("✕", "#D55E00"), "open": ("…", "#9AA5B1")}
RESULTS = {
    "pass": ("✓", "#2280B7"), "warn": ("▲", "#E69F00"), "fail": ("✕", "#D55E00"), "error": ("!", "#7B3294"),
}  # fmt: skip


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
    """Draw quarantined records by hour of arrival, stacked by reason, from hour, reason and records.

    No two reasons have the same colour: the rarest are drawn together if there are too many.
    """
    sums = counts.groupby("reason")["records"].sum().sort_values(ascending=False, kind="stable")
    own = sorted(sums.index[: len(sums) if len(sums) <= MOST_REASONS + 1 else MOST_REASONS])
    grouped = counts.assign(reason=counts["reason"].where(counts["reason"].isin(own), OTHER_REASONS))
    grouped = grouped.groupby(["hour", "reason"], as_index=False)["records"].sum()
    hours = grouped.assign(end=grouped["hour"] + pd.Timedelta(hours=1))
    order = [*own, *([OTHER_REASONS] if len(sums) > len(own) else [])]
    bars: alt.Chart = (
        alt.Chart(hours, height=HEIGHT)
        .mark_bar(binSpacing=2)
        .encode(
            x=time_axis("hour", "hour of arrival", binned=True),
            x2="end:T",
            y=alt.Y("sum(records):Q", title="records"),
            color=alt.Color("reason:N", title=None, sort=order, scale=alt.Scale(domain=order)),
            tooltip=[
                when("hour", "hour"),
                alt.Tooltip("reason:N"),
                alt.Tooltip("sum(records):Q", title="records", format=","),
            ],
        )
    )
    return bars


def stream_lag(lags: pd.DataFrame) -> alt.LayerChart:
    """Draw the lag of a stream, from minute and seconds.  A minute without a measurement is a gap, not zero."""
    minutes = lags.set_index("minute")["seconds"]
    every = pd.date_range(minutes.index.min(), minutes.index.max(), freq="min", tz="UTC")
    gapped = minutes.groupby(level=0).max().reindex(every).rename_axis("minute").reset_index()
    base = alt.Chart(gapped, height=SMALL).encode(
        x=time_axis("minute"),
        y=SECONDS,
        tooltip=[when("minute"), alt.Tooltip("seconds:Q", title="seconds behind", format=",.1f")],
    )
    # A minute between two gaps has no line, so each has a point too.
    return alt.LayerChart(layer=[base.mark_line(), base.mark_point(size=14, filled=True)])


def delays(slices: pd.DataFrame, step: str) -> alt.Chart:
    """Draw p50 and p95 of a step, from slice_start, readings, <step>_p50 and <step>_p95 (seconds)."""
    kinds = {f"{step}_p50": "p50", f"{step}_p95": "p95"}
    rows = slices.rename(columns=kinds).melt(["slice_start", "readings"], list(kinds.values()), "figure", "seconds")
    lines: alt.Chart = (
        alt.Chart(rows, height=SMALL_WITH_LEGEND)
        .mark_line(point=len(slices) <= FEW_POINTS)
        .encode(
            x=time_axis("slice_start"),
            y=SECONDS,
            color=alt.Color("figure:N", title=None, legend=alt.Legend(orient="top", symbolType="stroke")),
            strokeDash=alt.StrokeDash("figure:N", title=None),
            tooltip=[
                when("slice_start", "arrived from"),
                "figure:N",
                alt.Tooltip("seconds:Q", format=",.1f"),
                alt.Tooltip("readings:Q", format=","),
            ],
        )
    )
    return lines


def ledger_hours(hours: pd.DataFrame) -> alt.LayerChart:
    """Draw the state of each hour of one stream, a row per day.

    Args:
        hours: arrival_hour, day (text that sorts by day) and hour (of the day, 0 to 23) as the page shows them, state
            (of :data:`LEDGER_STATES`), archived and differences (text).
    """
    base = alt.Chart(hours, height=alt.Step(CELL)).encode(
        x=alt.X(
            "hour:O",
            title=times.titled("hour of arrival"),
            scale=alt.Scale(domain=list(range(24)), paddingInner=GAP),
            axis=alt.Axis(labelAngle=0, labelOverlap=True, ticks=False, domain=False),
        ),
        y=alt.Y(
            "day:O",
            title=None,
            sort="descending",
            scale=alt.Scale(paddingInner=GAP),
            axis=alt.Axis(ticks=False, domain=False),
        ),
        tooltip=[
            when("arrival_hour", "arrived from"),
            "state:N",
            alt.Tooltip("archived:Q", title="records archived", format=","),
            "differences:N",
        ],
    )
    return _cells(base, "state", LEDGER_STATES)


def rule_runs(results: pd.DataFrame, order: Sequence[str]) -> alt.LayerChart:
    """Draw the results of each quality rule in its last runs, a row per rule, the newest run at the right.

    Args:
        results: rule, runs_ago (0 is the newest), checked_at, result (of :data:`RESULTS`) and failed_count.
        order: the rules from top to bottom.
    """
    longest = int(results["runs_ago"].max())
    base = alt.Chart(results, height=alt.Step(CELL)).encode(
        x=alt.X(
            "runs_ago:O",
            title="runs ago",
            scale=alt.Scale(domain=list(range(longest, -1, -1)), paddingInner=GAP),
            axis=alt.Axis(labelAngle=0, labelOverlap=True, ticks=False, domain=False),
        ),
        y=alt.Y(
            "rule:N",
            title=None,
            sort=list(order),
            scale=alt.Scale(paddingInner=GAP),
            axis=alt.Axis(ticks=False, domain=False, labelLimit=LABEL_PIXELS),
        ),
        tooltip=[
            "rule:N",
            when("checked_at", "checked"),
            "result:N",
            alt.Tooltip("failed_count:Q", title="violations", format=","),
        ],
    )
    return _cells(base, "result", RESULTS)


def _cells(base: alt.Chart, field: str, states: Mapping[str, tuple[str, str]]) -> alt.LayerChart:
    """Return a grid of cells in the colour of a state.  All but the first state, the usual one, have their sign too."""
    names = list(states)
    usual, *others = names
    signs = ["", *(states[state][0] for state in others)]
    sign_of = f"{json.dumps(signs)}[indexof({json.dumps(names)}, datum.%s)]"
    coloured = base.mark_rect(cornerRadius=3, strokeWidth=1.5).encode(
        color=alt.Color(
            f"{field}:N",
            title=None,
            scale=alt.Scale(domain=names, range=[colour for _, colour in states.values()]),
            legend=alt.Legend(
                orient="top",
                labelExpr=f"{sign_of % 'value'} + ' ' + datum.value",
                symbolType="square",
                symbolSize=140,
                columns=2,
            ),
        ),
        opacity=alt.condition(f"datum.{field} == {json.dumps(usual)}", alt.value(0.4), alt.value(1)),
    )
    signed = base.mark_text(color="white", fontWeight="bold", fontSize=11).encode(text="sign:N")
    return alt.LayerChart(layer=[coloured, signed.transform_calculate(sign=sign_of % field)])
