"""The catalog: objects that DuckDB has not (pipes, streams, stages, ...), and the tables that what we add keeps."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb

from . import errors
from .fakesnow_adapter import GLOBAL_DATABASE, HIDDEN_SCHEMA

if TYPE_CHECKING:
    from .grammar import Create, Show
    from .instance import Instance
    from .session import Session

# Where account-level objects (warehouses, roles, integrations) are kept: no database and no schema.
ACCOUNT = (GLOBAL_DATABASE, "")

# In each database, so that it commits with the tables that it tells of.
_TABLES_SQL = """
CREATE TABLE IF NOT EXISTS "{database}".{schema}.objects (
    kind VARCHAR, schema_name VARCHAR, name VARCHAR, uid VARCHAR, definition VARCHAR, created_on TIMESTAMPTZ
);
CREATE TABLE IF NOT EXISTS "{database}".{schema}.streams (
    uid VARCHAR, low BIGINT, moved_at_ns BIGINT, has_backlog BOOLEAN, stale BOOLEAN
);
ALTER TABLE "{database}".{schema}.streams ADD COLUMN IF NOT EXISTS invalid_reason VARCHAR;
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


def create_tables(duck: duckdb.DuckDBPyConnection, database: str) -> None:
    """Give ``database`` the tables of what is kept beside its own, where it has them not."""
    duck.execute(_TABLES_SQL.format(database=database, schema=HIDDEN_SCHEMA))


def like_pattern(like: str) -> re.Pattern[str]:
    """SHOW ... LIKE: % any text, _ any character, whatever the case."""
    return re.compile(re.escape(like).replace("%", ".*").replace("_", "."), re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class CatalogObject:
    """One object of the catalog; ``definition`` is what its CREATE said, by option."""

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

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        # (kind, name) of all that was ever created: which names need no look-up at all.
        self._names: set[tuple[str, str]] = set()

    def remember(self, duck: duckdb.DuckDBPyConnection, database: str) -> None:
        """Learn the names of a database that was attached."""
        rows = duck.execute(f'SELECT kind, name FROM "{database}".{HIDDEN_SCHEMA}.objects').fetchall()
        self._names.update(rows)

    def may_exist(self, kind: str, name: str) -> bool:
        """False where there is certainly no object of this kind and name, in any schema."""
        return (kind, name) in self._names

    def find(self, duck: duckdb.DuckDBPyConnection, kind: str, key: tuple[str, str, str]) -> CatalogObject | None:
        """The object ``key`` = (database, schema, name), or None."""
        database, schema, name = key
        if not self._instance.has_database(database):
            return None
        rows = self._select(duck, database, "kind = ? AND schema_name = ? AND name = ?", [kind, schema, name])
        return rows[0] if rows else None

    def get(self, duck: duckdb.DuckDBPyConnection, kind: str, key: tuple[str, str, str]) -> CatalogObject:
        """As ``find``, but an object that is not there is Snowflake's error."""
        if (found := self.find(duck, kind, key)) is None:
            raise errors.does_not_exist(kind, ".".join(part for part in key if part and part != GLOBAL_DATABASE))
        return found

    def list(self, duck: duckdb.DuckDBPyConnection, kind: str, database: str | None = None) -> list[CatalogObject]:
        """Objects of ``kind`` in one database, or in all."""
        databases = [database] if database else self._instance.databases(duck)
        return [found for name in databases for found in self._select(duck, name, "kind = ?", [kind])]

    def show(self, session: Session, statement: Show) -> list[CatalogObject]:
        """What SHOW ... [LIKE] [IN] finds; without IN the current schema, or the account where there is none."""
        database, schema = session.database, session.schema
        if statement.scope == "ACCOUNT":
            database = schema = None
        elif statement.scope == "DATABASE":
            database, schema = (statement.scope_name.last if statement.scope_name else database), None
        elif statement.scope_name:
            *above, schema = statement.scope_name.parts
            database = above[0] if above else database
        pattern = like_pattern(statement.like) if statement.like is not None else None
        return [
            found
            for found in self.list(session.duck, statement.kind, database)
            if (not schema or found.schema == schema) and (not pattern or pattern.fullmatch(found.name))
        ]

    def create(
        self, duck: duckdb.DuckDBPyConnection, statement: Create, key: tuple[str, str, str], definition: dict[str, Any]
    ) -> CatalogObject | None:
        """Add (or with OR REPLACE, put in place) an object; None where IF NOT EXISTS found one."""
        database, schema, name = key
        if self.find(duck, statement.kind, key):
            if statement.if_not_exists:
                return None
            if not statement.or_replace:
                raise errors.already_exists(name)
            self.drop(duck, statement.kind, key)
        uid = uuid.uuid4().hex
        self._names.add((statement.kind, name))
        duck.execute(
            f'INSERT INTO "{database}".{HIDDEN_SCHEMA}.objects VALUES (?, ?, ?, ?, ?, ?)',
            [statement.kind, schema, name, uid, json.dumps(definition), datetime.now(UTC)],
        )
        return self.get(duck, statement.kind, key)

    def alter(self, duck: duckdb.DuckDBPyConnection, found: CatalogObject, changes: dict[str, Any]) -> None:
        duck.execute(
            f'UPDATE "{found.database}".{HIDDEN_SCHEMA}.objects SET definition = ? WHERE uid = ?',
            [json.dumps(found.definition | changes), found.uid],
        )

    def drop(self, duck: duckdb.DuckDBPyConnection, kind: str, key: tuple[str, str, str]) -> None:
        found = self.get(duck, kind, key)
        duck.execute(f'DELETE FROM "{found.database}".{HIDDEN_SCHEMA}.objects WHERE uid = ?', [found.uid])

    def drop_schema(self, duck: duckdb.DuckDBPyConnection, database: str, schema: str) -> None:
        """Forget all objects of a schema that is dropped, and the files that its pipes had still to load."""
        hidden = f'"{database}".{HIDDEN_SCHEMA}'
        duck.execute(
            f"DELETE FROM {hidden}.pending_files WHERE pipe_uid IN"
            f" (SELECT uid FROM {hidden}.objects WHERE schema_name = ?)",
            [schema],
        )
        duck.execute(f"DELETE FROM {hidden}.objects WHERE schema_name = ?", [schema])

    def _select(
        self, duck: duckdb.DuckDBPyConnection, database: str, where: str, values: list[Any]
    ) -> list[CatalogObject]:
        rows = duck.execute(
            "SELECT kind, schema_name, name, uid, definition, epoch_us(created_on) "
            f'FROM "{database}".{HIDDEN_SCHEMA}.objects WHERE {where} ORDER BY name',
            values,
        ).fetchall()
        return [
            CatalogObject(
                kind, database, schema, name, uid, json.loads(text), datetime.fromtimestamp(created / 1e6, UTC)
            )
            for kind, schema, name, uid, text, created in rows
        ]
