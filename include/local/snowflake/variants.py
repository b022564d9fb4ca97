"""Operators on VARIANT: as in Snowflake, it is converted to the type of the other operand.

To DuckDB it is JSON, a text with quotes: ``v:name || '!'`` keeps them, and ``v:name = 'x'`` fails.  Types are not known
before DuckDB binds the statement: a path (``v:a``, ``v['a']``), PARSE_JSON, FLATTEN's VALUE, and the columns that
``variant_columns`` marked are known to be VARIANT.
"""

from __future__ import annotations

from sqlglot import exp

from . import duckdb_macros, errors

# In the meta of a column that is a VARIANT.
MARK = "variant"
_EQUALITY = (exp.EQ, exp.NEQ, exp.NullSafeEQ, exp.NullSafeNEQ)
_INEQUALITY = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_OF_TEXT = (
    exp.Upper, exp.Lower, exp.Initcap, exp.Length, exp.Substring, exp.Trim, exp.Like, exp.ILike, exp.RegexpLike,
    exp.StartsWith, exp.EndsWith, exp.Contains, exp.Left, exp.Right, exp.Split, exp.Replace, exp.RegexpReplace,
)  # fmt: skip
_BY_ORDER = (exp.Ordered, exp.Max, exp.Min, exp.Greatest, exp.Least)

OPERATORS: tuple[type[exp.Expr], ...] = (
    *_EQUALITY, *_INEQUALITY, *_ARITHMETIC, *_OF_TEXT, *_BY_ORDER, exp.DPipe, exp.Concat, exp.Between, exp.In, exp.Case,
)  # fmt: skip
_TEXTS = (exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.CHAR, exp.DType.NVARCHAR)


def convert(node: exp.Expr) -> None:
    """Convert the VARIANTs that ``node``, one of OPERATORS, operates on, in place.

    Raises:
        SnowflakeError: the order of two VARIANTs.
    """
    if isinstance(node, exp.DPipe | exp.Concat):
        for operand in [*node.expressions] if isinstance(node, exp.Concat) else [node.this, node.expression]:
            _replace(operand, exp.Literal.string(""))
    elif isinstance(node, _OF_TEXT):
        _replace(node.this, exp.Literal.string(""))
    elif isinstance(node, _BY_ORDER):
        if is_variant(node.this):
            raise errors.unsupported("the order of VARIANTs without a cast")
    elif isinstance(node, _ARITHMETIC):
        for operand in (node.this, node.expression):
            _replace(operand, exp.Literal.number(0))
    elif isinstance(node, exp.Between):
        _replace(node.this, node.args["low"])
    elif isinstance(node, exp.In):
        if node.expressions:
            _replace(node.this, node.expressions[0])
    elif isinstance(node, exp.Case):
        if node.this and node.args["ifs"]:
            _replace(node.this, node.args["ifs"][0].this)
    else:
        _compare(node)


def _compare(node: exp.Expr) -> None:
    left, right = node.this, node.expression
    if is_variant(left) and is_variant(right):
        if isinstance(node, _INEQUALITY):
            raise errors.unsupported("the order of VARIANTs without a cast")
        return
    _replace(left, right)
    _replace(right, left)


def is_variant(node: exp.Expr | None) -> bool:
    node = node.unnest() if isinstance(node, exp.Paren) else node
    if isinstance(node, exp.JSONExtract | exp.GetExtract | exp.Bracket | exp.ParseJSON):
        return True
    if isinstance(node, exp.Cast):
        return bool(node.to.this == exp.DType.VARIANT)
    if isinstance(node, exp.Column) and node.meta.get(MARK):
        return True
    if isinstance(node, exp.Column) and node.name.upper() == "VALUE":
        select = node.find_ancestor(exp.Select)
        return select is not None and select.find(exp.Explode) is not None
    return False


def _replace(node: exp.Expr, other: exp.Expr) -> None:
    """Convert ``node``, if it is a VARIANT, to the type of ``other``."""
    if not is_variant(node) or isinstance(other, exp.Null):
        return
    other = other.unnest()
    if _is_text(other):
        node.replace(_text(node))
    elif isinstance(other, _ARITHMETIC) or (isinstance(other, exp.Literal) and not other.is_string) or _is_minus(other):
        node.replace(exp.Cast(this=_text(node), to=exp.DataType.build("DOUBLE")))
    elif isinstance(other, exp.Boolean):
        node.replace(exp.Cast(this=_text(node), to=exp.DataType.build("BOOLEAN")))
    else:
        node.replace(duckdb_macros.like(_text(node), other))


def _text(node: exp.Expr) -> exp.Expr:
    """A VARIANT as a text, without quotes."""
    inner = node.unnest()
    if isinstance(inner, exp.Column) and inner.meta.get(MARK):
        return exp.JSONExtractScalar(this=inner.copy(), expression=exp.JSONPath(expressions=[exp.JSONPathRoot()]))
    if isinstance(inner, exp.JSONExtract | exp.Bracket | exp.Column):
        return exp.Cast(this=inner.copy(), to=exp.DataType.build("VARCHAR"))
    return exp.JSONExtractScalar(this=inner.copy(), expression=exp.JSONPath(expressions=[exp.JSONPathRoot()]))


def _is_text(node: exp.Expr) -> bool:
    if isinstance(node, exp.Literal):
        return bool(node.is_string)
    if isinstance(node, exp.Cast):
        return node.to.this in _TEXTS
    return isinstance(node, exp.DPipe | exp.Concat | exp.Upper | exp.Lower | exp.Substring | exp.Trim)


def _is_minus(node: exp.Expr) -> bool:
    return isinstance(node, exp.Neg)
