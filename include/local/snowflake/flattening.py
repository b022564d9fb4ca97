"""FLATTEN with its options: fakesnow knows its input alone.

The options go through fakesnow's translation inside the input, and are arguments of our macro afterwards.
"""

from __future__ import annotations

from sqlglot import exp

from . import duckdb_macros, errors

_OPTIONS = "_FLATTEN_OPTIONS"
_MODES = ("BOTH", "ARRAY", "OBJECT")


def mark(node: exp.Explode) -> None:
    """Put the options of a FLATTEN into its input, in place.

    Raises:
        SnowflakeError: RECURSIVE => TRUE, or an option that FLATTEN does not have.
    """
    given: dict[str, exp.Expr] = {}
    for each in [node.this, *node.expressions]:
        if isinstance(each, exp.Kwarg):
            given[each.this.name.upper()] = each.expression
        else:
            given.setdefault("INPUT", each)
    if unknown := set(given) - {"INPUT", "PATH", "OUTER", "RECURSIVE", "MODE"}:
        raise errors.compilation_error(f"invalid argument {sorted(unknown)[0]} of FLATTEN", 1003)
    if given.get("RECURSIVE", exp.false()) != exp.false():
        raise errors.unsupported("FLATTEN(RECURSIVE => TRUE)")
    mode = given["MODE"].name.upper() if "MODE" in given else "BOTH"
    if mode not in _MODES:
        raise errors.compilation_error(f"invalid value '{mode}' of MODE of FLATTEN", 1003)
    options = [
        given["INPUT"], given.get("PATH", exp.Literal.string("")), given.get("OUTER", exp.false()),
        exp.null() if mode == "BOTH" else exp.Literal.string(mode),
    ]  # fmt: skip
    node.set("expressions", [])
    node.set("this", exp.Anonymous(this=_OPTIONS, expressions=[option.copy() for option in options]))


def replace(translated: exp.Expr) -> None:
    """Call our macro in the place of fakesnow's, in place, after it translated."""
    for node in list(translated.find_all(exp.Anonymous)):
        if str(node.this) == "_fs_flatten" and isinstance(inner := node.expressions[0], exp.Anonymous):
            node.replace(duckdb_macros.call("_flatten", *inner.expressions))
