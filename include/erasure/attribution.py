"""Whose record is it?  Of valid ones as the contract says, of the others as well as can be told."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from include.archive.probe import is_probe
from include.contracts import ContractError
from include.contracts.json_object import read_lenient_object, read_object

# (payload, partition key or None where it was not kept) -> True: the truck's; False: somebody else's; None: who knows.
Attribution = Callable[[bytes, str | None], bool | None]


def attribution(truck_id: str) -> Attribution:
    """How to tell whether a record is the truck's.

    A payload that is an object and names trucks, under ``truck_id`` in any case, belongs to those: of a valid record
    that is the contract's own answer.  Any other belongs to whom its partition key names (the API and the generator
    send the truck's id as that), or whose id stands in it as a quoted text, as in JSON that is cut off or encoded
    twice.  The archive and quarantine keep both of a record, so they give the same answer.
    """
    # A backslash more for each time that the JSON was encoded.
    quoted = re.compile(rb'"' + re.escape(truck_id.encode("utf-8", "surrogatepass")) + rb'\\*"')

    def belongs(payload: bytes, partition_key: str | None) -> bool | None:
        if trucks := _named(payload):
            return truck_id in trucks
        if partition_key == truck_id or quoted.search(payload):
            return True
        return False if is_probe(payload) else None

    return belongs


def _named(payload: bytes) -> list[str]:
    """The trucks that an object names: one if it is valid, else any number."""
    document: dict[str, Any] | None
    try:
        document = read_object(payload)
    except ContractError:
        document = read_lenient_object(payload)
    if document is None:
        return []
    said = (value for key, value in document.items() if key.lower() == "truck_id")
    return [str(value) for value in said if type(value) in (str, int) and value != ""]
