"""Values that a client binds to a statement: from their form on the wire to Python's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from . import errors
from .fakesnow_adapter import from_binding

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Bindings = Mapping[str, Mapping[str, Any]]


def is_array(bindings: Bindings) -> bool:
    """Whether each binding has one value per row."""
    return any(isinstance(binding["value"], list) for binding in bindings.values())


def row(bindings: Bindings) -> list[Any]:
    """The values of one row, in the order of their numbers."""
    return [_value(binding["type"], binding["value"]) for binding in _in_order(bindings)]


def rows(bindings: Bindings) -> list[list[Any]]:
    """The values of each row of an array binding."""
    columns = [[_value(binding["type"], value) for value in binding["value"]] for binding in _in_order(bindings)]
    return [list(values) for values in zip(*columns, strict=True)]


def _in_order(bindings: Bindings) -> list[Mapping[str, Any]]:
    if not all(name.isdigit() for name in bindings):
        raise errors.unsupported("bind variables with names (bind them by position)")
    return [bindings[str(position)] for position in range(1, len(bindings) + 1)]


def _value(kind: str, value: str | None) -> Any:
    if value is None:
        return None
    match kind:
        case "REAL":
            return float(value)
        case "FIXED":
            return int(value) if value.lstrip("+-").isdigit() else Decimal(value)
        case "TIMESTAMP_NTZ":
            # No time zone, so that DuckDB does not shift it by the session's.
            return _time(value).replace(tzinfo=None)
        case "TIMESTAMP_LTZ":
            return _time(value)
    return from_binding({"type": kind, "value": value})


def _time(nanoseconds: str) -> datetime:
    return _EPOCH + timedelta(microseconds=int(nanoseconds) // 1000)
