"""Queries and DML: translated and run, with the offsets of the streams that a DML reads moved on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa
from sqlglot import exp

from . import bound_values, bulk_inserts, engine, functions, merge, stream_offsets, streams
from .context import Context
from .fakesnow_adapter import SELECT, statement_type_id
from .names import Key
from .results import Result
from .stream_offsets import Stream

Node = TypeVar("Node", bound=exp.Expr)
Translation = TypeVar("Translation")
Binds = list[Any]

# The rows of an INSERT OVERWRITE that reads its own table, which is emptied first.
_OVERWRITING = "_OVERWRITING"


def query(context: Context, sql: str, expression: exp.Query, binds: Binds | None) -> Result:
    """Run a query; its streams stay where they are."""
    if not streams.may_be_read_by(context, expression):
        return _query(context, sql, expression, binds, [])
    # A row that is committed after the streams' bounds were read is in its table and in no stream.
    with context.snapshot():
        return _query(context, sql, expression, binds, streams.read_by(context, expression))


def run_merge(context: Context, sql: str, expression: exp.Merge, binds: Binds | None) -> Result:
    """Run a MERGE in one transaction with the offsets of the streams that it reads."""
    if binds:
        # It becomes several statements, and each would need the values of its own variables.
        expression, sql = bound_values.inlined(expression, binds), f"{sql} {binds!r}"
    with context.atomic(writes=True):
        read = context.transaction.seen(streams.read_by(context, expression))
        compiled = _translated(
            context, sql, expression, read, lambda fresh: merge.compile_merge(context.translator, fresh)
        )
        streams.bind(context.duck, read)
        target = context.table_key(expression.this)
        tracking = stream_offsets.before_delete(context.catalog, context.duck, target) if target else []
        result = merge.run(context.duck, compiled)
        stream_offsets.after_delete(context.duck, tracking)
        context.transaction.consume(read)
    return result


def write(context: Context, expression: exp.Expr, binds: Binds | None) -> Result:
    """Run a DML or CREATE TABLE AS in one transaction with the offsets of the streams that it reads."""
    overwrite = isinstance(expression, exp.Insert) and bool(expression.args.get("overwrite"))
    deletes = overwrite or isinstance(expression, exp.Update | exp.Delete | exp.TruncateTable)
    reads_stream = bool(streams.read_by(context, expression))
    with context.atomic(writes=deletes or reads_stream):
        read = context.transaction.seen(streams.read_by(context, expression))
        streams.substitute(context, expression, read)
        streams.bind(context.duck, read)
        target = _target_of(context, expression) if deletes else None
        is_staged = bool(overwrite and target and _reads(context, expression.expression, target))
        if is_staged:
            expression, binds = _staged(context, bound_values.inlined(expression, binds or [])), None
        tracking = stream_offsets.before_delete(context.catalog, context.duck, target) if target else []
        several = _multi_joined(context, expression, binds) if isinstance(expression, exp.Update) else 0
        result = run(context, expression, binds)
        if several:
            updated = result.table.column(0)[0].as_py()
            result = Result.of([name for name, _ in result.types], [[updated, several]], result.statement_type)
        stream_offsets.after_delete(context.duck, tracking)
        context.transaction.consume(read)
        if is_staged:
            context.duck.execute(f"DROP TABLE {_OVERWRITING}")
    return result


def write_rows(context: Context, insert: exp.Insert, rows: pa.Table) -> Result:
    """Run an INSERT from the table ``rows``, which it calls ``bulk_inserts.ROWS``."""
    context.duck.register(bulk_inserts.ROWS, rows)
    try:
        return write(context, insert, None)
    finally:
        context.duck.unregister(bulk_inserts.ROWS)


def run(context: Context, expression: exp.Expr, binds: Binds | None = None) -> Result:
    """Run a statement that is no query; its streams and functions are replaced already."""
    statement_type = statement_type_id(expression)
    context.translator.check_names(expression)
    table, columns = context.translator.run(expression, binds)
    context.transaction.write_notes()
    return Result(table, columns, statement_type)


def _query(context: Context, sql: str, expression: exp.Query, binds: Binds | None, read: list[Stream]) -> Result:
    prepared = _translated(context, sql, expression, read, context.translator.prepare)
    streams.bind(context.duck, read)
    table, columns = context.translator.execute(prepared, binds)
    return Result(table, columns, SELECT)


def _translated(
    context: Context,
    sql: str,
    expression: Node,
    read: list[Stream],
    translate: Callable[[Node], Translation],
) -> Translation:
    """Translate a statement, its functions and streams replaced; or return the translation kept from the last time."""

    def now() -> Translation:
        fresh = functions.substitute(context, expression.copy())
        context.translator.check_names(fresh)
        streams.substitute(context, fresh, read)
        return translate(fresh)

    state = tuple((stream.found.uid, stream.has_backlog) for stream in read)
    return context.instance.translations.get(
        context.translation_key((sql, state)), now, keep=lambda: not functions.is_momentary(expression)
    )


def _reads(context: Context, query: exp.Expr, target: Key) -> bool:
    """Whether ``query`` may read the table ``target``: by its name, or through a view."""
    keys = [context.table_key(table) for table in query.find_all(exp.Table) if isinstance(table.this, exp.Identifier)]
    return any(key is not None and (key == target or engine.has_view(context.duck, key)) for key in keys)


def _staged(context: Context, insert: exp.Expr) -> exp.Expr:
    """Run the query of an INSERT, and return an INSERT of its rows."""
    translated = context.translator.translate(insert.expression.copy())
    context.duck.execute(f"CREATE OR REPLACE TEMPORARY TABLE {_OVERWRITING} AS {translated.sql('duckdb')}")
    insert.set("expression", exp.select("*").from_(_OVERWRITING))
    return insert


def _multi_joined(context: Context, update: exp.Update, binds: Binds | None) -> int:
    """How many rows an UPDATE joins with several rows of its FROM: Snowflake takes the values of any, and says so."""
    source = update.args.get("from_")
    if source is None:
        return 0
    table = update.this
    name = table.args["alias"].this if table.args.get("alias") else table.this
    rowid = exp.column("ROWID", table=name.copy())
    joined = exp.select("1").from_(table.copy()).join(source.this.copy(), join_type="cross").group_by(rowid)
    if where := update.args.get("where"):
        joined = joined.where(where.this.copy())
    counted = exp.select("COUNT(*)").from_(joined.having("COUNT(*) > 1").subquery("JOINED"))
    translated = context.translator.translate(bound_values.inlined(counted, binds or []))
    (rows,) = engine.row(context.duck, translated.sql("duckdb"))
    return int(rows)


def _target_of(context: Context, expression: exp.Expr) -> Key | None:
    table = expression.expressions[0] if isinstance(expression, exp.TruncateTable) else expression.this
    table = table.this if isinstance(table, exp.Schema) else table
    return context.table_key(table) if isinstance(table, exp.Table) else None
