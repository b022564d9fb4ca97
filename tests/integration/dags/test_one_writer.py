"""A task ends what a dead predecessor left before it writes, and leaves a living one alone.

The MERGE is made long by SYSTEM$WAIT, which Snowflake has too.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.operators import erase_truck, merge_history
from clicks_to_deliveries.operators.erase_truck import EraseRowsOperator
from clicks_to_deliveries.operators.merge_history import MergeHistoryOperator
from snowflake.connector.errors import Error, ProgrammingError

from include import names, writer_lease
from include.writer_lease import Owner, WriterBusyError
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.integration

# Airflow forks its tasks too.
processes = multiprocessing.get_context("fork")

# It holds the lock of those who write, waiting in the midst of it.
LONG = f"""
merge into {names.HISTORY_TABLE} as H using (select TRUCK_ID, SYSTEM$WAIT(600) as WAITED from {names.RAW_STREAM}) as S
on H.TRUCK_ID = S.TRUCK_ID and S.WAITED is null when matched then delete
"""
ME = Owner("scd2_merge", "merge", "run-1", 2)


def context(try_number: int = 1, states: dict[str, str] | None = None, **task: str) -> dict[str, Any]:
    """What Airflow gives a task; ``states`` is what it knows of other tasks, by run."""
    identity = {"dag_id": "scd2_merge", "task_id": "merge", "run_id": "run-1", **task}

    def get_task_states(dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:
        known = states or {}
        return {run: {task_ids[0]: known[run]} for run in run_ids if run in known}

    instance = SimpleNamespace(**identity, try_number=try_number, get_task_states=get_task_states)
    return {"ti": instance, "run_id": identity["run_id"]}


def hold(statement: str, ready: Any, go: Any) -> None:
    """A task's process: takes the lease, says so, and writes when it is told to."""
    first = Owner("scd2_merge", "merge", "run-1", 1)
    with (
        closing(PipelineSnowflakeHook().get_conn()) as connection,
        writer_lease.held(connection, names.HISTORY_WRITER, first, _nobody),
    ):
        ready.put(connection.session_id)
        go.wait(60)
        try:
            connection.cursor().execute(statement)
        except Error as error:
            ready.put(error.errno)
        else:
            ready.put("written")


def _nobody(_: Owner) -> None:
    return None


@pytest.fixture
def predecessor(stack: Any) -> Iterator[Callable[[str], tuple[Any, Any, Any, int]]]:
    """Starts the process of a first try; returns it, its answers, the signal to write, and its session."""
    started = []

    def start(statement: str) -> tuple[Any, Any, Any, int]:
        answers, go = processes.Queue(), processes.Event()
        process = processes.Process(target=hold, args=(statement, answers, go))
        process.start()
        started.append(process)
        return process, answers, go, answers.get(timeout=60)

    yield start
    for process in started:
        process.kill()
        process.join()
    stack.query(f"update {names.WRITERS_TABLE} set SESSION_ID = null")


def statements_of(stack: Any, session: int) -> list[tuple]:
    """The states of the long statements of a session."""
    history = f"table(information_schema.query_history_by_session(session_id => {session}))"
    return stack.query(f"select EXECUTION_STATUS, ERROR_CODE from {history} where QUERY_TEXT like '%SYSTEM$WAIT(600)%'")


def holder(stack: Any) -> list[tuple]:
    return stack.query(f"select SESSION_ID from {names.WRITERS_TABLE} where WRITER = '{names.HISTORY_WRITER}'")


def test_the_next_try_cancels_what_a_killed_one_left(stack: Any, run: Callable, predecessor: Callable) -> None:
    run("scd2_merge")
    stack.land(stack.reading("TRK950", 0))
    process, _, go, session = predecessor(LONG)
    go.set()
    wait_for(lambda: statements_of(stack, session) == [("RUNNING", None)], "the first try's statement")
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    # Nothing is left of the task, and its statement goes on.
    assert statements_of(stack, session) == [("RUNNING", None)]
    assert holder(stack) == [(session,)]
    merged = MergeHistoryOperator(task_id="merge").execute(context(try_number=2))
    assert merged == {"rounds": 1, "rows_inserted": 1, "rows_updated": 0, "rows_deleted": 0}
    assert statements_of(stack, session) == [("FAILED_WITH_ERROR", "000604")]
    assert holder(stack) == [(None,)]
    count = f"select count(*) from {names.HISTORY_TABLE} where TRUCK_ID = 'TRK950'"
    assert stack.query(count) == [(1,)]


def test_a_try_that_airflow_gave_up_writes_nothing_when_it_wakes(stack: Any, predecessor: Callable) -> None:
    """Between its lease and its statement, nothing of it runs in Snowflake that could be cancelled."""
    wrong = f"insert into {names.MERGE_RUNS_TABLE} select 'woken', sysdate(), sysdate(), 0, 0, 0"
    process, answers, go, session = predecessor(wrong)
    with (
        closing(PipelineSnowflakeHook().get_conn()) as connection,
        writer_lease.held(connection, names.HISTORY_WRITER, ME, _nobody),
    ):
        assert holder(stack) == [(connection.session_id,)]
        go.set()
        assert answers.get(timeout=60) == 390104  # its session is gone
        process.join(60)
        # It released nothing that is not its own.
        assert holder(stack) == [(connection.session_id,)]
    assert holder(stack) == [(None,)]
    assert stack.query(f"select count(*) from {names.MERGE_RUNS_TABLE} where RUN_ID = 'woken'") == [(0,)]
    assert statements_of(stack, session) == []


@pytest.mark.parametrize(
    ("states", "lives"),
    [
        ({"run-1": "running"}, True),
        ({"run-1": "failed"}, False),
        ({"run-1": "success"}, False),
        ({}, True),  # unknown to this Airflow, and its session runs a statement
    ],
)
def test_another_task_is_left_alone_while_it_lives(
    stack: Any, predecessor: Callable, states: dict[str, str], lives: bool
) -> None:
    waits = f"insert into {names.MERGE_RUNS_TABLE} select SYSTEM$WAIT(600), sysdate(), sysdate(), 0, 0, 0"
    _, answers, go, session = predecessor(waits)
    go.set()
    wait_for(lambda: statements_of(stack, session) == [("RUNNING", None)], "the other task's statement")
    repair = context(states=states, dag_id="repair_history", task_id="repair", run_id="run-2")
    with closing(PipelineSnowflakeHook().get_conn()) as connection:
        lease = merge_history.one_writer(connection, names.HISTORY_WRITER, repair)
        if lives:
            with pytest.raises(WriterBusyError, match=f"scd2_merge.*session {session}"), lease:
                pytest.fail("two writers")
            assert statements_of(stack, session) == [("RUNNING", None)]
            assert holder(stack) == [(session,)]
        else:
            with lease:
                assert answers.get(timeout=60) in (604, 390104)


def test_a_task_unknown_to_airflow_that_runs_nothing_is_dead(stack: Any, predecessor: Callable) -> None:
    _, _, _, session = predecessor("select 1")
    repair = context(dag_id="repair_history", task_id="repair", run_id="run-2")
    with (
        closing(PipelineSnowflakeHook().get_conn()) as connection,
        merge_history.one_writer(connection, names.HISTORY_WRITER, repair),
    ):
        assert holder(stack) == [(connection.session_id,)] != [(session,)]


def test_a_statement_that_does_not_end_keeps_the_lease(
    stack: Any, predecessor: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the session belongs to another user, whose statements we may not cancel."""
    monkeypatch.setattr(writer_lease, "END_SESSION", ("SELECT SYSTEM$CANCEL_ALL_QUERIES(999999)",))
    monkeypatch.setattr(writer_lease, "PATIENCE_SECONDS", 0.0)
    waits = f"insert into {names.MERGE_RUNS_TABLE} select SYSTEM$WAIT(600), sysdate(), sysdate(), 0, 0, 0"
    _, _, go, session = predecessor(waits)
    go.set()
    wait_for(lambda: statements_of(stack, session) == [("RUNNING", None)], "the first try's statement")
    with (
        closing(PipelineSnowflakeHook().get_conn()) as connection,
        pytest.raises(WriterBusyError, match="has not ended"),
    ):
        writer_lease.take(connection, names.HISTORY_WRITER, ME, _nobody)
    assert holder(stack) == [(session,)]


def test_rows_are_erased_after_the_check_that_is_about_to_name_the_truck(
    stack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    truck, begun, asked = "TRK951", threading.Event(), threading.Event()
    result = (
        f"insert into {names.QUALITY_RESULTS_TABLE} (RUN_ID, RULE, SEVERITY, STATUS, SAMPLES, CHECKED_AT)"
        f" values ('run-2', 'rule', 'warn', 'fail', '[\"{truck}\"]', sysdate())"
    )
    check = Owner("data_quality", "check_quality", "run-2", 1)

    def find_the_truck() -> None:
        with (
            closing(PipelineSnowflakeHook().get_conn()) as connection,
            writer_lease.held(connection, names.QUALITY_WRITER, check, _nobody),
        ):
            begun.set()
            assert asked.wait(60)
            connection.cursor().execute(result)

    def runs(dag_id: str, task_ids: list[str], run_ids: list[str]) -> dict[str, dict[str, str]]:
        asked.set()
        return {run_ids[0]: {task_ids[0]: "running"}}

    monkeypatch.setattr(erase_truck, "record_erasure", lambda *_: None)
    given = context(dag_id="erase_truck", task_id="erase_rows", run_id="run-1")
    given["ti"].get_task_states = runs
    checking = threading.Thread(target=find_the_truck)
    checking.start()
    assert begun.wait(60)
    EraseRowsOperator(task_id="erase_rows", truck_id=truck, count_only=False).erase(given)
    checking.join()
    assert asked.is_set()
    (stored,) = stack.query(f"select SAMPLES from {names.QUALITY_RESULTS_TABLE} where RULE = 'rule'")
    stack.query(f"delete from {names.QUALITY_RESULTS_TABLE} where RULE = 'rule'")
    assert truck not in str(stored)


def test_of_many_that_take_a_free_lease_one_gets_it(stack: Any) -> None:
    writer = "contended"
    opened = [PipelineSnowflakeHook().get_conn() for _ in range(4)]
    outcomes: list[str] = []

    def take(number: int) -> None:
        owner = Owner("dag", "task", f"run-{number}", 1)
        try:
            writer_lease.take(opened[number], writer, owner, lambda _: True)
        except (WriterBusyError, ProgrammingError) as error:
            outcomes.append(type(error).__name__)
        else:
            outcomes.append("taken")

    threads = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["WriterBusyError"] * 3 + ["taken"]
    for connection in opened:
        connection.close()
    stack.query(f"delete from {names.WRITERS_TABLE} where WRITER = '{writer}'")
