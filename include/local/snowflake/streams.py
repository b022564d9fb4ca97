"""Append-only streams: the rows that were inserted into a table after the stream's offset.

The offset is a DuckDB row id: rows get ids in the order in which their transactions commit, and keep them, since
vacuuming is off.  A sequence column would show in ``SELECT *`` and, being drawn before the commit, would let a late
committer hide behind the offset.  Only the deletion of a table's last rows lets ids be used again, so each statement
that may delete first copies what the stream has not given out yet into its backlog and then puts the offset at the last
row that is left.  That is also Snowflake's meaning: an append-only stream gives rows that were inserted and then
deleted.

A stream that was left unread for longer than its table keeps old versions (``parameters.retention_days``) is stale: it
can't be read any more, only created again.  Consuming it, and being told that it is empty, counts as reading.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
from sqlglot import exp

from . import errors, parameters
from .catalog import CatalogObject
from .fakesnow_adapter import HIDDEN_SCHEMA
from .grammar import Alter, Create, Describe, Drop, Show
from .results import Result

if TYPE_CHECKING:
    from .session import Session

# Rows of one's own transaction have ids from here on until it commits (DuckDB's MAX_ROW_ID); a stream never shows them.
UNCOMMITTED = 36_028_797_018_960_000
_OPTIONS = {"APPEND_ONLY", "SHOW_INITIAL_ROWS", "COMMENT"}
# That a stream was looked at is written down again after so long.
_LOOK_NS = 3600 * 10**9
_DAY_NS = 24 * 3600 * 10**9
_DROPPED = "Base table dropped"


@dataclass(frozen=True)
class Stream:
    """A stream and its state as one transaction sees it: it gives rows with low < row id <= high, and its backlog."""

    found: CatalogObject
    table: tuple[str, str, str]
    low: int
    high: int
    moved_at_ns: int
    fresh_at_ns: int  # when it was consumed or found empty last, at most an hour early
    has_backlog: bool
    retention_days: int
    ended: bool  # stale for good: its table is gone, or was found expired when the retention changed
    invalid_reason: str | None

    @property
    def is_empty(self) -> bool:
        return self.high <= self.low and not self.has_backlog

    @property
    def stale_after(self) -> datetime:
        return datetime.fromtimestamp(self.fresh_at_ns / 1e9, UTC) + timedelta(days=self.retention_days)

    @property
    def stale(self) -> bool:
        """Whether it can't be read; one without rows stands at the table's present version, which never expires."""
        return self.ended or (not self.is_empty and _now_ns() >= self.fresh_at_ns + self.retention_days * _DAY_NS)

    @property
    def backlog(self) -> str:
        return f'"{self.found.database}".{HIDDEN_SCHEMA}."backlog_{self.found.uid}"'

    @property
    def variable(self) -> str:
        return f"stream_{self.found.uid}"


def create(session: Session, statement: Create) -> Result:
    options = statement.options
    if unknown := set(options) - _OPTIONS:
        raise errors.unsupported(f"CREATE STREAM ... {sorted(unknown)[0]}")
    if options.get("APPEND_ONLY") is not True:
        raise errors.unsupported("a stream that is not APPEND_ONLY = TRUE")
    key, table = session.resolve(statement.name), session.resolve(statement.table)
    if key[0] != table[0]:
        raise errors.unsupported("a stream in another database than its table")
    if not session.instance.has_table(session.duck, table):
        raise errors.does_not_exist("Table", ".".join(table))
    definition = {"TABLE": list(table), "COMMENT": options.get("COMMENT", "")}
    catalog = session.instance.catalog
    with session.atomic(writes=True):
        before = catalog.find(session.duck, "STREAM", key)
        moved_at = _now_ns()
        if before and statement.or_replace:
            moved_at = max(moved_at, _load(session, before).moved_at_ns + 1)
            _forget(session.duck, before)
        created = catalog.create(session.duck, statement, key, definition)
        if created is None:
            return Result.status(f"{statement.name.last} already exists, statement succeeded.")
        low = -1 if options.get("SHOW_INITIAL_ROWS") else _last_row(session.duck, table)
        session.duck.execute(
            f'INSERT INTO "{key[0]}".{HIDDEN_SCHEMA}.streams VALUES (?, ?, ?, false, false, NULL)',
            [created.uid, low, moved_at],
        )
    return Result.status(f"Stream {statement.name.last} successfully created.")


def alter(session: Session, statement: Alter) -> Result:
    if statement.action != "SET" or set(statement.options) != {"COMMENT"}:
        raise errors.unsupported(f"ALTER STREAM ... {statement.action} of anything but COMMENT")
    found = session.instance.catalog.get(session.duck, "STREAM", session.resolve(statement.name))
    session.instance.catalog.alter(session.duck, found, statement.options)
    return Result.status("Statement executed successfully.")


def drop(session: Session, statement: Drop) -> Result:
    key = session.resolve(statement.name)
    found = session.instance.catalog.find(session.duck, "STREAM", key)
    if found is None:
        if statement.if_exists:
            return Result.status("Drop statement executed successfully.")
        raise errors.does_not_exist("Stream", str(statement.name))
    with session.atomic(writes=True):
        _forget(session.duck, found)
        session.instance.catalog.drop(session.duck, "STREAM", key)
    return Result.status(f"{statement.name.last} successfully dropped.")


def show(session: Session, statement: Show) -> Result:
    return _describe(session, session.instance.catalog.show(session, statement))


def describe(session: Session, statement: Describe) -> Result:
    key = session.resolve(statement.name)
    return _describe(session, [session.instance.catalog.get(session.duck, "STREAM", key)])


def has_data(session: Session, name: str) -> bool:
    """SYSTEM$STREAM_HAS_DATA."""
    stream = _by_name(session, name)
    if stream.is_empty:
        # Beside the session's transaction, which may be rolled back, and into a table of inserts only, which can't
        # conflict with one that consumes the stream.
        with session.instance.cursor() as duck:
            _looked(duck, stream)
    return not stream.is_empty


def table_timestamp(session: Session, name: str) -> int:
    """SYSTEM$STREAM_GET_TABLE_TIMESTAMP: nanoseconds since 1970 at which the offset was put where it is."""
    return _by_name(session, name).moved_at_ns


def read_by(session: Session, expression: exp.Expr) -> list[Stream]:
    """The streams that ``expression`` reads, each once, as the session's transaction sees them."""
    found = {each.uid: each for _, each in _references(session, expression)}
    return [_readable(_load(session, each)) for each in found.values()]


def substitute(session: Session, expression: exp.Expr, streams: list[Stream]) -> None:
    """Put, in place, a query of the table's new rows for each stream named in ``expression``.

    The bounds are DuckDB variables (see ``bind``), which the planner folds: it prunes as with literals, and the
    translated statement can be kept for the next time.
    """
    by_uid = {stream.found.uid: stream for stream in streams}
    for node, found in _references(session, expression):
        node.replace(_query(by_uid[found.uid], node.alias_or_name))


def bind(duck: duckdb.DuckDBPyConnection, streams: list[Stream]) -> None:
    """Set the bounds that a substituted statement reads."""
    for stream in streams:
        duck.execute(f"SET VARIABLE {stream.variable}_low = {stream.low}::BIGINT")
        duck.execute(f"SET VARIABLE {stream.variable}_high = {stream.high}::BIGINT")


def advance(duck: duckdb.DuckDBPyConnection, streams: list[Stream]) -> None:
    """Move the offsets past what ``streams`` gave out; part of the transaction that used it."""
    for stream in streams:
        if stream.is_empty:
            _looked(duck, stream)
            continue
        if stream.has_backlog:
            duck.execute(f"DROP TABLE {stream.backlog}")
        duck.execute(
            f'UPDATE "{stream.found.database}".{HIDDEN_SCHEMA}.streams'
            " SET low = ?, moved_at_ns = ?, has_backlog = false WHERE uid = ?",
            [stream.high, max(_now_ns(), stream.moved_at_ns + 1), stream.found.uid],
        )


def before_delete(session: Session, table: tuple[str, str, str]) -> list[Stream]:
    """Keep what the streams on ``table`` have not given out yet, before rows of it are deleted or updated."""
    tracking = _on_table(session, table)
    for stream in tracking:
        if stream.high <= stream.low:
            continue
        source = f"FROM {_quoted(table)} WHERE rowid > {stream.low} AND rowid <= {stream.high}"
        if stream.has_backlog:
            session.duck.execute(f"INSERT INTO {stream.backlog} SELECT *, rowid::VARCHAR {source}")
        else:
            session.duck.execute(
                f'CREATE TABLE {stream.backlog} AS SELECT *, rowid::VARCHAR AS "METADATA$ROW_ID" {source}'
            )
            session.duck.execute(
                f'UPDATE "{stream.found.database}".{HIDDEN_SCHEMA}.streams SET has_backlog = true WHERE uid = ?',
                [stream.found.uid],
            )
    return tracking


def after_delete(session: Session, tracking: list[Stream]) -> None:
    """Put the offsets at the last row that is left: whatever comes next has a higher id."""
    for stream in tracking:
        session.duck.execute(
            f'UPDATE "{stream.found.database}".{HIDDEN_SCHEMA}.streams SET low = ? WHERE uid = ?',
            [_last_row(session.duck, stream.table), stream.found.uid],
        )


def table_replaced(session: Session, table: tuple[str, str, str]) -> None:
    """``table`` was dropped or replaced: streams on it can't be read any more."""
    for stream in _on_table(session, table):
        _end(session.duck, stream, _DROPPED)


def table_renamed(session: Session, table: tuple[str, str, str], new: tuple[str, str, str]) -> None:
    for found in session.instance.catalog.list(session.duck, "STREAM", table[0]):
        if tuple(found.definition["TABLE"]) == table:
            session.instance.catalog.alter(session.duck, found, {"TABLE": list(new)})


def settle(session: Session, table: tuple[str, str, str]) -> None:
    """The retention of ``table`` is about to change: what is stale by now stays stale, as its rows are gone."""
    for stream in _on_table(session, table):
        if stream.stale:
            _end(session.duck, stream, None)


def forget_schema(session: Session, database: str, schema: str) -> None:
    """A schema is dropped: forget the offsets of its streams, whose catalog entries go with it."""
    for found in session.instance.catalog.list(session.duck, "STREAM", database):
        if found.schema == schema:
            _forget(session.duck, found)


def _references(session: Session, expression: exp.Expr) -> list[tuple[exp.Table, CatalogObject]]:
    ctes = {cte.alias_or_name.upper() for cte in expression.find_all(exp.CTE)}
    references = []
    for node in expression.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier) or (not node.db and node.name.upper() in ctes):
            continue
        key = session.table_key(node)
        if key and session.instance.catalog.may_exist("STREAM", key[2]):
            found = session.instance.catalog.find(session.duck, "STREAM", key)
            if found:
                references.append((node, found))
    return references


def _query(stream: Stream, alias: str) -> exp.Subquery:
    def variable(bound: str) -> exp.Expr:
        return exp.Anonymous(this="GETVARIABLE", expressions=[exp.Literal.string(f"{stream.variable}_{bound}")])

    table = exp.table_(*(exp.to_identifier(part, quoted=True) for part in reversed(stream.table)))
    row_id = exp.column("ROWID")
    action = exp.alias_(exp.Literal.string("INSERT"), "METADATA$ACTION", quoted=True)
    is_update = exp.alias_(exp.false(), "METADATA$ISUPDATE", quoted=True)
    query: exp.Query = (
        exp.select("*", action, is_update)
        .select(exp.alias_(exp.cast(row_id, "VARCHAR"), "METADATA$ROW_ID", quoted=True))
        .from_(table)
        .where(exp.GT(this=row_id.copy(), expression=variable("low")))
        .where(exp.LTE(this=row_id.copy(), expression=variable("high")))
    )
    if stream.has_backlog:
        hidden = [stream.found.database, HIDDEN_SCHEMA, f"backlog_{stream.found.uid}"]
        backlog = exp.table_(*(exp.to_identifier(part, quoted=True) for part in reversed(hidden)))
        star = exp.Star(except_=[exp.to_identifier("METADATA$ROW_ID", quoted=True)])
        kept = exp.column(exp.to_identifier("METADATA$ROW_ID", quoted=True))
        query = exp.union(query, exp.select(star, action.copy(), is_update.copy(), kept).from_(backlog), distinct=False)
    else:
        # It limits nothing, and tells the planner how few rows these are of a table of millions.
        query = query.limit(exp.Sub(this=variable("high"), expression=variable("low")))
    return query.subquery(exp.to_identifier(alias))


def _by_name(session: Session, name: str) -> Stream:
    key = session.resolve_text(name)
    return _readable(_load(session, session.instance.catalog.get(session.duck, "STREAM", key)))


def _on_table(session: Session, table: tuple[str, str, str]) -> list[Stream]:
    return [
        stream
        for found in session.instance.catalog.list(session.duck, "STREAM", table[0])
        if tuple(found.definition["TABLE"]) == table and not (stream := _load(session, found)).ended
    ]


def _load(session: Session, found: CatalogObject) -> Stream:
    low, moved_at_ns, has_backlog, ended, invalid_reason, looked_at_ns = session.duck.execute(
        "SELECT low, moved_at_ns, has_backlog, stale, invalid_reason, (SELECT max(at_ns) FROM"
        f' "{found.database}".{HIDDEN_SCHEMA}.stream_looks WHERE uid = $1)'
        f' FROM "{found.database}".{HIDDEN_SCHEMA}.streams WHERE uid = $1',
        [found.uid],
    ).fetchone()
    database, schema, name = found.definition["TABLE"]
    table = (database, schema, name)
    return Stream(
        found=found,
        table=table,
        low=low,
        high=low if ended else _last_row(session.duck, table, above=low),
        moved_at_ns=moved_at_ns,
        fresh_at_ns=max(moved_at_ns, looked_at_ns or 0),
        has_backlog=has_backlog,
        retention_days=parameters.retention_days(session.instance, session.duck, table),
        ended=ended,
        invalid_reason=invalid_reason,
    )


def _readable(stream: Stream) -> Stream:
    table, name = ".".join(stream.table), stream.found.name
    if stream.invalid_reason == _DROPPED:
        raise errors.SnowflakeError(f"Base table '{table}' dropped, cannot read from stream '{name}'.", 91901, "42601")
    if stream.stale:
        raise errors.SnowflakeError(
            f"Stream '{stream.found.full_name}' is stale since {stream.stale_after:%Y-%m-%d %H:%M:%S} UTC. Time travel"
            f" data is not available for table {table}. The requested time is either beyond the allowed time travel"
            " period or before the object creation time.",
            707,
            "02000",
        )
    return stream


def _looked(duck: duckdb.DuckDBPyConnection, stream: Stream) -> None:
    """``stream`` is empty and somebody knows: it stays fresh from now on."""
    now = _now_ns()
    if now - stream.fresh_at_ns >= _LOOK_NS:
        duck.execute(
            f'INSERT INTO "{stream.found.database}".{HIDDEN_SCHEMA}.stream_looks VALUES (?, ?)', [stream.found.uid, now]
        )


def _end(duck: duckdb.DuckDBPyConnection, stream: Stream, reason: str | None) -> None:
    duck.execute(
        f'UPDATE "{stream.found.database}".{HIDDEN_SCHEMA}.streams SET stale = true, invalid_reason = ? WHERE uid = ?',
        [reason, stream.found.uid],
    )


def _forget(duck: duckdb.DuckDBPyConnection, found: CatalogObject) -> None:
    duck.execute(f'DROP TABLE IF EXISTS "{found.database}".{HIDDEN_SCHEMA}."backlog_{found.uid}"')
    for table in ("streams", "stream_looks"):
        duck.execute(f'DELETE FROM "{found.database}".{HIDDEN_SCHEMA}.{table} WHERE uid = ?', [found.uid])


def _describe(session: Session, found: list[CatalogObject]) -> Result:
    columns = [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "owner",
        "comment",
        "table_name",
        "source_type",
        "base_tables",
        "type",
        "stale",
        "mode",
        "stale_after",
        "invalid_reason",
    ]
    rows = []
    for stream in (_load(session, each) for each in found):
        each, table = stream.found, ".".join(stream.table)
        rows.append(
            (
                each.created_on,
                each.name,
                each.database,
                each.schema,
                "SYSADMIN",
                each.definition["COMMENT"],
                table,
                "Table",
                table,
                "DELTA",
                str(stream.stale).lower(),
                "APPEND_ONLY",
                stream.stale_after,
                stream.invalid_reason or "N/A",
            )
        )
    return Result.of(columns, rows)


def _last_row(duck: duckdb.DuckDBPyConnection, table: tuple[str, str, str], *, above: int = -1) -> int:
    """The highest row id of a committed row, ``above`` where none is higher."""
    # Not max() of all: DuckDB prunes by row id, and would read each of a table of millions.
    last_above = f"SELECT max(rowid) FROM {_quoted(table)} WHERE rowid > {above}"
    (last,) = duck.execute(last_above).fetchone()
    if last is not None and last >= UNCOMMITTED:
        (last,) = duck.execute(f"{last_above} AND rowid < {UNCOMMITTED}").fetchone()
    return above if last is None else last


def _quoted(table: tuple[str, str, str]) -> str:
    return ".".join(f'"{part}"' for part in table)


def _now_ns() -> int:
    return time.time_ns()
