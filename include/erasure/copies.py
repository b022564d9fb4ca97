"""Copies of an erased truck that no erasure reaches: where they are, and until when.

An account says how long it keeps what was deleted, not whether it still does.  So an end is computed, from each table's
type and retention and from documented limits, with :data:`MARGIN` for the service that moves old data in the
background (docs/erasure.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

# A permanent table's deleted rows, after its Time Travel.  A transient table has none.
FAIL_SAFE = timedelta(days=7)
# MAX_DATA_EXTENSION_TIME_IN_DAYS: how long a stream that nobody reads extends its table's Time Travel.
EXTENSION = timedelta(days=14)
# BIND_VALUES shows the values of queries that are no older.
BIND_VALUES = timedelta(days=7)
# A message of COPY_HISTORY may quote the value that could not be loaded; ACCOUNT_USAGE keeps it for a year.
LOAD_HISTORY = timedelta(days=365)
# DynamoDB restores any second of this time.
POINT_IN_TIME_RECOVERY = timedelta(days=35)
# Snowflake moves data out of Time Travel and Fail-safe in the background, within hours.
MARGIN = timedelta(days=1)


class TableFacts(msgspec.Struct, frozen=True):
    """What decides how long a table keeps deleted rows."""

    is_transient: bool
    retention_days: int


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one erasure, which does not name the truck.

    ``erased_at`` is aware.  ``tables`` are those that had the truck, as they were then.  ``load_message_at`` is the
    newest load before it that failed with a message.
    """

    run_id: str
    erased_at: datetime
    tables: dict[str, TableFacts] = {}
    load_message_at: datetime | None = None


class Copy(msgspec.Struct, frozen=True):
    """Something that may still hold the truck, until ``until``."""

    store: str
    until: datetime

    def __str__(self) -> str:
        return f"{self.store} until {self.until:%Y-%m-%d %H:%M} UTC"


def copies(
    erasure: Erasure,
    tables: Mapping[str, TableFacts],
    unread: Iterable[str],
    *,
    raw_table: str,
    stream_retention: timedelta,
) -> list[Copy]:
    """Return every copy of the truck, also those that are gone by now, the one that stays longest last.

    Args:
        tables: the tables as they are now: a longer retention keeps what is still there for longer.
        unread: streams on ``raw_table`` that were not read since the erasure.
        stream_retention: of Kinesis; the last record may have come as late as the erasure.
    """
    return sorted(_copies(erasure, tables, list(unread), raw_table, stream_retention), key=lambda copy: copy.until)


def _copies(
    erasure: Erasure, tables: Mapping[str, TableFacts], unread: list[str], raw_table: str, stream_retention: timedelta
) -> Iterator[Copy]:
    at = erasure.erased_at
    yield Copy("Kinesis", at + stream_retention)
    yield Copy("Snowflake's values of bind variables", at + BIND_VALUES)
    if erasure.load_message_at:
        yield Copy("messages of ACCOUNT_USAGE.COPY_HISTORY", erasure.load_message_at + LOAD_HISTORY)
    yield Copy("DynamoDB's point-in-time recovery", at + POINT_IN_TIME_RECOVERY)
    for name, then in erasure.tables.items():
        now = tables.get(name, then)
        travel = timedelta(days=max(then.retention_days, now.retention_days))
        held_by = ""
        if name == raw_table and unread and travel < EXTENSION:
            travel, held_by = EXTENSION, f" (at most: nobody has read {', '.join(unread)} since)"
        yield Copy(f"Time Travel of {name}{held_by}", at + travel + MARGIN)
        if not (then.is_transient and now.is_transient):
            yield Copy(f"Fail-safe of {name}", at + travel + FAIL_SAFE + MARGIN)
