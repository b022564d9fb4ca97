"""Arithmetic of NUMBER: quotients, sums and averages are numbers again, of Snowflake's scale.

DuckDB divides as DOUBLE, and fakesnow sums and averages as DOUBLE. Only DuckDB knows the type of a column.  So the
type of a result is written as an expression (the second argument of ``cast_to_type``) that DuckDB types and never runs.
"""

from __future__ import annotations

from sqlglot import exp

_NUMBER = "_number"
# Text is summed as FLOAT, as in Snowflake; DuckDB would refuse it.
_MACRO = """
    CREATE MACRO IF NOT EXISTS "{database}".main._number
        (val VARCHAR) AS CAST(val AS DOUBLE),
        (val) AS val
"""
# A half is rounded away from zero; DuckDB rounds that of a DOUBLE to the even neighbour.
_INTEGER = "_integer"
_INTEGER_MACRO = """
    CREATE MACRO IF NOT EXISTS "{database}".main._integer(val) AS (
        CASE typeof(val)
            WHEN 'DOUBLE' THEN CAST(CAST(val AS DECIMAL(38, 0)) AS BIGINT)
            ELSE CAST(val AS BIGINT)
        END
    )
"""
_MARK = "number"
_TYPED = "CAST_TO_TYPE"
# An argument that is certainly no text needs no look at its type.
_NUMERIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.DateDiff, exp.Length, exp.Abs, exp.Round)
_TEXT = exp.DataType.TEXT_TYPES
# They return a FLOAT, whatever they are given.
_FLOATS = (
    exp.Radians, exp.Degrees, exp.Sin, exp.Cos, exp.Tan, exp.Asin, exp.Acos, exp.Atan, exp.Atan2, exp.Sqrt, exp.Cbrt,
    exp.Pow, exp.Exp, exp.Ln, exp.Log, exp.Pi,
)  # fmt: skip
# A quotient and an average have six decimals more than the number that is divided.
_MORE_DECIMALS = "1.000000"


def macro(database: str) -> str:
    """Return the statements that create the macros that translations call, if the database lacks them."""
    return f"{_MACRO.format(database=database)}; {_INTEGER_MACRO.format(database=database)}"


def mark_sums(expression: exp.Expr) -> None:
    """Mark each SUM and AVG whose argument fakesnow is about to cast to DOUBLE."""
    for node in expression.find_all(exp.Sum, exp.Avg):
        if not isinstance(node.this, exp.Cast):
            node.meta[_MARK] = True


def keep_numbers(translated: exp.Expr) -> None:
    """Give quotients, sums and averages their type, in place, after fakesnow translated."""
    found = list(translated.find_all(exp.Sum, exp.Avg, exp.Div, exp.Mul, exp.Cast))
    for node in found:
        if isinstance(node, exp.Sum | exp.Avg):
            _uncast(node)
    # Inner ones first: an outer one copies its operands.
    for node in reversed(found):
        match node:
            case exp.Avg() if not _is_float(node.this):
                _average(node)
            case exp.Div() if not _is_float(node.this) and not _is_float(node.expression):
                _quotient(node)
            case exp.Mul():
                _widen(node)
            case exp.Cast() if type(node) is exp.Cast and node.is_type("BIGINT") and _may_be_float(node.this):
                node.replace(exp.Anonymous(this=_INTEGER, expressions=[node.this]))


def _uncast(node: exp.AggFunc) -> None:
    argument = node.this
    if node.meta.get(_MARK) and isinstance(argument, exp.TryCast):
        argument = argument.this
    if isinstance(argument, exp.Distinct):
        distinct = argument.copy()
        distinct.set("expressions", [_as_number(each) for each in argument.expressions])
        node.set("this", distinct)
    else:
        node.set("this", _as_number(argument))


def _as_number(argument: exp.Expr) -> exp.Expr:
    value = argument.unnest()
    if isinstance(value, _NUMERIC) or (isinstance(value, exp.Literal) and not value.is_string):
        return argument
    if isinstance(value, exp.Cast) and value.to.this not in _TEXT:
        return argument
    # In the window of an aggregate, DuckDB does not know the type yet when it chooses the macro's variant.
    if argument.find(exp.AggFunc):
        return argument
    return exp.Anonymous(this=_NUMBER, expressions=[argument])


def _average(average: exp.Avg) -> None:
    whole: exp.Expr = average
    while isinstance(whole.parent, exp.Window | exp.Filter) and whole.arg_key == "this":
        whole = whole.parent
    example = whole.copy()
    found = example.find(exp.Avg)
    if found is not None:
        total = exp.Sum(this=found.this)
        example = total if found is example else found.replace(total).root()
    # Before it is part of the new node: replace() would otherwise put the new node into itself.
    placeholder = exp.null()
    whole.replace(placeholder)
    placeholder.replace(_typed(whole, exp.Mul(this=example, expression=exp.Literal.number(_MORE_DECIMALS))))


def _quotient(quotient: exp.Div) -> None:
    number, divisor = quotient.this, quotient.expression
    example: exp.Expr = exp.Mul(this=_operand(number), expression=exp.Literal.number(_MORE_DECIMALS))
    if not (isinstance(divisor, exp.Literal) and divisor.is_int):
        # It adds no decimals; what is divided by a FLOAT is a FLOAT.
        rounded = exp.Mul(this=_operand(divisor), expression=exp.Literal.number("1.0"))
        example = exp.Add(this=example, expression=exp.Anonymous(this="ROUND", expressions=[rounded]))
    widest = exp.cast(exp.Literal.number(0), exp.DataType.build("DECIMAL(38, 0)"))
    placeholder = exp.null()
    quotient.replace(placeholder)
    placeholder.replace(_typed(quotient, exp.Add(this=example, expression=widest)))


def _operand(node: exp.Expr) -> exp.Expr:
    """A copy of an operand, in parentheses where it is an operation itself."""
    return exp.paren(node.copy(), copy=False) if isinstance(node, exp.Binary) else node.copy()


def _typed(value: exp.Expr, example: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=_TYPED, expressions=[value, example])


def _is_float(node: exp.Expr) -> bool:
    """Whether ``node`` is certainly a FLOAT, whose quotients are FLOATs too."""
    value = node.unnest()
    if isinstance(value, exp.Literal):
        return not value.is_string and "e" in value.name.lower()
    return isinstance(value, _FLOATS) or (isinstance(value, exp.Cast) and value.is_type("DOUBLE"))


def _may_be_float(node: exp.Expr) -> bool:
    value = node.unnest()
    if isinstance(value, exp.Cast):
        return value.is_type("DOUBLE")
    # COPY casts the text of a field.
    if isinstance(value, exp.Column):
        return value.table != "fields"
    return not isinstance(
        value, exp.Literal | exp.JSONExtractScalar | exp.DateDiff | exp.Count | exp.Length | exp.Round
    )


def _widen(product: exp.Mul) -> None:
    """Let a product of literals exceed the 32 bits that DuckDB takes for a small literal."""
    left, right = product.this.unnest(), product.expression.unnest()
    if isinstance(left, exp.Literal) and isinstance(right, exp.Literal) and left.is_int and right.is_int:
        product.set("this", exp.cast(left.copy(), "BIGINT"))
