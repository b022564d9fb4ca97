"""Sums of clicks by item and minute: read once from the index, kept on the server, read again where clicks may come.

The index has one partition per item, hour and shard.  A partition of a past hour is summed once, and its sum is kept
for hours: a ranking of a day costs its clicks once, not once per refresh.  A view sends at most :data:`READ_CALLS`
queries.  What is left, the next views read; until then a ranking says how many items it leaves out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain, islice, zip_longest
from typing import Any, NamedTuple

from dashboard.data.aws import WORKERS
from include import names
from include.contracts.times import to_canonical

# What one view may read: calls of Query, and rows, which bound the calls that return a full megabyte each.
READ_CALLS = 400
READ_ROWS = 60_000
# The most sums of partitions that one view may ask for, and that the server keeps, some 300 bytes each.
MAX_PARTITIONS, MAX_KEPT = 250_000, 500_000
# How long a view waits for another that is reading; then it shows what is kept.
PATIENCE_SECONDS = 5.0

# Sorts before every timestamp.  DynamoDB accepts no empty text as a key.
BEFORE_ALL = "-"

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# A partition that may still grow is read again after so long, from so long before the last time on.
LOOK_AGAIN = timedelta(seconds=15)
OVERLAP = timedelta(minutes=2)
# An hour counts as open until so long after its end.
TAIL = timedelta(minutes=2)
# Clicks that arrive late: a partition that was read whole so long after its hour is read whole again after as long,
# within these limits.  So a late click appears after as long again as it was late, and within LATEST.
SOONEST, LATEST = timedelta(minutes=10), timedelta(hours=6)


class Partition(NamedTuple):
    """A partition of the index.  ``detailed`` asks for its sums by minute, not only for the sum of its hour."""

    key: str
    hour: datetime
    detailed: bool


@dataclass(slots=True)
class Sums:
    """What one partition holds.  Counts are Python's integers, because a sum of clicks may exceed 64 bits.

    Attributes:
        read_at: when the last reading of the newest clicks began.
        whole_at: when the last reading of the whole partition began.
        clicks: the sum of the click counts.
        events: the number of clicks in the index.
        minutes: clicks and events by minute of the hour, or None where only the hour's sums are kept.
        after: where a reading under way goes on: behind this key of the index, which two clicks never share.
    """

    read_at: datetime
    whole_at: datetime
    clicks: int = 0
    events: int = 0
    minutes: dict[int, tuple[int, int]] | None = field(default_factory=dict)
    after: str = ""

    def between(self, first: int, end: int) -> tuple[int, int]:
        """Return clicks and events of the minutes from ``first`` up to but not including ``end``.

        Raises:
            ValueError: only the sums of the whole hour are kept.
        """
        if first <= 0 and end >= 60:
            return self.clicks, self.events
        if self.minutes is None:
            raise ValueError("only the sums of the whole hour are kept")
        clicks = events = 0
        for minute, (more_clicks, more_events) in self.minutes.items():
            if first <= minute < end:
                clicks, events = clicks + more_clicks, events + more_events
        return clicks, events

    def is_open(self, hour: datetime) -> bool:
        """Return whether clicks of ``hour`` could still come in time when this was read."""
        return self.read_at < hour + HOUR + TAIL

    def add(self, minute: int, clicks: int) -> None:
        """Count one click of the index."""
        if self.minutes is None:
            raise ValueError("only the sums of the whole hour are kept")
        before, events = self.minutes.get(minute, (0, 0))
        self.minutes[minute] = before + clicks, events + 1
        self.clicks, self.events = self.clicks + clicks, self.events + 1


class Reading(NamedTuple):
    """What one view read: calls of Query and rows; ``left``: partitions that it had to leave to later views."""

    calls: int
    rows: int
    left: int


class ClickSums:
    """The sums of partitions.  One object serves all sessions."""

    def __init__(self) -> None:
        self._kept: dict[str, Sums] = {}
        # Readings under way: they take the place of what is kept when they are done.
        self._begun: dict[str, Sums] = {}
        self._lock = threading.Lock()

    def of(self, partition: Partition) -> Sums | None:
        """Return the sums of ``partition``, or None if it is not read yet, or not in the detail that is asked for."""
        kept = self._kept.get(partition.key)
        return None if kept is None or (partition.detailed and kept.minutes is None) else kept

    def read(self, dynamodb: Any, partitions: Sequence[Partition], now: datetime) -> Reading:
        """Bring ``partitions`` up to date as far as one view may read: the first of them first.

        Half of the calls go to partitions that may have changed, longest unread first, as long as others were never
        read: neither waits for the other.
        """
        if not self._lock.acquire(timeout=PATIENCE_SECONDS):
            return Reading(0, 0, sum(self.of(partition) is None for partition in partitions))
        try:
            self._make_room(partitions)
            missing = [partition for partition in partitions if self.of(partition) is None]
            missing.sort(key=lambda partition: partition.key not in self._begun)
            due = sorted(self._due(partitions, now), key=lambda found: found[0])
            turns = chain.from_iterable(zip_longest(missing, (partition for _, partition in due)))
            budget = _Budget(READ_CALLS, READ_ROWS)
            chosen = list(islice((partition for partition in turns if partition), READ_CALLS))
            if chosen:
                with ThreadPoolExecutor(WORKERS) as pool:
                    list(pool.map(lambda partition: self._read(dynamodb, partition, now, budget), chosen))
            left = sum(self.of(partition) is None for partition in missing)
            return Reading(READ_CALLS - budget.calls, READ_ROWS - budget.rows, left)
        finally:
            self._lock.release()

    def _due(self, partitions: Iterable[Partition], now: datetime) -> Iterator[tuple[datetime, Partition]]:
        """Yield the partitions that may have changed since they were read, each with the time of that."""
        for partition in partitions:
            kept = self.of(partition)
            if kept is None:
                continue
            if (kept.is_open(partition.hour) and now - kept.read_at >= LOOK_AGAIN) or _late(kept, partition, now):
                yield kept.read_at, partition

    def _read(self, dynamodb: Any, partition: Partition, now: datetime, budget: _Budget) -> None:
        """Read a partition, or as much of it as ``budget`` allows; another view reads on from there."""
        begun = self._begun.pop(partition.key, None) or self._begin(partition, now)
        while budget.take():
            page = _page(dynamodb, partition.key, begun.after)
            budget.spend(len(page["Items"]))
            for item in page["Items"]:
                begun.after = item["Timestamp"]["S"]
                begun.add(int(begun.after[14:16]), _integer(item["Click_Counts"]["N"]))
            if "LastEvaluatedKey" not in page:
                if begun.events and not partition.detailed and not begun.is_open(partition.hour):
                    begun.minutes = None
                self._kept[partition.key] = begun
                return
        self._begun[partition.key] = begun

    def _begin(self, partition: Partition, now: datetime) -> Sums:
        """Return the sums from which a reading starts: of nothing, or of the minutes that are not read again."""
        kept = self.of(partition)
        if kept is None or kept.minutes is None or _late(kept, partition, now):
            return Sums(now, now)
        again = min((kept.read_at - OVERLAP - partition.hour) // MINUTE, 59)
        if again <= 0:
            return Sums(now, now)
        return Sums(
            now,
            kept.whole_at,
            *kept.between(0, again),
            {minute: sums for minute, sums in kept.minutes.items() if minute < again},
            # The minute alone: it sorts before every click of that minute, and behind all earlier ones.
            to_canonical(partition.hour + again * MINUTE)[:16],
        )

    def _make_room(self, partitions: Sequence[Partition]) -> None:
        """Forget what this view does not ask for, once the most is kept."""
        if len(self._kept) + len(self._begun) > MAX_KEPT:
            wanted = {partition.key for partition in partitions}
            self._kept = {key: sums for key, sums in self._kept.items() if key in wanted}
            self._begun = {key: sums for key, sums in self._begun.items() if key in wanted}


class _Budget:
    """What a view may still read.  Threads share it."""

    def __init__(self, calls: int, rows: int) -> None:
        self.calls, self.rows = calls, rows
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Take one call, and say whether there was one left."""
        with self._lock:
            if self.calls <= 0 or self.rows <= 0:
                return False
            self.calls -= 1
            return True

    def spend(self, rows: int) -> None:
        with self._lock:
            self.rows -= rows


def _late(sums: Sums, partition: Partition, now: datetime) -> bool:
    """Whether it is time to look for clicks that arrived late, anywhere in the hour."""
    over = sums.whole_at - partition.hour - HOUR
    return now - sums.whole_at >= min(max(over, SOONEST), LATEST)


def _page(dynamodb: Any, key: str, after: str) -> Any:
    """Return one page of a partition, oldest first, behind the key ``after``."""
    return dynamodb.query(
        TableName=names.CLICK_TABLE,
        IndexName=names.CLICK_INDEX,
        KeyConditionExpression="Item_Hour_Shard = :partition AND #time > :after",
        ExpressionAttributeNames={"#time": "Timestamp"},
        ExpressionAttributeValues={":partition": {"S": key}, ":after": {"S": after or BEFORE_ALL}},
        ProjectionExpression="#time, Click_Counts",
    )


def _integer(text: str) -> int:
    """Return a count; DynamoDB writes a large one with an exponent."""
    try:
        return int(text)
    except ValueError:
        return int(Decimal(text))
