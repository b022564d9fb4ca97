"""One writer at a time: the table WRITERS says which Snowflake session may write.

A pool, ``max_active_runs`` and retries keep two tasks apart while both are known to Airflow.  They do not know of a
statement that goes on after its task was killed, or of a process that lives on although Airflow has given it up.  So a
task takes the lease of what it writes, and first ends the session that still has it (docs/adr/0062).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from include import sql
from include.snowflake_rows import changed_rows, first_row, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

log = logging.getLogger(__name__)

TAKE = "writers/take.sql"
HOLDER = "writers/holder.sql"
HAND_OVER = "writers/hand_over.sql"
RELEASE = "writers/release.sql"
RUNNING = "writers/running_statements.sql"

# What Snowflake's services layer does without a warehouse.  The second is refused for sessions of another user.
END_SESSION = ("SELECT SYSTEM$CANCEL_ALL_QUERIES({session})", "SELECT SYSTEM$ABORT_SESSION({session})")
# How long a cancelled statement may take to end.
PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.2
# How often a lease that another task has is asked for again.
TURN_SECONDS = 1.0
ATTEMPTS = 5


class Owner(msgspec.Struct, frozen=True):
    """The task that writes."""

    dag: str
    task: str
    run: str
    try_number: int

    def is_a_try_of(self, other: Owner) -> bool:
        return (self.dag, self.task, self.run) == (other.dag, other.task, other.run)


class Holder(msgspec.Struct, frozen=True):
    """The session that may write."""

    session: int
    owner: Owner


class WriterBusyError(RuntimeError):
    """Another task writes, or its last statement did not end.  A later try may find the lease free."""


@contextmanager
def held(
    connection: SnowflakeConnection,
    writer: str,
    owner: Owner,
    is_running: Callable[[Owner], bool | None],
    *,
    patience_seconds: float = 0.0,
) -> Iterator[None]:
    """Let only this connection's session write while the block runs.

    Args:
        connection: with database and schema set, and autocommit on.
        writer: what is written; each has a lease of its own.
        is_running: whether another task runs, None if nothing is known of it.
        patience_seconds: how long to wait for a living task.

    Raises:
        WriterBusyError: another task still writes; nothing was done.
        snowflake.connector.errors.Error: Snowflake did not answer.
    """
    from snowflake.connector.errors import Error

    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            take(connection, writer, owner, is_running)
            break
        except WriterBusyError as busy:
            if time.monotonic() >= deadline:
                raise
            log.info("Waiting: %s", busy)
            time.sleep(TURN_SECONDS)
    try:
        yield
    finally:
        try:
            # The block may have switched autocommit off, and may have failed in the midst of a transaction.
            connection.rollback()
            changed_rows(connection, sql.render(RELEASE), {"writer": writer, "session": connection.session_id})
            connection.commit()
        except Error as error:
            # The work is done, or fails with its own error.  The next writer ends this session first.
            log.warning("The lease %s was not released: %s", writer, error)


def take(
    connection: SnowflakeConnection, writer: str, owner: Owner, is_running: Callable[[Owner], bool | None]
) -> None:
    """Take the lease: a free one, or that of a dead task, whose session is ended first.  Raises as ``held``."""
    mine = {"writer": writer, "session": connection.session_id, "owner": msgspec.json.encode(owner).decode()}
    for _ in range(ATTEMPTS):
        # Asked first, as a lock of the dead task's statement must not make this one wait.
        holder = _holder(connection, writer)
        if holder is None:
            if any(changed_rows(connection, sql.render(TAKE), mine).values()):
                return
            continue  # taken just now
        _refuse_living(connection, writer, holder, owner, is_running)
        log.warning("%s was written by %s, which has died: ending its session %d", writer, holder.owner, holder.session)
        _end_session(connection, holder.session)
        if any(changed_rows(connection, sql.render(HAND_OVER), {**mine, "former_session": holder.session}).values()):
            return
    raise WriterBusyError(f"{writer} is written by one task after another: this one found no turn")


def _holder(connection: SnowflakeConnection, writer: str) -> Holder | None:
    rows = rows_by_column(connection, sql.render(HOLDER), {"writer": writer})
    if not rows:
        return None
    return Holder(int(rows[0]["SESSION_ID"]), msgspec.json.decode(rows[0]["HELD_BY"], type=Owner))


def _refuse_living(
    connection: SnowflakeConnection,
    writer: str,
    holder: Holder,
    owner: Owner,
    is_running: Callable[[Owner], bool | None],
) -> None:
    """Raise if the holder lives.

    An earlier try of the same task is dead: Airflow starts the next one after it has given up the last.  Another task
    is dead if Airflow says that it does not run.  If Airflow does not know it, it lives while it runs a statement.
    """
    if holder.owner.is_a_try_of(owner):
        return
    running = is_running(holder.owner)
    if running is None:
        running = bool(_running(connection, holder.session))
    if running:
        raise WriterBusyError(f"{writer} is being written by {holder.owner}, session {holder.session}")


def _end_session(connection: SnowflakeConnection, session: int) -> None:
    """Cancel the statements of a session, end it, and wait until no statement of it runs.

    Raises:
        WriterBusyError: one still does.
    """
    from snowflake.connector.errors import ProgrammingError

    for statement in END_SESSION:
        try:
            log.info("%s", first_row(connection, statement.format(session=session))[0])
        except ProgrammingError as error:
            # It is gone already, or belongs to a user whose sessions we may not end: then its statement has to end.
            log.info("Session %d: %s", session, error.msg)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while running := _running(connection, session):
        if time.monotonic() > deadline:
            raise WriterBusyError(f"statement {running[0]} of session {session} has not ended: it was cancelled")
        time.sleep(POLL_SECONDS)


def _running(connection: SnowflakeConnection, session: int) -> list[str]:
    return [row["QUERY_ID"] for row in rows_by_column(connection, sql.render(RUNNING), {"session": session})]
