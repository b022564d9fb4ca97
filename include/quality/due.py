"""When the rules are checked: after a merge, and while nothing happens only where time alone changes their results.

A check needs a warehouse, and resuming one is billed with a minute.  So a run first asks what costs nothing:
Snowflake's services layer about the streams and the warehouse, and DynamoDB about its newest items.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from include import names
from include.pipe_and_stream import STREAM_HAS_DATA, STREAM_OFFSET, is_awake
from include.quality.findings import OPEN_HOURS
from include.quality.incidents import REMIND_AFTER
from include.snowflake_rows import first_row

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# News are checked when the warehouse runs anyway, and at the latest after this.
LONGEST_WAIT = timedelta(minutes=14)
# After the last news, time alone changes results: trucks and items become silent (15 and 30 minutes), what should have
# arrived is missing (15 minutes), clicks leave the hour that is checked, and findings are over.  The last news may be a
# quarter of an hour old when a check sees them.  At 35 minutes, silence of half an hour is sure, and the hour that is
# checked still has the clicks before it.
AGES = (
    timedelta(minutes=20),
    timedelta(minutes=35),
    timedelta(minutes=75),
    timedelta(hours=OPEN_HOURS, minutes=20),
)


class Signs(msgspec.Struct, frozen=True):
    """Where the merge's stream is, and whether readings wait to be merged or checked."""

    offset: str
    has_readings: bool


class LastCheck(msgspec.Struct, frozen=True):
    """What a check leaves for the next run.

    ``items`` stands for DynamoDB's newest items; None if nobody asked.  ``news_at`` is when a check last found
    something new, and ``reminds`` whether people are reminded of what it found.
    """

    run_id: str
    checked_at: datetime
    offset: str
    items: str | None
    news_at: datetime
    reminds: bool


class Decision(msgspec.Struct, frozen=True):
    """Whether to check now, why, and what to keep if so."""

    is_due: bool
    reason: str
    offset: str
    has_news: bool = False
    items: str | None = None


def signs_of(connection: SnowflakeConnection) -> Signs:
    """Ask Snowflake; no warehouse is needed."""
    (offset,) = first_row(connection, STREAM_OFFSET, {"stream": names.RAW_STREAM})
    waiting = (
        first_row(connection, STREAM_HAS_DATA, {"stream": stream})[0]
        for stream in (names.RAW_STREAM, names.PLAUSIBILITY_STREAM)
    )
    return Signs(str(offset), any(waiting))


def decide(
    connection: SnowflakeConnection,
    last: LastCheck | None,
    run_id: str,
    now: datetime,
    *,
    min_interval: timedelta,
    newest_items: Callable[[], str],
) -> Decision:
    """Decide whether a run checks.

    Args:
        last: what the last check left; None: there is none.
        now: aware.
        min_interval: least time between two checks while there are news; 0: check news at once, whatever it costs.
        newest_items: returns a text that changes with DynamoDB's newest items; asked only if the streams are quiet.

    Raises:
        snowflake.connector.errors.Error: Snowflake did not answer.
    """
    signs = signs_of(connection)
    if last is None or last.run_id == run_id:
        return Decision(True, "the first check, or a retry", signs.offset, has_news=True)
    age = now - last.checked_at
    items = None
    has_news = signs.has_readings or signs.offset != last.offset
    if not has_news:
        items = newest_items()
        has_news = items != last.items
    if not has_news:
        due, reason = _because_of_time(last, age, now)
        return Decision(due, reason, signs.offset, items=items)
    if age < min_interval:
        return Decision(False, f"checked {age.total_seconds():.0f} s ago", signs.offset)
    if min_interval and age < LONGEST_WAIT and not is_awake(connection):
        return Decision(False, "there are news, which wait until the warehouse runs", signs.offset)
    return Decision(True, "there are news", signs.offset, has_news=True, items=items)


def after_check(decision: Decision, last: LastCheck | None, run_id: str, now: datetime, *, reminds: bool) -> LastCheck:
    """Return what the check that ``decision`` made due leaves."""
    news_at = now if decision.has_news or last is None else last.news_at
    return LastCheck(run_id, now, decision.offset, decision.items, news_at, reminds)


def _because_of_time(last: LastCheck, age: timedelta, now: datetime) -> tuple[bool, str]:
    if any(last.checked_at < last.news_at + each <= now for each in AGES):
        return True, "nothing new, but results change with time"
    if last.reminds and age >= REMIND_AFTER:
        return True, "nothing new, but people are reminded"
    return False, "nothing happened since the last check"
