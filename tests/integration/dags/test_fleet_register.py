"""fleet_register on the local stack: its form, its dry run and its refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from include import names
from include.register import ASSIGN, REGISTER, RETIRE, UNDO

pytestmark = pytest.mark.integration

NOTHING = dict.fromkeys(("truck_id", "reported_id", "since", "until", "decided_by", "reason"))
VERSIONS = f"select TRUCK_ID, count(*) from {names.TRUCK_HISTORY_VIEW} where TRUCK_ID like '%94_' group by 1 order by 1"
FLEET = f"select TRUCK_ID, to_varchar(RETIRED_AT) from {names.FLEET_VIEW} where TRUCK_ID like '%94_'"


@pytest.fixture
def change(stack: Any, run: Callable) -> Iterator[Callable[..., str]]:
    """Runs the DAG with every field of the form; returns the state of its task."""

    def run_with(action: str, *, dry_run: bool = False, **fields: str) -> str:
        dagrun = run("fleet_register", action=action, dry_run=dry_run, **NOTHING | fields)
        (task,) = dagrun.get_task_instances()
        return str(task.state)

    yield run_with
    stack.query(f"delete from {names.KNOWN_TRUCKS_TABLE} where TRUCK_ID like '%94_'")
    stack.query(f"delete from {names.ASSIGNMENTS_TABLE}")


@pytest.mark.verify
def test_decisions_by_the_form_are_shown_made_and_undone(stack: Any, run: Callable, change: Callable[..., str]) -> None:
    stack.land(stack.reading("TRK941", 0), stack.reading("NEW942", 60), stack.reading("NEW942", 61, fuel_level=1.0))
    run("scd2_merge")
    before = stack.query(VERSIONS)
    assert before == [("NEW942", 2), ("TRK941", 1)]
    fields = {"reported_id": "NEW942", "truck_id": "TRK941", "since": "2026-11-22T12:01:00Z"}
    decided = {"decided_by": "fleet manager", "reason": "the tracker was replaced"}
    assert change(ASSIGN, dry_run=True, **fields, **decided) == "success"
    assert stack.query(VERSIONS) == before
    assert change(ASSIGN, **fields, **decided) == "success"
    # The first reading of the new tracker repeats the last state.
    assert stack.query(VERSIONS) == [("TRK941", 2)]
    # Readings that arrive later belong to the truck, too.
    stack.land(stack.reading("NEW942", 62, fuel_level=2.0))
    run("scd2_merge")
    assert stack.query(VERSIONS) == [("TRK941", 3)]
    assert change(UNDO, reported_id="NEW942", since="2026-11-22T12:01:00Z") == "success"
    assert stack.query(VERSIONS) == [("NEW942", 3), ("TRK941", 1)]


@pytest.mark.verify
def test_a_truck_leaves_and_returns_by_the_form(stack: Any, change: Callable[..., str]) -> None:
    stack.failed_runs()
    assert change(RETIRE, truck_id="TRK943", since="2026-11-22T12:00:00Z") == "failed"
    # The person who filled in the form sees it.
    assert stack.failed_runs() == []
    assert change(REGISTER, truck_id="TRK943", dry_run=True) == "success"
    assert stack.query(FLEET) == []
    assert change(REGISTER, truck_id="TRK943") == "success"
    assert change(RETIRE, truck_id="TRK943", since="2026-11-22T12:00:00Z") == "success"
    ((truck, retired_at),) = stack.query(FLEET)
    assert (truck, retired_at[:19]) == ("TRK943", "2026-11-22 12:00:00")
    assert change(REGISTER, truck_id="TRK943") == "success"
    assert stack.query(FLEET) == [("TRK943", None)]
