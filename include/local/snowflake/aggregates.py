"""ARRAY_AGG, OBJECT_AGG and LISTAGG of no rows are empty; DuckDB says NULL."""

from __future__ import annotations

from sqlglot import exp

AGGREGATES: tuple[type[exp.Expr], ...] = (exp.ArrayAgg, exp.ArrayUniqueAgg, exp.ObjectAgg, exp.GroupConcat)


def fill(node: exp.Expr) -> None:
    """Put the empty value around one of AGGREGATES with its WITHIN GROUP and OVER, in place."""
    whole = node
    while isinstance(whole.parent, exp.WithinGroup | exp.Window) and whole.parent.this is whole:
        whole = whole.parent
    empty: exp.Expr
    if isinstance(node, exp.GroupConcat):
        empty = exp.Literal.string("")
    else:
        text = "{}" if isinstance(node, exp.ObjectAgg) else "[]"
        empty = exp.ParseJSON(this=exp.Literal.string(text))
    whole.replace(exp.Coalesce(this=whole.copy(), expressions=[empty]))
