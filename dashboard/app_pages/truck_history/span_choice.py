"""The span of time that the page shows: one of some lengths until now, all of it, or any two instants."""

from __future__ import annotations

from datetime import datetime, timedelta

import streamlit as st

from dashboard import choices, data, times
from dashboard.app_pages.truck_history.instants import explain, written
from dashboard.data import lifetimes
from dashboard.spans import Span, between, moved, newest

LENGTHS = {
    "1 hour": timedelta(hours=1),
    "24 hours": timedelta(days=1),
    "7 days": timedelta(days=7),
    "30 days": timedelta(days=30),
}
DEFAULT, ALL, OWN = "24 hours", "all", "own"
WORDS = {**{name: f"Last {name}" for name in LENGTHS}, ALL: "All of it", OWN: "From … until …"}


def ask_span(first: datetime, last: datetime) -> Span | None:
    """Ask for the span, and return it; None if a person typed something that is no instant, and was told so.

    ``first`` and ``last`` are the starts of the truck's first and last version.
    """
    span = choices.one("Time", list(WORDS), key="span", default=DEFAULT, words=WORDS.__getitem__)
    now = newest(timedelta(), data.now(), lifetimes.HISTORY).until
    if span == ALL:
        return between(first, max(last, now))
    if span == OWN:
        return _own(first, max(last, now))
    shown = newest(LENGTHS[span], data.now(), lifetimes.HISTORY)
    # A short history fills the page.
    return between(first, shown.until) if shown.since < first < shown.until else shown


def choose(span: Span) -> None:
    """Show ``span`` from the next run on.  For a callback."""
    choices.put("span", OWN)
    choices.put("from", written(span.since))
    choices.put("until", written(span.until))


def _own(first: datetime, end: datetime) -> Span | None:
    meaning = f"A date and time in {times.zone_name()}, such as 2026-11-22 14:05:30, or one with an offset."
    columns = st.columns(2)
    with columns[0]:
        begins = choices.text(times.titled("From"), written(moved(end, -LENGTHS[DEFAULT])), "from", meaning)
    with columns[1]:
        ends = choices.text(
            times.titled("Until"), "", "until", f"{meaning} Empty: until now, or the newest version if it is later."
        )
    since, until = times.typed(begins) if begins.strip() else first, times.typed(ends) if ends.strip() else end
    for text, instant in ((begins, since), (ends, until)):
        if instant is None:
            st.warning(explain(text))
            return None
    return between(since, until) if since and until else None
