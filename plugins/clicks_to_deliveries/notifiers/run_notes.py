"""Stores how a run ended, in the transaction that ends it: the listener that Airflow's scheduler calls.

The scheduler calls a listener after it has set a run's state and before it commits, whatever ended the run: a failed or
killed task, a time limit, a deadlock.  The note is added to the same session.  So a run has the state "failed" exactly
if its note is stored, and after a scheduler that died in between, the next one ends the run again.  Failure callbacks
can't do that: Airflow runs them later, in another process, once, and only logs their errors.

A note is an Airflow Variable, because tasks and triggers can list and read those; they can't read runs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from airflow.listeners import hookimpl
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.variable import Variable
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from airflow.utils.types import DagRunType
from sqlalchemy import or_, select
from sqlalchemy.orm import Session, object_session

from clicks_to_deliveries.notifiers.failure_note import ALERTS_STORED_KEY, FAILURE_KEY
from clicks_to_deliveries.notifiers.run_outbox import FINDINGS_PREFIX, LISTENER_KEY, OUTAGE_PREFIX, RUN_PREFIX, SENDER
from include.alerts.impact import IMPACTS
from include.alerts.run_outages import RunNote

DESCRIPTION = "A run ended and people were not notified yet. The DAG send_alerts deletes this."


@hookimpl
def on_dag_run_running(dag_run: DagRun, msg: str) -> None:
    """Show the run of send_alerts that this listener is at work: without it, no failed run would be stored."""
    if dag_run.dag_id == SENDER and (session := object_session(dag_run)):
        _put(LISTENER_KEY, dag_run.run_id, "The last run of send_alerts that the scheduler's listener saw.", session)


@hookimpl
def on_dag_run_failed(dag_run: DagRun, msg: str) -> None:
    _store(dag_run, failed=True, reason=msg)


@hookimpl
def on_dag_run_success(dag_run: DagRun, msg: str) -> None:
    _store(dag_run, failed=False, reason=msg)


def _store(dag_run: DagRun, *, failed: bool, reason: str) -> None:
    if dag_run.dag_id not in IMPACTS:
        return
    if session := object_session(dag_run):
        _store_in(session, dag_run, failed=failed, reason=reason)
        return
    # DAG.test() ends a run that belongs to no session.
    with create_session() as own:
        _store_in(own, dag_run, failed=failed, reason=reason)


def _store_in(session: Session, dag_run: DagRun, *, failed: bool, reason: str) -> None:
    tasks = _failed_tasks(dag_run, session) if failed else ()
    notes = _xcoms(dag_run, FAILURE_KEY, session)
    is_known = bool(tasks) and reason != "timed_out" and all(notes.get(task, {}).get("is_known") for task in tasks)
    if (is_known or not failed) and not _concerns_an_alert(dag_run, session):
        return
    # Not by run id, which may be as long as the key of a Variable.  A run that was cleared ends once more.
    run = f"{dag_run.dag_id}.{dag_run.id}.{dag_run.clear_number}"
    if _xcoms(dag_run, ALERTS_STORED_KEY, session):
        _put(f"{FINDINGS_PREFIX}{run}", dag_run.run_id, DESCRIPTION, session)
    note = RunNote(
        dag_id=dag_run.dag_id,
        run_id=dag_run.run_id,
        # What the tasks found is known or has an alert of its own; the DAG itself works.
        failed=failed and not is_known,
        ended_at=dag_run.end_date or datetime.now(UTC),
        is_manual=dag_run.run_type == DagRunType.MANUAL,
        reason=reason,
        tasks=tasks,
        error=next((notes[task]["error"] for task in tasks if task in notes), ""),
    )
    _put(f"{RUN_PREFIX}{run}", msgspec.json.encode(note).decode(), DESCRIPTION, session)


def _put(key: str, value: str, description: str, session: Session) -> None:
    stored = session.scalar(select(Variable).where(Variable.key == key))
    if stored is None:
        stored = Variable(key=key, description=description)
        session.add(stored)
    stored.set_val(value)


def _failed_tasks(dag_run: DagRun, session: Session) -> tuple[str, ...]:
    """The ids of the tasks that failed, in the order in which they ended."""
    found = session.scalars(
        select(TaskInstance.task_id)
        .where(
            TaskInstance.dag_id == dag_run.dag_id,
            TaskInstance.run_id == dag_run.run_id,
            TaskInstance.state == TaskInstanceState.FAILED,
        )
        .order_by(TaskInstance.end_date)
    )
    return tuple(dict.fromkeys(found))


def _xcoms(dag_run: DagRun, key: str, session: Session) -> dict[str, Any]:
    """The XComs of a run with ``key``, by task."""
    rows = session.execute(
        select(XComModel.task_id, XComModel.value).where(XComModel.dag_run_id == dag_run.id, XComModel.key == key)
    )
    return {row.task_id: XComModel.deserialize_value(row) for row in rows}


def _concerns_an_alert(dag_run: DagRun, session: Session) -> bool:
    """Whether the run ends an outage that was or will be reported, or its tasks stored alerts."""
    outage = or_(
        Variable.key == f"{OUTAGE_PREFIX}{dag_run.dag_id}",
        Variable.key.startswith(f"{RUN_PREFIX}{dag_run.dag_id}.", autoescape=True),
    )
    return (
        session.scalar(select(Variable.id).where(outage).limit(1)) is not None
        or _xcoms(dag_run, ALERTS_STORED_KEY, session) != {}
    )
