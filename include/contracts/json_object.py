"""The thorough path: any bytes read as one JSON object, and checked value by value.

Only a record that the typed decoders refuse comes here.  This path decides whether the record is valid, and names the
field, value and rule where it is not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from include.contracts import aggregates
from include.contracts.errors import ContractError, short_repr
from include.contracts.other_formats import describe

# No device nests deeper.  The recursion limit of an interpreter is far higher and differs between Python versions; with
# a limit of our own, every version accepts the same records.
MAX_NESTING = 64

# What msgspec raises for bytes that it cannot decode as asked.  Bad UTF-8 and deep nesting raise Python's own errors.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Checked = TypeVar("Checked")

_decode = msgspec.json.Decoder().decode


def read_object(data: bytes) -> dict[str, object]:
    """Read ``data`` as one JSON object.  The last value of a repeated key wins.

    Raises:
        ContractError: ``not_json`` (also bad UTF-8, NaN, a number no float can hold, nesting beyond 64 levels),
            ``not_an_object`` or ``broken_aggregate``.
    """
    if aggregates.is_aggregate(data):
        raise aggregates.rejection(data)
    try:
        document = _decode(data)
    except RecursionError as error:
        raise _too_deep(data) from error
    except UnicodeDecodeError as error:
        raise _not_json(data, f"UTF-8 text: {error.reason}") from error
    except msgspec.DecodeError as error:
        raise _not_json(data, f"one JSON object: {error}") from error
    if _nested_too_deep(data, document):
        raise _too_deep(data)
    if type(document) is not dict:
        raise ContractError("not_an_object", None, short_repr(document), _rule(data, "one JSON object"))
    return document


def read_lenient_object(data: bytes) -> dict[str, object] | None:
    """Read ``data`` with Python's json module, which also reads NaN and Infinity; None if it is still no object.

    Only for diagnosing a ``not_json`` record, never for accepting one.
    """
    try:
        document = json.loads(data.decode())
    except (ValueError, RecursionError):
        return None
    return document if type(document) is dict and not _nested_too_deep(data, document) else None


def check_object(data: bytes, check: Callable[[dict[str, object]], Checked]) -> Checked:
    """Read ``data`` as a JSON object and return the result of ``check``.

    Raises:
        ContractError: from ``read_object`` or ``check``.  Where ``data`` is JSON but for NaN or Infinity, ``check`` may
            name the field at fault.
    """
    try:
        document = read_object(data)
    except ContractError:
        lenient = read_lenient_object(data)
        if lenient is not None:
            check(lenient)  # Only to find the field at fault: the record is rejected in any case.
        raise
    return check(document)


def _not_json(data: bytes, rule: str) -> ContractError:
    return ContractError("not_json", None, short_repr(data[:80]), _rule(data, rule))


def _too_deep(data: bytes) -> ContractError:
    return ContractError("not_json", None, short_repr(data[:80]), f"JSON nested at most {MAX_NESTING} levels deep")


def _rule(data: bytes, otherwise: str) -> str:
    found = describe(data)
    return otherwise if found is None else f"one JSON object; this is {found}"


def _nested_too_deep(data: bytes, document: object) -> bool:
    if data.count(b"[") + data.count(b"{") <= MAX_NESTING:
        return False
    level = [document]
    for _ in range(MAX_NESTING):
        level = [child for node in level for child in _children(node)]
    return any(type(node) in (dict, list) for node in level)


def _children(node: object) -> Iterable[object]:
    if type(node) is dict:
        return node.values()
    return node if type(node) is list else ()
