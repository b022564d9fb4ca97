"""What the meter says: WAREHOUSE_METERING_HISTORY and PIPE_USAGE_HISTORY, and LOCAL_METER of our own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import exp

from . import errors
from .context import Context
from .meter import HOUR

Named = Mapping[str, exp.Expr]
_Row = tuple[Any, ...]

_METERING = {
    "START_TIME": "TIMESTAMP_LTZ", "END_TIME": "TIMESTAMP_LTZ", "WAREHOUSE_NAME": "TEXT", "CREDITS_USED": "DOUBLE",
    "CREDITS_USED_COMPUTE": "DOUBLE", "CREDITS_USED_CLOUD_SERVICES": "DOUBLE",
}  # fmt: skip
_PIPE_USAGE = {
    "START_TIME": "TIMESTAMP_LTZ", "END_TIME": "TIMESTAMP_LTZ", "PIPE_NAME": "TEXT", "CREDITS_USED": "DOUBLE",
    "BYTES_INSERTED": "BIGINT", "FILES_INSERTED": "BIGINT",
}  # fmt: skip
_STATEMENTS = {
    "QUERY_ID": "TEXT", "START_TIME": "TIMESTAMP_LTZ", "WAREHOUSE_NAME": "TEXT", "ROLE_NAME": "TEXT",
    "QUERY_TAG": "TEXT", "RESUMED": "BOOLEAN", "SECONDS_RUN": "DOUBLE", "SECONDS_BILLED": "DOUBLE",
}  # fmt: skip


def warehouse_metering(context: Context, named: Named, positional: Sequence[exp.Expr]) -> exp.Select:
    """INFORMATION_SCHEMA.WAREHOUSE_METERING_HISTORY(from [, until] [, warehouse]), hour by hour."""
    rows = [
        (start.isoformat(), (start + HOUR).isoformat(), name, used.credits + used.cloud_services, used.credits,
         used.cloud_services)
        for (start, name), used in sorted(context.instance.meter.warehouse_hours().items())
    ]  # fmt: skip
    given = _arguments(named, positional, ("DATE_RANGE_START", "DATE_RANGE_END", "WAREHOUSE_NAME"))
    if "DATE_RANGE_START" not in given:
        raise errors.compilation_error("WAREHOUSE_METERING_HISTORY needs DATE_RANGE_START.", 1015)
    return _select(_METERING, rows, given)


def pipe_usage(context: Context, named: Named, positional: Sequence[exp.Expr]) -> exp.Select:
    """INFORMATION_SCHEMA.PIPE_USAGE_HISTORY([from] [, until] [, pipe]), hour by hour."""
    rows = [
        (start.isoformat(), (start + HOUR).isoformat(), pipe, used.credits, used.size_bytes, used.files)
        for (start, pipe), used in sorted(context.instance.meter.pipe_hours().items())
    ]
    return _select(
        _PIPE_USAGE, rows, _arguments(named, positional, ("DATE_RANGE_START", "DATE_RANGE_END", "PIPE_NAME"))
    )


def local_meter(context: Context, named: Named, positional: Sequence[exp.Expr]) -> exp.Select:
    """LOCAL_METER(): the last statements, each with what it costs; WAREHOUSE_NAME is NULL where it needs none."""
    if named or positional:
        raise errors.unsupported("LOCAL_METER with arguments")
    rows = [
        (each.query_id, each.started_at.isoformat(), each.warehouse, each.role, each.tag, each.resumed, each.seconds,
         each.billed)
        for each in context.instance.meter.statements()
    ]  # fmt: skip
    return _select(_STATEMENTS, rows, {})


def _arguments(named: Named, positional: Sequence[exp.Expr], names: Sequence[str]) -> dict[str, exp.Expr]:
    given = dict(zip(names, positional, strict=False)) | dict(named)
    if unknown := sorted(set(given) - set(names)):
        raise errors.compilation_error(f"unknown argument {unknown[0]}", 1015)
    return given


def _select(columns: Mapping[str, str], rows: Sequence[_Row], given: Mapping[str, exp.Expr]) -> exp.Select:
    """The rows within the range of time that is ``given``, and of the name."""
    values = exp.values(rows or [(None,) * len(columns)], alias="METERED", columns=list(columns))
    select = exp.select(*(exp.cast(exp.column(name), kind).as_(name) for name, kind in columns.items())).from_(values)
    if not rows:
        return select.where(exp.false())
    for argument, value in given.items():
        if argument in ("DATE_RANGE_START", "DATE_RANGE_END"):
            column = "END_TIME" if argument == "DATE_RANGE_START" else "START_TIME"
            compare = exp.GT if argument == "DATE_RANGE_START" else exp.LT
            time = exp.cast(value.copy(), "TIMESTAMP_LTZ")
            select = select.where(compare(this=exp.cast(exp.column(column), "TIMESTAMP_LTZ"), expression=time))
        else:
            wanted = exp.Upper(this=value.copy())
            select = select.where(exp.EQ(this=exp.Upper(this=exp.column(argument)), expression=wanted))
    return select
