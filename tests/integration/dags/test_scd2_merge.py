"""scd2_merge on the local stack: rows become history, a record of the run and an asset event; no rows, nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from airflow.models.asset import AssetEvent, AssetModel
from airflow.utils.session import create_session
from clicks_to_deliveries.triggers import stream_has_data
from clicks_to_deliveries.triggers.stream_has_data import StreamHasDataTrigger
from sqlalchemy import func, select

from include import names

pytestmark = pytest.mark.integration


def updates_of(asset: str) -> int:
    with create_session() as session:
        events = select(func.count(AssetEvent.id)).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return session.scalar(events.where(AssetModel.name == asset))


def state_of(dagrun: Any, task_id: str) -> str:
    (instance,) = [instance for instance in dagrun.get_task_instances() if instance.task_id == task_id]
    return str(instance.state)


def test_rows_become_history_a_recorded_run_and_an_asset_event(stack: Any, run: Callable) -> None:
    run("scd2_merge")
    stack.land(stack.reading("TRK901", 0), stack.reading("TRK901", 1, fuel_level=50.0))
    before = updates_of("truck_telemetry_data")
    dagrun = run("scd2_merge")
    assert state_of(dagrun, "merge") == "success"
    versions = f"select count(*), count_if(IS_CURRENT) from {names.HISTORY_TABLE} where TRUCK_ID = 'TRK901'"
    assert stack.query(versions) == [(2, 1)]
    ((started, finished, inserted),) = stack.query(
        f"select STARTED_AT, FINISHED_AT, ROWS_INSERTED from {names.MERGE_RUNS_TABLE} where RUN_ID = %(run_id)s",
        {"run_id": dagrun.run_id},
    )
    assert inserted == 2
    assert started <= finished
    assert updates_of("truck_telemetry_data") == before + 1


def test_nothing_to_merge_is_a_skip_without_record_or_event(stack: Any, run: Callable) -> None:
    run("scd2_merge")
    before = updates_of("truck_telemetry_data")
    dagrun = run("scd2_merge")
    assert state_of(dagrun, "merge") == "skipped"
    assert updates_of("truck_telemetry_data") == before
    recorded = f"select count(*) from {names.MERGE_RUNS_TABLE} where RUN_ID = %(run_id)s"
    assert stack.query(recorded, {"run_id": dagrun.run_id}) == [(0,)]


def test_the_same_run_again_is_recorded_once(stack: Any, run: Callable) -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    stack.land(stack.reading("TRK902", 0))
    first = run("scd2_merge", at=at)
    stack.land(stack.reading("TRK902", 5, fuel_level=20.0))
    second = run("scd2_merge", at=at)
    assert first.run_id == second.run_id
    recorded = f"select ROWS_INSERTED, ROWS_UPDATED from {names.MERGE_RUNS_TABLE} where RUN_ID = %(run_id)s"
    assert stack.query(recorded, {"run_id": first.run_id}) == [(1, 1)]


def test_the_watcher_announces_new_rows_once_for_each_offset(
    stack: Any, run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("scd2_merge")
    trigger = StreamHasDataTrigger(
        names.RAW_STREAM,
        names.SNOWFLAKE_CONNECTION,
        dag_id=names.dag("scd2_merge"),
        min_interval_seconds=0.1,
        poll_interval_seconds=0.1,
    )
    # Only a triggerer can ask for runs.
    monkeypatch.setattr(stream_has_data, "_is_at_work", lambda _: False)

    # The trigger has a loop and a thread of its own, as in the triggerer; Airflow runs DAGs in the main thread only.
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    events = trigger.run()

    asked: list[Future[Any]] = []

    def next_event() -> Future[Any]:
        asked.append(asyncio.run_coroutine_threadsafe(anext(events), loop))
        return asked[-1]

    try:
        first = next_event()
        stack.land(stack.reading("TRK903", 0))
        first_offset = first.result(timeout=60).payload["offset"]
        # More rows behind the same offset cause no event.
        second = next_event()
        stack.land(stack.reading("TRK903", 1))
        with pytest.raises(TimeoutError):
            second.result(timeout=1)
        # A merge moves the offset, so the rows after it cause one.
        run("scd2_merge")
        stack.land(stack.reading("TRK903", 2))
        assert int(second.result(timeout=60).payload["offset"]) > int(first_offset)
    finally:
        for future in asked:
            future.cancel()
        asyncio.run_coroutine_threadsafe(events.aclose(), loop).result(timeout=60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=60)
        loop.close()
