"""Times, floats and VARIANTs as text, in Snowflake's default formats.

A time has three decimals, and its offset if it has a time zone; a float without decimals has no point; a text in a
VARIANT has no quotes.  DuckDB writes the decimals that a time has, 1.0, and the quotes.  It alone knows the type of a
column, so the choice is made in its SQL.  There it is free: DuckDB decides it while it plans.
"""

from __future__ import annotations

from sqlglot import exp

from . import variants

# Another name than that of the macro that older state has, which a column's default may use.
_TEXT = "_as_text"
# '2026-01-01 00:00:00.123' and '2025-12-31 16:00:00.123 -0800'.  DuckDB writes -08 for whole hours.
_MACRO = """
    CREATE MACRO IF NOT EXISTS "{database}".main._as_text(val) AS (
        CASE typeof(val)
            WHEN 'TIMESTAMP'
            THEN rpad(CAST(val AS VARCHAR) || if(length(CAST(val AS VARCHAR)) = 19, '.', ''), 23, '0')
            WHEN 'TIMESTAMP WITH TIME ZONE'
            THEN
                rpad(
                    regexp_replace(regexp_replace(CAST(val AS VARCHAR), '[+-][0-9:]+$', ''), '(:\\d\\d)$', '\\1.'),
                    23,
                    '0'
                )
                || ' '
                || rpad(replace(regexp_extract(CAST(val AS VARCHAR), '[+-][0-9:]+$'), ':', ''), 5, '0')
            WHEN 'DOUBLE' THEN regexp_replace(CAST(val AS VARCHAR), '\\.0$', '')
            WHEN 'JSON' THEN json_extract_string(to_json(val), '$')
            ELSE CAST(val AS VARCHAR)
        END
    )
"""
# What may be a time, a float or a VARIANT: not what is text, an integer or true.
_PERHAPS = (
    exp.Column, exp.Anonymous, exp.Coalesce, exp.If, exp.Case, exp.Min, exp.Max, exp.AnyValue, exp.Window, exp.Lead,
    exp.Lag, exp.CurrentTimestamp, exp.DateAdd, exp.TimestampTrunc, exp.DateTrunc, exp.Add, exp.Sub, exp.AtTimeZone,
    exp.Greatest, exp.Least, exp.Nullif, exp.Subquery, exp.FirstValue, exp.LastValue, exp.Sum, exp.Avg, exp.Mul,
    exp.Div, exp.Round, exp.Median, exp.Neg, exp.Abs,
)  # fmt: skip


def macro(database: str) -> str:
    """Return the statement that creates the macro that translations call, if the database lacks it."""
    return _MACRO.format(database=database)


def format_values(translated: exp.Expr) -> None:
    """Give what may be a time, a float or a VARIANT Snowflake's form as text, in place, after fakesnow translated."""
    for node in list(translated.find_all(exp.Cast, exp.ToChar)):
        if _makes_text(node) and _may_differ(node.this):
            node.replace(exp.Anonymous(this=_TEXT, expressions=[node.this]))


def trim(node: exp.Trim) -> None:
    """Make what TRIM, LTRIM and RTRIM trim a text, in place, and write the space that they trim by default.

    Otherwise fakesnow makes it one, and loses the side and the characters; DuckDB trims more than the space.
    """
    variants.convert(node)
    characters = node.args.get("expression") or exp.Literal.string(" ")
    node.set("this", exp.cast(node.this.copy(), "VARCHAR"))
    node.set("expression", characters.copy() if characters.is_string else exp.cast(characters.copy(), "VARCHAR"))


def _makes_text(node: exp.Expr) -> bool:
    if isinstance(node, exp.ToChar):
        return not node.args.get("format")
    return type(node) is exp.Cast and node.to.this in (exp.DType.TEXT, exp.DType.VARCHAR)


def _may_differ(node: exp.Expr) -> bool:
    value = node.unnest()
    if isinstance(value, exp.Cast):
        return value.to.is_type("DOUBLE", *exp.DataType.TEMPORAL_TYPES)
    # COPY casts the text of a field.
    return isinstance(value, _PERHAPS) and not (isinstance(value, exp.Column) and value.table == "fields")
