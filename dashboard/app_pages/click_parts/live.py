"""Live: the clicks of the last minutes or hours, to the second."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from dashboard import as_sent, data, quantities, spreadsheet, times, ui
from dashboard.app_pages.click_parts.colours import OTHERS, domain
from dashboard.app_pages.click_parts.downloads import csv_button
from dashboard.charts import click_charts
from dashboard.charts.drawing import draw

NEWEST_SHOWN = 200
# The items that have a colour of their own; all others together are gray, the next one.
MOST_DRAWN = 6


def show(chosen: ui.Filters) -> None:
    """Show the part."""
    answer = data.clicks(chosen.minutes)
    clicks = answer.frame
    last = clicks["time"].iloc[0] if len(clicks) else data.newest_click()
    ui.freshness("click", last)
    if clicks.empty:
        if last is None:
            step = "Start traffic with the DAG **generate_traffic** in Airflow. Clicks appear here seconds later."
        else:
            step = "Choose a longer time window on the left, or start the DAG **generate_traffic** in Airflow."
        ui.empty(f"No clicks in the last {chosen.window}", step)
        return
    clicked(clicks, chosen.minutes)
    if answer.complete_since:
        st.caption(
            f"Only the newest {len(clicks):,} click events are counted, from {times.named(answer.complete_since)} "
            "on. Choose a shorter time window to see all of them."
        )
    if answer.items_left_out:
        st.caption(f"{answer.items_left_out:,} items beyond the first {data.MAX_ITEMS} are not shown.")


def clicked(clicks: pd.DataFrame, minutes: int) -> None:
    totals = clicks.groupby("item_name", as_index=False).agg(clicks=("clicks", "sum"), events=("clicks", "size"))
    totals = totals.sort_values("clicks", ascending=False, ignore_index=True)
    delay = clicks["delay"].median()
    last_minute = clicks.loc[clicks["time"] >= data.now() - data.RECENT, "clicks"].sum()

    total = totals["clicks"].sum()
    cards = st.columns(5)
    cards[0].metric(
        "Clicks",
        quantities.count(total),
        border=True,
        help=f"The sum of the click counts in the time window: {total:,}.",
    )
    cards[1].metric(
        "Click events",
        f"{len(clicks):,}",
        border=True,
        help="The number of records in the time window. Each record has a click count.",
    )
    cards[2].metric("Clicks, last minute", quantities.count(last_minute), border=True)
    most_clicked = as_sent.markdown(totals["item_name"].iloc[0])
    cards[3].metric("Most clicked", most_clicked, border=True, help=most_clicked)
    cards[4].metric(
        "Delay, median",
        ui.UNKNOWN_VALUE if pd.isna(delay) else f"{delay:.1f} s",
        border=True,
        help="The time from a click's arrival in the stream until it is in DynamoDB.",
    )

    charts(clicks, totals, minutes)
    newest(clicks.head(NEWEST_SHOWN))


def charts(clicks: pd.DataFrame, totals: pd.DataFrame, minutes: int) -> None:
    drawn = sorted(totals["item_name"].head(MOST_DRAWN if len(totals) > MOST_DRAWN + 1 else len(totals)))
    clicks, totals = (
        frame.assign(item_name=frame["item_name"].where(frame["item_name"].isin(drawn), OTHERS))
        for frame in (clicks, totals)
    )
    totals = totals.groupby("item_name", as_index=False)["clicks"].sum()
    order = [*drawn, OTHERS] if len(totals) > len(drawn) else drawn
    colours = domain(order)
    over_time, by_item = st.columns([2, 1])
    with over_time.container(border=True):
        st.markdown("**Clicks over time**")
        draw(
            click_charts.clicks_over_time(clicks, bucket_seconds(minutes), order, colours),
            width="stretch",
            alt="Clicks over time, by item. The table below lists the newest.",
        )
    with by_item.container(border=True):
        st.markdown("**Clicks per item**")
        draw(click_charts.item_totals(totals, colours), width="stretch", alt="Clicks per item, the most clicked first.")


def newest(clicks: pd.DataFrame) -> None:
    st.markdown("**Newest clicks**")
    shown = clicks[["time", "item_id", "item_name", "clicks", "delay"]]
    st.dataframe(
        # A browser's numbers are floats, and a count may exceed 64 bits.
        shown.astype({"clicks": "float64"}),
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        height=320,
        column_config={
            "time": times.column("Time", precision="milliseconds", width="medium"),
            "item_id": st.column_config.TextColumn("Item", width="small"),
            "item_name": st.column_config.TextColumn("Name"),
            "clicks": st.column_config.NumberColumn("Clicks", format="localized"),
            "delay": st.column_config.NumberColumn(
                "Delay, s", format="%.2f", help="From arrival in the stream to DynamoDB."
            ),
        },
    )
    csv_button(
        "clicks-newest",
        partial(spreadsheet.csv, shown.rename(columns={"time": "time_utc", "delay": "delay_seconds"})),
        meaning="The clicks above, with exact counts.",
        key="newest_csv",
    )


def bucket_seconds(minutes: int) -> int:
    """Return the width of a bar, so that a chart of any window has about sixty (48 to 72) bars."""
    return {5: 5, 15: 15, 60: 60, 360: 300, 1440: 1800}[minutes]
