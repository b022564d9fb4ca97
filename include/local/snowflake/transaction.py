"""A session's transaction: one statement's own, or one that the client opened, with the streams that it consumed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb
from sqlglot import exp

from . import errors, queries, stream_offsets, writers
from .fakesnow_adapter import Translator, statement_type_id
from .queries import Query
from .results import Result
from .stream_offsets import Stream
from .writers import WritersLock


class Transaction:
    """Begins with the first statement that needs one; the offsets of the streams it consumed move with its commit."""

    def __init__(self, translator: Translator, lock: WritersLock, *, autocommit: bool) -> None:
        self.autocommit = autocommit
        self.failed = False  # it is open for the client, and a statement in it failed
        self._translator, self._duck, self._writers = translator, translator.duck, lock
        self._explicit = False  # open for the client: BEGIN, or a DML without autocommit
        self._begun = False  # DuckDB's is open too
        self._depth = 0
        self._consumed: dict[str, Stream] = {}
        self._running = threading.Lock()
        self._query: Query | None = None  # the statement that runs
        self._last_used = time.monotonic()

    # --- for the statements that run in it ---------------------------------------------------------------------------

    @contextmanager
    def busy(self, query: Query | None = None) -> Iterator[None]:
        """Run one statement: no other statement of the session runs meanwhile, and the transaction is not idle.

        Raises:
            SnowflakeError: ``query`` was cancelled while it waited for its turn.
        """
        while not self._running.acquire(timeout=writers.CHECK_SECONDS):
            if query:
                query.check()
        try:
            self._query, self._last_used = query, time.monotonic()
            yield
        finally:
            self._query, self._last_used = None, time.monotonic()
            self._running.release()

    @contextmanager
    def atomic(self, *, writes: bool) -> Iterator[None]:
        """Commit everything that runs inside or roll it all back: by itself with autocommit, else with the transaction.

        ``writes`` takes the writers' lock first, so that the statement reads the state that the last writer left.
        """
        if writes:
            self._writers.acquire(self, self._check)
        if self._depth == 0:
            if not self.autocommit:
                self._explicit = True
            if not self._begun:
                self._duck.begin()
                self._begun = True
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0 and not self._explicit:
                self.rollback()
            raise
        self._depth -= 1
        if self._depth == 0 and not self._explicit:
            self.commit()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all reads inside see one state: that of the open transaction, or one of their own."""
        if self._begun:
            yield
            return
        self._duck.begin()
        try:
            yield
        finally:
            self._duck.rollback()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writers' lock without a transaction: for DDL that DuckDB can't run in one."""
        self._writers.acquire(self, self._check)
        try:
            yield
        finally:
            self._writers.release(self)

    def seen(self, streams: list[Stream]) -> list[Stream]:
        """``streams`` as the transaction first saw them: within one, reads of a stream are repeatable."""
        return [self._consumed.get(stream.found.uid, stream) for stream in streams]

    def consume(self, streams: list[Stream]) -> None:
        """Move the offsets of ``streams``, which a DML read, with the commit."""
        for stream in streams:
            self._consumed.setdefault(stream.found.uid, stream)

    def write_notes(self) -> None:
        """Write fakesnow's notes about a new table: now, or after the commit."""
        if not self._begun:
            self._translator.write_notes()

    # --- its beginning and end ---------------------------------------------------------------------------------------

    def control(self, statement: exp.Transaction | exp.Commit | exp.Rollback) -> Result:
        """Run BEGIN, COMMIT or ROLLBACK."""
        failed = self.failed
        if isinstance(statement, exp.Transaction):
            if failed:
                raise errors.SnowflakeError("The open transaction failed: send ROLLBACK first.", 90232, "25000")
            self._explicit = True
        elif isinstance(statement, exp.Commit) and not failed:
            self.commit()
        else:
            self.rollback()
            if failed and isinstance(statement, exp.Commit):
                raise errors.SnowflakeError("Nothing to commit: a statement of the transaction failed.", 90232, "25000")
        return Result.status("Statement executed successfully.", statement_type_id(statement))

    def set_autocommit(self, on: bool) -> None:
        """Switch autocommit; an open transaction is committed."""
        self.commit()
        self.autocommit = on

    def commit(self) -> None:
        """Commit the open transaction, if any, with the offsets of the streams that it consumed."""
        try:
            if self._begun:
                with queries.committing(self._query):
                    stream_offsets.advance(self._duck, list(self._consumed.values()))
                    self._duck.commit()
                    self._begun = False
                    self._translator.write_notes()
        except BaseException:
            self.rollback()
            raise
        self._end()

    def rollback(self, *, release: bool = True) -> None:
        if self._begun:
            with suppress(duckdb.TransactionException):  # a failed COMMIT has ended it already
                self._duck.rollback()
        self._translator.forget_notes()
        self._end(release=release)

    def fail(self) -> None:
        """Roll everything back after a failed statement; a transaction of the client stays open for its ROLLBACK."""
        self._depth = 0
        explicit = self._explicit
        self.rollback()
        self.failed = self._explicit = explicit

    def abandon_if_idle(self, seconds: float) -> bool:
        """Roll back, and return True, if no statement runs and none ran in the last ``seconds``.

        The caller takes the writers' lock itself.  The client learns of it from its next statement.
        """
        if time.monotonic() - self._last_used < seconds or not self._running.acquire(blocking=False):
            return False
        try:
            self.rollback(release=False)
            self.failed = self._explicit = True
        finally:
            self._running.release()
        return True

    def _check(self) -> None:
        if self._query:
            self._query.check()

    def _end(self, *, release: bool = True) -> None:
        self._begun = self._explicit = self.failed = False
        self._consumed.clear()
        if release:
            self._writers.release(self)
