"""The operator of fleet_register: what it passes on, and which errors it does not retry."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from clicks_to_deliveries.operators import change_register
from clicks_to_deliveries.operators.change_register import ChangeRegisterOperator

from include.register import REGISTER, Effect, RefusedError

pytestmark = pytest.mark.unit


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The changes that were applied, each with whether it was a dry run."""
    found: list[Any] = []

    def apply(connection: Any, change: Any, *, dry_run: bool) -> Effect:
        if change.truck_id == "refused":
            raise RefusedError("the register has it already")
        found.append((change.truck_id, dry_run))
        return Effect(dry_run=dry_run, rows=1)

    connection = SimpleNamespace(close=lambda: None, autocommit=lambda on: None)
    monkeypatch.setattr(change_register, "connect", lambda _: connection)
    monkeypatch.setattr(change_register, "apply", apply)
    return found


def run(truck: str, show_only: Any) -> dict[str, Any]:
    plan = {"action": REGISTER, "truck_id": truck, "reason": ""}
    return ChangeRegisterOperator(task_id="change", plan=plan, show_only=show_only).execute({})


@pytest.mark.parametrize("show_only", ["True", True, "false", "no", "", None, 0])
def test_only_a_plain_false_changes_anything(applied: list[Any], show_only: Any) -> None:
    assert run("TRK001", show_only)["dry_run"] is True
    assert run("TRK001", "False")["dry_run"] is False
    assert applied == [("TRK001", True), ("TRK001", False)]


@pytest.mark.parametrize(
    ("truck", "message"), [("refused", "has it already"), ("", "set truck_id"), (" x", "no white space")]
)
def test_what_a_retry_would_refuse_again_is_not_retried(applied: list[Any], truck: str, message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        run(truck, "False")
    assert applied == []
