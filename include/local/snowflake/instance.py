"""The account: the DuckDB files of a state directory, and what all its sessions share."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import snowflake.connector.errors

from . import arithmetic, engine, epoch_times, new_account, texts
from .catalog import Catalog
from .fakesnow_adapter import GLOBAL_DATABASE, HIDDEN_SCHEMA, OnDisk, Translator
from .grants import Grants
from .ingestion import Ingestion
from .memo import Memo
from .meter import Meter
from .names import quote
from .new_account import Administrator
from .queries import Queries
from .writers import WritersLock

# A database can be created again once the last transaction in its dropped namesake has ended.
REUSE_TIMEOUT_SECONDS = 30.0
# The file of a dropped database is renamed to this suffix.
DROPPED = ".dropped"


class StateLockedError(RuntimeError):
    """Another process has the state directory open."""


class Instance:
    """One account on one state directory; at most one process opens it.

    :param meter: what statements would cost; one with a clock of its own simulates time.
    :param streams_may_err: let SYSTEM$STREAM_HAS_DATA say true of every stream, as it may in Snowflake.

    Raises:
        StateLockedError: another process has it open.
    """

    def __init__(
        self,
        directory: Path,
        administrator: Administrator | None = None,
        *,
        meter: Meter | None = None,
        streams_may_err: bool = False,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        _delete_leftovers(directory)
        try:
            self._fakesnow = OnDisk(directory)
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                raise StateLockedError(str(error).split("\n", 1)[0]) from error
            raise
        self.directory, self.streams_may_err = directory, streams_may_err
        self.duck = self._fakesnow.duck_conn
        # A stream's offset is a row id (see ``stream_offsets``).  DuckDB renumbers rows only when a checkpoint vacuums
        # deleted ones: it must not.
        self.duck.execute("SET GLOBAL max_vacuum_tasks = 0")
        # What is divided by zero is an error, not infinite.
        self.duck.execute("SET GLOBAL ieee_floating_point_ops = false")
        # For sessions without a current database.
        self.duck.execute(arithmetic.macro("memory"))
        self.duck.execute(texts.macro("memory"))
        self.catalog = Catalog()
        self.writers = WritersLock()
        # Translating a statement takes longer than most run; checking its privileges is quick, but frequent.
        self.translations, self.decisions = Memo(), Memo()
        self.meter = meter or Meter()
        self.queries = Queries(self.meter)
        # Open sessions: the user of each, and how to end it.
        self.sessions: dict[int, tuple[str, Callable[[], None]]] = {}
        self.complete_database(GLOBAL_DATABASE)
        for name in engine.databases(self.duck):
            self.complete_database(name)
        self.grants = Grants(self.duck.cursor())
        new_account.set_up(self.catalog, self.grants, self.duck, administrator or Administrator())
        for warehouse in self.catalog.objects(self.duck, "WAREHOUSE", GLOBAL_DATABASE):
            self.meter.define(warehouse.name, warehouse.definition)
        self.ingestion = Ingestion(self._identifier())

    def translator(self, database: str | None, schema: str | None) -> Translator:
        """A session's translator, with a DuckDB connection of its own."""
        return self._fakesnow.translator(database, schema)

    def attach_new_database(self, attach: Callable[[], Any]) -> None:
        """Run ``attach``; try again while an earlier transaction still has a dropped file of that name open."""
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
        """Detach a database and delete its files; it is gone from the moment when the first is renamed."""
        file = self.directory / f"{name}.db"
        with self.cursor() as duck:
            duck.execute(f"DETACH {quote(name)}")
        self.catalog.remove_database(name)
        file.rename(file.with_suffix(DROPPED))
        _delete_leftovers(self.directory)

    def complete_database(self, name: str) -> None:
        """Give a database that was just attached or created its macros and its part of the catalog."""
        with self.cursor() as duck:
            duck.execute(epoch_times.macro(name))
            duck.execute(arithmetic.macro(name))
            duck.execute(texts.macro(name))
        if not self.catalog.has_database(name):
            with self.cursor() as duck:
                self.catalog.add_database(duck, name)

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A separate DuckDB connection, for a thread or for work beside a transaction."""
        duck = self.duck.cursor()
        try:
            yield duck
        finally:
            duck.close()

    def close(self) -> None:
        """Stop running statements and close the files; everything that was committed is on disk."""
        self.queries.close()
        self.duck.interrupt()
        self.duck.close()

    def _identifier(self) -> str:
        """A unique name of this account, kept with its state; it is part of the name of the account's queue."""
        table = f"{GLOBAL_DATABASE}.{HIDDEN_SCHEMA}.account_identifier"
        self.duck.execute(f"CREATE TABLE IF NOT EXISTS {table} (identifier VARCHAR)")
        row = self.duck.execute(f"SELECT identifier FROM {table}").fetchone()
        if row is not None:
            return str(row[0])
        identifier = uuid.uuid4().hex[:12]
        self.duck.execute(f"INSERT INTO {table} VALUES (?)", [identifier])
        return identifier


def _delete_leftovers(directory: Path) -> None:
    """Delete the files of dropped databases: the next database of the same name must not find a write-ahead log."""
    for log_file in directory.glob("*.db.wal"):
        if not log_file.with_suffix("").exists():
            log_file.unlink()
    for file in directory.glob(f"*{DROPPED}"):
        file.unlink()
