"""How long to wait between two attempts: exponential backoff with jitter.

Jitter keeps clients that failed in the same moment from coming back in the same moment.  "Full" and "equal" jitter are
named as in M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog).
"""

from __future__ import annotations

import random

FULL_JITTER = 0.0
EQUAL_JITTER = 0.5


def backoff(failures: int, *, first: float, longest: float, floor: float = FULL_JITTER) -> float:
    """Seconds to wait after ``failures`` failures in a row (1 or more).

    The ceiling starts at ``first`` seconds and doubles with each failure up to ``longest``.  The wait is drawn evenly
    between ``floor`` times the ceiling and the ceiling.  Full jitter (0) suits many clients that compete for one store;
    equal jitter (0.5) suits a loop that polls, which should never come back immediately.
    """
    ceiling = min(longest, first * 2 ** min(failures - 1, 30))
    return random.uniform(floor * ceiling, ceiling)  # noqa: S311 - jitter is no secret


class Backoff:
    """``backoff`` with equal jitter, for a loop that polls: it counts the loop's failures."""

    def __init__(self, *, first: float = 0.1, longest: float = 2.0) -> None:
        self._first, self._longest = first, longest
        self._failures = 0

    def next(self) -> float:
        """Count a failure; return the seconds to wait."""
        self._failures += 1
        return backoff(self._failures, first=self._first, longest=self._longest, floor=EQUAL_JITTER)

    def reset(self) -> None:
        """Start again from ``first``, after a success."""
        self._failures = 0
