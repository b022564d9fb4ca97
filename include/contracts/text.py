"""Which characters a text may hold, and which an id.

The contracts and the quality rules (include/sql.py) share this definition.  It lists the characters, because Python's
own classes of characters differ between versions.
"""

from __future__ import annotations

import re

from include.contracts.errors import ContractError, short_repr

# What ends a line or commands a terminal: C0, DEL, C1, and Unicode's line and paragraph separators.  Databases and
# pages change such characters or stop at them.
CONTROLS = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)))

# What shows nothing: white space, zero-width characters, marks of writing direction, and fillers.
BLANKS = "".join(
    map(
        chr,
        (
            *(0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000),
            *(0xAD, 0x061C, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF),
            *(0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0),
        ),
    )
)

_has_control = re.compile(f"[{re.escape(CONTROLS)}]").search


def require_text(value: object, field: str, minimum: int, maximum: int) -> str:
    """Return ``value`` if it is text of ``minimum`` to ``maximum`` characters, none of them a control character.

    Raises:
        ContractError: ``missing``, ``wrong_type``, ``out_of_range`` or ``bad_text``.
    """
    rule = f"text of {minimum} to {maximum} characters"
    if value is None:
        raise ContractError("missing", field, None, f"required: {rule}")
    if type(value) is not str:
        raise ContractError("wrong_type", field, short_repr(value), rule)
    if not minimum <= len(value) <= maximum:
        raise ContractError("out_of_range", field, short_repr(value), rule)
    # Nothing printable is a control character; the quick test saves the search.
    if not value.isprintable() and _has_control(value):
        raise ContractError("bad_text", field, short_repr(value), f"{rule}, without control characters")
    return value


def require_id(value: object, field: str, maximum: int) -> str:
    """Return ``value`` if it is an id of at most ``maximum`` characters.

    Raises:
        ContractError: as ``require_text``; also ``bad_text`` if it is blank or padded.
    """
    text = require_text(value, field, 1, maximum)
    if text.strip(BLANKS) != text:
        rule = "an id that begins and ends with a visible character: not blank, no white space around it"
        raise ContractError("bad_text", field, short_repr(text), rule)
    return text
