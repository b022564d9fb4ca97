"""Instants for a person to read, in UTC or in the zone of the person's browser, as the sidebar's switch says.

Wherever an instant is shown, its zone is named beside it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

# The switch's key and its choices.
ZONE, IN_UTC, IN_VIEWERS_ZONE = "zone", "UTC", "local"

_FORMATS = {"minutes": "HH:mm", "seconds": "HH:mm:ss", "milliseconds": "HH:mm:ss.SSS"}


def to_the_second(instant: datetime | pd.Timestamp) -> str:
    """Return an instant for a person to read, and to type in again: ``2026-11-22 14:05:30``.

    For where the zone is named beside it, as in ``titled("Instant")``; elsewhere use :func:`named`.
    """
    return _written(_in_zone(instant))


def named(instant: datetime | pd.Timestamp) -> str:
    """Return an instant with its zone: ``2026-11-22 14:05:30 UTC``, or with ``UTC+05:30`` in place of ``UTC``."""
    shown = _in_zone(instant)
    # The offset, and not the zone's name: in the hour before the clocks go back, only the offset tells.
    return f"{_written(shown)} {shown.tzname() if shown.tzinfo is UTC else f'UTC{_offset(shown)}'}"


def titled(title: str) -> str:
    """Return the title of something that shows instants: ``Started, UTC``, or ``Started, Europe/Berlin``."""
    return f"{title}, {zone_name()}"


def column(
    title: str,
    *,
    precision: Literal["minutes", "seconds", "milliseconds"] = "seconds",
    width: Literal["small", "medium", "large"] | int | None = None,
    meaning: str | None = None,
) -> ColumnConfig:
    """Return a table column of instants; its heading is ``title`` and the zone."""
    offset = "" if is_utc() else " Z"
    return st.column_config.DatetimeColumn(
        titled(title),
        format=f"YYYY-MM-DD {_FORMATS[precision]}{offset}",
        timezone=zone_name(),
        width=width,
        help=meaning,
    )


def typed(text: str) -> datetime | None:
    """Return the instant that a person typed, in UTC, or None if it is none.

    A time without an offset is in the zone of the switch.
    """
    try:
        instant = datetime.fromisoformat(text.strip())
        return (instant.replace(tzinfo=_zone()) if instant.tzinfo is None else instant).astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: it is before the year 1 or after the year 9999 in UTC.
        return None


def day_of(instant: datetime | pd.Timestamp) -> date:
    """Return the day that an instant is on."""
    return _in_zone(instant).date()


def bounds_of(day: date) -> tuple[datetime, datetime]:
    """Return when a day begins and ends, in UTC.  It has 23 or 25 hours where the clocks change."""
    begins = datetime.combine(day, time(), _zone())
    try:
        return begins.astimezone(UTC), (begins + timedelta(days=1)).astimezone(UTC)
    except OverflowError:  # The first day of year 1, or the last of year 9999.
        begins = begins.replace(tzinfo=UTC)
        return begins, begins + timedelta(days=1) if day < date.max else datetime.max.replace(tzinfo=UTC)


def on_the_clock(instant: datetime | pd.Timestamp, *, seconds: bool = False) -> str:
    """Return the time of the day of an instant, such as ``14:05``, for where the day and the zone are named."""
    return _in_zone(instant).isoformat(timespec="seconds" if seconds else "minutes")[11 : 19 if seconds else 16]


def is_utc() -> bool:
    """Return whether instants are shown in UTC."""
    return _zone() is UTC


def zone_name() -> str:
    """Return the name of the zone in which instants are shown: ``UTC``, or one such as ``Asia/Kolkata``."""
    zone = _zone()
    return zone.key if isinstance(zone, ZoneInfo) else "UTC"


def viewers_zone() -> ZoneInfo | None:
    """Return the zone of the person's browser, or None if it is UTC or not known."""
    name = st.context.timezone
    if name is None or name in {"UTC", "Etc/UTC"}:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # This machine knows no zone of that name.
        return None


def _zone() -> tzinfo:
    wanted = st.session_state.get(ZONE, IN_UTC) == IN_VIEWERS_ZONE
    return (viewers_zone() or UTC) if wanted else UTC


def _in_zone(instant: datetime | pd.Timestamp) -> datetime:
    # Not as pandas' Timestamp, whose nanoseconds are no part of a datetime.
    plain = instant.to_pydatetime(warn=False) if isinstance(instant, pd.Timestamp) else instant
    aware = plain.replace(tzinfo=UTC) if plain.tzinfo is None else plain
    try:
        return aware.astimezone(_zone())
    except OverflowError:  # A device's clock said the first day of year 1, or the last of year 9999.
        return aware.astimezone(UTC)


def _written(instant: datetime) -> str:
    # Unlike strftime, isoformat writes every year with four digits.
    return instant.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def _offset(instant: datetime) -> str:
    return instant.isoformat()[len(instant.replace(tzinfo=None).isoformat()) :]
