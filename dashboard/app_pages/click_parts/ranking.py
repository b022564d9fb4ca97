"""Ranking: which items are clicked most in a period, and how that differs from another period."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd
import streamlit as st

from dashboard import as_sent, choices, click_ranking, data, quantities, ui
from dashboard.app_pages.click_parts.colours import OTHERS, domain
from dashboard.app_pages.click_parts.downloads import csv_button
from dashboard.app_pages.click_parts.periods import arrived, chosen_period, in_words
from dashboard.charts import click_charts
from dashboard.charts.drawing import draw


def show(chosen: ui.Filters, open_item: tuple[str, str]) -> int:
    """Show the part, and return the number of items of which clicks are still to be read.

    ``open_item`` has the key and the name of the part that shows one item's hours.
    """
    asked = chosen_period(chosen)
    if asked is None:
        return 0
    period, before, matching = asked
    sums = data.period_sums(period, before, matching)
    ranking = click_ranking.ranked(sums.items)
    st.caption(f"{in_words(period)}, compared with {in_words(before)}.{arrived(sums.read_at)}")
    # Its place is kept, so that the rest stays where it is when the last item is read.
    with st.container():
        left_out(sums)
    if not any(ranking["events"]) and not any(ranking["clicks_before"]):
        if not sums.not_read:
            ui.empty("No clicks in these periods", "Choose another period, or another part of a name or ID.")
        return sums.not_read
    cards(ranking)
    shares(sums.over_time, ranking, period)
    table(ranking, open_item)
    csv_button(
        click_ranking.file_name("clicks-ranking", period, partial=bool(sums.not_read or sums.items_left_out)),
        partial(click_ranking.ranking_file, ranking, period, before),
        meaning=f"The ranking of all {len(ranking):,} items, with exact counts.",
        key="ranking_csv",
    )
    return sums.not_read


def left_out(sums: data.PeriodSums) -> None:
    """Say which items the ranking does not have, and why."""
    ready = len(sums.items)
    if sums.not_read:
        st.progress(
            ready / (ready + sums.not_read),
            f"Complete for {ready:,} of {ready + sums.not_read:,} items. The others are being read: at least "
            f"{sums.reads_left:,} more queries, at most {data.READ_CALLS:,} at a time. A shorter period or a part of "
            "a name needs fewer.",
        )
    if sums.items_left_out:
        st.caption(
            f"{sums.items_left_out:,} items are left out: so many items and hours do not fit in the server's memory. "
            "Choose a shorter period, or enter a part of a name or ID."
        )


def cards(ranking: pd.DataFrame) -> None:
    total, before = sum(ranking["clicks"]), sum(ranking["clicks_before"])
    clicked = int((ranking["clicks"] > 0).sum())
    new = int((ranking["trend"] == click_ranking.NEW).sum())
    gone = int((ranking["trend"] == click_ranking.GONE).sum())
    places = st.columns(4)
    places[0].metric(
        "Clicks",
        quantities.count(total),
        delta_of(total, before),
        border=True,
        help=f"The sum of the click counts: {total:,}, and {before:,} in the comparison period.",
    )
    places[1].metric(
        "Items clicked",
        f"{clicked:,} of {len(ranking):,}",
        f"{new:,} new, {gone:,} gone",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help="New: clicked in this period, but not in the comparison period. Gone: the reverse.",
    )
    changes = list(ranking["change"])
    for place, title, change in ((places[2], "Biggest rise", max(changes)), (places[3], "Biggest fall", min(changes))):
        if change == 0 or (change > 0) != (title == "Biggest rise"):
            place.metric(title, ui.UNKNOWN_VALUE, border=True, help="No item changed in this direction.")
            continue
        row = ranking.iloc[changes.index(change)]
        shown = as_sent.markdown(row["item_name"])
        place.metric(title, shown, f"{signed(change)} clicks", border=True, help=f"{shown}: {row['trend']}")


def delta_of(clicks: int, before: int) -> str | None:
    """Return a change as a card shows it, which draws the arrow itself; None if there is none, or nothing before."""
    if not before or clicks == before:
        return None
    percent = "100 %" if not clicks else click_ranking.trend(clicks, before).lstrip("▲▼ ")
    return f"{'+' if clicks > before else '-'}{percent}"


def signed(change: int) -> str:
    return f"{'+' if change > 0 else ''}{quantities.count(change)}"


def shares(over_time: pd.DataFrame, ranking: pd.DataFrame, period: data.Period) -> None:
    if over_time.empty:
        return
    labels = labels_of(ranking[ranking["item_id"].isin(set(over_time["item_id"]))])
    drawn = over_time.assign(label=[labels.get(item, OTHERS) for item in over_time["item_id"]])
    order = [*labels.values(), *([OTHERS] if any(drawn["label"] == OTHERS) else [])]
    with st.container(border=True):
        st.markdown("**Share over time**")
        per = quantities.duration(data.bar_of(period.length).total_seconds())
        draw(
            click_charts.share_over_time(drawn, order, per, domain(order)),
            width="stretch",
            alt="Share of each item over time. The ranking has the sums.",
        )


def labels_of(items: pd.DataFrame) -> dict[str, str]:
    """Return what a chart calls each item: its name, and its ID beside it where another has the same name."""
    twice = set(items.loc[items["item_name"].duplicated(keep=False), "item_name"]) | {OTHERS}
    return {
        item: f"{name} ({item})" if name in twice else name
        for item, name in zip(items["item_id"], items["item_name"], strict=True)
    }


def table(ranking: pd.DataFrame, open_item: tuple[str, str]) -> None:
    st.markdown("**Ranking** · choose a row to see the item's hours")
    size = click_ranking.PAGE_ROWS
    page = 0
    if len(ranking) > size:
        pages = [str(number) for number in range(1, (len(ranking) - 1) // size + 2)]
        page = int(choices.one("Page", pages, "page", words=partial(page_words, len(ranking)))) - 1
    rows = ranking.iloc[page * size : (page + 1) * size]
    shown = pd.DataFrame(
        {
            "rank": rows["rank"],
            "item_name": rows["item_name"],
            "clicks": click_ranking.for_a_table(rows["clicks"]),
            "share": [None if share is None else share * 100 for share in rows["share"]],
            "trend": rows["trend"],
            "change": click_ranking.for_a_table(rows["change"]),
            "clicks_before": click_ranking.for_a_table(rows["clicks_before"]),
            "rank_before": rows["rank_before"],
            "events": click_ranking.for_a_table(rows["events"]),
            "item_id": rows["item_id"],
        }
    ).astype({"rank": "Int64", "rank_before": "Int64", "share": "float64"})
    st.dataframe(
        shown,
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        key="ranking",
        on_select=partial(_open, list(rows["item_id"]), open_item),
        selection_mode="single-row",
        height=min(36 * (len(shown) + 1), 520),
        column_config={
            "rank": st.column_config.NumberColumn("Rank", width="small"),
            "item_name": st.column_config.TextColumn("Name", width="medium"),
            "clicks": st.column_config.NumberColumn("Clicks", format="localized"),
            "share": st.column_config.ProgressColumn("Share", format="%.1f %%", min_value=0, max_value=100),
            "trend": st.column_config.TextColumn("Trend", width="small", help="The change in percent."),
            "change": st.column_config.NumberColumn("Change, clicks", format="localized"),
            "clicks_before": st.column_config.NumberColumn("Clicks before", format="localized"),
            "rank_before": st.column_config.NumberColumn("Rank before", width="small"),
            "events": st.column_config.NumberColumn("Events", format="localized", help="Records; each has a count."),
            "item_id": st.column_config.TextColumn("Item ID"),
        },
    )


def page_words(rows: int, page: str) -> str:
    first = (int(page) - 1) * click_ranking.PAGE_ROWS + 1
    return f"{first:,} to {min(rows, first + click_ranking.PAGE_ROWS - 1):,} of {rows:,}"


def _open(items: Sequence[str], open_item: tuple[str, str]) -> None:
    """Show the hours of the item in the row that a person chose."""
    selected = st.session_state["ranking"]["selection"]["rows"]
    if selected and selected[0] < len(items):
        choices.put("item", items[selected[0]])
        choices.put(*open_item)
