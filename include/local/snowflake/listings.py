"""SHOW and DESCRIBE as fakesnow answers them, with what it leaves out or gets wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
from sqlglot import exp

from . import dml, engine, errors
from .context import Context
from .names import like_pattern, quoted
from .privileges import Securable
from .results import Result

# The column that LIKE, STARTS WITH and FROM look at.
_NAME_COLUMNS = ("column_name", "name")
_KINDS = {"DATABASES": ("DATABASE", 1), "SCHEMAS": ("SCHEMA", 2), "SEQUENCES": ("SEQUENCE", 3), "VIEWS": ("VIEW", 3)}


def run(context: Context, expression: exp.Show | exp.Describe) -> Result:
    """Run a SHOW or DESCRIBE that is not of our own grammar.

    Raises:
        SnowflakeError: SHOW ... HISTORY, which would list what was dropped.
    """
    if isinstance(expression, exp.Describe):
        return _described(dml.run(context, expression))
    if expression.args.get("history"):
        raise errors.unsupported(f"SHOW {expression.name} HISTORY")
    narrowing = {name: expression.args.pop(name, None) for name in ("like", "starts_with", "limit", "from_")}
    result = dml.run(context, expression)
    return _completed(context, expression.name.upper(), _narrowed(result, narrowing))


def _described(result: Result) -> Result:
    """Give TIMESTAMP_LTZ, which fakesnow does not know, its precision."""
    names = [name for name, _ in result.types]
    if "type" not in names:
        return result
    return _with_column(result, "type", lambda row: _precise(row["type"]))


def _precise(kind: str | None) -> str | None:
    return "TIMESTAMP_LTZ(9)" if kind in ("TIMESTAMP_LTZ", "TIMESTAMP WITH TIME ZONE") else kind


def _narrowed(result: Result, narrowing: dict[str, Any]) -> Result:
    """The rows that LIKE, STARTS WITH and LIMIT ... FROM leave, by name."""
    names = [name for name, _ in result.types]
    column = next((name for name in _NAME_COLUMNS if name in names), None)
    if column is None or not any(narrowing.values()):
        return result
    shown = result.table.column(names.index(column)).to_pylist()
    kept = list(range(len(shown)))
    if like := narrowing["like"]:
        pattern = like_pattern(like.name)
        kept = [index for index in kept if pattern.fullmatch(shown[index])]
    if start := narrowing["starts_with"]:
        kept = [index for index in kept if shown[index].startswith(start.name)]
    if limit := narrowing["limit"]:
        after = narrowing["from_"].name if narrowing["from_"] else ""
        kept = [index for index in kept if shown[index] > after] if after else kept
        kept = kept[: int(limit.expression.name)]
    return replace(result, table=result.table.take(pa.array(kept, pa.int64())))


def _completed(context: Context, kind: str, result: Result) -> Result:
    """The times when objects were created, and the rows of tables."""
    names = [name for name, _ in result.types]
    if "created_on" in names and (kind in _KINDS or kind in ("TABLES", "OBJECTS")):
        result = _with_column(result, "created_on", lambda row: _created_on(context, kind, row))
    if "rows" in names:
        result = _with_column(result, "rows", lambda row: _rows(context, row))
    return result


def _created_on(context: Context, kind: str, row: dict[str, Any]) -> Any:
    of, parts = _KINDS.get(kind, (str(row.get("kind")), 3))
    containers = [row[name] for name in ("database_name", "schema_name") if name in row]
    key = (*containers[: parts - 1], row["name"])
    return context.grants.created_on(Securable(of, key)) or row["created_on"]


def _rows(context: Context, row: dict[str, Any]) -> int | None:
    if row.get("kind") == "VIEW":
        return None
    table = quoted((row["database_name"], row["schema_name"], row["name"]))
    (count,) = engine.row(context.duck, f"SELECT count(*) FROM {table}")
    return int(count)


def _with_column(result: Result, name: str, value: Callable[[dict[str, Any]], Any]) -> Result:
    """``result`` with new values of one column."""
    names = [each for each, _ in result.types]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*result.table.to_pydict().values(), strict=True)]
    index = names.index(name)
    column = pa.array([value(row) for row in rows], result.table.schema.field(index).type)
    return replace(result, table=result.table.set_column(index, result.table.column_names[index], column))
