"""monitor_snowpipe on the local stack: a pipe that runs, one that is paused, and files that don't load."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.models.asset import AssetEvent, AssetModel
from airflow.utils.session import create_session
from clicks_to_deliveries.operators import check_pipe
from clicks_to_deliveries.operators.check_pipe import CheckPipeOperator
from sqlalchemy import func, select

from include import names

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _looks_at_once(monkeypatch: pytest.MonkeyPatch, run: Callable, stack: Any) -> None:
    """Checks loads without the ten seconds in which COPY_HISTORY may lag; the loads of other tests are older."""
    original = CheckPipeOperator.check

    def check(self: CheckPipeOperator, *given: Any) -> Any:
        self.settle = timedelta(0)
        return original(self, *given)

    monkeypatch.setattr(CheckPipeOperator, "check", check)
    run("monitor_snowpipe")
    stack.stored_alerts()


def updates_of_raw() -> int:
    with create_session() as session:
        events = select(func.count(AssetEvent.id)).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return session.scalar(events.where(AssetModel.name == "truck_telemetry_raw"))


def state_of(dagrun: Any) -> str:
    (instance,) = dagrun.get_task_instances()
    return str(instance.state)


def test_rows_that_arrived_update_the_asset_and_then_there_is_nothing_new(stack: Any, run: Callable) -> None:
    before = updates_of_raw()
    stack.land(stack.reading("TRK001", 100))
    assert state_of(run("monitor_snowpipe")) == "success"
    assert updates_of_raw() == before + 1
    assert state_of(run("monitor_snowpipe")) == "skipped"
    assert updates_of_raw() == before + 1
    assert stack.stored_alerts() == []


def test_a_load_error_fails_the_run_and_alerts_with_file_line_and_error_once(stack: Any, run: Callable) -> None:
    key = stack.land(stack.reading("TRK001", 200), "this is no JSON", stack.reading("TRK001", 201))
    assert state_of(run("monitor_snowpipe")) == "failed"
    (alert,) = stack.stored_alerts()
    assert alert["Subject"].startswith("[failed] monitor_snowpipe: ")
    assert key.rpartition("/")[2] in alert["Message"]
    assert "first in line 2" in alert["Message"]
    assert "docs/runbooks/monitor_snowpipe.md" in alert["Message"]
    assert state_of(run("monitor_snowpipe")) == "skipped"
    assert stack.stored_alerts() == []


@pytest.mark.verify
def test_a_failed_load_that_copy_history_shows_late_is_reported(
    stack: Any, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = stack.land("this is no JSON")
    # The first look does not see the load.
    with monkeypatch.context() as late:
        late.setattr(check_pipe, "_loads", lambda connection, window: [])
        run("monitor_snowpipe")
    stack.land(stack.reading("TRK001", 300))
    assert state_of(run("monitor_snowpipe")) == "failed"
    (alert,) = stack.stored_alerts()
    assert key.rpartition("/")[2] in alert["Message"]


def test_a_paused_pipe_is_one_alert_while_it_lasts_and_one_when_it_is_over(stack: Any, run: Callable) -> None:
    stack.query(f"alter pipe {names.PIPE} set pipe_execution_paused = true")
    try:
        assert [state_of(run("monitor_snowpipe")) for _ in range(2)] == ["failed", "failed"]
    finally:
        stack.query(f"alter pipe {names.PIPE} set pipe_execution_paused = false")
    (alert,) = stack.stored_alerts()
    assert alert["Subject"] == "[failed] monitor_snowpipe: pipe"
    assert f"pipe {names.PIPE} is PAUSED" in alert["Message"]
    assert state_of(run("monitor_snowpipe")) == "skipped"
    (over,) = stack.stored_alerts()
    assert over["Subject"] == "[recovered] monitor_snowpipe: pipe"
