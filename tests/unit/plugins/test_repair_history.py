"""The valid forms of repair_history (tests/sql runs the statements themselves)."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.operators.repair_history import (
    REBUILD,
    RECREATE,
    REPAIR,
    RepairHistoryOperator,
    action_and_scope,
)

pytestmark = pytest.mark.unit


def plan(action: str = REPAIR, **scope: str) -> dict[str, str]:
    """The form as the DAG's templates render it: text, empty if nothing was given."""
    return {"action": action, "truck_id": "", "since": "", "until": ""} | scope


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        (plan(truck_id="007"), {"truck_id": "007", "since": None, "until": None}),
        (
            plan(since="2026-11-22T12:00:00+02:00", until="2026-11-22T11:00:00"),
            {"truck_id": None, "since": "2026-11-22T10:00:00.000000", "until": "2026-11-22T11:00:00.000000"},
        ),
        (plan(REBUILD), {"truck_id": None, "since": None, "until": None}),
    ],
)
def test_what_is_bound_is_utc_and_null_where_nothing_was_given(given: dict[str, str], bound: dict[str, Any]) -> None:
    assert action_and_scope(given) == (given["action"], bound)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (plan(), "set a truck or a time"),
        (plan(REBUILD, truck_id="TRK001"), "'rebuild' has no scope"),
        (plan(RECREATE, since="2026-11-22T10:00:00"), "has no scope"),
        (plan("drop it"), "not one of"),
        (plan(since="yesterday"), "ISO 8601"),
        (plan(since="2026-11-22T10:00:00", until="2026-11-22T10:00:00Z"), "no time lies"),
    ],
)
def test_a_form_that_makes_no_sense_fails_before_it_connects(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], complaint: str
) -> None:
    monkeypatch.setattr(PipelineSnowflakeHook, "get_conn", lambda _: pytest.fail("connected"))
    with pytest.raises(AirflowFailException, match=complaint):
        RepairHistoryOperator(task_id="repair", plan=given).execute({"run_id": "run-1"})
