"""The objects that a statement names: which table, view or stream each name in it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp

from . import engine, errors
from .context import Context
from .names import Key, common_table
from .privileges import Securable

INFORMATION_SCHEMA = "INFORMATION_SCHEMA"


def read_by(context: Context, expression: exp.Expr, *, but: Sequence[exp.Expr | None] = ()) -> Iterator[Securable]:
    """The tables, views, streams and sequences that ``expression`` reads, and the tables of these streams.

    Args:
        but: nodes that it writes, or that are no table of a schema.

    Raises:
        SnowflakeError: 002003, it names a table that does not exist.
    """
    left_out = {id(node) for node in but}
    for node in expression.find_all(exp.Table):
        if id(node) not in left_out and common_table(node) is None:
            found = relation(context, node)
            if found is not None:
                _check_exists(context, found)
                yield found
                if found.kind == "STREAM":
                    stream = context.catalog.get(context.duck, "STREAM", (found.key[0], found.key[1], found.key[2]))
                    yield Securable("TABLE", tuple(stream.definition["TABLE"]))
    for column in expression.find_all(exp.Column):
        if column.name.upper() == "NEXTVAL" and len(column.parts) > 1:
            sequence = Securable("SEQUENCE", context.resolve_text(".".join(part.sql() for part in column.parts[:-1])))
            if context.grants.is_recorded(sequence):
                yield sequence


def relation(context: Context, node: exp.Table) -> Securable | None:
    """The table, view or stream that ``node`` names, or the database where it is a view of INFORMATION_SCHEMA.

    None for a temporary table, for what is no name of an object, and for a name that needs a current schema where there
    is none.
    """
    key = _named(context, node)
    if key is None:
        return None
    if key[1] == INFORMATION_SCHEMA:
        return Securable("DATABASE", key[:1])
    if not node.db and key[2].upper() in context.temporary_tables:
        return None
    if context.catalog.may_exist("STREAM", key[2]) and context.catalog.find(context.duck, "STREAM", key):
        return Securable("STREAM", key)
    view = Securable("VIEW", key)
    return view if context.grants.is_recorded(view) else Securable("TABLE", key)


def _check_exists(context: Context, on: Securable) -> None:
    """Refuse a table that does not exist: DuckDB would take its name for that of a view of its own, or of a file."""
    if on.kind == "TABLE" and not context.grants.is_recorded(on):
        key = (on.key[0], on.key[1], on.key[2])
        if not engine.has_table(context.duck, key) and not engine.has_view(context.duck, key):
            raise errors.does_not_exist("Object", on.name)


def _named(context: Context, node: exp.Table) -> Key | None:
    return context.table_key(node) if isinstance(node.this, exp.Identifier) else None
