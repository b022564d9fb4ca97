"""Hours in which nothing happened: the ledger does not count them, and so needs no warehouse for them.

An hour is quiet if nothing of it is in the raw archive, in quarantine or in the click table, and Snowpipe loaded
nothing since the last count.  All this is asked without Snowflake, or answered by its services layer.  A quiet hour
whose records reach the archive later is counted after all (due_hours.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from include import archive, names
from include.aws_clients import StoreClients
from include.ledger.balance import HOUR
from include.ledger.click_rows import DynamoClickRows
from include.ledger.due_hours import MAX_NEW_HOURS, RECHECKED_FOR, SECOND_COUNT_AFTER, LedgerRow, Span, is_unsettled
from include.ledger.held_records import held_rows
from include.pipe_and_stream import PipeActivity

# Quiet hours are remembered for as long as the ledger may begin to count late.
REMEMBERED_FOR = timedelta(days=90)


class LastCount(msgspec.Struct, frozen=True):
    """What a run leaves for the next one.

    ``until`` is the hour up to which everything is counted or quiet, and ``loaded`` what the pipe had loaded then.
    ``is_settled`` says that no hour waits to be counted again, but for the second count of clicks, the last of which is
    due at ``second_count_at``.  ``quiet`` are the spans that were not counted.
    """

    until: datetime
    loaded: PipeActivity
    is_settled: bool
    second_count_at: datetime | None = None
    quiet: tuple[Span, ...] = ()

    def with_quiet(self, until: datetime) -> LastCount:
        """Return it as it is when the hours up to ``until`` were quiet too."""
        if until <= self.until:
            return self
        since, kept = self.until, [span for span in self.quiet if span[1] > until - REMEMBERED_FOR]
        if kept and kept[-1][1] == since:
            since = kept.pop()[0]
        return msgspec.structs.replace(self, until=until, quiet=(*kept, (since, until)))


def closed_until(now: datetime, grace: timedelta) -> datetime:
    """The beginning of the first hour that is still open."""
    return (now - grace).replace(minute=0, second=0, microsecond=0)


def may_be_quiet(last: LastCount | None, loaded: PipeActivity, now: datetime) -> bool:
    """Whether the next hours can be quiet, by what was left and what the pipe says."""
    if last is None or not last.is_settled or loaded != last.loaded:
        return False
    return last.second_count_at is None or now < last.second_count_at


def has_records(clients: StoreClients, bucket: str, index_shards: int, since: datetime, until: datetime) -> bool:
    """Whether a store has something of the hours from ``since`` to before ``until``."""
    rows = DynamoClickRows(clients.dynamodb, index_shards)
    hours = [since + number * HOUR for number in range((until - since) // HOUR)]
    for stream in (names.CLICK_STREAM, names.TRUCK_STREAM):
        if _any(archive.objects(clients.s3, bucket, stream, since)):
            return True
        if any(_any(held_rows(clients.s3, bucket, stream, hour)) for hour in hours):
            return True
    return any(_any(rows.around(hour)) for hour in hours)


def after_count(
    known: Mapping[str, Mapping[datetime, LedgerRow]],
    counted: Mapping[str, int],
    loaded: PipeActivity,
    now: datetime,
    grace: timedelta,
    last: LastCount | None,
) -> LastCount:
    """Return what a run leaves that has counted what was due.

    Args:
        known: stream -> hour -> its row in the ledger, as it is now.
        counted: stream -> how many hours the run has counted.
    """
    has_backlog = any(count >= MAX_NEW_HOURS for count in counted.values())
    rows = [(hour, row) for of_stream in known.values() for hour, row in of_stream.items()]
    settled = not has_backlog and not any(is_unsettled(hour, row, now) for hour, row in rows)
    seconds = [
        hour + HOUR + SECOND_COUNT_AFTER
        for hour, row in known.get(names.CLICK_STREAM, {}).items()
        if row.checked_at < hour + HOUR + SECOND_COUNT_AFTER and hour >= now - RECHECKED_FOR
    ]
    return LastCount(
        until=closed_until(now, grace),
        loaded=loaded,
        is_settled=settled,
        second_count_at=max(seconds, default=None),
        quiet=last.quiet if last else (),
    )


def _any(found: Iterable[object]) -> bool:
    return next(iter(found), None) is not None
