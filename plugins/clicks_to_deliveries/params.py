"""Form fields that several DAGs share."""

from __future__ import annotations

import re

from airflow.sdk import Param

from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH

# In one line, and without a blank at its ends, where copying easily puts one.  The form refuses others.
ID = r"\S(.*\S)?"
_QUOTE = '"'


def optional_time(title: str, description: str = "UTC if without offset.") -> Param:
    """Return a field for a time, empty by default."""
    return Param(None, type=["null", "string"], format="date-time", title=title, description=description)


def truck_id(title: str, description: str, *, is_optional: bool) -> Param:
    """Return a field for the id of a truck: empty by default, None if it may stay empty."""
    return _id(title, description, MAX_TRUCK_ID_LENGTH, is_optional=is_optional)


def reported_id(title: str, description: str, *, is_optional: bool) -> Param:
    """Return a field for any id that is stored, also one that today's contract refuses: ``unquoted`` has the id."""
    text = f"{description} If a blank begins or ends it: in double quotes."
    return _id(title, text, MAX_TRUCK_ID_LENGTH + 2 * len(_QUOTE), is_optional=is_optional)


def unquoted(text: str) -> str:
    """Return the id that was typed into a field of ``reported_id``; quotes that need not be there are its own.

    So there is a text for every id: one that would be unquoted itself has quotes around its own.
    """
    inside = text[1:-1]
    if text != f"{_QUOTE}{inside}{_QUOTE}":
        return text
    needs_quotes = inside != inside.strip() or unquoted(inside) != inside
    return inside if needs_quotes else text


def _id(title: str, description: str, max_length: int, *, is_optional: bool) -> Param:
    kind: str | list[str] = ["null", "string"] if is_optional else "string"
    pattern = f"^{ID}$" if is_optional else f"^({ID})?$"
    return Param(
        None if is_optional else "",
        type=kind,
        maxLength=max_length,
        pattern=pattern,
        title=title,
        description=description,
    )


def confirmation(text: str, title: str) -> Param:
    """Return a field that takes ``text`` and nothing else; empty by default."""
    return Param("", type="string", pattern=f"^({re.escape(text)})?$", title=title, description="Type it to confirm.")
