"""The period of a ranking, and the one that it is compared with."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import streamlit as st

from dashboard import as_sent, choices, data, times, ui
from dashboard.data import Period

DAY = timedelta(days=1)
LONGEST = 31 * DAY
# A device's clock may say any year; a shop's clicks are not older.
EARLIEST_YEAR = 2000

AS_ON_THE_LEFT, TODAY, YESTERDAY, WEEK, CUSTOM = "window", "today", "yesterday", "7d", "custom"
OFFSETS = {"before": None, "day": DAY, "week": 7 * DAY}
COMPARISONS = {"before": "The time just before", "day": "The same time a day before", "week": "… a week before"}


def chosen_period(chosen: ui.Filters) -> tuple[Period, Period, str] | None:
    """Ask for a period, for another to compare it with, and for a part of the items' names or IDs.

    Return None, and say why, if what is typed is no period.
    """
    now = data.now().replace(second=0, microsecond=0)
    words = {
        AS_ON_THE_LEFT: f"Last {chosen.window}",
        TODAY: "Today so far",
        YESTERDAY: "Yesterday",
        WEEK: "Last 7 days",
        CUSTOM: "From … to …",
    }
    places = st.columns(3)
    with places[0]:
        kind = choices.one("Period", list(words), "period", words=words.__getitem__)
    with places[1]:
        against = choices.one("Compared with", list(OFFSETS), "against", words=COMPARISONS.__getitem__)
    with places[2]:
        matching = choices.text("Name or ID contains", "", "find", "Only these items are read, which is quicker.")
    period = _typed(now) if kind == CUSTOM else named_period(kind, now, chosen.minutes)
    if period is None:
        return None
    return period, period.before(OFFSETS[against] or period.length), matching.strip()


def in_words(period: Period) -> str:
    """Return a period for a person to read."""
    since, until = (times.to_the_second(instant)[:16] for instant in period)
    return f"{since} to {until.removeprefix(since[:11])} {times.zone_name()}"


def arrived(read_at: datetime | None) -> str:
    """Return the sentence that says up to when clicks are counted; nothing if none may still come in time."""
    return "" if read_at is None else f" Clicks that had arrived by {times.named(read_at)} are counted."


def named_period(kind: str, now: datetime, minutes: int) -> Period:
    """Return the period that ``kind`` names; the last ``minutes`` unless it is a day or a week.  ``now`` is in UTC."""
    today = date.fromisoformat(times.to_the_second(now)[:10])
    match kind:
        case "today":
            # In the first minute of a day there is nothing of it yet.
            return Period(min(_midnight(today), now - timedelta(minutes=1)), now)
        case "yesterday":
            return Period(_midnight(today - DAY), _midnight(today))
        case "7d":
            return Period(now - 7 * DAY, now)
        case _:
            return Period(now - timedelta(minutes=minutes), now)


def _midnight(day: date) -> datetime:
    """Return the beginning of a day in the zone that the page shows."""
    midnight = times.typed(f"{day.isoformat()}T00:00")
    if midnight is None:
        raise ValueError(f"{day} does not begin between the years 1 and 9999")
    return midnight


def _typed(now: datetime) -> Period | None:
    """Ask for a beginning and an end."""
    places = st.columns(2)
    example = times.to_the_second(now - timedelta(hours=1))[:16]
    meaning = f"A date and time such as {example}. Seconds are ignored."
    with places[0]:
        since = choices.text(times.titled("From"), example, "from", meaning)
    with places[1]:
        until = choices.text(times.titled("To"), times.to_the_second(now)[:16], "to", meaning)
    found = typed_period(since, until)
    if isinstance(found, str):
        st.warning(found)
        return None
    return found


def typed_period(since: str, until: str) -> Period | str:
    """Return the period between two instants that a person typed, or the warning that says why there is none."""
    instants = []
    for text in (since, until):
        instant = times.typed(text)
        if instant is None or instant.year < EARLIEST_YEAR:
            return f"{as_sent.markdown(text)} is not a date and time since {EARLIEST_YEAR}, such as 2026-11-22 14:05."
        instants.append(instant.replace(second=0, microsecond=0))
    period = Period(*instants)
    if not timedelta(0) < period.length <= LONGEST:
        return f"The end must be after the beginning, and at most {LONGEST.days} days later."
    return period
