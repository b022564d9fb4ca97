"""CREATE TABLE ... LIKE and CLONE: the copy has the defaults, NOT NULL and lengths of text of the original."""

from __future__ import annotations

from sqlglot import exp

from . import engine, errors
from .context import Context
from .names import Key, named_table, quote, quoted


def original_of(context: Context, expression: exp.Create) -> Key | None:
    """The table that a CREATE TABLE copies with LIKE or CLONE; None for a temporary one.

    Raises:
        SnowflakeError: the copy is to replace the table itself.
    """
    source = expression.args.get("clone") or expression.find(exp.LikeProperty)
    table = source.this if source else None
    if not isinstance(table, exp.Table) or (not table.db and table.name.upper() in context.temporary_tables):
        return None
    key = context.table_key(table)
    if expression.args.get("replace") and key == context.table_key(named_table(expression)):
        raise errors.unsupported("a table that is replaced by its own copy")
    return key


def as_query(expression: exp.Create) -> None:
    """Make CLONE the query that it is, in place: fakesnow would forget OR REPLACE, IF NOT EXISTS and TEMPORARY."""
    if clone := expression.args.get("clone"):
        expression.set("clone", None)
        expression.set("expression", exp.select("*").from_(clone.this.copy()))


def complete(context: Context, original: Key, copy: Key) -> None:
    """Give the new table ``copy`` what a copy of columns lacks, in the open transaction."""
    context.translator.copy_text_lengths(original, copy)
    for name, default in engine.defaults(context.duck, original).items():
        context.duck.execute(f"ALTER TABLE {quoted(copy)} ALTER COLUMN {quote(name)} SET DEFAULT {default}")
    for name, (_, nullable) in engine.columns(context.duck, original).items():
        if not nullable:
            context.duck.execute(f"ALTER TABLE {quoted(copy)} ALTER COLUMN {quote(name)} SET NOT NULL")
