"""The alert about a run is stored with the run's state: Airflow's own code ends the runs, in a database of tests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.variable import Variable
from airflow.models.xcom import XComModel
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from clicks_to_deliveries.failures import FormError, ReportedFailure
from clicks_to_deliveries.notifiers.failure_note import announce_stored_alerts, leave_note
from clicks_to_deliveries.notifiers.run_outbox import FINDINGS_PREFIX, LISTENER_KEY, OUTAGE_PREFIX, RUN_PREFIX
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from include.alerts.run_outages import RunNote
from include.names import UNSENT_ALERT_PREFIX

pytestmark = pytest.mark.unit

MOMENT = datetime(2026, 1, 2, tzinfo=UTC)


class Scheduler:
    """Ends runs of DAGs with the task ``work`` as Airflow's scheduler does, without one."""

    def __init__(self) -> None:
        self._runs = count(1)
        self._dags: dict[str, Any] = {}

    def end(
        self,
        state: TaskInstanceState,
        *,
        dag_id: str = "scd2_merge",
        error: Exception | None = None,
        stores_alerts: bool = False,
        run_type: DagRunType = DagRunType.SCHEDULED,
        commits: bool = True,
    ) -> str:
        """One run whose task ends in ``state``; returns its id.  The scheduler may die before it ``commits``."""
        with create_session() as session:
            run = self._run(session, dag_id, run_type)
            (task,) = run.get_task_instances(session=session)
            session.commit()
            if error:
                leave_note({"exception": error, "ti": _xcoms(session, run)})  # type: ignore[typeddict-item]
            if stores_alerts:
                announce_stored_alerts(_xcoms(session, run))
            task.state, task.end_date = state, datetime.now(UTC)
            session.commit()
            run.update_state(session=session)
            if not commits:
                session.rollback()
            return run.run_id

    def _run(self, session: Session, dag_id: str, run_type: DagRunType) -> DagRun:
        if dag_id not in self._dags:
            with DAG(dag_id, schedule="@hourly", start_date=MOMENT) as dag:
                EmptyOperator(task_id="work")
            session.merge(DagBundleModel(name="tests"))
            session.flush()
            session.merge(DagModel(dag_id=dag_id, bundle_name="tests", timetable_type="none"))
            session.flush()
            SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name="tests", session=session)
            session.flush()
            self._dags[dag_id] = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        run: DagRun = self._dags[dag_id].create_dagrun(
            run_id=f"{run_type}__{dag_id}_{next(self._runs)}",
            run_after=MOMENT,
            run_type=run_type,
            triggered_by=DagRunTriggeredByType.TIMETABLE,
            state=DagRunState.RUNNING,
            session=session,
        )
        run.dag = self._dags[dag_id]
        return run


def _xcoms(session: Session, run: DagRun) -> Any:
    def push(key: str, value: Any) -> None:
        XComModel.set(key=key, value=value, dag_id=run.dag_id, task_id="work", run_id=run.run_id, session=session)

    return SimpleNamespace(xcom_push=push)


@pytest.fixture(scope="module")
def scheduler(airflow_database: None) -> Scheduler:
    return Scheduler()


@pytest.fixture(autouse=True)
def _no_alerts(airflow_database: None) -> Iterator[None]:
    """Other tests of this process end runs too, and the database is the process's."""
    _forget_alerts()
    yield
    _forget_alerts()


def _forget_alerts() -> None:
    with create_session() as session:
        ours = or_(*map(Variable.key.startswith, (UNSENT_ALERT_PREFIX, OUTAGE_PREFIX)))
        session.execute(delete(Variable).where(ours))


def notes() -> list[RunNote]:
    with create_session() as session:
        found = session.scalars(select(Variable).where(Variable.key.startswith(RUN_PREFIX)).order_by(Variable.id))
        return [msgspec.json.decode(each.get_val(), type=RunNote) for each in found]


def test_a_run_that_fails_is_stored_with_its_task_and_error(scheduler: Scheduler) -> None:
    run_id = scheduler.end(TaskInstanceState.FAILED, error=RuntimeError("stream is stale"))
    (note,) = notes()
    assert (note.dag_id, note.run_id, note.failed, note.is_manual) == ("scd2_merge", run_id, True, False)
    assert (note.tasks, note.error) == (("work",), "stream is stale")


def test_a_killed_task_leaves_no_note_and_its_run_alerts_all_the_same(scheduler: Scheduler) -> None:
    scheduler.end(TaskInstanceState.FAILED)
    (note,) = notes()
    assert (note.failed, note.error) == (True, "")


def test_in_the_dag_processor_which_answers_no_xcom_a_killed_tasks_callback_pushes_none() -> None:
    def push(key: str, value: Any) -> None:
        raise AssertionError(key)

    leave_note({"ti": SimpleNamespace(xcom_push=push)})  # type: ignore[typeddict-item]


def test_a_scheduler_that_dies_before_its_commit_stores_neither_state_nor_alert(scheduler: Scheduler) -> None:
    run_id = scheduler.end(TaskInstanceState.FAILED, commits=False)
    with create_session() as session:
        run = session.scalar(select(DagRun).where(DagRun.run_id == run_id))
        assert run is not None
        assert (str(run.state), notes()) == ("running", [])
        # The next scheduler finds a run that has to end.
        run.dag = scheduler._dags["scd2_merge"]
        run.update_state(session=session)
    assert [note.run_id for note in notes()] == [run_id]


def test_a_success_matters_only_while_an_outage_is_known_or_waits(scheduler: Scheduler) -> None:
    scheduler.end(TaskInstanceState.SUCCESS)
    assert notes() == []
    scheduler.end(TaskInstanceState.FAILED)
    scheduler.end(TaskInstanceState.SUCCESS)
    # That of another DAG, whose name begins alike, is none of its business.
    scheduler.end(TaskInstanceState.SUCCESS, dag_id="data_quality")
    assert [note.failed for note in notes()] == [True, False]


def test_a_success_ends_an_outage_that_people_know_of(scheduler: Scheduler) -> None:
    with create_session() as session:
        session.add(Variable(key=f"{OUTAGE_PREFIX}scd2_merge", val="{}"))
    scheduler.end(TaskInstanceState.SUCCESS)
    assert [note.failed for note in notes()] == [False]


@pytest.mark.parametrize("error", [ReportedFailure("rules fail"), FormError("not confirmed")])
def test_what_people_know_already_is_no_failure_of_the_dag(scheduler: Scheduler, error: Exception) -> None:
    scheduler.end(TaskInstanceState.FAILED, error=error)
    assert notes() == []


@pytest.mark.parametrize(
    ("state", "error"),
    [(TaskInstanceState.FAILED, ReportedFailure("rules fail")), (TaskInstanceState.SUCCESS, None)],
    ids=["failure", "recovery"],
)
def test_a_run_that_stored_alerts_wakes_the_sender(
    scheduler: Scheduler, state: TaskInstanceState, error: Exception | None
) -> None:
    run_id = scheduler.end(state, error=error, stores_alerts=True)
    assert [note.failed for note in notes()] == [False]
    with create_session() as session:
        announced = session.scalars(select(Variable).where(Variable.key.startswith(FINDINGS_PREFIX)))
        assert [each.get_val() for each in announced] == [run_id]


def test_the_listener_shows_the_sender_that_it_is_at_work(scheduler: Scheduler) -> None:
    for number in (1, 2):
        with create_session() as session:
            run = scheduler._run(session, "send_alerts", DagRunType.SCHEDULED)
            run.notify_dagrun_state_changed(msg="started")
            run_id = run.run_id
        with create_session() as session:
            shown = session.scalar(select(Variable).where(Variable.key == LISTENER_KEY))
            assert shown is not None
            assert shown.get_val() == run_id, number


def test_a_run_by_hand_says_so_and_other_peoples_dags_are_left_alone(scheduler: Scheduler) -> None:
    scheduler.end(TaskInstanceState.FAILED, run_type=DagRunType.MANUAL)
    scheduler.end(TaskInstanceState.FAILED, dag_id="of_another_team")
    assert [(note.dag_id, note.is_manual) for note in notes()] == [("scd2_merge", True)]
