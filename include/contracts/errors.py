"""The error that rejects a record."""

from __future__ import annotations

import reprlib
from typing import Literal

Reason = Literal[
    "not_json",
    "not_an_object",
    "broken_aggregate",
    "missing",
    "wrong_type",
    "out_of_range",
    "bad_text",
    "bad_time",
    "in_future",
    "too_old",
    "ambiguous_key",
    "key_conflict",
    "internal_error",
]

MAX_VALUE_LENGTH = 200


class ContractError(ValueError):
    """A record breaks its contract.

    Attributes:
        reason: one of the codes in ``Reason``, stable: quarantine objects, metrics and replay select by it.
        field: the contract's name of the offending field, or None where the record as a whole is unreadable.
        value: a short ``repr`` of the value that was sent (at most 200 characters), or None where nothing was sent.
        rule: the broken rule, in words that a person can act on.
    """

    def __init__(self, reason: Reason, field: str | None, value: str | None, rule: str) -> None:
        super().__init__(reason, field, value, rule)
        self.reason: Reason = reason
        self.field = field
        self.value = value
        self.rule = rule

    def __str__(self) -> str:
        where = f"{self.field} " if self.field else ""
        what = f"= {self.value} " if self.value is not None else ""
        return f"{self.reason}: {where}{what}({self.rule})"


_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 120
_short.maxlevel = 3


def short_repr(value: object) -> str:
    """``repr(value)`` in at most 200 printable ASCII characters, whatever the value's size or depth."""
    return _short.repr(value).encode("ascii", "backslashreplace").decode()[:MAX_VALUE_LENGTH]
