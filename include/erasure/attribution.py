"""Attribute a record to a truck: a valid record as the contract does, any other as well as possible."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from include.contracts import ContractError
from include.contracts.json_object import read_lenient_object, read_object
from include.contracts.probe import is_probe

# (payload, partition key or None if it was not kept) -> True: the truck's; False: another's; None: unknown.
Attribution = Callable[[bytes, str | None], bool | None]


def attribution(truck_id: str) -> Attribution:
    """Return the function that decides whether a record belongs to the truck.

    A payload that is an object and names trucks, under ``truck_id`` in any case, belongs to those trucks; for a valid
    record that is the contract's own answer.  Any other payload belongs to the truck that its partition key names (the
    API and the generator use the truck's id as partition key), or whose id it contains as a quoted text, as in JSON
    that is cut off or encoded twice.  The archive and quarantine keep payload and partition key, so both stores give
    the same answer.
    """
    # Each further encoding as JSON adds a backslash.
    quoted = re.compile(rb'"' + re.escape(truck_id.encode("utf-8", "surrogatepass")) + rb'\\*"')

    def belongs(payload: bytes, partition_key: str | None) -> bool | None:
        if trucks := _named(payload):
            return truck_id in trucks
        if partition_key == truck_id or quoted.search(payload):
            return True
        return False if is_probe(payload) else None

    return belongs


def stray_attribution(truck_id: str) -> Attribution:
    """Return the same for records of the click stream: a *stray* is a truck's record that was sent there.

    A record that names an item is a click.  In any other, the id in quotes may be any value of a click: it counts only
    beside ``truck_id``.  What names no truck is another's, never unknown: a click names none.
    """
    belongs = attribution(truck_id)

    def is_stray(payload: bytes, partition_key: str | None) -> bool:
        text = payload.lower()
        may_be = b"item_id" not in text and (b"truck_id" in text or partition_key == truck_id)
        return may_be and bool(belongs(payload, partition_key))

    return is_stray


def _named(payload: bytes) -> list[str]:
    """The trucks that an object names: one in a valid record, any number in others."""
    document: dict[str, Any] | None
    try:
        document = read_object(payload)
    except ContractError:
        document = read_lenient_object(payload)
    if document is None:
        return []
    found = (value for key, value in document.items() if key.isascii() and key.lower() == "truck_id")
    return [str(value) for value in found if type(value) in (str, int) and value != ""]
