"""Spans of time that a chart shows, from its first to its last instant, and the slices into which one is cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
# Shorter, a chart's axis would repeat its labels.
_SHORTEST = timedelta(milliseconds=10)


class Span(NamedTuple):
    """A span of time (aware UTC), its ends included."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """The time between the ends."""
        return self.until - self.since

    def slice_width(self, count: int) -> timedelta:
        """Return the width of ``count`` slices that cover the span: whole milliseconds, and no slice beyond the end."""
        milliseconds = self.length // timedelta(milliseconds=1)
        return timedelta(milliseconds=milliseconds // count + 1)

    def zoomed_in(self) -> Span:
        """Return the span of half the length about the same middle."""
        return between(moved(self.since, self.length / 4), moved(self.until, -self.length / 4))

    def zoomed_out(self) -> Span:
        """Return the span of twice the length about the same middle."""
        return between(moved(self.since, -self.length / 2), moved(self.until, self.length / 2))

    def earlier(self) -> Span:
        """Return the span that begins half a length before."""
        return between(moved(self.since, -self.length / 2), moved(self.until, -self.length / 2))

    def later(self) -> Span:
        """Return the span that begins half a length after."""
        return between(moved(self.since, self.length / 2), moved(self.until, self.length / 2))


def between(one: datetime, other: datetime) -> Span:
    """Return the span of two instants in either order, which are at least some milliseconds apart."""
    since, until = min(one, other), max(one, other)
    if until - since < _SHORTEST:
        until = moved(since, _SHORTEST)
        since = moved(until, -_SHORTEST)
    return Span(since, until)


def newest(length: timedelta, now: datetime, step_seconds: int) -> Span:
    """Return the span of ``length`` that ends now.

    Its end moves in steps of ``step_seconds``, so that an answer for it can be kept for so long.
    """
    steps = now.timestamp() // step_seconds + 1
    until = datetime.fromtimestamp(steps * step_seconds, UTC)
    return Span(moved(until, -length), until)


def moved(instant: datetime, by: timedelta) -> datetime:
    """Return ``instant + by``, or the end of the calendar if it would be beyond: a device's clock can be there."""
    try:
        return instant + by
    except OverflowError:
        return LATEST if by > timedelta() else EARLIEST
