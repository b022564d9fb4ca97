"""Statements over a connection of Snowflake's Python connector, with values that stay out of their texts.

The connector by default writes values into the text of a statement, and Snowflake keeps texts for a year in its history
of queries.  So every statement with values goes through :func:`execute` or :func:`execute_rows`, which bind them
(docs/erasure.md).  A text names a value ``%(name)s``, and a constant that Snowflake takes only as one ``%(name)r``.

Whoever has a connection has imported the connector, which is large; importing this module does not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursorBase

NOW = "SELECT SYSDATE()"
CHANGES = ("inserted", "updated", "deleted")


def execute(
    cursor: SnowflakeCursorBase[Any],
    statement: str,
    values: Mapping[str, Any] | None = None,
    *,
    timeout_seconds: int | None = None,
) -> None:
    """Run one statement with its values bound.

    Raises:
        snowflake.connector.errors.Error: the statement failed, or took longer than ``timeout_seconds``.
    """
    text, marked = bound(statement, values)
    _send(cursor, text, marked, timeout_seconds)


def execute_rows(cursor: SnowflakeCursorBase[Any], insert: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run one INSERT of many rows, whose values are bound as an array; none: nothing is sent.

    Raises:
        snowflake.connector.errors.Error: no row was inserted.
    """
    if not rows:
        return
    order = _Order()
    text = insert % order
    arrays = [[None if row[name] is None else _text(row[name]) for row in rows] for name in order.names]
    _send(cursor, text, arrays)


def bound(statement: str, values: Mapping[str, Any] | None) -> tuple[str, list[str | float]]:
    """Return the statement with each text, time and measurement as ``?``, and these values in their order.

    Integers, truth values and NULL stay in the text: counts and limits, some of which must be constants in Snowflake.
    So the text is the same for every truck and instant: what Snowflake has compiled can serve again.

    Raises:
        KeyError: a value is missing.
        TypeError: a value is of another type.
    """
    if values is None:
        return statement, []
    marked: list[str | float] = []
    return statement % {name: _Mark(value, marked) for name, value in values.items()}, marked


def _send(
    cursor: SnowflakeCursorBase[Any], text: str, values: Sequence[Any], timeout_seconds: int | None = None
) -> None:
    """Bind ``values`` whatever the connection's own style is: "pyformat", the default, writes them into the text."""
    cursor.execute(  # type: ignore[call-overload]  # The connector documents the last argument, and types it nowhere.
        text, values, timeout=timeout_seconds, _force_qmark_paramstyle=True
    )


class _Mark:
    """One value, as ``%`` writes it into a statement; noted in ``marked`` where it is ``?``."""

    def __init__(self, value: Any, marked: list[str | float]) -> None:
        self._value = value
        self._marked = marked

    def __str__(self) -> str:
        if self._value is None:
            return "NULL"
        if isinstance(self._value, int):
            return str(self._value)
        self._marked.append(self._value if isinstance(self._value, float) else _text(self._value))
        return "?"

    def __repr__(self) -> str:
        return "'" + str(self._value).replace("'", "''") + "'"


class _Order(dict[str, str]):
    """Every value is ``?``; their names in the order of use."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __missing__(self, name: str) -> str:
        self.names.append(name)
        return "?"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} can't be bound")


def first_row(
    connection: SnowflakeConnection, statement: str, parameters: dict[str, Any] | None = None
) -> tuple[Any, ...]:
    """Return the first row of a statement that always returns one.

    Raises:
        snowflake.connector.errors.Error: the statement failed.
        LookupError: it returned no row.
    """
    with closing(connection.cursor()) as cursor:
        execute(cursor, statement, parameters)
        row = cursor.fetchone()
    if row is None:
        raise LookupError(f"no row from {statement}")
    return row


def rows_by_column(
    connection: SnowflakeConnection,
    statement: str,
    parameters: dict[str, Any] | None = None,
    *,
    timeout_seconds: int | None = None,
) -> list[dict[str, Any]]:
    """Return every row as a dictionary by column name.

    Raises:
        snowflake.connector.errors.Error: the statement failed, or took longer than ``timeout_seconds``.
    """
    from snowflake.connector import DictCursor

    with closing(connection.cursor(DictCursor)) as cursor:
        execute(cursor, statement, parameters, timeout_seconds=timeout_seconds)
        return cursor.fetchall()


def changed_rows(
    connection: SnowflakeConnection, statement: str, parameters: dict[str, Any] | None = None
) -> dict[str, int]:
    """Run a DML statement; return {"rows_inserted", "rows_updated", "rows_deleted"}."""
    (row,) = rows_by_column(connection, statement, parameters)
    # Snowflake answers with one column for each kind of change that the statement can make.
    counts = {column.lower(): int(count) for column, count in row.items()}
    return {f"rows_{change}": counts.get(f"number of rows {change}", 0) for change in CHANGES}
