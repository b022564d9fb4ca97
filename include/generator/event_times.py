"""Event times that are never used twice.

Every event has a slot, a multiple of 64 µs that no other event of its stream has.  An event on time happened at its
slot.  One that is late by k minutes, or out of order by k seconds, happened that much earlier, and the six bits below
the slot say so: a minute and a second are both multiples of 64 µs, so two displaced events can only meet if they have
the same k and the same slot, and none meets one on time, in this run or any other.  The events of an aggregated record
share a slot, and use the values of the six bits that are left.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

SLOT = 64  # µs
# There are no more slots per second.
MAX_EVENTS_PER_SECOND = 1_000_000 // SLOT

MAX_MINUTES_LATE = 20
MAX_SECONDS_OUT_OF_ORDER = 31

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def late(slot: int, minutes: int) -> int:
    """The event time, in µs, of the event with this slot that is ``minutes`` (1 to 20) late."""
    return slot - minutes * 60_000_000 + minutes


def out_of_order(slot: int, seconds: int) -> int:
    """The event time, in µs, of the event with this slot that is displaced by ``seconds`` (1 to 31)."""
    return slot - seconds * 1_000_000 + 32 + seconds


def aggregated(slot: int, number: int) -> int:
    """The event time, in µs, of the event with this number (0 to 11) in the aggregated record with this slot."""
    return slot + MAX_MINUTES_LATE + 1 + number


class Slots:
    """Hands out slots, each greater than all before it.

    Args:
        last: the last slot that an earlier run used, in µs; 0 if there was none.
    """

    def __init__(self, last: int = 0) -> None:
        self.last = last

    def at(self, microseconds: int) -> int:
        """The slot at this time, or the next free one."""
        self.last = max(microseconds - microseconds % SLOT, self.last + SLOT)
        return self.last
