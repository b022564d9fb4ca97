"""Clicks of a period and of another one of the same length, by item: what a ranking compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard.data.aws import client, errors_of
from dashboard.data.click_sums import HOUR, MAX_PARTITIONS, MINUTE, ClickSums, Partition, Sums
from dashboard.data.clock import hours_between, now
from dashboard.data.dynamodb import items
from dashboard.data.lifetimes import LIVE
from dashboard.data.settings import deployment
from dashboard.data.stores import CLICK_STORE
from include import click_table

DAY = timedelta(days=1)
# The items that have a colour of their own in the share over time; all others are gray, the next one.
MOST_SHARES = 6


class Period(NamedTuple):
    """The time from ``since`` up to but not including ``until``, both at a full minute."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since

    def before(self, offset: timedelta) -> Period:
        """Return the period of the same length that begins ``offset`` earlier."""
        return Period(self.since - offset, self.until - offset)

    def minutes_of(self, hour: datetime) -> tuple[int, int]:
        """Return the minutes of ``hour`` that are in the period: the first one, and the first one after it."""
        return max(0, (self.since - hour) // MINUTE), min(60, (self.until - hour) // MINUTE)


class PeriodSums(NamedTuple):
    """What a ranking shows.  Counts are Python's integers: a sum of clicks may exceed 64 bits.

    Attributes:
        items: item_id, item_name, clicks, events, and clicks_before, of the items that are read completely.
        over_time: start, end, item_id and clicks of the most clicked :data:`MOST_SHARES` items and, without an
            item_id, of all others together.
        not_read: the number of items of which clicks are still to be read; the next views read on.
        reads_left: the number of calls that this needs at least.
        items_left_out: the number of items for which the server has no room.
        read_at: the clicks that had arrived by then are counted; None if nothing may still come in time.
        calls, rows: what this view read of the index.
    """

    items: pd.DataFrame
    over_time: pd.DataFrame
    not_read: int
    reads_left: int
    items_left_out: int
    read_at: datetime | None
    calls: int
    rows: int


class ItemHours(NamedTuple):
    """The clicks of one item by hour.

    Attributes:
        hours: hour, clicks, events and clicks_day_before (None if it is not read yet), newest first.
        not_read: the number of hours that are still to be read; the next views read on.
        read_at: the clicks that had arrived by then are counted; None if nothing may still come in time.
    """

    hours: pd.DataFrame
    not_read: int
    read_at: datetime | None


def bar_of(length: timedelta) -> timedelta:
    """Return the width of a bar, so that a period of up to two days has at most about sixty."""
    for longest, width in ((15, 1), (60, 2), (360, 10)):
        if length <= longest * MINUTE:
            return width * MINUTE
    return HOUR


@st.cache_data(ttl=LIVE, max_entries=50, show_spinner=False)
def period_sums(period: Period, before: Period, matching: str = "") -> PeriodSums:
    """Return the clicks of each item in ``period`` and ``before``, as far as one view may read them.

    ``matching`` is a part of an item's ID or name, in any case, or nothing for all items.

    Raises:
        StoreUnavailableError: DynamoDB can't answer.
    """
    word = matching.casefold()
    names = {item: name for item, name in items().items() if word in item.casefold() or word in name.casefold()}
    return _sums_of(names, period, before)


@st.cache_data(ttl=LIVE, max_entries=50, show_spinner=False)
def item_hours(item: str, since: datetime, until: datetime) -> ItemHours:
    """Return the clicks of one item by hour, from the hour of ``since`` on; nothing is read of any other item.

    Raises:
        StoreUnavailableError: DynamoDB can't answer.
    """
    hours = hours_between(since - DAY, until)
    shards = deployment().click_index_shards
    wanted = {hour: _partitions([item], hour, shards, detailed=False) for hour in reversed(hours)}
    kept = _sums()
    with errors_of(CLICK_STORE):
        kept.read(client("dynamodb"), [partition for each in wanted.values() for partition in each], now())
    found = {hour: [kept.of(partition) for partition in each] for hour, each in wanted.items()}
    known = {hour: [each for each in sums if each is not None] for hour, sums in found.items() if None not in sums}
    clicks = {hour: sum(each.clicks for each in sums) for hour, sums in known.items()}
    shown = [hour for hour in wanted if hour >= hours[0] + DAY]
    rows = [
        (pd.Timestamp(hour), clicks[hour], sum(each.events for each in known[hour]), clicks.get(hour - DAY))
        for hour in shown
        if hour in known
    ]
    # Objects: a count may exceed 64 bits, and a missing one must not turn the others into floats.
    frame = pd.DataFrame(rows, columns=["hour", "clicks", "events", "clicks_day_before"], dtype="object")
    frame["hour"] = pd.to_datetime(frame["hour"], utc=True)
    reads = [each.read_at for hour, sums in known.items() for each in sums if each.is_open(hour)]
    return ItemHours(frame, len(shown) - len(rows), min(reads, default=None))


@st.cache_resource(show_spinner=False)
def _sums() -> ClickSums:
    return ClickSums()


def _partitions(asked: Sequence[str], hour: datetime, shards: int, *, detailed: bool) -> list[Partition]:
    return [Partition(key, hour, detailed) for key in click_table.partitions(asked, hour, shards)]


def _sums_of(names: dict[str, str], period: Period, before: Period) -> PeriodSums:
    """Read the partitions of the items as far as one view may, and sum up the items that are complete."""
    bar = bar_of(period.length)
    hours = {
        hour: _Hour(hour, period, before, bar)
        for each in (period, before)
        for hour in hours_between(each.since, each.until - MINUTE)
    }
    newest_first = [hours[hour] for hour in sorted(hours, reverse=True)]
    shards = deployment().click_index_shards
    room = MAX_PARTITIONS // (len(hours) * shards)
    asked = list(names)[:room]
    partitions = {
        item: [
            partition
            for hour in newest_first
            for partition in _partitions([item], hour.start, shards, detailed=hour.detailed)
        ]
        for item in asked
    }
    kept = _sums()
    with errors_of(CLICK_STORE):
        reading = kept.read(client("dynamodb"), _in_turn(partitions, shards), now())
    in_hours = [hour for hour in newest_first for _ in range(shards)]
    complete: dict[str, _Item] = {}
    for item in asked:
        found = [kept.of(partition) for partition in partitions[item]]
        known = [sums for sums in found if sums is not None]
        if len(known) == len(found):
            complete[item] = _Item.of(list(zip(in_hours, known, strict=True)))
    rows = [(item, names[item], each.clicks, each.events, each.before) for item, each in complete.items()]
    columns = ["item_id", "item_name", "clicks", "events", "clicks_before"]
    return PeriodSums(
        items=pd.DataFrame(rows, columns=columns, dtype="object"),
        over_time=_over_time(complete, period, bar),
        not_read=len(asked) - len(complete),
        reads_left=reading.left,
        items_left_out=len(names) - len(asked),
        read_at=min((each.read_at for each in complete.values() if each.read_at), default=None),
        calls=reading.calls,
        rows=reading.rows,
    )


def _in_turn(partitions: dict[str, list[Partition]], shards: int) -> list[Partition]:
    """Return the partitions in the order in which they are read: those of the newest hour, and then item by item.

    The items with the most clicks in the newest hour come first, so the top of a ranking is complete before the rest.
    """
    newest = [partition for each in partitions.values() for partition in each[:shards]]

    def clicks(item: str) -> int:
        return sum(sums.clicks for partition in partitions[item][:shards] if (sums := _sums().of(partition)))

    first = sorted(partitions, key=clicks, reverse=True)
    return [*newest, *(partition for item in first for partition in partitions[item][shards:])]


class _Hour:
    """What an hour has to do with both periods."""

    def __init__(self, start: datetime, period: Period, before: Period, bar: timedelta) -> None:
        self.start = start
        self.in_period, self.in_before = period.minutes_of(start), before.minutes_of(start)
        self.bar = bar
        asked = [each for each in (self.in_period, self.in_before) if each[0] < each[1]]
        self.detailed = any(each != (0, 60) for each in asked) or (self.in_period in asked and bar < HOUR)


class _Item(NamedTuple):
    """The sums of one item in both periods."""

    clicks: int
    events: int
    before: int
    read_at: datetime | None
    hours: Sequence[tuple[_Hour, Sums]]

    @classmethod
    def of(cls, hours: Sequence[tuple[_Hour, Sums]]) -> _Item:
        clicks = events = before = 0
        reads = []
        for hour, sums in hours:
            if hour.in_period[0] < hour.in_period[1]:
                more_clicks, more_events = sums.between(*hour.in_period)
                clicks, events = clicks + more_clicks, events + more_events
            if hour.in_before[0] < hour.in_before[1]:
                before += sums.between(*hour.in_before)[0]
            if sums.is_open(hour.start):
                reads.append(sums.read_at)
        return cls(clicks, events, before, min(reads, default=None), hours)

    def bars(self) -> Counter[datetime]:
        """Return the clicks by the start of each bar."""
        found = Counter[datetime]()
        for hour, sums in self.hours:
            first, end = hour.in_period
            if sums.events and first < end:
                if hour.bar == HOUR:
                    found[hour.start] += sums.between(first, end)[0]
                else:
                    for minute, (clicks, _) in (sums.minutes or {}).items():
                        if first <= minute < end:
                            found[hour.start + minute * MINUTE // hour.bar * hour.bar] += clicks
        return found


def _over_time(complete: dict[str, _Item], period: Period, bar: timedelta) -> pd.DataFrame:
    """Return the frame of :class:`PeriodSums`: the most clicked items, and all others together."""
    ranked = sorted(complete, key=lambda item: (-complete[item].clicks, item))
    shown, others = ranked[:MOST_SHARES], Counter[datetime]()
    for item in ranked[MOST_SHARES:]:
        if complete[item].clicks:
            others.update(complete[item].bars())
    rows = [
        (pd.Timestamp(start), pd.Timestamp(min(start + bar, period.until)), item, clicks)
        for item, bars in [*((item, complete[item].bars()) for item in shown), (None, others)]
        for start, clicks in bars.items()
        if clicks
    ]
    frame = pd.DataFrame(rows, columns=["start", "end", "item_id", "clicks"], dtype="object")
    for column in ("start", "end"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame.sort_values("start", kind="stable", ignore_index=True)
