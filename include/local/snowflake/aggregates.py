"""ARRAY_AGG, OBJECT_AGG and LISTAGG of no rows are empty, and ARRAY_AGG leaves NULLs out.

DuckDB returns NULL, and keeps them.
"""

from __future__ import annotations

from sqlglot import exp

from . import duckdb_macros

AGGREGATES: tuple[type[exp.Expr], ...] = (exp.ArrayAgg, exp.ArrayUniqueAgg, exp.ObjectAgg, exp.GroupConcat)


def fill(node: exp.Expr) -> None:
    """Put the empty value around one of AGGREGATES with its WITHIN GROUP and OVER, in place."""
    whole = node
    while isinstance(whole.parent, exp.WithinGroup | exp.Window) and whole.parent.this is whole:
        whole = whole.parent
    empty: exp.Expr
    if isinstance(node, exp.GroupConcat):
        if not node.args.get("separator"):
            # DuckDB would put a comma.
            node.set("separator", exp.Literal.string(""))
        empty = exp.Literal.string("")
    else:
        text = "{}" if isinstance(node, exp.ObjectAgg) else "[]"
        empty = exp.ParseJSON(this=exp.Literal.string(text))
    whole.replace(exp.Coalesce(this=whole.copy(), expressions=[empty]))


def join(node: exp.ArrayToString) -> None:
    """Let ARRAY_TO_STRING join a VARIANT, in place: DuckDB's joins lists alone."""
    array = node.this
    if isinstance(array, exp.Array):
        # fakesnow makes a list of it, whose elements have one type.
        array = exp.Anonymous(this="JSON_ARRAY", expressions=[each.copy() for each in array.expressions])
    node.replace(duckdb_macros.call("_array_to_string", array.copy(), node.expression.copy()))


def drop_nulls(translated: exp.Expr) -> None:
    """Drop the NULLs of each ARRAY_AGG, in place, after fakesnow made JSON of it."""
    for node in list(translated.find_all(exp.Anonymous)):
        if str(node.this) == "TO_JSON" and isinstance(_aggregate(node.expressions[0]), exp.ArrayAgg):
            node.set("expressions", [duckdb_macros.call("_without_nulls", node.expressions[0].copy())])


def _aggregate(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Window | exp.Filter):
        node = node.this
    return node
