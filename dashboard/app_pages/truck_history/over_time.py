"""Metrics of a truck over time: the values themselves if there are few, otherwise their range and mean by slice.

A status is a band over each of its values.
"""

from __future__ import annotations

from datetime import datetime

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import choices, data, metric_series, ui
from dashboard.app_pages.truck_history.timeline import Shown, width_in_words
from dashboard.charts import truck_charts
from dashboard.charts.drawing import draw
from dashboard.spans import Span

DEFAULT = ("vehicle_speed", "fuel_level")
# More charts than these are more than a person compares, and each is a query.
MOST_METRICS = 6


def show(truck: str, span: Span, shown: Shown, instant: datetime | None) -> None:
    """Show the metrics that a person chooses."""
    names = {ui.label(metric): metric for metric in data.METRIC_NAMES}
    labels = {metric: label for label, metric in names.items()}
    picked = choices.many("Metrics", list(names), [labels[metric] for metric in DEFAULT], key="metric")
    if not picked:
        ui.empty("No metric is chosen", "Choose one or more above.")
        return
    visible = instant if instant is not None and span.since <= instant <= span.until else None
    st.caption(explanation(shown))
    columns = st.columns(2 if len(picked) > 1 else 1)
    for position, label in enumerate(picked[:MOST_METRICS]):
        with columns[position % len(columns)].container(border=True):
            st.markdown(f"**{label}**")
            chart = drawn(truck, names[label], span, shown, visible)
            if chart is None:
                st.caption("Not known at any time in this span.")
            else:
                draw(chart, width="stretch", alt=f"{label} over time.")
    if len(picked) > MOST_METRICS:
        st.caption(f"The first {MOST_METRICS} of {len(picked)} metrics are shown.")


def drawn(truck: str, metric: str, span: Span, shown: Shown, instant: datetime | None) -> alt.LayerChart | None:
    """Return the chart of a metric, or None if it is not known at any time in the span."""
    if metric in data.STATUSES:
        runs = metric_series.of_statuses(data.status_runs(truck, metric, span.since, span.until), span)
        return None if runs.empty else truck_charts.status_bands(runs, span, instant)
    steps = steps_of(truck, metric, span, shown)
    if steps["mean"].isna().all():
        return None
    return truck_charts.metric_steps(steps, ui.UNITS[metric], span, instant)


def explanation(shown: Shown) -> str:
    """Return how to read the charts."""
    holds = "A value holds from the start of its version to the end. Where no value is known, there is a gap."
    if shown.versions is not None:
        return f"Each step is a version. {holds}"
    return (
        f"{shown.total:,} versions in slices of {width_in_words(shown.width)}: the line is the mean over time, "
        f"the band reaches from the lowest to the highest value. {holds}"
    )


def steps_of(truck: str, metric: str, span: Span, shown: Shown) -> pd.DataFrame:
    """Return a metric's steps: of each version if the time line shows single ones, otherwise of each slice."""
    if shown.versions is not None:
        return metric_series.of_versions(shown.versions, metric, span)
    slices = data.metric_slices(truck, metric, span.since, span.until, shown.width)
    return metric_series.of_slices(slices, span, shown.width)
