"""One item: its clicks by hour, each beside the same hour a day before."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pandas as pd
import streamlit as st

from dashboard import choices, click_ranking, data, quantities, times, ui
from dashboard.app_pages.click_parts.downloads import csv_button
from dashboard.app_pages.click_parts.periods import arrived, in_words
from dashboard.charts import click_charts
from dashboard.charts.drawing import draw

SPANS = {"24": "24 hours", "72": "3 days", "168": "7 days"}


def show() -> int:
    """Show the part, and return the number of hours that are still to be read."""
    names = data.items()
    if not names:
        ui.empty("No item has been clicked yet", "Start traffic with the DAG **generate_traffic** in Airflow.")
        return 0
    places = st.columns(2)
    with places[0]:
        item = choices.one("Item", list(names), "item", words=lambda item: f"{names[item]} ({item})")
    with places[1]:
        hours = int(choices.one("Hours", list(SPANS), "hours", words=SPANS.__getitem__))
    now = data.now().replace(second=0, microsecond=0)
    since = now.replace(minute=0) - timedelta(hours=hours - 1)
    answer = data.item_hours(item, since, now)
    if answer.not_read:
        st.progress(1 - answer.not_read / hours, f"{answer.not_read:,} hours are still being read.")
    shown = answer.hours
    if not any(shown["events"]):
        if not answer.not_read:
            ui.empty(f"No clicks in the last {SPANS[str(hours)]}", "Choose another item, or more hours.")
        return answer.not_read
    total = sum(shown["clicks"])
    st.caption(f"{in_words(data.Period(since, now))}; the last hour is not over.{arrived(answer.read_at)}")
    cards = st.columns(3)
    cards[0].metric("Clicks", quantities.count(total), border=True, help=f"The sum of the click counts: {total:,}.")
    cards[1].metric("Click events", f"{sum(shown['events']):,}", border=True)
    busiest = shown.iloc[max(range(len(shown)), key=lambda row: shown["clicks"].iloc[row])]
    cards[2].metric(
        times.titled("Busiest hour"),
        times.to_the_second(busiest["hour"])[:16],
        f"{quantities.count(busiest['clicks'])} clicks",
        delta_color="off",
        delta_arrow="off",
        border=True,
    )
    period = data.Period(since, now)
    file_name = click_ranking.file_name("clicks-item-hours", period, partial=bool(answer.not_read))
    with st.container(border=True):
        st.markdown("**Clicks per hour** · the line marks the same hour a day before")
        draw(
            click_charts.clicks_per_hour(shown),
            width="stretch",
            alt="Clicks of the item per hour, and a day before. The table below has the numbers.",
        )
    table(shown, now)
    csv_button(
        file_name,
        partial(click_ranking.hours_file, shown, item, names[item]),
        meaning="The hours above, with exact counts.",
        key="hours_csv",
    )
    return answer.not_read


def table(hours: pd.DataFrame, now: datetime) -> None:
    is_over = hours["hour"] <= now - timedelta(hours=1)
    rows = pd.DataFrame(
        {
            "hour": hours["hour"],
            "clicks": click_ranking.for_a_table(hours["clicks"]),
            "day_before": click_ranking.for_a_table(hours["clicks_day_before"]),
            # An hour that is not over has fewer clicks than a whole one.
            "trend": [
                click_ranking.trend(clicks, before) if over and before is not None else None
                for clicks, before, over in zip(hours["clicks"], hours["clicks_day_before"], is_over, strict=True)
            ],
            "events": click_ranking.for_a_table(hours["events"]),
        }
    )
    st.dataframe(
        rows,
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        height=320,
        column_config={
            "hour": times.column("Hour", precision="minutes"),
            "clicks": st.column_config.NumberColumn("Clicks", format="localized"),
            "day_before": st.column_config.NumberColumn("The day before", format="localized"),
            "trend": st.column_config.TextColumn("Trend"),
            "events": st.column_config.NumberColumn("Events", format="localized"),
        },
    )
