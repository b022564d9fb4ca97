"""The load history: the files that COPY loaded and the lines that it rejected, and table functions to read both.

COPY_HISTORY has one row per file.  VALIDATE and VALIDATE_PIPE_LOAD have one row per rejected line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from . import engine, errors
from .catalog import CatalogObject, hidden
from .context import Context
from .copy_plan import CopyPlan
from .fakesnow_adapter import HIDDEN_SCHEMA
from .file_loads import FileLoad
from .names import Key, table_node

# COPY_HISTORY reaches this far back, and a pipe does not load a file again that it loaded within this time.
HISTORY_DAYS = 14
# Limits of what is kept: rejected lines per file, and characters per line.
REJECTED_PER_FILE = 1000
CHARACTERS_PER_LINE = 16 * 1024
_STATUS = {"LOADED": "Loaded", "PARTIALLY_LOADED": "Partially loaded", "LOAD_FAILED": "Load failed"}
_TABLES = ("load_history", "rejected_records")
_INSTANT = pa.timestamp("us", "UTC")
_HISTORY_COLUMNS = (
    "FILE_NAME", "STAGE_LOCATION", "LAST_LOAD_TIME", "ROW_COUNT", "ROW_PARSED", "FILE_SIZE", "FIRST_ERROR_MESSAGE",
    "FIRST_ERROR_LINE_NUMBER", "FIRST_ERROR_CHARACTER_POS", "FIRST_ERROR_COLUMN_NAME", "ERROR_COUNT", "ERROR_LIMIT",
    "STATUS", "TABLE_CATALOG_NAME", "TABLE_SCHEMA_NAME", "TABLE_NAME", "PIPE_CATALOG_NAME", "PIPE_SCHEMA_NAME",
    "PIPE_NAME", "PIPE_RECEIVED_TIME", "FIRST_COMMIT_TIME",
)  # fmt: skip
_REJECTED_COLUMNS = (
    "ERROR", "FILE", "LINE", "CHARACTER", "BYTE_OFFSET", "CATEGORY", "CODE", "SQL_STATE", "COLUMN_NAME", "ROW_NUMBER",
    "ROW_START_LINE", "REJECTED_RECORD",
)  # fmt: skip
# The types of the tables in ``catalog``.
_HISTORY_TYPES = (
    [pa.string()] * 2 + [_INSTANT] + [pa.int64()] * 3 + [pa.string()] * 2 + [pa.int64()] * 2 + [pa.string()]
    + [pa.int64()] * 2 + [pa.string()] * 8 + [_INSTANT] * 2
)  # fmt: skip
_REJECTED_TYPES = (
    [pa.string()] * 4 + [_INSTANT] + [pa.string()] * 2 + [pa.int64()] * 3 + [pa.string(), pa.int64()]
    + [pa.string()] * 2 + [pa.int64()] * 2 + [pa.string()]
)  # fmt: skip


@dataclass(frozen=True)
class LoadingPipe:
    """The pipe that runs a COPY."""

    key: Key
    uid: str


# --- writing ----------------------------------------------------------------------------------------------------------


def record(
    duck: duckdb.DuckDBPyConnection,
    plan: CopyPlan,
    files: Sequence[FileLoad],
    *,
    job: str,
    pipe: LoadingPipe | None,
    scan_time: datetime,
) -> None:
    """Write the outcome of ``files``, in the transaction that loads them.

    Args:
        job: query id of the COPY.
        pipe: None for a statement.
    """
    now = datetime.now(UTC)
    pipe_key, pipe_uid = (pipe.key, pipe.uid) if pipe else ((None, None, None), None)
    rows: list[tuple[Any, ...]] = []
    rejected: list[tuple[Any, ...]] = []
    for each in files:
        first = each.first
        rows.append((
            each.name, plan.location.url, now, each.loaded, each.parsed, each.size, each.etag,
            *((first.error, first.line, first.character, first.column) if first else [None] * 4), each.errors,
            each.error_limit, _STATUS[each.status], *plan.target.table, *pipe_key, pipe_uid,
            each.received_at or scan_time, now if each.loaded else None,
        ))  # fmt: skip
        rejected += [
            (
                job, *plan.target.table[1:], pipe_uid, now, found.error, each.name, found.line, found.character,
                found.byte_offset, found.category, found.code, found.sqlstate, found.column, found.line, found.line,
                found.record and found.record[:CHARACTERS_PER_LINE],
            )
            for found in each.rejected[:REJECTED_PER_FILE]
        ]  # fmt: skip
    _insert(duck, plan.target.table[0], "load_history", rows, _HISTORY_TYPES)
    _insert(duck, plan.target.table[0], "rejected_records", rejected, _REJECTED_TYPES)


def table_renamed(duck: duckdb.DuckDBPyConnection, table: Key, new: Key) -> None:
    for name in _TABLES:
        duck.execute(
            f"UPDATE {hidden(table[0], name)} SET table_name = ? WHERE table_schema_name = ? AND table_name = ?",
            [new[2], table[1], table[2]],
        )


def forget_table(duck: duckdb.DuckDBPyConnection, table: Key) -> None:
    """Forget what statements loaded into a dropped or replaced table; a pipe's history belongs to the pipe."""
    for name in _TABLES:
        duck.execute(
            f"DELETE FROM {hidden(table[0], name)} WHERE pipe_uid IS NULL AND table_schema_name = ? AND table_name = ?",
            [table[1], table[2]],
        )


def _insert(
    duck: duckdb.DuckDBPyConnection, database: str, name: str, rows: list[tuple[Any, ...]], types: list[pa.DataType]
) -> None:
    if not rows:
        return
    columns = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), types, strict=True)]
    duck.register("_copy_written", pa.table(columns, names=[str(index) for index in range(len(columns))]))
    try:
        duck.execute(f"INSERT INTO {hidden(database, name)} SELECT * FROM _copy_written")
    finally:
        duck.unregister("_copy_written")


# --- reading ----------------------------------------------------------------------------------------------------------


def loaded_before(duck: duckdb.DuckDBPyConnection, table: Key) -> dict[str, str]:
    """URL of each file that statements loaded into ``table`` -> the ETag that it had the last time."""
    rows = duck.execute(
        f"SELECT stage_location || file_name, max_by(etag, last_load_time) FROM {hidden(table[0], 'load_history')}"
        " WHERE pipe_uid IS NULL AND table_schema_name = ? AND table_name = ? AND status <> 'Load failed'"
        " GROUP BY ALL",
        [table[1], table[2]],
    ).fetchall()
    return dict(rows)


def loaded_by(duck: duckdb.DuckDBPyConnection, pipe: CatalogObject, names: list[str]) -> set[str]:
    """The files among ``names`` that ``pipe`` loaded in the last 14 days; one that failed may come again."""
    rows = duck.execute(
        f"SELECT DISTINCT file_name FROM {hidden(pipe.database, 'load_history')}"
        " WHERE pipe_uid = ? AND status <> 'Load failed' AND last_load_time > ? AND file_name IN (SELECT unnest(?))",
        [pipe.uid, datetime.now(UTC) - timedelta(days=HISTORY_DAYS), names],
    ).fetchall()
    return {name for (name,) in rows}


def last_loaded_by(duck: duckdb.DuckDBPyConnection, pipe: CatalogObject) -> tuple[str, datetime] | None:
    """The file that ``pipe`` loaded last, and when."""
    found = duck.execute(
        f"SELECT file_name, epoch_us(last_load_time) FROM {hidden(pipe.database, 'load_history')}"
        " WHERE pipe_uid = ? AND status <> 'Load failed' ORDER BY last_load_time DESC, file_name DESC LIMIT 1",
        [pipe.uid],
    ).fetchone()
    return (found[0], datetime.fromtimestamp(found[1] / 1e6, UTC)) if found else None


def copy_history(context: Context, named: Mapping[str, exp.Expr], positional: Sequence[exp.Expr]) -> exp.Select:
    """INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => ..., START_TIME => ... [, END_TIME => ...])."""
    name, start = named.get("TABLE_NAME"), named.get("START_TIME")
    if not isinstance(name, exp.Literal) or start is None:
        raise errors.compilation_error("COPY_HISTORY needs TABLE_NAME => 'name' and START_TIME => time")
    table = context.resolve_text(name.name)
    end = named.get("END_TIME")
    query = exp.select(*_HISTORY_COLUMNS).from_(_hidden("load_history", table[0]))
    return _between(
        _of_table(query, table),
        "LAST_LOAD_TIME",
        _recent(context, start, "START_TIME"),
        None if end is None else _recent(context, end, "END_TIME"),
    )


def _recent(context: Context, argument: exp.Expr, name: str) -> exp.Expr:
    """The time that a constant argument of COPY_HISTORY stands for.

    Raises:
        SnowflakeError: it is no constant, or more than 14 days ago.
    """
    if argument.find(exp.Query, exp.Column):
        raise errors.compilation_error(f"argument {name} to function COPY_HISTORY needs to be constant.", 1015)
    if argument.find(exp.Placeholder):
        return _bound(argument)
    time = context.translator.translate(exp.cast(argument.copy(), "TIMESTAMPTZ")).sql("duckdb")
    microseconds, is_old = engine.row(
        context.duck, f"SELECT epoch_us({time}), {time} < now() - INTERVAL {HISTORY_DAYS} DAY"
    )
    if is_old:
        raise errors.history_too_old()
    if microseconds is None:
        return exp.null()
    return exp.Literal.string(datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat())


def _bound(argument: exp.Expr) -> exp.Expr:
    """The time of a bind variable, whose value only DuckDB gets: it checks it where it reads a row."""
    time = exp.cast(argument.copy(), "TIMESTAMPTZ")
    earliest = exp.cast(
        exp.Literal.string((datetime.now(UTC) - timedelta(days=HISTORY_DAYS)).isoformat()), "TIMESTAMPTZ"
    )
    refusal = exp.Anonymous(this="ERROR", expressions=[exp.Literal.string(errors.HISTORY_TOO_OLD)])
    return exp.case().when(exp.LT(this=time, expression=earliest), refusal).else_(time.copy())


def validate(context: Context, named: Mapping[str, exp.Expr], positional: Sequence[exp.Expr]) -> exp.Select:
    """VALIDATE(table, JOB_ID => 'query id' | _last): the lines that a COPY statement rejected."""
    job = named.get("JOB_ID")
    if len(positional) != 1 or not isinstance(job, exp.Literal | exp.Column):
        raise errors.compilation_error("VALIDATE needs a table and JOB_ID => 'query id' | _last")
    (named_table,) = positional
    table = context.resolve_text(named_table.name if isinstance(named_table, exp.Literal) else named_table.sql())
    identifier = job.name
    if identifier.upper() == "_LAST":
        if context.last_copy is None:
            raise errors.compilation_error("VALIDATE: no COPY was run in this context.", 1015)
        identifier = context.last_copy
    query = _of_table(exp.select(*_REJECTED_COLUMNS).from_(_hidden("rejected_records", table[0])), table)
    return query.where(_equal("JOB_ID", identifier))


def validate_pipe_load(context: Context, named: Mapping[str, exp.Expr], positional: Sequence[exp.Expr]) -> exp.Select:
    """INFORMATION_SCHEMA.VALIDATE_PIPE_LOAD(PIPE_NAME => ..., START_TIME => ... [, END_TIME => ...])."""
    name, start = named.get("PIPE_NAME"), named.get("START_TIME")
    if not isinstance(name, exp.Literal) or start is None:
        raise errors.compilation_error("VALIDATE_PIPE_LOAD needs PIPE_NAME => 'name' and START_TIME => time")
    pipe = context.catalog.get(context.duck, "PIPE", context.resolve_text(name.name))
    query = exp.select(*_REJECTED_COLUMNS).from_(_hidden("rejected_records", pipe.database))
    return _between(query.where(_equal("PIPE_UID", pipe.uid)), "REJECTED_AT", start, named.get("END_TIME"))


def _hidden(name: str, database: str) -> exp.Table:
    return table_node((database, HIDDEN_SCHEMA, name))


def _of_table(query: exp.Select, table: Key) -> exp.Select:
    return query.where(_equal("TABLE_SCHEMA_NAME", table[1])).where(_equal("TABLE_NAME", table[2]))


def _between(query: exp.Select, column: str, start: exp.Expr, end: exp.Expr | None) -> exp.Select:
    query = query.where(exp.GTE(this=exp.column(column), expression=exp.cast(start.copy(), "TIMESTAMPTZ")))
    if end is None:
        return query
    return query.where(exp.LTE(this=exp.column(column), expression=exp.cast(end.copy(), "TIMESTAMPTZ")))


def _equal(column: str, value: str) -> exp.EQ:
    return exp.EQ(this=exp.column(column), expression=exp.Literal.string(value))
