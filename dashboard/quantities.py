"""Numbers for a person to read."""

from __future__ import annotations

from decimal import Decimal

# Beyond so many, a count is rounded: more digits don't fit, and nobody reads them.
MOST_COUNTED = 10**12

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def duration(seconds: float) -> str:
    """Return a length of time for a person to read: ``45 s``, ``5 min``, ``2 h``, ``3 d``."""
    seconds = max(0.0, seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or seconds == size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def hours(seconds: float) -> str:
    """Return a length of time to the minute, for a person to add up: ``45 s``, ``5 min``, ``1 h 05 min``."""
    if seconds < 60:
        return f"{max(0.0, seconds):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def count(number: int) -> str:
    """Return a count for a person to read: ``9,007``, or ``9.22 × 10¹⁸`` where digits would fill the page."""
    if abs(number) < MOST_COUNTED:
        return f"{number:,}"
    mantissa, exponent = f"{Decimal(number):.2e}".split("e")
    return f"{mantissa} × 10{exponent.lstrip('+').translate(_SUPERSCRIPTS)}"


def at_least(number: int, is_more: bool) -> str:
    """Return a count, such as ``5,000``, or ``5,000+`` if there are more than could be counted."""
    return f"{count(number)}+" if is_more else count(number)


def number_of(number: int, thing: str) -> str:
    """Return a count with what is counted, such as ``1 truck`` or ``2 trucks``."""
    return f"{count(number)} {thing}" if number == 1 else f"{count(number)} {thing}s"
