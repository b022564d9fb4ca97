"""Offsets of append-only streams: where a stream is in its table, and the state in which a transaction sees it.

The offset is a DuckDB row id: rows get ids in the order in which their transactions commit, and keep them, since
vacuuming is off.  A sequence column would show in ``SELECT *`` and, being drawn before the commit, would let a late
committer hide behind the offset.  Only the deletion of a table's last rows lets ids be used again.  So each statement
that may delete rows first copies those that the stream has not returned yet into the stream's backlog, and afterwards
puts the offset at the last row that is left.  This is also what Snowflake does: an append-only stream returns rows that
were inserted and then deleted.

A stream with SHOW_INITIAL_ROWS first returns the rows that its table had when it was created, and only these.  Until
they are consumed, ``initial_high`` is the last of them that is still in the table.  Later rows that a statement may
delete wait in a second table, which becomes the backlog when the initial rows are consumed.

A stream that was left unread for longer than its table keeps old versions (``parameter_values.retention_days``) is
stale: it can't be read any more, only created again.  Consuming a stream counts as reading it, and so does asking
whether it has data and getting the answer no.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from . import engine, parameter_values
from .catalog import Catalog, CatalogObject, hidden
from .names import Key, quoted

# Uncommitted rows of the transaction itself have ids from here on (DuckDB's MAX_ROW_ID); a stream never shows them.
UNCOMMITTED = 36_028_797_018_960_000
# A read of an empty stream is recorded at most this often.
_LOOK_NS = 3600 * 10**9
_DAY_NS = 24 * 3600 * 10**9


@dataclass(frozen=True)
class Stream:
    """A stream as one transaction sees it: it returns its backlog, and the rows with low < row id <= high."""

    found: CatalogObject
    table: Key
    low: int
    high: int
    moved_at_ns: int
    fresh_at_ns: int  # when it was last consumed or found empty, at most an hour early
    has_backlog: bool
    initial_high: int | None  # while only the initial rows are returned
    has_later: bool  # whether rows that come after the initial ones wait in a table of their own
    retention_days: int
    ended: bool  # stale for good: its table is gone, or it had expired when the retention changed
    invalid_reason: str | None

    @property
    def is_empty(self) -> bool:
        return self.high <= self.low and not self.has_backlog

    @property
    def stale_after(self) -> datetime:
        return datetime.fromtimestamp(self.fresh_at_ns / 1e9, UTC) + timedelta(days=self.retention_days)

    @property
    def stale(self) -> bool:
        """Whether it can't be read; an empty one is at the table's present version, which never expires."""
        return self.ended or (not self.is_empty and now_ns() >= self.fresh_at_ns + self.retention_days * _DAY_NS)

    @property
    def backlog_name(self) -> str:
        return f"backlog_{self.found.uid}"

    @property
    def backlog(self) -> str:
        return hidden(self.found.database, self.backlog_name)

    @property
    def later_name(self) -> str:
        return f"later_{self.found.uid}"

    @property
    def kept_names(self) -> list[str]:
        """The names of the tables of its own that exist."""
        own = ((self.has_backlog, self.backlog_name), (self.has_later, self.later_name))
        return [name for exists, name in own if exists]

    @property
    def variable(self) -> str:
        """The prefix of the DuckDB variables that hold the bounds."""
        return f"stream_{self.found.uid}"


# --- reading ----------------------------------------------------------------------------------------------------------


def load(catalog: Catalog, duck: duckdb.DuckDBPyConnection, found: CatalogObject) -> Stream:
    """The stream ``found`` as the transaction of ``duck`` sees it."""
    low, moved_at_ns, has_backlog, ended, invalid_reason, initial_high, has_later, looked_at_ns = engine.row(
        duck,
        "SELECT low, moved_at_ns, has_backlog, stale, invalid_reason, initial_high, coalesce(has_later, false),"
        f" (SELECT max(at_ns) FROM {hidden(found.database, 'stream_looks')} WHERE uid = $1)"
        f" FROM {hidden(found.database, 'streams')} WHERE uid = $1",
        [found.uid],
    )
    database, schema, name = found.definition["TABLE"]
    table = (database, schema, name)
    high = low if ended else initial_high
    return Stream(
        found=found,
        table=table,
        low=low,
        high=last_row(duck, table, above=low) if high is None else high,
        moved_at_ns=moved_at_ns,
        fresh_at_ns=max(moved_at_ns, looked_at_ns or 0),
        has_backlog=has_backlog,
        initial_high=initial_high,
        has_later=has_later,
        retention_days=parameter_values.retention_days(catalog, duck, table),
        ended=ended,
        invalid_reason=invalid_reason,
    )


def on_table(catalog: Catalog, duck: duckdb.DuckDBPyConnection, table: Key) -> list[Stream]:
    """The streams on ``table`` that have not ended."""
    return [
        stream
        for found in catalog.objects(duck, "STREAM", table[0])
        if tuple(found.definition["TABLE"]) == table and not (stream := load(catalog, duck, found)).ended
    ]


def last_row(duck: duckdb.DuckDBPyConnection, table: Key, *, above: int = -1) -> int:
    """The highest row id of a committed row; ``above`` where none is higher."""
    # Not max() over all rows: DuckDB prunes by row id, and would otherwise read all of a table of millions.
    last_above = f"SELECT max(rowid) FROM {quoted(table)} WHERE rowid > {above}"
    last: int | None
    (last,) = engine.row(duck, last_above)
    if last is not None and last >= UNCOMMITTED:
        (last,) = engine.row(duck, f"{last_above} AND rowid < {UNCOMMITTED}")
    return above if last is None else last


# --- moving -----------------------------------------------------------------------------------------------------------


def begin(
    duck: duckdb.DuckDBPyConnection, found: CatalogObject, last: int, *, after_ns: int, with_rows: bool = False
) -> None:
    """Put the offset of a new stream at ``last``, the table's last row, at a time later than ``after_ns``.

    Args:
        with_rows: return the rows up to there first.
    """
    low, initial_high = (-1, last) if with_rows and last >= 0 else (last, None)
    duck.execute(
        f"INSERT INTO {hidden(found.database, 'streams')} VALUES (?, ?, ?, false, false, NULL, ?, false)",
        [found.uid, low, max(now_ns(), after_ns + 1), initial_high],
    )


def advance(duck: duckdb.DuckDBPyConnection, streams: list[Stream]) -> None:
    """Move the offsets past the rows that ``streams`` returned, in the transaction that used them."""
    for stream in streams:
        if stream.is_empty:
            looked_at(duck, stream)
            continue
        if stream.has_backlog:
            duck.execute(f"DROP TABLE {stream.backlog}")
        if stream.has_later:
            later = hidden(stream.found.database, stream.later_name)
            duck.execute(f'ALTER TABLE {later} RENAME TO "{stream.backlog_name}"')
        duck.execute(
            f"UPDATE {hidden(stream.found.database, 'streams')} SET low = ?, moved_at_ns = ?, has_backlog = ?,"
            " initial_high = NULL, has_later = false WHERE uid = ?",
            [stream.high, max(now_ns(), stream.moved_at_ns + 1), stream.has_later, stream.found.uid],
        )


def looked_at(duck: duckdb.DuckDBPyConnection, stream: Stream) -> None:
    """Record that somebody knows that ``stream`` is empty: from now on it is fresh."""
    now = now_ns()
    if now - stream.fresh_at_ns >= _LOOK_NS:
        duck.execute(
            f"INSERT INTO {hidden(stream.found.database, 'stream_looks')} VALUES (?, ?)", [stream.found.uid, now]
        )


def before_delete(catalog: Catalog, duck: duckdb.DuckDBPyConnection, table: Key) -> list[Stream]:
    """Keep the rows that the streams on ``table`` have yet to return, before any are deleted or updated."""
    tracking = on_table(catalog, duck, table)
    for stream in tracking:
        _keep(duck, stream, (stream.low, stream.high), stream.backlog_name, "has_backlog", exists=stream.has_backlog)
        if stream.initial_high is not None:
            rows = (stream.initial_high, last_row(duck, table, above=stream.initial_high))
            _keep(duck, stream, rows, stream.later_name, "has_later", exists=stream.has_later)
    return tracking


def _keep(
    duck: duckdb.DuckDBPyConnection, stream: Stream, rows: tuple[int, int], name: str, flag: str, *, exists: bool
) -> None:
    """Copy the rows after the first and up to the second of ``rows`` into a table of the stream's own."""
    low, high = rows
    if high <= low:
        return
    kept = hidden(stream.found.database, name)
    source = (
        f'SELECT *, rowid::VARCHAR AS "METADATA$ROW_ID" FROM {quoted(stream.table)}'
        f" WHERE rowid > {low} AND rowid <= {high}"
    )
    if exists:
        # By name: a column that the table got later comes after the row's id.
        duck.execute(f"INSERT INTO {kept} BY NAME {source}")
        return
    duck.execute(f"CREATE TABLE {kept} AS {source}")
    streams = hidden(stream.found.database, "streams")
    duck.execute(f"UPDATE {streams} SET {flag} = true WHERE uid = ?", [stream.found.uid])


def after_delete(duck: duckdb.DuckDBPyConnection, tracking: list[Stream]) -> None:
    """Put the offsets at the last row that is left: every later row has a higher id."""
    for stream in tracking:
        last = last_row(duck, stream.table)
        duck.execute(
            f"UPDATE {hidden(stream.found.database, 'streams')} SET low = ?, initial_high = ? WHERE uid = ?",
            [last, None if stream.initial_high is None else last, stream.found.uid],
        )


# --- ending -----------------------------------------------------------------------------------------------------------


def end(duck: duckdb.DuckDBPyConnection, stream: Stream, reason: str | None) -> None:
    """Make ``stream`` stale for good."""
    duck.execute(
        f"UPDATE {hidden(stream.found.database, 'streams')} SET stale = true, invalid_reason = ? WHERE uid = ?",
        [reason, stream.found.uid],
    )


def forget(duck: duckdb.DuckDBPyConnection, found: CatalogObject) -> None:
    """Remove the state of a stream that is dropped or replaced."""
    for kept in ("backlog", "later"):
        duck.execute(f"DROP TABLE IF EXISTS {hidden(found.database, f'{kept}_{found.uid}')}")
    for table in ("streams", "stream_looks"):
        duck.execute(f"DELETE FROM {hidden(found.database, table)} WHERE uid = ?", [found.uid])


def now_ns() -> int:
    return time.time_ns()
