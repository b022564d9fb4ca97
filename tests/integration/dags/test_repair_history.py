"""repair_history on the local stack, and the way from a stale stream to a repaired history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from clicks_to_deliveries.operators import check_pipe
from clicks_to_deliveries.operators.repair_history import REBUILD, RECREATE, REPAIR
from clicks_to_deliveries.triggers import stream_has_data
from clicks_to_deliveries.triggers.stream_has_data import UNREADABLE, StreamHasDataTrigger

from include import names

pytestmark = pytest.mark.integration

COUNT = f"select count(*), count_if(IS_CURRENT) from {names.HISTORY_TABLE} where TRUCK_ID = %(truck)s"


def state_of(dagrun: Any) -> str:
    (instance,) = dagrun.get_task_instances()
    return str(instance.state)


@pytest.fixture
def repair(run: Callable) -> Callable[..., Any]:
    """Runs repair_history with every field of the form, because Airflow's DAG.test keeps values for the next run."""

    def run_with(action: str, **scope: str) -> Any:
        return run("repair_history", action=action, **{"truck_id": None, "since": None, "until": None} | scope)

    return run_with


def recorded(stack: Any, dagrun: Any, action: str) -> list[tuple]:
    columns = "ROWS_INSERTED, ROWS_UPDATED, ROWS_DELETED, STARTED_AT <= FINISHED_AT"
    run_id = {"run_id": f"{action}: {dagrun.run_id}"}
    return stack.query(f"select {columns} from {names.MERGE_RUNS_TABLE} where RUN_ID = %(run_id)s", run_id)


def versions(stack: Any, truck: str) -> list[tuple]:
    statement = f"select * from {names.HISTORY_TABLE} where TRUCK_ID = %(truck)s order by EFFECTIVE_START_DATE"
    return stack.query(statement, {"truck": truck})


def test_a_repair_by_the_form_puts_one_truck_and_time_right_and_is_recorded(
    stack: Any, run: Callable, repair: Callable
) -> None:
    stack.land(*(stack.reading("TRK921", second, fuel_level=float(second)) for second in range(5)))
    run("scd2_merge")
    right = versions(stack, "TRK921")
    stack.query(f"delete from {names.HISTORY_TABLE} where TRUCK_ID = 'TRK921' and FUEL_LEVEL = 2")
    scope = {"since": "2026-11-22T12:00:02+00:00", "until": "2026-11-22T14:00:03+02:00"}
    dagrun = repair(REPAIR, truck_id="TRK921", **scope)
    assert state_of(dagrun) == "success"
    assert versions(stack, "TRK921") == right
    assert recorded(stack, dagrun, REPAIR) == [(1, 0, 0, True)]


@pytest.mark.verify
def test_a_rebuild_by_the_form_writes_everything_and_leaves_nothing_to_merge(
    stack: Any, run: Callable, repair: Callable
) -> None:
    stack.land(stack.reading("TRK922", 0), stack.reading("TRK922", 1, fuel_level=1.0))
    run("scd2_merge")
    right = versions(stack, "TRK922")
    stack.query(f"delete from {names.HISTORY_TABLE}")
    stack.land(stack.reading("TRK923", 0))
    dagrun = repair(REBUILD)
    assert versions(stack, "TRK922") == right
    assert stack.query(COUNT, {"truck": "TRK923"}) == [(1, 1)]
    ((inserted, *_),) = recorded(stack, dagrun, REBUILD)
    assert stack.query(f"select count(*) from {names.HISTORY_TABLE}") == [(inserted,)]
    assert state_of(run("scd2_merge")) == "skipped"


def test_an_empty_form_is_refused_and_pages_nobody(stack: Any, repair: Callable) -> None:
    stack.failed_runs()
    assert state_of(repair(REPAIR)) == "failed"
    assert stack.failed_runs() == []


@contextmanager
def kept_for(stack: Any, days: int) -> Iterator[None]:
    """How long RAW keeps old versions."""
    parameters = {"DATA_RETENTION_TIME_IN_DAYS": min(days, 1), "MAX_DATA_EXTENSION_TIME_IN_DAYS": days}
    settings = " ".join(f"{name} = {value}" for name, value in parameters.items())
    stack.query(f"alter table {names.RAW_TABLE} set {settings}")
    try:
        yield
    finally:
        stack.query(f"alter table {names.RAW_TABLE} unset {', '.join(parameters)}")


def offset_that_is_announced(monkeypatch: pytest.MonkeyPatch) -> str:
    trigger = StreamHasDataTrigger(names.RAW_STREAM, names.SNOWFLAKE_CONNECTION, "scd2_merge", min_interval_seconds=1)
    # Only a triggerer can ask for runs.
    monkeypatch.setattr(stream_has_data, "_is_at_work", lambda _: False)

    async def first() -> str:
        events = trigger.run()
        try:
            return (await asyncio.wait_for(anext(events), timeout=60)).payload["offset"]
        finally:
            await events.aclose()

    return asyncio.run(first())


@pytest.mark.verify
def test_a_stream_that_soon_is_stale_is_reported_beforehand(
    stack: Any, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("scd2_merge")
    run("monitor_snowpipe")
    stack.land(stack.reading("TRK924", 0))
    stack.stored_alerts()
    original = check_pipe.problem_of_stream
    with kept_for(stack, days=1):
        assert state_of(run("monitor_snowpipe")) != "failed"
        longer = {"near": timedelta(hours=25)}
        monkeypatch.setattr(check_pipe, "problem_of_stream", lambda *args, **given: original(*args, **given | longer))
        assert state_of(run("monitor_snowpipe")) == "failed"
    # Snowpipe may have tried another test's damaged file meanwhile, which is an alert of its own.
    told = [alert["Message"] for alert in stack.stored_alerts()]
    assert sum(f"stream {names.RAW_STREAM} becomes stale at " in message for message in told) == 1


def test_a_stale_stream_alerts_and_its_recovery_loses_nothing(
    stack: Any, run: Callable, repair: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.land(stack.reading("TRK925", 0))
    run("scd2_merge")
    stack.land(stack.reading("TRK925", 1, fuel_level=1.0))
    stack.stored_alerts()
    stack.failed_runs()
    with kept_for(stack, days=0):
        # Readings that landed but are not merged are out of the stream's reach, and two tasks report it.
        assert offset_that_is_announced(monkeypatch) == UNREADABLE
        assert state_of(run("scd2_merge")) == "failed"
        assert state_of(run("monitor_snowpipe")) == "failed"
        (failed,) = stack.failed_runs()
        (alert,) = stack.stored_alerts()
        for text in (failed.error, alert["Message"]):
            assert f"stream {names.RAW_STREAM} is stale" in text
            assert "docs/runbooks/repair_history.md" in text
    # It does not recover by itself, even if the table keeps old versions for longer again.
    assert state_of(run("scd2_merge")) == "failed"

    stack.land(stack.reading("TRK925", 2, fuel_level=2.0))
    dagrun = repair(RECREATE)
    assert state_of(dagrun) == "success"
    assert stack.query(COUNT, {"truck": "TRK925"}) == [(3, 1)]
    assert len(recorded(stack, dagrun, RECREATE)) == 1
    stack.land(stack.reading("TRK925", 3, fuel_level=3.0))
    assert state_of(run("scd2_merge")) == "success"
    assert stack.query(COUNT, {"truck": "TRK925"}) == [(4, 1)]
    # Every rule agrees: the history misses nothing of RAW.
    assert recorded(stack, repair(REPAIR, since="2000-01-01T00:00:00Z"), REPAIR) == [(0, 0, 0, True)]
