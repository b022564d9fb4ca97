"""The writers' lock: one transaction at a time runs MERGE, UPDATE or DELETE, or consumes a stream.

Snowflake locks the table; DuckDB would let both run and fail the second.  INSERT and COPY don't take the lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from . import errors

# A transaction that has been idle for this long is rolled back when another one waits for it (Snowflake: 5 minutes).
IDLE_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 300.0
CHECK_SECONDS = 0.1


class Writer(Protocol):
    """A transaction that holds the lock or waits for it."""

    def abandon_if_idle(self, seconds: float) -> bool:
        """Roll back, and return True, if no statement runs and none ran in the last ``seconds``."""


class WritersLock:
    """Held until the owner's transaction ends."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._owner: Writer | None = None

    def acquire(self, writer: Writer, check: Callable[[], None]) -> None:
        """Wait for the lock; a writer that already holds it keeps it.

        Args:
            check: called while it waits; what it raises ends the wait.

        Raises:
            SnowflakeError: 000625, another writer still holds it after LOCK_TIMEOUT_SECONDS.
        """
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        with self._changed:
            while self._owner not in (None, writer):
                if time.monotonic() > deadline:
                    raise errors.SnowflakeError(
                        f"Lock wait timeout of {LOCK_TIMEOUT_SECONDS:.0f} s exceeded: another transaction is writing.",
                        625,
                        "57014",
                    )
                check()
                self._changed.wait(timeout=CHECK_SECONDS)
                owner = self._owner
                if owner is not None and owner is not writer and owner.abandon_if_idle(IDLE_SECONDS):
                    self._owner = None
            self._owner = writer

    def release(self, writer: Writer) -> None:
        """Give the lock back; without effect for a writer that does not hold it."""
        with self._changed:
            if self._owner is writer:
                self._owner = None
                self._changed.notify_all()
