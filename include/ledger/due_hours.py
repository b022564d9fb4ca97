"""Which hours of a stream the ledger counts next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from include import names
from include.ledger.balance import HOUR

# New hours of a stream per run, when the ledger starts or after an outage of the ledger itself.
MAX_NEW_HOURS = 24
# An hour with a difference is counted again for this long.
RECHECKED_FOR = timedelta(hours=48)
# Hours of clicks are counted once more at this age: a click that is sent again later with other content is the row
# then, and only the archive of the earlier hour has what it was before.
SECOND_COUNT_AFTER = timedelta(hours=24)

# From the first hour to before the second.
Span = tuple[datetime, datetime]


class LedgerRow(NamedTuple):
    """An hour in CONSERVATION_LEDGER: when it was last counted, and how many records differ as people know."""

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
) -> list[datetime]:
    """The hours of a stream to count now: those not counted since they closed, and those to count again.

    Args:
        first: the hour in which the stream's archive begins; None while it is empty.
        known: hour -> its row in the ledger.
        grace: how long after its end an hour stays open.
        quiet: spans in which nothing happened, so that their hours need not be counted (quiet_hours.py).
    """
    if first is None:
        return []
    again = {hour for hour, row in known.items() if not row.is_open and _is_due_again(stream, hour, row, now)}
    closed_hours = (now - grace - first) // HOUR
    closed = (first + number * HOUR for number in range(max(0, closed_hours)))
    uncounted = [hour for hour in closed if (known[hour].is_open if hour in known else not _is_in(quiet, hour))]
    return sorted(again.union(uncounted[:MAX_NEW_HOURS]))


def is_unsettled(hour: datetime, row: LedgerRow, now: datetime) -> bool:
    """Whether an hour is to be counted again, but for the second count of clicks."""
    if row.is_open or row.balanced != (row.alerted is None):
        return True
    return hour >= now - RECHECKED_FOR and (not row.balanced or row.waiting > 0)


def _is_in(spans: Sequence[Span], hour: datetime) -> bool:
    return any(since <= hour < until for since, until in spans)


def _is_due_again(stream: str, hour: datetime, row: LedgerRow, now: datetime) -> bool:
    if row.balanced != (row.alerted is None):
        # People know something else: the run that found it was killed before it stored an alert.
        return True
    if hour < now - RECHECKED_FOR:
        return False
    second_count = hour + HOUR + SECOND_COUNT_AFTER
    needs_second_count = stream == names.CLICK_STREAM and row.checked_at < second_count <= now
    return not row.balanced or row.waiting > 0 or needs_second_count
