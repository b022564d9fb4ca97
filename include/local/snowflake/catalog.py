"""The catalog: objects that DuckDB lacks (pipes, streams, stages, ...), and the tables that keep what we add."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb

from . import engine, errors
from .fakesnow_adapter import GLOBAL_DATABASE, HIDDEN_SCHEMA
from .grammar import Create, Show
from .names import Key, Name, quoted

# Account-level objects (warehouses, roles, integrations) are kept in this database and schema.
ACCOUNT = (GLOBAL_DATABASE, "")
# What is kept about a table or view with masked columns: column -> database, schema and name of the policy.
MASKED = "MASKED COLUMNS"

# Each database has its own, so that an entry commits with the table that it describes.
_TABLES_SQL = """
CREATE TABLE IF NOT EXISTS "{database}".{schema}.objects (
    kind VARCHAR, schema_name VARCHAR, name VARCHAR, uid VARCHAR, definition VARCHAR, created_on TIMESTAMPTZ
);
CREATE TABLE IF NOT EXISTS "{database}".{schema}.streams (
    uid VARCHAR, low BIGINT, moved_at_ns BIGINT, has_backlog BOOLEAN, stale BOOLEAN
);
ALTER TABLE "{database}".{schema}.streams ADD COLUMN IF NOT EXISTS invalid_reason VARCHAR;
ALTER TABLE "{database}".{schema}.streams ADD COLUMN IF NOT EXISTS initial_high BIGINT;
ALTER TABLE "{database}".{schema}.streams ADD COLUMN IF NOT EXISTS has_later BOOLEAN;
CREATE TABLE IF NOT EXISTS "{database}".{schema}.stream_looks (uid VARCHAR, at_ns BIGINT);
CREATE TABLE IF NOT EXISTS "{database}".{schema}.pending_files (
    pipe_uid VARCHAR, file VARCHAR, bucket VARCHAR, key VARCHAR, received_at TIMESTAMPTZ
);
CREATE TABLE IF NOT EXISTS "{database}".{schema}.load_history (
    file_name VARCHAR, stage_location VARCHAR, last_load_time TIMESTAMPTZ, row_count BIGINT, row_parsed BIGINT,
    file_size BIGINT, etag VARCHAR, first_error_message VARCHAR, first_error_line_number BIGINT,
    first_error_character_pos BIGINT, first_error_column_name VARCHAR, error_count BIGINT, error_limit BIGINT,
    status VARCHAR, table_catalog_name VARCHAR, table_schema_name VARCHAR, table_name VARCHAR,
    pipe_catalog_name VARCHAR, pipe_schema_name VARCHAR, pipe_name VARCHAR, pipe_uid VARCHAR,
    pipe_received_time TIMESTAMPTZ, first_commit_time TIMESTAMPTZ
);
CREATE TABLE IF NOT EXISTS "{database}".{schema}.rejected_records (
    job_id VARCHAR, table_schema_name VARCHAR, table_name VARCHAR, pipe_uid VARCHAR, rejected_at TIMESTAMPTZ,
    error VARCHAR, file VARCHAR, line BIGINT, "character" BIGINT, byte_offset BIGINT, category VARCHAR, code BIGINT,
    sql_state VARCHAR, column_name VARCHAR, row_number BIGINT, row_start_line BIGINT, rejected_record VARCHAR
);
-- As long as Snowflake remembers what a statement loaded; it forgets what a pipe loaded after 14 days.
DELETE FROM "{database}".{schema}.load_history WHERE last_load_time < now() - INTERVAL 64 DAY;
DELETE FROM "{database}".{schema}.rejected_records WHERE rejected_at < now() - INTERVAL 14 DAY;
"""


def hidden(database: str, table: str) -> str:
    """Our ``table`` of ``database``, as SQL; SHOW and INFORMATION_SCHEMA don't list it."""
    return quoted((database, HIDDEN_SCHEMA, table))


@dataclass(frozen=True)
class CatalogObject:
    """One object of the catalog; ``definition`` has the options of its CREATE."""

    kind: str
    database: str
    schema: str
    name: str
    uid: str
    definition: dict[str, Any]
    created_on: datetime

    @property
    def full_name(self) -> str:
        return ".".join(part for part in (self.database, self.schema, self.name) if part)


class Catalog:
    """Objects by kind, kept in the database that they belong to, so that they commit with its tables."""

    def __init__(self) -> None:
        self._databases: set[str] = set()
        # (kind, name) of everything that was ever created: any other name needs no look-up.
        self._names: set[tuple[str, str]] = set()
        self._kinds: set[str] = set()
        # (kind, name) of account-level objects -> their STATEMENT_TIMEOUT_IN_SECONDS: each statement asks for it.
        self._timeouts: dict[tuple[str, str], int] = {}

    def add_database(self, duck: duckdb.DuckDBPyConnection, name: str) -> None:
        """Give the attached database ``name`` our tables, where it lacks them, and learn its objects' names."""
        duck.execute(_TABLES_SQL.format(database=name, schema=HIDDEN_SCHEMA))
        names = duck.execute(f"SELECT kind, name FROM {hidden(name, 'objects')}").fetchall()
        self._names.update(names)
        # Not those of all databases: another session may add to these.
        self._kinds.update(kind for kind, _ in names)
        self._databases.add(name)
        if name == GLOBAL_DATABASE:
            rows = duck.execute(f"SELECT kind, name, definition FROM {hidden(name, 'objects')}").fetchall()
            for kind, found, definition in rows:
                self._note_timeout(kind, found, json.loads(definition))

    def has_database(self, name: str) -> bool:
        return name in self._databases

    def remove_database(self, name: str) -> None:
        self._databases.discard(name)

    def may_exist(self, kind: str, name: str) -> bool:
        """False where there is certainly no object of this kind and name, in any schema."""
        return (kind, name) in self._names

    def has_kind(self, kind: str) -> bool:
        """False where there is certainly no object of this kind."""
        return kind in self._kinds

    def find(self, duck: duckdb.DuckDBPyConnection, kind: str, key: Key) -> CatalogObject | None:
        """The object ``key`` = (database, schema, name), or None."""
        database, schema, name = key
        if not self.has_database(database):
            return None
        rows = self._select(duck, database, "kind = ? AND schema_name = ? AND name = ?", [kind, schema, name])
        return rows[0] if rows else None

    def get(self, duck: duckdb.DuckDBPyConnection, kind: str, key: Key) -> CatalogObject:
        """As ``find``; a missing object is Snowflake's error."""
        if (found := self.find(duck, kind, key)) is None:
            raise errors.does_not_exist(kind, ".".join(part for part in key if part and part != GLOBAL_DATABASE))
        return found

    def objects(self, duck: duckdb.DuckDBPyConnection, kind: str, database: str | None = None) -> list[CatalogObject]:
        """Objects of ``kind`` in one database, or in all."""
        databases = [database] if database else engine.databases(duck)
        return [found for name in databases for found in self._select(duck, name, "kind = ?", [kind])]

    def show(
        self, duck: duckdb.DuckDBPyConnection, statement: Show, database: str | None, schema: str | None
    ) -> list[CatalogObject]:
        """Return the objects that SHOW ... [LIKE] [IN] lists.

        Without IN these are the objects of the current ``database``, or all where none is current.
        """
        if statement.scope == "ACCOUNT":
            database = schema = None
        elif statement.scope == "DATABASE":
            database, schema = (statement.scope_name.last if statement.scope_name else database), None
        elif statement.scope_name:
            *above, schema = statement.scope_name.parts
            database = above[0] if above else database
        elif statement.scope is None:
            schema = None
        return [
            found
            for found in self.objects(duck, statement.kind, database)
            if (not schema or found.schema == schema) and statement.matches(found.name)
        ]

    def create(
        self, duck: duckdb.DuckDBPyConnection, statement: Create, key: Key, definition: dict[str, Any]
    ) -> CatalogObject | None:
        """Add an object, or replace one with OR REPLACE; None where IF NOT EXISTS found one."""
        database, schema, name = key
        if self.find(duck, statement.kind, key):
            if statement.if_not_exists:
                return None
            if not statement.or_replace:
                raise errors.already_exists(name)
            self.drop(duck, statement.kind, key)
        uid = uuid.uuid4().hex
        self._names.add((statement.kind, name))
        self._kinds.add(statement.kind)
        duck.execute(
            f"INSERT INTO {hidden(database, 'objects')} VALUES (?, ?, ?, ?, ?, ?)",
            [statement.kind, schema, name, uid, json.dumps(definition), datetime.now(UTC)],
        )
        if database == GLOBAL_DATABASE:
            self._note_timeout(statement.kind, name, definition)
        return self.get(duck, statement.kind, key)

    def alter(self, duck: duckdb.DuckDBPyConnection, found: CatalogObject, changes: dict[str, Any]) -> None:
        """Set options of an object."""
        self.redefine(duck, found, found.definition | changes)

    def redefine(self, duck: duckdb.DuckDBPyConnection, found: CatalogObject, definition: dict[str, Any]) -> None:
        """Give an object this definition in the place of its own."""
        duck.execute(
            f"UPDATE {hidden(found.database, 'objects')} SET definition = ? WHERE uid = ?",
            [json.dumps(definition), found.uid],
        )
        if found.database == GLOBAL_DATABASE:
            self._note_timeout(found.kind, found.name, definition)

    def drop(self, duck: duckdb.DuckDBPyConnection, kind: str, key: Key) -> None:
        found = self.get(duck, kind, key)
        duck.execute(f"DELETE FROM {hidden(found.database, 'objects')} WHERE uid = ?", [found.uid])
        if found.database == GLOBAL_DATABASE:
            self._note_timeout(kind, found.name, {})

    def definition_of(self, duck: duckdb.DuckDBPyConnection, kind: str, key: Key) -> dict[str, Any]:
        """What ``keep`` keeps under ``key``; empty where that is nothing."""
        found = self.find(duck, kind, key) if self.may_exist(kind, key[2]) else None
        return found.definition if found else {}

    def keep(self, duck: duckdb.DuckDBPyConnection, kind: str, key: Key, definition: dict[str, Any]) -> None:
        """Keep ``definition`` about something that is no object of the catalog, such as a table; empty forgets it."""
        if definition:
            self.create(duck, Create(kind, Name(key), or_replace=True), key, definition)
        elif self.definition_of(duck, kind, key):
            self.drop(duck, kind, key)

    def move(self, duck: duckdb.DuckDBPyConnection, kind: str, key: Key, new: Key) -> None:
        """Keep under ``new`` what is kept under ``key``."""
        definition = self.definition_of(duck, kind, key)
        self.keep(duck, kind, key, {})
        self.keep(duck, kind, new, definition)

    def statement_timeout(self, kind: str, name: str) -> int | None:
        """STATEMENT_TIMEOUT_IN_SECONDS of an account-level object; None where it is not set."""
        return self._timeouts.get((kind, name))

    def _note_timeout(self, kind: str, name: str, definition: dict[str, Any]) -> None:
        if (seconds := definition.get("STATEMENT_TIMEOUT_IN_SECONDS")) is None:
            self._timeouts.pop((kind, name), None)
        else:
            self._timeouts[kind, name] = seconds

    def drop_schema(self, duck: duckdb.DuckDBPyConnection, database: str, schema: str) -> None:
        """Forget all objects of a dropped schema, and the files that its pipes had yet to load."""
        objects = hidden(database, "objects")
        duck.execute(
            f"DELETE FROM {hidden(database, 'pending_files')} WHERE pipe_uid IN"
            f" (SELECT uid FROM {objects} WHERE schema_name = ?)",
            [schema],
        )
        duck.execute(f"DELETE FROM {objects} WHERE schema_name = ?", [schema])

    def _select(
        self, duck: duckdb.DuckDBPyConnection, database: str, where: str, values: list[Any]
    ) -> list[CatalogObject]:
        rows = duck.execute(
            "SELECT kind, schema_name, name, uid, definition, epoch_us(created_on) "
            f"FROM {hidden(database, 'objects')} WHERE {where} ORDER BY name",
            values,
        ).fetchall()
        return [
            CatalogObject(
                kind, database, schema, name, uid, json.loads(text), datetime.fromtimestamp(created / 1e6, UTC)
            )
            for kind, schema, name, uid, text, created in rows
        ]
