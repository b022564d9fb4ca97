"""Reading any bytes as one JSON object, and checking a value of it: the thorough path, taken only when the typed
decoders refuse a record.  It decides what they leave open, and names field, value and rule of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from include.contracts.errors import ContractError, short_repr

# Deeper than any device nests, far shallower than any interpreter's recursion limit, which differs between Python
# versions: the same record is accepted or rejected wherever it is read.
MAX_NESTING = 64

# What msgspec raises for bytes that are not what was asked for.  The last two are not msgspec errors: bad UTF-8 and
# deep nesting.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Checked = TypeVar("Checked")

_decode = msgspec.json.Decoder().decode


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object that ``data`` is; of a key sent twice the last value.

    Raises:
        ContractError: ``not_json`` (also bad UTF-8, NaN, a number no float can hold, nesting beyond 64 levels) or
            ``not_an_object``.
    """
    try:
        document = _decode(data)
    except RecursionError as error:
        raise _too_deep(data) from error
    except UnicodeDecodeError as error:
        raise ContractError("not_json", None, short_repr(data[:80]), f"UTF-8 text: {error.reason}") from error
    except msgspec.DecodeError as error:
        raise ContractError("not_json", None, short_repr(data[:80]), f"one JSON object: {error}") from error
    if _nested_too_deep(data, document):
        raise _too_deep(data)
    if type(document) is not dict:
        raise ContractError("not_an_object", None, short_repr(document), "one JSON object")
    return document


def read_lenient_object(data: bytes) -> dict[str, Any] | None:
    """The object that Python's json module, which knows NaN and Infinity, reads; None if it reads none.

    Only for finding out what is in a ``not_json`` record; never for accepting one.
    """
    try:
        document = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return document if type(document) is dict and not _nested_too_deep(data, document) else None


def check_object(data: bytes, check: Callable[[dict[str, Any]], Checked]) -> Checked:
    """What ``check`` makes of the JSON object that ``data`` is.

    Raises:
        ContractError: as ``check`` and ``read_object`` do.  Of what is not JSON and still readable (NaN, Infinity)
            ``check`` may name the field that is to blame.
    """
    try:
        document = read_object(data)
    except ContractError:
        lenient = read_lenient_object(data)
        if lenient is not None:
            check(lenient)  # Only to find out which field: it is refused in any case.
        raise
    return check(document)


def require_text(value: Any, field: str, minimum: int, maximum: int) -> str:
    """``value`` if it is text of ``minimum`` to ``maximum`` characters, else a ContractError."""
    rule = f"text of {minimum} to {maximum} characters"
    if value is None:
        raise ContractError("missing", field, None, f"required: {rule}")
    if type(value) is not str:
        raise ContractError("wrong_type", field, short_repr(value), rule)
    if not minimum <= len(value) <= maximum:
        raise ContractError("out_of_range", field, short_repr(value), rule)
    return value


def _too_deep(data: bytes) -> ContractError:
    return ContractError("not_json", None, short_repr(data[:80]), f"JSON nested at most {MAX_NESTING} levels deep")


def _nested_too_deep(data: bytes, document: Any) -> bool:
    if data.count(b"[") + data.count(b"{") <= MAX_NESTING:
        return False
    level = [document]
    for _ in range(MAX_NESTING):
        level = [
            child
            for node in level
            if type(node) in (dict, list)
            for child in (node.values() if type(node) is dict else node)
        ]
    return any(type(node) in (dict, list) for node in level)
