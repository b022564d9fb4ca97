"""Retries within the time that is left of an invocation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from include.retry import backoff

# Reserved for the answer, which must leave before the runtime kills the invocation.
MARGIN_SECONDS = 1.0

MAX_ATTEMPTS = 10
FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 2.0

T = TypeVar("T")


class InvocationContext(Protocol):
    """The part of AWS's Lambda context that the functions use."""

    def get_remaining_time_in_millis(self) -> int: ...


class StoreError(Exception):
    """A store did not accept everything: what it did not accept must be delivered again.  Every write can be repeated.

    Attributes:
        undone: the items of the call that are not confirmed, where the call had several.
    """

    def __init__(self, message: str, undone: Sequence[Any] = ()) -> None:
        super().__init__(message)
        self.undone = undone


class Deadline:
    """The moment until which an invocation may work."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @classmethod
    def of(cls, context: InvocationContext) -> Deadline:
        """The deadline of an invocation."""
        return cls(context.get_remaining_time_in_millis() / 1000 - MARGIN_SECONDS)

    def remaining(self) -> float:
        """Seconds left; negative once the deadline has passed."""
        return self._end - time.monotonic()


def send_all(send: Callable[[Sequence[T]], Sequence[T]], pending: Sequence[T], deadline: Deadline) -> None:
    """Call ``send`` until the store refuses nothing.  ``send`` returns the items that the store refused for now.

    The waits between attempts have full jitter.

    Raises:
        StoreError: ``send`` raised it, items are still refused after MAX_ATTEMPTS, or the next wait would pass the
            deadline.  ``undone`` has the items that are not confirmed.
    """
    for failures in range(1, MAX_ATTEMPTS + 1):
        try:
            pending = send(pending)
        except StoreError as error:
            raise StoreError(str(error), pending) from error
        if not pending:
            return
        wait = backoff(failures, first=FIRST_WAIT_SECONDS, longest=LONGEST_WAIT_SECONDS)
        if wait >= deadline.remaining():
            raise StoreError(f"{len(pending)} items still refused and no time left to repeat them", pending)
        time.sleep(wait)
    raise StoreError(f"{len(pending)} items still refused after {MAX_ATTEMPTS} attempts", pending)
