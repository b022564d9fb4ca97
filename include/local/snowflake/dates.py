"""DATE_TRUNC, DATEADD and ADD_MONTHS of a DATE are a DATE, where DuckDB makes a timestamp of it; CONVERT_TIMEZONE."""

from __future__ import annotations

from sqlglot import exp

from . import duckdb_macros

FUNCTIONS: tuple[type[exp.Expr], ...] = (exp.DateAdd, exp.TimestampTrunc, exp.DateTrunc, exp.AddMonths)
# DATEADD of these makes a timestamp of a date.
_TIME_UNITS = ("HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND", "NANOSECOND")
_TIMESTAMPS = (
    exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPLTZ, exp.DType.TIMESTAMPTZ, exp.DType.VARCHAR,
    exp.DType.TEXT, exp.DType.TIME,
)  # fmt: skip
_DATE, _OTHER, _UNKNOWN = "date", "other", "unknown"


def keep(node: exp.Expr) -> None:
    """Give the result of a function of a date its type, in place; one around another is given it first."""
    origin = _origin(node)
    match _kind(origin):
        case "date":
            node.replace(exp.Cast(this=node.copy(), to=exp.DataType.build("DATE")))
        case "unknown":
            node.replace(duckdb_macros.like(node, origin))


def in_session(node: exp.ConvertTimezone) -> None:
    """Let CONVERT_TIMEZONE of two arguments begin in the session's time zone, in place, not in the target."""
    if not node.args.get("source_tz"):
        node.set("timestamp", exp.Cast(this=node.args["timestamp"].copy(), to=exp.DataType.build("TIMESTAMPLTZ")))


def _origin(node: exp.Expr) -> exp.Expr:
    """The date that a function of functions of dates begins with, or the inner one that makes a time of it."""
    while True:
        if isinstance(node, FUNCTIONS) and not _makes_time(node):
            node = node.this.unnest()
        elif isinstance(node, exp.Anonymous) and node.this == duckdb_macros.LIKE:
            node = node.expressions[1]
        else:
            return node


def _makes_time(node: exp.Expr) -> bool:
    unit = node.args.get("unit")
    return isinstance(node, exp.DateAdd) and unit is not None and unit.name.upper().rstrip("S") in _TIME_UNITS


def _kind(node: exp.Expr) -> str:
    if isinstance(node, exp.Cast):
        if node.to.this == exp.DType.DATE:
            return _DATE
        return _OTHER if node.to.this in _TIMESTAMPS else _UNKNOWN
    if isinstance(node, exp.CurrentDate | exp.TsOrDsToDate):
        return _DATE
    is_other = isinstance(node, exp.CurrentTimestamp | exp.Literal | exp.Null | exp.Localtimestamp | exp.UnixToTime)
    return _OTHER if is_other or isinstance(node, FUNCTIONS) else _UNKNOWN
