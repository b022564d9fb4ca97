"""scd2_merge on the local stack: rows become history, a record of the run and an asset event, or nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.models.asset import AssetEvent, AssetModel
from airflow.utils.session import create_session
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
    stack.land(stack.reading("TRK001", 0), stack.reading("TRK001", 1, fuel_level=50.0))
    before = updates_of("truck_telemetry_data")
    dagrun = run("scd2_merge")
    assert state_of(dagrun, "merge") == "success"
    assert stack.query(f"select count(*), count_if(IS_CURRENT) from {names.HISTORY_TABLE}") == [(2, 1)]
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
    stack.land(stack.reading("TRK002", 0))
    first = run("scd2_merge", at=at)
    stack.land(stack.reading("TRK002", 5, fuel_level=20.0))
    second = run("scd2_merge", at=at)
    assert first.run_id == second.run_id
    recorded = f"select ROWS_INSERTED, ROWS_UPDATED from {names.MERGE_RUNS_TABLE} where RUN_ID = %(run_id)s"
    assert stack.query(recorded, {"run_id": first.run_id}) == [(1, 1)]


def test_the_watcher_tells_of_new_rows_once_for_each_offset(stack: Any, run: Callable) -> None:
    run("scd2_merge")
    trigger = StreamHasDataTrigger(
        names.RAW_STREAM, names.SNOWFLAKE_CONNECTION, min_interval_seconds=0.1, poll_interval_seconds=0.1
    )

    async def watch() -> list[str]:
        events = trigger.run()
        offsets = []
        try:
            first = asyncio.ensure_future(anext(events))
            await asyncio.to_thread(stack.land, stack.reading("TRK003", 0))
            offsets.append((await asyncio.wait_for(first, 20)).payload["offset"])
            # More rows behind the same offset are no news.
            await asyncio.to_thread(stack.land, stack.reading("TRK003", 1))
            second = asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({second}, timeout=1.5)
            assert not done
            # A merge moves the offset; the rows after it are.
            await asyncio.to_thread(run, "scd2_merge")
            await asyncio.to_thread(stack.land, stack.reading("TRK003", 2))
            offsets.append((await asyncio.wait_for(second, 20)).payload["offset"])
        finally:
            await events.aclose()
        return offsets

    first, second = asyncio.run(watch())
    assert int(first) < int(second)
