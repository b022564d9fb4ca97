"""Append-only streams: the statements and functions about them, and their place in a query.

``stream_offsets`` explains what a stream returns and when it is stale.
"""

from __future__ import annotations

import duckdb
from sqlglot import exp

from . import engine, errors, stream_offsets
from .catalog import CatalogObject
from .context import Context
from .fakesnow_adapter import HIDDEN_SCHEMA
from .grammar import Alter, Create, Describe, Drop, Show
from .names import Key, common_table, name_of, table_node
from .privileges import Securable
from .results import Result
from .stream_offsets import Stream

_OPTIONS = {"APPEND_ONLY", "SHOW_INITIAL_ROWS", "COMMENT"}
_DROPPED = "Base table dropped"
_COLUMNS = [
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


# --- statements -------------------------------------------------------------------------------------------------------


def create(context: Context, statement: Create) -> Result:
    options, duck, catalog = statement.options, context.duck, context.catalog
    if unknown := set(options) - _OPTIONS:
        raise errors.unsupported(f"CREATE STREAM ... {sorted(unknown)[0]}")
    if options.get("APPEND_ONLY") is not True or statement.table is None:
        raise errors.unsupported("a stream that is not APPEND_ONLY = TRUE")
    key, table = context.resolve(statement.name), context.resolve(statement.table)
    if key[0] != table[0]:
        raise errors.unsupported("a stream whose table is in another database")
    if not engine.has_table(duck, table):
        raise errors.does_not_exist("Table", ".".join(table))
    with context.atomic(writes=True):
        before = catalog.find(duck, "STREAM", key)
        moved_at_ns = -1
        if before and statement.or_replace:
            moved_at_ns = stream_offsets.load(catalog, duck, before).moved_at_ns
            stream_offsets.forget(duck, before)
        definition = {"TABLE": list(table), "COMMENT": options.get("COMMENT", "")}
        created = catalog.create(duck, statement, key, definition)
        if created is None:
            return Result.status(f"{statement.name.last} already exists, statement succeeded.")
        last, with_rows = stream_offsets.last_row(duck, table), bool(options.get("SHOW_INITIAL_ROWS"))
        stream_offsets.begin(duck, created, last, after_ns=moved_at_ns, with_rows=with_rows)
    return Result.status(f"Stream {statement.name.last} successfully created.")


def alter(context: Context, statement: Alter) -> Result:
    if statement.action != "SET" or set(statement.options) != {"COMMENT"}:
        raise errors.unsupported(f"ALTER STREAM ... {statement.action} of anything but COMMENT")
    found = context.catalog.find(context.duck, "STREAM", context.resolve(statement.name))
    if found is not None:
        context.catalog.alter(context.duck, found, statement.options)
    elif not statement.if_exists:
        raise errors.does_not_exist("Stream", str(statement.name))
    return Result.status("Statement executed successfully.")


def drop(context: Context, statement: Drop) -> Result:
    key = context.resolve(statement.name)
    found = context.catalog.find(context.duck, "STREAM", key)
    if found is None:
        if statement.if_exists:
            return Result.status("Drop statement executed successfully.")
        raise errors.does_not_exist("Stream", str(statement.name))
    with context.atomic(writes=True):
        stream_offsets.forget(context.duck, found)
        context.catalog.drop(context.duck, "STREAM", key)
    return Result.status(f"{statement.name.last} successfully dropped.")


def show(context: Context, statement: Show) -> Result:
    return _describe(context, context.shown(statement))


def describe(context: Context, statement: Describe) -> Result:
    key = context.resolve(statement.name)
    return _describe(context, [context.catalog.get(context.duck, "STREAM", key)])


def _describe(context: Context, found: list[CatalogObject]) -> Result:
    rows = []
    for stream in (stream_offsets.load(context.catalog, context.duck, each) for each in found):
        each, table = stream.found, ".".join(stream.table)
        rows.append(
            (
                each.created_on,
                each.name,
                each.database,
                each.schema,
                context.grants.owner(Securable("STREAM", (each.database, each.schema, each.name))),
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
    return Result.of(_COLUMNS, rows)


# --- functions --------------------------------------------------------------------------------------------------------


def has_data(context: Context, name: str) -> bool:
    """Answer SYSTEM$STREAM_HAS_DATA."""
    stream = _by_name(context, name)
    if context.instance.streams_may_err:
        return True
    if stream.is_empty:
        # Beside the session's transaction, which may be rolled back, and into a table that only grows, which can't
        # conflict with a transaction that consumes the stream.
        with context.instance.cursor() as duck:
            stream_offsets.looked_at(duck, stream)
    return not stream.is_empty


def table_timestamp(context: Context, name: str) -> int:
    """Answer SYSTEM$STREAM_GET_TABLE_TIMESTAMP: when the offset last moved, in nanoseconds since 1970."""
    return _by_name(context, name).moved_at_ns


def _by_name(context: Context, name: str) -> Stream:
    found = context.catalog.get(context.duck, "STREAM", context.resolve_text(name))
    return _readable(stream_offsets.load(context.catalog, context.duck, found))


# --- queries ----------------------------------------------------------------------------------------------------------


def read_by(context: Context, expression: exp.Expr) -> list[Stream]:
    """The streams that ``expression`` reads, each once, as the session's transaction sees them.

    Raises:
        SnowflakeError: 000707 or 091901, one of them is stale or its table is gone.
    """
    found = {each.uid: each for _, each in _references(context, expression)}
    return [_readable(stream_offsets.load(context.catalog, context.duck, each)) for each in found.values()]


def may_be_read_by(context: Context, expression: exp.Expr) -> bool:
    """False where ``expression`` certainly reads no stream; costs no look-up."""
    tables = (table for table in expression.find_all(exp.Table) if isinstance(table.this, exp.Identifier))
    return any(context.catalog.may_exist("STREAM", name_of(table).last) for table in tables)


def substitute(context: Context, expression: exp.Expr, streams: list[Stream]) -> None:
    """Replace each stream in ``expression``, in place, by a query of the table's new rows.

    The bounds are DuckDB variables (see ``bind``), which the planner folds: it prunes as with literals, and the
    translated statement can be kept for the next time.
    """
    by_uid = {stream.found.uid: stream for stream in streams}
    for node, found in _references(context, expression):
        node.replace(_query(by_uid[found.uid], node.alias_or_name))


def bind(duck: duckdb.DuckDBPyConnection, streams: list[Stream]) -> None:
    """Set the bounds that a substituted statement reads."""
    for stream in streams:
        duck.execute(f"SET VARIABLE {stream.variable}_low = {stream.low}::BIGINT")
        duck.execute(f"SET VARIABLE {stream.variable}_high = {stream.high}::BIGINT")


def _references(context: Context, expression: exp.Expr) -> list[tuple[exp.Table, CatalogObject]]:
    references = []
    for node in expression.find_all(exp.Table):
        if not isinstance(node.this, exp.Identifier) or common_table(node) is not None:
            continue
        key = context.table_key(node)
        if key and context.catalog.may_exist("STREAM", key[2]):
            found = context.catalog.find(context.duck, "STREAM", key)
            if found:
                references.append((node, found))
    return references


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


def _query(stream: Stream, alias: str) -> exp.Subquery:
    def variable(bound: str) -> exp.Expr:
        return exp.Anonymous(this="GETVARIABLE", expressions=[exp.Literal.string(f"{stream.variable}_{bound}")])

    row_id = exp.column("ROWID")
    action = exp.alias_(exp.Literal.string("INSERT"), "METADATA$ACTION", quoted=True)
    is_update = exp.alias_(exp.false(), "METADATA$ISUPDATE", quoted=True)
    query: exp.Query = (
        exp.select("*", action, is_update)
        .select(exp.alias_(_text_of(row_id), "METADATA$ROW_ID", quoted=True))
        .from_(table_node(stream.table))
        .where(exp.GT(this=row_id.copy(), expression=variable("low")))
        .where(exp.LTE(this=row_id.copy(), expression=variable("high")))
    )
    if stream.has_backlog:
        backlog = table_node((stream.found.database, HIDDEN_SCHEMA, stream.backlog_name))
        star = exp.Star(except_=[exp.to_identifier("METADATA$ROW_ID", quoted=True)])
        kept = exp.column(exp.to_identifier("METADATA$ROW_ID", quoted=True))
        query = exp.union(query, exp.select(star, action.copy(), is_update.copy(), kept).from_(backlog), distinct=False)
    else:
        # It limits nothing: it lets the planner know how few rows of a table of millions these are.
        query = query.limit(exp.Sub(this=variable("high"), expression=variable("low")))
    return query.subquery(exp.to_identifier(alias))


def _text_of(number: exp.Expr) -> exp.Expr:
    """``number`` as a text.  Not by a cast: its translation would ask DuckDB for the type, in every such query."""
    return exp.Anonymous(this="FORMAT", expressions=[exp.Literal.string("{}"), number])


# --- DDL of their tables ----------------------------------------------------------------------------------------------


def table_replaced(context: Context, table: Key) -> None:
    """``table`` was dropped or replaced: streams on it can't be read any more."""
    for stream in stream_offsets.on_table(context.catalog, context.duck, table):
        stream_offsets.end(context.duck, stream, _DROPPED)


def table_renamed(context: Context, table: Key, new: Key) -> None:
    for found in context.catalog.objects(context.duck, "STREAM", table[0]):
        if tuple(found.definition["TABLE"]) == table:
            context.catalog.alter(context.duck, found, {"TABLE": list(new)})


def rows_kept_of(context: Context, table: Key) -> list[Key]:
    """The tables in which the streams on ``table`` keep rows of it."""
    return [
        (stream.found.database, HIDDEN_SCHEMA, name)
        for stream in stream_offsets.on_table(context.catalog, context.duck, table)
        for name in stream.kept_names
    ]


def settle(context: Context, table: Key) -> None:
    """The retention of ``table`` is about to change: streams that are stale now stay stale, as their rows are gone."""
    for stream in stream_offsets.on_table(context.catalog, context.duck, table):
        if stream.stale:
            stream_offsets.end(context.duck, stream, None)


def forget_schema(context: Context, database: str, schema: str) -> None:
    """Forget the offsets of a dropped schema's streams; their catalog entries go with it."""
    for found in context.catalog.objects(context.duck, "STREAM", database):
        if found.schema == schema:
            stream_offsets.forget(context.duck, found)
