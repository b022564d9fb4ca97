"""Waiting between attempts, and saying what is wrong without repeating it."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

logger = logging.getLogger("event_source_mapping")


class Backoff:
    """Delays that double from ``base`` up to ``cap`` seconds, each drawn from its upper half (jitter)."""

    def __init__(self, base: float = 0.1, cap: float = 2.0) -> None:
        self._base, self._cap = base, cap
        self._ceiling = base

    def next(self) -> float:
        """The next delay in seconds."""
        ceiling = self._ceiling
        self._ceiling = min(self._cap, ceiling * 2)
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311

    def reset(self) -> None:
        """Start again from ``base``, after a success."""
        self._ceiling = self._base


class Complaints:
    """Logs a lasting trouble in one line, again every ``interval`` seconds, and once when it is over."""

    def __init__(self, subject: str, *, interval: float = 15.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._subject, self._interval, self._clock = subject, interval, clock
        self._said_at: float | None = None

    def trouble(self, reason: str) -> None:
        """It goes wrong."""
        now = self._clock()
        if self._said_at is None or now - self._said_at >= self._interval:
            self._said_at = now
            logger.warning("%s: %s; retrying", self._subject, " ".join(reason.split()))

    def over(self) -> None:
        """It works."""
        if self._said_at is not None:
            self._said_at = None
            logger.warning("%s: works again", self._subject)
