"""The account: the DuckDB files of a state directory, and the writers' lock."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import snowflake.connector.errors

from . import errors
from .catalog import Catalog, create_tables
from .fakesnow_adapter import GLOBAL_DATABASE, HIDDEN_SCHEMA, OnDisk
from .translations import Translations

if TYPE_CHECKING:
    from .session import Session

# A transaction idle for so long is rolled back when another one waits for it (Snowflake: 5 minutes).
IDLE_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 300.0
# A database can be created again once the last transaction in the dropped one of its name has ended.
REUSE_TIMEOUT_SECONDS = 30.0
# What the file of a database is renamed to when it is dropped.
DROPPED = ".dropped"


class StateLockedError(RuntimeError):
    """Another process has the state directory open."""


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
        # not (see ``streams``).
        self.duck.execute("SET GLOBAL max_vacuum_tasks = 0")
        self.catalog = Catalog(self)
        self.writers = WritersLock()
        self.translations = Translations()
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

    def has_database(self, name: str) -> bool:
        return name in self._completed

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
                create_tables(duck, name)
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
