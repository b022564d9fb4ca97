"""The account: the DuckDB files of a state directory, the catalog of what DuckDB has not, and the writers' lock."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import snowflake.connector.errors

from include.local.snowflake import errors
from include.local.snowflake.fakesnow_adapter import GLOBAL_DATABASE, HIDDEN_SCHEMA, OnDisk

if TYPE_CHECKING:
    from include.local.snowflake.grammar import Create, Show
    from include.local.snowflake.session import Session

# Where account-level objects (warehouses, roles, integrations) are kept: no database and no schema.
ACCOUNT = (GLOBAL_DATABASE, "")
# A transaction idle for so long is rolled back when another one waits for it (Snowflake: 5 minutes).
IDLE_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 300.0
# A database can be created again once the last transaction in the dropped one of its name has ended.
REUSE_TIMEOUT_SECONDS = 30.0
# What the file of a database is renamed to when it is dropped.
DROPPED = ".dropped"

_CATALOG_SQL = """
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


def like_pattern(like: str) -> re.Pattern[str]:
    """SHOW ... LIKE: % any text, _ any character, whatever the case."""
    return re.compile(re.escape(like).replace("%", ".*").replace("_", "."), re.IGNORECASE | re.DOTALL)


class StateLockedError(RuntimeError):
    """Another process has the state directory open."""


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
        if not self._instance.has_database(duck, database):
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


class WritersLock:
    """One writer at a time among MERGE, UPDATE, DELETE and whatever consumes a stream, until its transaction ends.

    Snowflake locks the table; DuckDB would let both run and fail the second.  INSERT and COPY don't take it.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._owner: Session | None = None

    def acquire(self, session: Session) -> None:
        """Wait for the lock; a session that already holds it keeps it.

        Raises:
            SnowflakeError: 000625-like, when it is still taken after LOCK_TIMEOUT_SECONDS.
        """
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        with self._changed:
            while self._owner not in (None, session):
                if time.monotonic() > deadline:
                    raise errors.SnowflakeError(
                        f"Lock wait timeout of {LOCK_TIMEOUT_SECONDS:.0f} s exceeded: another transaction is writing.",
                        625,
                        "57014",
                    )
                self._changed.wait(timeout=1.0)
                owner = self._owner
                if owner not in (None, session) and owner.abandon_if_idle(IDLE_SECONDS):
                    self._owner = None
            self._owner = session

    def release(self, session: Session) -> None:
        with self._changed:
            if self._owner is session:
                self._owner = None
                self._changed.notify_all()


def _delete_leftovers(directory: Path) -> None:
    """Files of databases that were dropped: a write-ahead log must not be found by the next database of its name."""
    for log_file in directory.glob("*.db.wal"):
        if not log_file.with_suffix("").exists():
            log_file.unlink()
    for file in directory.glob(f"*{DROPPED}"):
        file.unlink()


class Instance:
    """One account on one state directory; at most one process opens it.

    Raises:
        StateLockedError: another process has it open.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        _delete_leftovers(directory)
        try:
            self._fakesnow = OnDisk(directory)
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                raise StateLockedError(str(error).split("\n", 1)[0]) from error
            raise
        self.directory = directory
        self.duck = self._fakesnow.duck_conn
        # A stream's offset is a row id.  DuckDB renumbers rows only when a checkpoint vacuums deleted ones, so it must
        # not (docs/adr/0051).
        self.duck.execute("SET GLOBAL max_vacuum_tasks = 0")
        self.catalog = Catalog(self)
        self.writers = WritersLock()
        self._completed: set[str] = set()
        self.complete_database(GLOBAL_DATABASE)
        for name in self.databases(self.duck):
            self.complete_database(name)
        self.identifier = self._identifier()

    def connect(self, database: str | None, schema: str | None) -> Any:
        """A fakesnow connection with a DuckDB connection of its own."""
        return self._fakesnow.connect(database, schema)

    def databases(self, duck: duckdb.DuckDBPyConnection) -> list[str]:
        rows = duck.execute(
            "SELECT database_name FROM duckdb_databases() WHERE NOT internal AND database_name NOT IN ('memory', ?)"
            " ORDER BY 1",
            [GLOBAL_DATABASE],
        ).fetchall()
        return [name for (name,) in rows]

    def has_database(self, duck: duckdb.DuckDBPyConnection, name: str) -> bool:
        return name == GLOBAL_DATABASE or name in self.databases(duck)

    def has_schema(self, duck: duckdb.DuckDBPyConnection, database: str, schema: str) -> bool:
        found = duck.execute(
            "SELECT 1 FROM duckdb_schemas() WHERE database_name = ? AND schema_name = ?", [database, schema]
        ).fetchone()
        return found is not None

    def has_table(self, duck: duckdb.DuckDBPyConnection, table: tuple[str, str, str]) -> bool:
        found = duck.execute(
            "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?", list(table)
        ).fetchone()
        return found is not None

    def tables(self, duck: duckdb.DuckDBPyConnection, database: str, schema: str) -> list[tuple[str, str, str]]:
        rows = duck.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND schema_name = ?", [database, schema]
        ).fetchall()
        return [(database, schema, name) for (name,) in rows]

    def has_temporary(self, duck: duckdb.DuckDBPyConnection, name: str) -> bool:
        """Whether the connection has a temporary table ``name``."""
        found = duck.execute(
            "SELECT 1 FROM duckdb_tables() WHERE temporary AND lower(table_name) = lower(?)", [name]
        ).fetchone()
        return found is not None

    def attach_new_database(self, attach: Callable[[], Any]) -> None:
        """Run ``attach``, again while a transaction that began before still has a dropped file of that name open."""
        deadline = time.monotonic() + REUSE_TIMEOUT_SECONDS
        while True:
            try:
                attach()
            except snowflake.connector.errors.ProgrammingError as error:
                in_use = isinstance(error.__cause__, duckdb.ResourceInUseException)
                if not in_use or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def drop_database(self, name: str) -> None:
        """Detach a database and delete its files; the renaming of the first is the moment from which on it is gone."""
        file = self.directory / f"{name}.db"
        with self.cursor() as duck:
            duck.execute(f'DETACH "{name}"')
        self._completed.discard(name)
        file.rename(file.with_suffix(DROPPED))
        _delete_leftovers(self.directory)

    def complete_database(self, name: str) -> None:
        """Give a database that was just attached or created its part of the catalog."""
        if name not in self._completed:
            with self.cursor() as duck:
                duck.execute(_CATALOG_SQL.format(database=name, schema=HIDDEN_SCHEMA))
                self.catalog.remember(duck, name)
            self._completed.add(name)

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A DuckDB connection of one's own, for a thread or for work beside a transaction."""
        duck = self.duck.cursor()
        try:
            yield duck
        finally:
            duck.close()

    def close(self) -> None:
        """Stop what still runs and close the files; whatever was committed is on disk."""
        self.duck.interrupt()
        self.duck.close()

    def _identifier(self) -> str:
        """A name of this account that no other has, kept with its state (it names the account's queue)."""
        table = f"{GLOBAL_DATABASE}.{HIDDEN_SCHEMA}.account_identifier"
        self.duck.execute(f"CREATE TABLE IF NOT EXISTS {table} (identifier VARCHAR)")
        row = self.duck.execute(f"SELECT identifier FROM {table}").fetchone()
        if row is None:
            row = (uuid.uuid4().hex[:12],)
            self.duck.execute(f"INSERT INTO {table} VALUES (?)", list(row))
        return row[0]
