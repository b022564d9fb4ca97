"""The fields of a form make a change, or a message that says which field is wrong."""

from __future__ import annotations

from datetime import datetime

import pytest

from include.register import (
    ACTIONS,
    ASSIGN,
    REGISTER,
    RETIRE,
    UNDO,
    Effect,
    RegisterChange,
    change_of,
    effect_report,
)

pytestmark = pytest.mark.unit

DECIDED = {"decided_by": "fleet manager", "reason": "replaced"}
FIELDS = ("truck_id", "reported_id", "since", "until", "decided_by", "reason")


def form(action: str, **fields: str) -> dict[str, str]:
    """The form as the DAG renders it: every field, those that are not given empty."""
    return {"action": action, **dict.fromkeys(FIELDS, ""), **fields}


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (form(REGISTER, truck_id="TRK001"), {"truck_id": "TRK001"}),
        (
            form(RETIRE, truck_id="TRK001", since="2026-11-22T12:00:00+02:00"),
            {"truck_id": "TRK001", "since": "2026-11-22T10:00:00.000000"},
        ),
        (
            form(ASSIGN, truck_id="TRK001", reported_id="NEW", **DECIDED),
            {"truck_id": "TRK001", "reported_id": "NEW", **DECIDED},
        ),
        (
            form(ASSIGN, truck_id="T", reported_id="t", since="2026-11-22 10:00", **DECIDED)
            | {"until": "2026-11-22T10:00:01Z"},
            {
                "truck_id": "T", "reported_id": "t", "since": "2026-11-22T10:00:00.000000",
                "until": "2026-11-22T10:00:01.000000", **DECIDED,
            },
        ),
        (form(UNDO, reported_id="NEW"), {"reported_id": "NEW"}),
        # As RAW may have it from before the contract refused such ids.
        (form(UNDO, reported_id=" NEW"), {"reported_id": " NEW"}),
        (
            form(UNDO, reported_id="NEW", since="2026-11-22T10:00:00Z"),
            {"reported_id": "NEW", "since": "2026-11-22T10:00:00.000000"},
        ),
    ],
)  # fmt: skip
def test_a_form_makes_a_change(plan: dict[str, str], expected: dict[str, str]) -> None:
    assert change_of(plan) == RegisterChange(action=plan["action"], **expected)


NEW_TRACKER = form(ASSIGN, truck_id="TRK001", reported_id="NEW", **DECIDED)


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (form("delete a truck"), "'delete a truck', not one of register a truck, retire a truck"),
        (form(REGISTER), "to register a truck, set truck_id"),
        (form(RETIRE, truck_id="TRK001"), "to retire a truck, set since"),
        (form(ASSIGN, truck_id="TRK001", reason="x"), "set reported_id, decided_by"),
        (form(REGISTER, truck_id="TRK001", since="2026-11-22T10:00:00Z", reason="x"), "leave reason, since empty"),
        (form(UNDO, reported_id="NEW", truck_id="TRK001"), "to undo an assignment, leave truck_id empty"),
        (form(REGISTER, truck_id=" TRK001"), "bad_text: truck_id = .*no white space around it"),
        (NEW_TRACKER | {"truck_id": "TRK\n001"}, "bad_text: truck_id = .*without control characters"),
        (form(REGISTER, truck_id="x" * 65), "out_of_range: truck_id .*1 to 64 characters"),
        (form(RETIRE, truck_id="TRK001", since="yesterday"), "'yesterday' is not"),
        (NEW_TRACKER | {"reported_id": "TRK001"}, "its own without an assignment"),
        (NEW_TRACKER | {"since": "2026-11-22T10:00:00Z", "until": "2026-11-22T11:00:00+01:00"}, "no instant is at or"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(plan: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        change_of(plan)


def test_every_action_can_be_chosen() -> None:
    for action in ACTIONS:
        with pytest.raises(ValueError, match=f"to {action}, set"):
            change_of(form(action))


def test_the_report_shows_what_moves() -> None:
    change = change_of(NEW_TRACKER)
    effect = Effect(
        dry_run=True,
        rows=1,
        readings=1204,
        first=datetime(2026, 11, 22, 12),  # noqa: DTZ001
        last=datetime(2026, 11, 22, 14, 10, 31),  # noqa: DTZ001
        versions_before={"NEW": 310, "TRK001": 5020},
        versions_after={"TRK001": 5329},
    )
    assert effect_report(change, effect) == (
        "assign readings: 1 change of the register (dry run)\n"
        "1,204 instants of NEW move, 2026-11-22 12:00:00 to 2026-11-22 14:10:31\n"
        "NEW: 310 versions before, 0 after\n"
        "TRK001: 5,020 versions before, 5,329 after\n"
        "Nothing was changed: switch off the dry run to do it"
    )
    nothing = Effect(dry_run=False, rows=0)
    assert effect_report(change_of(form(REGISTER, truck_id="T")), nothing) == (
        "register a truck: no changes of the register"
    )
