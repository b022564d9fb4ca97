"""Logs a lasting problem without a line per attempt."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class RateLimitedLogger:
    """Logs a problem when it starts, again every ``interval`` seconds while it lasts, and once when it is over."""

    def __init__(self, subject: str, *, interval: float = 15.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._subject, self._interval, self._clock = subject, interval, clock
        self._logged_at: float | None = None

    def failed(self, reason: str) -> None:
        """Log ``reason``, unless a failure was logged less than ``interval`` seconds ago."""
        now = self._clock()
        if self._logged_at is None or now - self._logged_at >= self._interval:
            self._logged_at = now
            logger.warning("%s: %s; retrying", self._subject, " ".join(reason.split()))

    def recovered(self) -> None:
        """Log the recovery, if a failure was logged before."""
        if self._logged_at is not None:
            self._logged_at = None
            logger.warning("%s: works again", self._subject)
