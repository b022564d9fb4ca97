"""An array binding (``executemany``) as one INSERT of a table of its rows: row by row, each would be translated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from sqlglot import exp

from .statements import Statement

# The name under which a connection sees the bound rows.
ROWS = "_BOUND_ROWS"


def of(statement: Statement, rows: Sequence[Sequence[Any]]) -> tuple[exp.Insert, pa.Table] | None:
    """``INSERT ... VALUES (?, ...)`` as an INSERT of a query over ``rows``, with the rows as a table.

    None for another statement, and for a column of mixed types or of numbers beyond 64 bits: these go row by row.
    """
    if not isinstance(statement, exp.Insert) or statement.args.get("overwrite") or not rows:
        return None
    values = statement.expression
    if not isinstance(values, exp.Values) or len(values.expressions) != 1:
        return None
    try:
        columns = enumerate(zip(*rows, strict=True), start=1)
        table = pa.table({_column(number): list(column) for number, column in columns})
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return None
    insert = statement.copy()
    items = insert.expression.expressions[0].expressions
    for node in [mark for item in items for mark in item.find_all(exp.Placeholder)]:
        number = str(node.this)
        if not number.isdigit() or not 1 <= int(number) <= table.num_columns:
            return None
        node.replace(exp.column(exp.to_identifier(_column(int(number)), quoted=True)))
    source = exp.select(*insert.expression.expressions[0].expressions).from_(exp.to_identifier(ROWS, quoted=True))
    insert.set("expression", source)
    return insert, table


def _column(number: int) -> str:
    return f"_BOUND_{number}"
