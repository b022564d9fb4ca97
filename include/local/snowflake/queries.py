"""The account's statements: each can be found, cancelled and timed out by its id, from any session."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from . import errors
from .meter import Charge, Meter
from .results import Result

# Statements that the history keeps, of all sessions together, since the server started.
HISTORY = 1000
# Results of asynchronous statements that RESULT_SCAN still finds.
KEPT_RESULTS = 64
# A cancelled statement is interrupted again until it ends: between two steps of it nothing can be interrupted.
INTERRUPT_EVERY_SECONDS = 0.02
_OF_USER = re.compile(
    r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:CREATE(?:\s+OR\s+REPLACE)?|ALTER)\s+USER\b", re.IGNORECASE | re.DOTALL
)
_PASSWORD = re.compile(r"(\bPASSWORD\s*=\s*)(?:'(?:[^'\\]|''|\\.)*'|\$\$.*?\$\$)", re.IGNORECASE | re.DOTALL)

RUNNING, SUCCESS, FAILED = "RUNNING", "SUCCESS", "FAILED_WITH_ERROR"


@dataclass(frozen=True)
class Sender:
    """Who sent a statement, and with which settings."""

    session: int
    user: str
    role: str | None
    warehouse: str | None
    tag: str
    timeout: int  # seconds; 0 is no limit


class Query:
    """One statement, from its arrival to its end.  Any thread may cancel it."""

    def __init__(self, text: str, sender: Sender, *, asynchronous: bool = False, request: str | None = None) -> None:
        self.id = str(uuid.uuid4())
        self.text, self.sender, self.asynchronous, self.request = _without_password(text), sender, asynchronous, request
        self.started_at = datetime.now(UTC)
        self.ended_at: datetime | None = None
        self.error: errors.SnowflakeError | None = None
        self.result: Result | None = None  # of an asynchronous statement, for RESULT_SCAN
        self.charge: Charge | None = None  # what it costs
        self._lock = threading.Lock()
        self._cancelled, self._ended = threading.Event(), threading.Event()
        self._reason: errors.SnowflakeError | None = None
        self._interrupt: Callable[[], None] | None = None
        self._commits = False

    @property
    def status(self) -> str:
        if self.ended_at is None:
            return RUNNING
        return FAILED if self.error else SUCCESS

    # --- for whoever wants to stop it ---------------------------------------------------------------------------------

    def cancel(self, reason: errors.SnowflakeError) -> bool:
        """Make it fail with ``reason`` as soon as possible; False where it has ended or commits already."""
        with self._lock:
            if self._commits or self._ended.is_set():
                return False
            if self._reason is None:
                self._reason = reason
                threading.Thread(target=self._stop, daemon=True, name="cancel").start()
        self._cancelled.set()
        return True

    def _stop(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                if self._interrupt:
                    self._interrupt()
            self._ended.wait(INTERRUPT_EVERY_SECONDS)

    # --- for the thread that runs it ----------------------------------------------------------------------------------

    @contextmanager
    def interruptible(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Let a cancellation call ``interrupt`` while the block runs.

        Raises:
            SnowflakeError: it was cancelled before it began.
        """
        with self._lock:
            self._interrupt = interrupt
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._interrupt = None

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Run a commit: from here on it can't be cancelled, or it is cancelled already and does not commit."""
        with self._lock:
            self.check()
            kept, self._interrupt = self._interrupt, None
            self._commits = True
        try:
            yield
        finally:
            with self._lock:
                self._interrupt, self._commits = kept, False

    def check(self) -> None:
        """Raise the reason if it was cancelled."""
        if self._reason is not None:
            raise self._reason

    def wait(self, seconds: float) -> None:
        """Do nothing for ``seconds``; a cancellation ends it with its reason."""
        self._cancelled.wait(seconds)
        self.check()

    def failure(self, error: Exception) -> errors.SnowflakeError:
        """Why it failed: the reason of its cancellation, or ``error``."""
        return self._reason or errors.as_snowflake_error(error, self.text)

    def end(self, error: errors.SnowflakeError | None = None) -> None:
        with self._lock:
            self.error, self.ended_at = error, datetime.now(UTC)
            self._ended.set()


class Queries:
    """All statements that run, the last that ended, and the thread that cancels those that take too long."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._changed = threading.Condition()
        self._known: OrderedDict[str, Query] = OrderedDict()
        self._with_result: OrderedDict[str, Query] = OrderedDict()
        self._deadlines: dict[str, float] = {}
        self._next_deadline = float("inf")
        self._watch: threading.Thread | None = None
        self._closed = False

    def begin(self, query: Query) -> None:
        """Note a statement that arrived; its timeout counts from now."""
        query.charge = self._meter.begin(query.id, query.sender.role, query.sender.tag)
        with self._changed:
            self._known[query.id] = query
            if query.sender.timeout:
                deadline = self._deadlines[query.id] = time.monotonic() + query.sender.timeout
                if deadline < self._next_deadline:
                    self._changed.notify()
                if self._watch is None:
                    self._watch = threading.Thread(target=self._cancel_late, daemon=True, name="statement-timeouts")
                    self._watch.start()

    def end(self, query: Query, result: Result | None = None, error: errors.SnowflakeError | None = None) -> None:
        """Note how a statement ended."""
        query.result = result if query.asynchronous else None
        if query.charge:
            self._meter.end(query.charge)
        query.end(error)
        with self._changed:
            self._deadlines.pop(query.id, None)
            if query.result:
                self._with_result[query.id] = query
            while len(self._with_result) > KEPT_RESULTS:
                self._with_result.popitem(last=False)[1].result = None
            if len(self._known) > HISTORY:
                self._forget_oldest()

    def close(self) -> None:
        """End the thread that watches the timeouts."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def find(self, identifier: str) -> Query | None:
        with self._changed:
            return self._known.get(identifier.lower())

    def newest_first(self) -> list[Query]:
        with self._changed:
            return list(reversed(self._known.values()))

    def running(self, session: int) -> list[Query]:
        """The statements of ``session`` that have not ended."""
        with self._changed:
            return [each for each in self._known.values() if each.sender.session == session and each.status == RUNNING]

    def _forget_oldest(self) -> None:
        ended = next((key for key, query in self._known.items() if query.status != RUNNING), None)
        if ended is not None:
            del self._known[ended]

    def _cancel_late(self) -> None:
        """Cancel each statement at its deadline, until ``close``."""
        while True:
            with self._changed:
                if self._closed:
                    return
                now = time.monotonic()
                late = [self._known[key] for key, deadline in self._deadlines.items() if deadline <= now]
                for query in late:
                    del self._deadlines[query.id]
                self._next_deadline = min(self._deadlines.values(), default=float("inf"))
                if not late:
                    self._changed.wait(None if self._next_deadline == float("inf") else self._next_deadline - now)
            for query in late:
                if not query.cancel(errors.timed_out(query.sender.timeout)):
                    self._ask_again(query)

    def _ask_again(self, query: Query) -> None:
        """Cancel a statement that commits a little later: before a DDL, it commits what was open."""
        with self._changed:
            if query.status == RUNNING:
                self._deadlines[query.id] = time.monotonic() + INTERRUPT_EVERY_SECONDS


def _without_password(text: str) -> str:
    """The text of a statement as others may see it."""
    return _PASSWORD.sub(r"\1'***'", text) if _OF_USER.match(text) else text


def committing(query: Query | None) -> contextlib.AbstractContextManager[None]:
    """As ``Query.committing``; nothing for what no client sent."""
    return query.committing() if query else contextlib.nullcontext()
