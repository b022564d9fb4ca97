"""Times as text: UTC, six decimals, no offset (``2025-03-17T15:35:54.597252``), so that they sort as text.

A finer time is cut to microseconds, never rounded.  So two events that differ only from the seventh decimal on have the
same instant.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from include.contracts.errors import ContractError, short_repr

# How far a device's clock may be ahead of ours.
MAX_CLOCK_SKEW = timedelta(minutes=10)

RULE = (
    "an ISO 8601 date and time such as 2025-03-17T15:35:54.597252 or …T15:35:54Z, with at most nine decimals after a "
    "point and an offset below 24 hours; without an offset it is UTC"
)

# The profile of ISO 8601 that client libraries write: .NET with seven decimals, Go and Java with up to nine.
# datetime.fromisoformat alone would also accept dates without a time, week dates, any separator and any number of
# decimals, and Python versions differ on 24:00 and on offsets such as +05:60.  So this pattern decides everything but
# whether the day exists.
_ACCEPTED = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?"
)


def to_canonical(moment: datetime) -> str:
    """The canonical text of an aware datetime.

    Raises:
        ValueError: ``moment`` is naive.  Guessing its zone would silently corrupt the history.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a time zone is required, got the naive {moment!r}")
    # Without the offset, which is +00:00.
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26]


def parse(text: str) -> datetime:
    """The aware UTC datetime of ``text``, cut to microseconds; no offset means UTC.

    Raises:
        ValueError: ``text`` is not in the accepted profile of ISO 8601 (see ``RULE``), or not between the years 1 and
            9999 in UTC.
    """
    if not _ACCEPTED.fullmatch(text):
        raise ValueError(f"{short_repr(text)} is not {RULE}")
    # It drops the decimals beyond the sixth.
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{short_repr(text)} is not between the years 1 and 9999 in UTC") from error


class TimeLimits(msgspec.Struct, frozen=True, cache_hash=True):
    """How far an event's own time may lie from the clock.

    An event further ahead than ``max_clock_skew`` or older than ``max_event_age`` is rejected; None accepts any age.
    """

    max_clock_skew: timedelta = MAX_CLOCK_SKEW
    max_event_age: timedelta | None = None


DEFAULT_TIME_LIMITS = TimeLimits()

_from_iso = datetime.fromisoformat


def canonical_event_time(text: object, field: str, now: datetime, limits: TimeLimits) -> str:
    """The canonical text of an event's time as sent, which depends on nothing but that text.

    Raises:
        ContractError: ``bad_time``, or beyond ``limits``: ``in_future`` or ``too_old``.
    """
    if type(text) is not str:
        raise ContractError("bad_time", field, short_repr(text), RULE)
    try:
        # First a quick test of the usual case, a text that is canonical already.  Whole seconds don't pass it.
        is_canonical = len(text) == 26 and _from_iso(text).isoformat() == text
        canonical = text if is_canonical else to_canonical(parse(text))
    except ValueError as error:
        raise ContractError("bad_time", field, short_repr(text), RULE) from error
    oldest, newest = _window(now, limits)
    if canonical > newest:
        raise ContractError("in_future", field, short_repr(text), f"at most {limits.max_clock_skew} ahead of the clock")
    if canonical < oldest:
        raise ContractError("too_old", field, short_repr(text), f"at most {limits.max_event_age} old")
    return canonical


@lru_cache(maxsize=8)
def _window(now: datetime, limits: TimeLimits) -> tuple[str, str]:
    """Oldest and newest acceptable canonical time; cached because many records share a clock."""
    try:
        oldest = "" if limits.max_event_age is None else to_canonical(now - limits.max_event_age)
    except OverflowError:
        oldest = ""  # Before the year 1: no event is older.
    return oldest, to_canonical(now + limits.max_clock_skew)
