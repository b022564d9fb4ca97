"""Rows of one statement, over a connection of Snowflake's Python connector.

Whoever has a connection has imported the connector, which is large; importing this module does not.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

NOW = "SELECT SYSDATE()"
CHANGES = ("inserted", "updated", "deleted")


def first_row(
    connection: SnowflakeConnection, statement: str, parameters: dict[str, Any] | None = None
) -> tuple[Any, ...]:
    """Return the first row of a statement that always returns one.

    Raises:
        snowflake.connector.errors.Error: the statement failed.
        LookupError: it returned no row.
    """
    with closing(connection.cursor()) as cursor:
        cursor.execute(statement, parameters)
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
        cursor.execute(statement, parameters, timeout=timeout_seconds)
        return cursor.fetchall()


def changed_rows(
    connection: SnowflakeConnection, statement: str, parameters: dict[str, Any] | None = None
) -> dict[str, int]:
    """Run a DML statement; return {"rows_inserted", "rows_updated", "rows_deleted"}."""
    (row,) = rows_by_column(connection, statement, parameters)
    # Snowflake answers with one column for each kind of change that the statement can make.
    counts = {column.lower(): int(count) for column, count in row.items()}
    return {f"rows_{change}": counts.get(f"number of rows {change}", 0) for change in CHANGES}
