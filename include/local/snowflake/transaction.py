"""A session's transaction: one statement's own, or one that the client opened, with the streams that it consumed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import duckdb
from fakesnow.statement_type import statement_type_id
from sqlglot import exp

from . import errors, streams
from .results import Result

if TYPE_CHECKING:
    from .session import Session


class Transaction:
    """Begins with the first statement that needs one; what it consumed of streams commits with it."""

    def __init__(self, session: Session, *, autocommit: bool) -> None:
        self.autocommit = autocommit
        self.failed = False  # it is open for the client, and a statement in it failed
        self._session = session
        self._explicit = False  # open for the client: BEGIN, or a DML without autocommit
        self._begun = False  # DuckDB's is open too
        self._depth = 0
        self._consumed: dict[str, streams.Stream] = {}

    @contextmanager
    def atomic(self, *, writes: bool) -> Iterator[None]:
        """All that runs inside commits or rolls back together: by itself with autocommit, else with the transaction.

        ``writes`` takes the writers' lock first, so that what is read is what the last writer left.
        """
        if writes:
            self._session.instance.writers.acquire(self._session)
        if self._depth == 0:
            if not self.autocommit:
                self._explicit = True
            if not self._begun:
                self._session.duck.begin()
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

    def control(self, statement: exp.Transaction | exp.Commit | exp.Rollback) -> Result:
        """BEGIN, COMMIT, ROLLBACK."""
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

    def commit(self) -> None:
        """Commit what is open, with the offsets of the streams that it consumed."""
        session = self._session
        try:
            if self._begun:
                streams.advance(session.duck, list(self._consumed.values()))
                session.duck.commit()
                self._begun = False
                session.translator.write_notes()
        except BaseException:
            self.rollback()
            raise
        self._end()

    def rollback(self, *, release: bool = True) -> None:
        if self._begun:
            with suppress(duckdb.TransactionException):  # a failed COMMIT has ended it already
                self._session.duck.rollback()
        self._session.translator.forget_notes()
        self._end(release=release)

    def fail(self) -> None:
        """A statement failed: all is rolled back; one that the client opened stays open for its ROLLBACK."""
        self._depth = 0
        explicit = self._explicit
        self.rollback()
        self.failed = self._explicit = explicit

    def give_way(self) -> None:
        """Roll back for another session, which takes the writers' lock itself."""
        self.rollback(release=False)
        self.failed = self._explicit = True

    def write_notes(self) -> None:
        """What fakesnow notes of a table: now, or after the commit."""
        if not self._begun:
            self._session.translator.write_notes()

    def read(self, found: list[streams.Stream]) -> list[streams.Stream]:
        """The streams ``found`` as the transaction saw them first: within one they are repeatable."""
        return [self._consumed.get(stream.found.uid, stream) for stream in found]

    def consume(self, read: list[streams.Stream]) -> None:
        """A DML read these streams: their offsets move with the commit."""
        for stream in read:
            self._consumed.setdefault(stream.found.uid, stream)

    def _end(self, *, release: bool = True) -> None:
        self._begun = self._explicit = self.failed = False
        self._consumed.clear()
        if release:
            self._session.instance.writers.release(self._session)
