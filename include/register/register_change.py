"""One change of the register as a person asks for it, checked before anything is read or written."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from include.contracts import times
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from include.contracts.text import require_id

REGISTER = "register a truck"
RETIRE = "retire a truck"
ASSIGN = "assign readings"
UNDO = "undo an assignment"
ACTIONS = (REGISTER, RETIRE, ASSIGN, UNDO)

#: The ends of an open period, as TRACKER_ASSIGNMENTS keeps them.
BEGINNING = "0001-01-01T00:00:00.000000"
OPEN = "9999-12-31T00:00:00.000000"

# Action -> the fields that it needs, and those that it may have.
_NEEDED = {
    REGISTER: ("truck_id",),
    RETIRE: ("truck_id", "since"),
    ASSIGN: ("reported_id", "truck_id", "decided_by", "reason"),
    UNDO: ("reported_id",),
}
_OPTIONAL = {ASSIGN: ("since", "until"), UNDO: ("since",)}


class RegisterChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that makes sense by itself; whether the register permits it is not known yet.

    Attributes:
        reported_id: the id that a tracker reports.
        since: canonical UTC text: when the truck left, or the first instant of an assignment.
        until: canonical UTC text: the end of an assignment, exclusive.
    """

    action: str
    truck_id: str = ""
    reported_id: str = ""
    since: str = BEGINNING
    until: str = OPEN
    decided_by: str = ""
    reason: str = ""


def change_of(plan: Mapping[str, str]) -> RegisterChange:
    """Return the change that the fields of a form describe; an empty field is not given.

    Raises:
        ValueError: the fields don't make a change; the message says which one is wrong.
    """
    action = plan["action"]
    if action not in ACTIONS:
        raise ValueError(f"action is {action!r}, not one of {', '.join(ACTIONS)}")
    given = {name: text for name, text in plan.items() if name != "action" and text}
    if missing := [name for name in _NEEDED[action] if name not in given]:
        raise ValueError(f"to {action}, set {', '.join(missing)}")
    if unused := sorted(given.keys() - {*_NEEDED[action], *_OPTIONAL.get(action, ())}):
        raise ValueError(f"to {action}, leave {', '.join(unused)} empty")
    # Not the reported id: RAW may have ids that today's contract refuses, and a person knows which truck was meant.
    if "truck_id" in given:
        require_id(given["truck_id"], "truck_id", MAX_TRUCK_ID_LENGTH)
    for name in ("since", "until"):
        if name in given:
            given[name] = times.to_canonical(times.parse(given[name]))
    change = RegisterChange(action=action, **given)
    if change.reported_id == change.truck_id:
        raise ValueError(f"the readings of {change.truck_id} are its own without an assignment")
    if change.since >= change.until:
        raise ValueError(f"no instant is at or after {change.since} and before {change.until}")
    return change
