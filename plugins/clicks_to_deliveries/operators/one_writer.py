"""The lease of what a task writes, with Airflow's word on who is alive."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from airflow.sdk import Context

from include import writer_lease
from include.writer_lease import Owner

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# As Airflow calls the states of a task that has not ended and may be at work.
AT_WORK = frozenset({"running", "restarting"})


def one_writer(
    connection: SnowflakeConnection, writer: str, context: Context, *, patience_seconds: float = 0.0
) -> AbstractContextManager[None]:
    """Let only this task write while the block runs; waits and raises as ``writer_lease.held``."""

    def is_running(owner: Owner) -> bool | None:
        runs = context["ti"].get_task_states(dag_id=owner.dag, task_ids=[owner.task], run_ids=[owner.run])
        state = runs.get(owner.run, {}).get(owner.task)
        return None if state is None else str(state) in AT_WORK

    return writer_lease.held(connection, writer, _this_task(context), is_running, patience_seconds=patience_seconds)


def _this_task(context: Context) -> Owner:
    instance = context["ti"]
    return Owner(instance.dag_id, instance.task_id, instance.run_id, instance.try_number)
