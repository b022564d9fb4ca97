"""Instants that a person types."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from dashboard import as_sent, data, times


def written(instant: datetime) -> str:
    """Return an instant as text that means the same in every zone: in UTC, as exact as it is."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + "Z"


def explain(text: str) -> str:
    """Return Markdown that says why ``text`` is no instant, and how to write one."""
    example = f"Enter one such as {times.to_the_second(data.now())}, in {times.zone_name()}, or one with an offset."
    return f"{as_sent.markdown(text)} is not a date and time{_reason(text.strip())}. {example}"


def _reason(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,4}", text):
        return ": a month and a day are missing"
    if re.fullmatch(r"[0-9]{4}-[0-9]{1,2}", text):
        return ": a day is missing"
    if re.fullmatch(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", text):
        return ": a day is missing"
    if re.search(r"[T ]24:?[0-9]{2}", text):
        return ": 24:00 is 00:00 of the next day"
    if re.match(r"(0001-01-01|9999-12-31)", text):
        return " from the year 1 to the year 9999 in UTC"
    if re.match(r"[0-9]{5,}-", text) or text.startswith("-"):
        return " from the year 1 to the year 9999"
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return ": there is no such day or time"
    if re.match(r"[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}", text):
        return ": the year comes first, then the month and the day"
    return ""
