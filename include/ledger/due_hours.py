"""Which hours of a stream the ledger counts next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from include import names
from include.archive import ArchiveObject
from include.archive.archive_objects import CLOCK_DIFFERENCE, LONGEST_DELIVERY, hour_of
from include.ledger.balance import HOUR

# New hours of a stream per run, when the ledger starts or after an outage of the ledger itself.
MAX_NEW_HOURS = 24
# An hour with a difference is counted again for this long, and one whose records come after it was counted.
RECHECKED_FOR = timedelta(hours=48)
# Hours of clicks are counted once more at this age: a click that is sent again later with other content is the row
# then, and only the archive of the earlier hour has what it was before.
SECOND_COUNT_AFTER = timedelta(hours=24)

# From the first hour to before the second.
Span = tuple[datetime, datetime]


class LedgerRow(NamedTuple):
    """An hour in CONSERVATION_LEDGER: when its last count began, and how many records differ as people know."""

    is_open: bool
    balanced: bool
    waiting: int
    checked_at: datetime
    # Kind of difference -> records, as last alerted; None if people believe that the hour balances.
    alerted: dict[str, int] | None


def due_hours(
    stream: str,
    first: datetime | None,
    known: Mapping[datetime, LedgerRow],
    now: datetime,
    grace: timedelta,
    quiet: Sequence[Span] = (),
    objects: Iterable[ArchiveObject] = (),
) -> list[datetime]:
    """The hours of a stream to count now: those not counted since they closed, and those to count again.

    An hour balances if its records are in no store yet: while S3 refuses writes, the archive lacks what the functions
    hold.  So an hour is due again when an object that can have its records is stored after it was counted.

    Args:
        first: the hour in which the stream's archive begins; None while it is empty.
        known: hour -> its row in the ledger.
        grace: how long after its end an hour stays open.
        quiet: spans in which nothing happened, so that their hours need not be counted (quiet_hours.py).
        objects: of the archive, that can have records of the hours counted again (reconciliation.stored_lately).
    """
    if first is None:
        return []
    stored = _newest_by_hour(objects)
    again = {hour for hour, row in known.items() if not row.is_open and _is_due_again(stream, hour, row, now, stored)}
    closed_hours = (now - grace - first) // HOUR
    closed = (first + number * HOUR for number in range(max(0, closed_hours)))

    def is_left_out(hour: datetime) -> bool:
        # When a run looked for records of a quiet hour, the hour had closed.
        return _is_in(quiet, hour) and not _has_gained(hour, hour + HOUR + grace, stored)

    uncounted = [hour for hour in closed if (known[hour].is_open if hour in known else not is_left_out(hour))]
    return sorted(again.union(uncounted[:MAX_NEW_HOURS]))


def is_unsettled(hour: datetime, row: LedgerRow, now: datetime) -> bool:
    """Whether an hour is to be counted again, but for the second count of clicks."""
    if row.is_open or row.balanced != (row.alerted is None):
        return True
    return hour >= now - RECHECKED_FOR and (not row.balanced or row.waiting > 0)


def _is_in(spans: Sequence[Span], hour: datetime) -> bool:
    return any(since <= hour < until for since, until in spans)


def _newest_by_hour(objects: Iterable[ArchiveObject]) -> dict[datetime, datetime]:
    """The hour in an object's key -> when the newest of its objects was stored.

    Without those that Firehose can't have stored so late: an erasure has rewritten them, which brings no record.
    """
    newest: dict[datetime, datetime] = {}
    for each in objects:
        hour = hour_of(each.key)
        if each.modified <= hour + HOUR + LONGEST_DELIVERY + CLOCK_DIFFERENCE:
            newest[hour] = max(each.modified, newest.get(hour, each.modified))
    return newest


def _has_gained(hour: datetime, seen_at: datetime, stored: Mapping[datetime, datetime]) -> bool:
    """Whether an object that can have records of an hour, which was over at ``seen_at``, was stored since.

    An object is under the hour of its oldest record, and may have records of each hour until it was stored.
    """
    return any(first <= hour and modified > seen_at - CLOCK_DIFFERENCE for first, modified in stored.items())


def _is_due_again(
    stream: str, hour: datetime, row: LedgerRow, now: datetime, stored: Mapping[datetime, datetime]
) -> bool:
    if row.balanced != (row.alerted is None):
        # People know something else: the run that found it was killed before it stored an alert.
        return True
    if hour < now - RECHECKED_FOR:
        return False
    second_count = hour + HOUR + SECOND_COUNT_AFTER
    needs_second_count = stream == names.CLICK_STREAM and row.checked_at < second_count <= now
    return not row.balanced or row.waiting > 0 or needs_second_count or _has_gained(hour, row.checked_at, stored)
