"""The ranking of items by clicks, with the change against another period, and as a file for a spreadsheet."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from dashboard import spreadsheet
from dashboard.data import Period
from dashboard.quantities import count

# The items that one page of the ranking shows.
PAGE_ROWS = 100

NEW, GONE, SAME = "new", "gone", "same"


def ranked(items: pd.DataFrame) -> pd.DataFrame:
    """Return ``items`` of :class:`data.PeriodSums` as a ranking, most clicked first; items without a click come last.

    Adds rank and rank_before (None without a click), share (of all clicks in the period, from 0 to 1, or None), change
    (clicks), change_share (of the clicks before; None if there were none) and trend, the change in words.  Items with
    equally many clicks have the same rank.
    """
    frame = items.sort_values(["clicks", "item_name", "item_id"], ascending=[False, True, True], ignore_index=True)
    frame["rank"] = _ranks(list(frame["clicks"]))
    frame["rank_before"] = _ranks(list(frame["clicks_before"]))
    total = sum(frame["clicks"])
    # A quotient of Python's integers is exact to a float's precision, however large they are.
    frame["share"] = pd.Series([clicks / total if total else None for clicks in frame["clicks"]], dtype="object")
    changes = list(zip(frame["clicks"], frame["clicks_before"], strict=True))
    frame["change"] = pd.Series([clicks - before for clicks, before in changes], dtype="object")
    frame["change_share"] = pd.Series(
        [(clicks - before) / before if before else None for clicks, before in changes], dtype="object"
    )
    frame["trend"] = [trend(clicks, before) for clicks, before in changes]
    return frame


def trend(clicks: int, before: int) -> str:
    """Return a change in words and signs, not in colour alone: ``▲ 12 %``, ``▼ 3 %``, ``new``, ``gone`` or ``same``."""
    if clicks == before:
        return SAME
    if not before:
        return NEW
    if not clicks:
        return GONE
    percent = abs(clicks - before) * 100 / before
    digits = count(round(percent)) if percent >= 10 else f"{percent:.1f}"
    return f"{'▲' if clicks > before else '▼'} {digits} %"


def for_a_table(counts: pd.Series) -> pd.Series:
    """Return counts as integers, or as text if one exceeds what a browser's numbers hold exactly."""
    known = [count for count in counts if count is not None]
    if all(abs(count) < 2**53 for count in known):
        return counts.astype("Int64")
    return counts.map(lambda count: None if count is None else f"{count:,}")


def ranking_file(ranking: pd.DataFrame, period: Period, before: Period) -> bytes:
    """Return ``ranking`` as CSV.  Each row names both periods: a file is read without the page beside it."""
    shown = ranking.assign(
        from_utc=period.since, until_utc=period.until, before_from_utc=before.since, before_until_utc=before.until
    )
    # As far as the page shows it.
    shown["share"] = [None if share is None else round(share * 100, 1) for share in shown["share"]]
    shown["change_share"] = [None if share is None else round(share * 100, 1) for share in shown["change_share"]]
    titles = {"share": "share_percent", "change_share": "change_percent"}
    first = ["from_utc", "until_utc", "before_from_utc", "before_until_utc", "rank", "rank_before"]
    return spreadsheet.csv(shown[[*first, *(name for name in shown if name not in first)]].rename(columns=titles))


def hours_file(hours: pd.DataFrame, item: str, name: str) -> bytes:
    """Return the hours of an item as CSV."""
    frame = hours.rename(columns={"hour": "hour_utc"})
    frame.insert(0, "item_id", item)
    frame.insert(1, "item_name", name)
    return spreadsheet.csv(frame)


def file_name(what: str, period: Period, *, partial: bool) -> str:
    """Return a name for a file: what it has, of which time in UTC, and whether something is left out."""
    return f"{what}-{_stamp(period.since)}-{_stamp(period.until)}{'-partial' if partial else ''}"


def _stamp(instant: datetime) -> str:
    return f"{instant:%Y%m%dT%H%MZ}"


def _ranks(clicks: list[int]) -> pd.Series:
    """Return each count's rank, or None for a count of 0."""
    first: dict[int, int] = {}
    for position, number in enumerate(sorted(clicks, reverse=True), start=1):
        first.setdefault(number, position)
    return pd.Series([first[number] if number else None for number in clicks], dtype="object")
