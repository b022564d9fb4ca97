"""CONSERVATION_LEDGER: what was found of each hour, and which hours are to be counted next."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from include import names, sql
from include.contracts.times import to_canonical
from include.ledger.balance import DIFFERENCES, Balance

STORE = "ledger/store_balance.sql"
COUNTED = "ledger/counted_hours.sql"

HOUR = timedelta(hours=1)
# New hours of a stream in one run, after an outage of ours or when the ledger begins.
MAX_NEW_HOURS = 24
# An hour with a difference is counted again for so long.
RECHECKED_FOR = timedelta(hours=48)
# Hours of clicks are looked at once more at this age: a click that is sent again later, with another content, is the
# row then, and only the archive of the earlier hour knows what it was.
SECOND_LOOK_AFTER = timedelta(hours=24)


class Counted(NamedTuple):
    """What the table has of an hour: when it was counted last, by which run, and how much differed."""

    is_open: bool
    balanced: bool
    waiting: int
    checked_at: datetime
    run_id: str
    differences: dict[str, int]


def store(connection: Any, balance: Balance, run_id: str, checked_at: datetime) -> None:
    """Writes one row, over what was there of the same stream and hour.

    Raises:
        snowflake.connector.Error: it is not stored.
    """
    values = msgspec.structs.asdict(balance) | {
        "hour": to_canonical(balance.hour),
        "balanced": balance.balanced,
        "details": msgspec.json.encode(balance.samples).decode(),
        "checked_at": to_canonical(checked_at),
        "run_id": run_id,
    }
    del values["samples"]
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql.render(STORE), values)


def counted(connection: Any, stream: str) -> dict[datetime, Counted]:
    """Every hour of a stream that is in the table."""
    with closing(connection.cursor()) as cursor:
        rows = cursor.execute(sql.render(COUNTED), {"stream": stream}).fetchall()
    return {
        hour.replace(tzinfo=UTC): Counted(
            is_open,
            balanced,
            waiting,
            checked_at.replace(tzinfo=UTC),
            run_id,
            dict(zip(DIFFERENCES, differences, strict=True)),
        )
        for hour, is_open, balanced, waiting, checked_at, run_id, *differences in rows
    }


def due(
    stream: str, first: datetime | None, known: Mapping[datetime, Counted], now: datetime, grace: timedelta
) -> list[datetime]:
    """The hours of a stream to count now: closed ones that nobody has counted since they were, and those to see again.

    Args:
        first: the hour in which its archive begins; None while it is empty.
        known: what the table has.
    """
    if first is None:
        return []
    again = {hour for hour, row in known.items() if not row.is_open and _is_due_again(stream, hour, row, now)}
    closed_hours = (now - grace - first) // HOUR
    new = (first + number * HOUR for number in range(max(0, closed_hours)))
    uncounted = [hour for hour in new if hour not in known or known[hour].is_open]
    return sorted(again.union(uncounted[:MAX_NEW_HOURS]))


def _is_due_again(stream: str, hour: datetime, row: Counted, now: datetime) -> bool:
    if hour < now - RECHECKED_FOR:
        return False
    second_look = hour + HOUR + SECOND_LOOK_AFTER
    return not row.balanced or row.waiting > 0 or (stream == names.CLICK_STREAM and row.checked_at < second_look <= now)
