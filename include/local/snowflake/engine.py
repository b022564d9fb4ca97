"""What DuckDB itself knows: databases, schemas, tables and columns."""

from __future__ import annotations

from typing import Any

import duckdb

from .fakesnow_adapter import GLOBAL_DATABASE, HIDDEN_SCHEMA
from .names import Key

# The database of a connection's temporary tables.
TEMPORARY = "temp"
_HIDDEN_DATABASES = (GLOBAL_DATABASE, "memory", "system", TEMPORARY)


def row(duck: duckdb.DuckDBPyConnection, sql: str, values: list[Any] | None = None) -> tuple[Any, ...]:
    """The row of a query that always has one."""
    found: tuple[Any, ...] | None = duck.execute(sql, values).fetchone()
    if found is None:
        raise LookupError(f"no row: {sql}")
    return found


def databases(duck: duckdb.DuckDBPyConnection) -> list[str]:
    rows = duck.execute(
        "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name NOT IN ('memory', ?)"
        " ORDER BY 1",
        [GLOBAL_DATABASE],
    ).fetchall()
    return [name for (name,) in rows]


def is_hidden(database: str, schema: str = "") -> bool:
    """Whether a database or schema is none of the account's: DuckDB's, fakesnow's and our own, in any letters."""
    return database.lower() in _HIDDEN_DATABASES or schema.lower() == HIDDEN_SCHEMA


def has_schema(duck: duckdb.DuckDBPyConnection, database: str, schema: str) -> bool:
    found = duck.execute(
        "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?", [database, schema]
    ).fetchone()
    return found is not None


def has_table(duck: duckdb.DuckDBPyConnection, table: Key) -> bool:
    found = duck.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?", list(table)
    ).fetchone()
    return found is not None


def has_temporary_table(duck: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the connection has a temporary table ``name``."""
    found = duck.execute(
        "SELECT 1 FROM duckdb_tables() WHERE temporary AND lower(table_name) = lower(?)", [name]
    ).fetchone()
    return found is not None


def relations(duck: duckdb.DuckDBPyConnection) -> list[Key]:
    """All tables and views, a connection's temporary ones too."""
    return duck.execute(
        "SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE NOT internal"
        " UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal"
    ).fetchall()


def tables(duck: duckdb.DuckDBPyConnection, database: str, schema: str) -> list[Key]:
    rows = duck.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?", [database, schema]
    ).fetchall()
    return [(database, schema, name) for (name,) in rows]


def columns(duck: duckdb.DuckDBPyConnection, table: Key) -> dict[str, tuple[str, bool]]:
    """The columns of a table or view in order: name -> DuckDB type, and whether NULL is allowed; empty without it."""
    rows = duck.execute(
        "SELECT column_name, data_type, is_nullable FROM duckdb_columns()"
        " WHERE database_name = ? AND schema_name = ? AND table_name = ? ORDER BY column_index",
        list(table),
    ).fetchall()
    return {name: (kind, nullable) for name, kind, nullable in rows}


def defaults(duck: duckdb.DuckDBPyConnection, table: Key) -> dict[str, str]:
    """The columns of ``table`` that have a default, with its expression."""
    rows = duck.execute(
        "SELECT column_name, column_default FROM duckdb_columns()"
        " WHERE database_name = ? AND schema_name = ? AND table_name = ? AND column_default IS NOT NULL",
        list(table),
    ).fetchall()
    return dict(rows)


def has_view(duck: duckdb.DuckDBPyConnection, view: Key) -> bool:
    return view in views(duck, view[0], view[1])


def views(duck: duckdb.DuckDBPyConnection, database: str, schema: str) -> list[Key]:
    rows = duck.execute(
        "SELECT view_name FROM duckdb_views() WHERE database_name = ? AND schema_name = ? AND NOT internal",
        [database, schema],
    ).fetchall()
    return [(database, schema, name) for (name,) in rows]


def sequences(duck: duckdb.DuckDBPyConnection, database: str, schema: str) -> list[Key]:
    rows = duck.execute(
        "SELECT sequence_name FROM duckdb_sequences() WHERE database_name = ? AND schema_name = ?", [database, schema]
    ).fetchall()
    return [(database, schema, name) for (name,) in rows]


def schemas(duck: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    rows = duck.execute(
        "SELECT schema_name FROM duckdb_schemas() WHERE database_name = ? AND NOT internal", [database]
    ).fetchall()
    return [name for (name,) in rows if name != HIDDEN_SCHEMA]


def temporary_tables(duck: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The names of the connection's temporary tables, in upper case."""
    rows = duck.execute("SELECT upper(table_name) FROM duckdb_tables() WHERE temporary").fetchall()
    return frozenset(name for (name,) in rows)
