"""The dashboard's clock, and the hours by which its stores are partitioned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def hours_between(since: datetime, until: datetime) -> list[datetime]:
    """The start of every hour that overlaps [since, until], oldest first."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    found = []
    while hour <= until:
        found.append(hour)
        hour += timedelta(hours=1)
    return found
