"""CREATE TABLE ... LIKE and CLONE: the copy has the defaults, NOT NULL and lengths of text of the original."""

from __future__ import annotations

from sqlglot import exp

from . import engine
from .context import Context
from .names import Key, quoted


def original_of(context: Context, expression: exp.Create) -> Key | None:
    """The table that a CREATE TABLE copies with LIKE or CLONE."""
    source = expression.args.get("clone") or expression.find(exp.LikeProperty)
    return context.table_key(source.this) if source and isinstance(source.this, exp.Table) else None


def complete(context: Context, original: Key, copy: Key) -> None:
    """Give the new table ``copy`` what a copy of columns lacks, in the open transaction."""
    context.translator.copy_text_lengths(original, copy)
    for name, default in engine.defaults(context.duck, original).items():
        context.duck.execute(f'ALTER TABLE {quoted(copy)} ALTER COLUMN "{name}" SET DEFAULT {default}')
    for name, (_, nullable) in engine.columns(context.duck, original).items():
        if not nullable:
            context.duck.execute(f'ALTER TABLE {quoted(copy)} ALTER COLUMN "{name}" SET NOT NULL')
