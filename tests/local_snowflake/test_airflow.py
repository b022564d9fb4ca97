"""Airflow's stock hook and operator against the local Snowflake."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def hook(warehouse, monkeypatch):
    extra = {"account": "local", "host": "localhost", "port": warehouse.server.port, "database": "TESTS"}
    connection = {"conn_type": "snowflake", "login": "admin", "password": "local", "schema": warehouse.schema}
    connection["extra"] = extra
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(connection))
    from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook

    warehouse.rows("CREATE TABLE T (ID INTEGER, S STRING)")
    return SnowflakeHook(snowflake_conn_id="snowflake_default")


def test_several_statements_commit_together(hook):
    hook.run(
        "INSERT INTO T VALUES (%(id)s, %(s)s); -- one\nINSERT INTO T SELECT ID + 1, S FROM T;",
        parameters={"id": 1, "s": "it's; fine"},
        split_statements=True,
        autocommit=False,
    )
    assert hook.get_records("SELECT * FROM T ORDER BY ID") == [(1, "it's; fine"), (2, "it's; fine")]


def test_a_failing_one_leaves_none_of_them(hook):
    from snowflake.connector.errors import ProgrammingError

    with pytest.raises(ProgrammingError):
        hook.run(["INSERT INTO T VALUES (1, 'a')", "INSERT INTO T SELECT 'x'::INTEGER, 'b'"], autocommit=False)
    assert hook.get_first("SELECT COUNT(*) FROM T") == (0,)


def test_many_rows_and_a_frame(hook):
    with hook.get_conn() as connection:
        rows = [(number, str(number)) for number in range(50)]
        connection.cursor().executemany("INSERT INTO T (ID, S) VALUES (%s, %s)", rows)
    frame = hook.get_df("SELECT MAX(ID) AS LAST, COUNT(*) AS N FROM T")
    assert frame.to_dict("records") == [{"LAST": 49, "N": 50}]


def test_the_sql_operator(hook, warehouse):
    from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

    operator = SQLExecuteQueryOperator(
        task_id="query",
        conn_id="snowflake_default",
        sql="INSERT INTO T VALUES (%(id)s, 'a'); SELECT COUNT(*) FROM T",
        parameters={"id": 7},
        split_statements=True,
        return_last=True,
    )
    assert operator.execute({"ti": None}) == [(1,)]


def test_describe_returns_columns_without_running(warehouse):
    columns = warehouse.connection.cursor().describe("SELECT 1 AS A, 'x' AS B, CURRENT_TIMESTAMP() AS C")
    assert [column.name for column in columns] == ["A", "B", "C"]


# --- The pipeline's own hook -----------------------------------------------------------------------------------------


@pytest.fixture
def pipeline_hook(hook, monkeypatch):
    """Returns the pipeline's hook for a connection with these session parameters."""
    from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook

    def with_parameters(parameters):
        connection = json.loads(os.environ["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
        connection["extra"]["session_parameters"] = parameters
        monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(connection))
        return PipelineSnowflakeHook()

    return with_parameters


@pytest.mark.parametrize(
    "parameters",
    [
        {"AUTOCOMMIT": True},
        {"AUTOCOMMIT": False},
        {"autocommit": "true"},
        {"AutoCommit": "FALSE"},
        {"QUERY_TAG": "x", "Autocommit": None},
    ],
)
def test_a_connection_that_sets_autocommit_is_refused_before_anything_is_written(pipeline_hook, hook, parameters):
    from airflow.sdk.exceptions import AirflowFailException

    refusing = pipeline_hook(parameters)
    with pytest.raises(AirflowFailException, match="snowflake_default sets AUTOCOMMIT"):
        refusing.run("INSERT INTO T VALUES (1, 'a')")
    with pytest.raises(AirflowFailException, match="half its rows"):
        refusing.get_conn()
    assert hook.get_first("SELECT COUNT(*) FROM T") == (0,)


def test_session_parameters_as_text_are_refused_in_words(pipeline_hook):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="session_parameters of the connection snowflake_default is str"):
        pipeline_hook('{"AUTOCOMMIT": true}').get_conn()


@pytest.mark.parametrize("parameters", [{"TIMEZONE": "Europe/Berlin"}, {}, None])
def test_other_session_parameters_leave_no_half_change(pipeline_hook, parameters):
    from snowflake.connector.errors import ProgrammingError

    pipeline = pipeline_hook(parameters)
    pipeline.run("INSERT INTO T VALUES (1, 'kept')")
    # Again with the same hook: the connector must not have changed its parameters.
    with pytest.raises(ProgrammingError):
        pipeline.run(["INSERT INTO T VALUES (2, 'half')", "INSERT INTO T SELECT 'x'::INTEGER, 'b'"])
    assert pipeline.get_records("SELECT S FROM T") == [("kept",)]
    zone = (parameters or {}).get("TIMEZONE", "America/Los_Angeles")
    assert pipeline.get_first("SHOW PARAMETERS LIKE 'TIMEZONE'")[1] == zone


@pytest.fixture
def in_a_task():
    """Runs the test's connections inside a task with this execution_timeout."""
    from airflow.sdk.execution_time.context import set_current_context

    with contextlib.ExitStack() as stack:

        def enter(task_timeout: timedelta | None) -> None:
            instance = SimpleNamespace(dag_id="scd2_merge", task_id="merge", run_id="run-1", try_number=2)
            task = SimpleNamespace(execution_timeout=task_timeout)
            stack.enter_context(set_current_context({"ti": instance, "task": task}))

        yield enter


def shown(hook, name):
    return hook.get_first(f"SHOW PARAMETERS LIKE '{name}'")[1]


def test_a_tasks_statements_are_tagged_and_end_with_its_time(pipeline_hook, in_a_task):
    assert shown(pipeline_hook({}), "QUERY_TAG") == ""
    in_a_task(timedelta(minutes=50))
    pipeline = pipeline_hook({})
    assert json.loads(shown(pipeline, "QUERY_TAG")) == {
        "dag": "scd2_merge",
        "task": "merge",
        "run": "run-1",
        "try": 2,
    }
    assert shown(pipeline, "STATEMENT_TIMEOUT_IN_SECONDS") == "3000"
    stated = pipeline_hook({"query_tag": "of the connection", "Statement_Timeout_In_Seconds": 5})
    assert (shown(stated, "QUERY_TAG"), shown(stated, "STATEMENT_TIMEOUT_IN_SECONDS")) == ("of the connection", "5")


def test_a_statement_of_ten_minutes_finishes(pipeline_hook, monkeypatch):
    """The connector's clock goes 600 times as fast, so that the statement's second is ten minutes."""
    from snowflake.connector import cursor

    class FastTimer(cursor._TrackedQueryCancellationTimer):
        def __init__(self, interval, *arguments):
            super().__init__(interval / 600, *arguments)

    monkeypatch.setattr(cursor, "_TrackedQueryCancellationTimer", FastTimer)
    assert pipeline_hook({}).get_first("CALL SYSTEM$WAIT(1)") == ("waited 1 seconds",)


@pytest.fixture
def waiting_operator(pipeline_hook):
    """An operator of ours that waits in a statement of ten minutes, and how that statement ended."""
    from airflow.sdk import BaseOperator
    from clicks_to_deliveries.operators.killable import Killable

    pipeline = pipeline_hook({})
    connection = pipeline.get_conn()

    class Waiting(Killable, BaseOperator):
        def execute(self, context):
            with contextlib.closing(connection):
                connection.cursor().execute("CALL SYSTEM$WAIT(10, 'MINUTES')")

    def ended():
        history = "TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(SESSION_ID => {}))"
        return pipeline.get_records(
            f"SELECT EXECUTION_STATUS, ERROR_CODE FROM {history.format(session)} WHERE QUERY_TEXT LIKE 'CALL%'"
        )

    session = connection.session_id
    yield Waiting(task_id="wait"), ended
    connection.close()


def test_a_kill_cancels_the_statement_and_ends_the_task(waiting_operator, wait_until):
    """SIGTERM is handled as Airflow's task runner does: on_kill, in the midst of execute."""
    from clicks_to_deliveries.operators.killable import TaskKilled

    operator, ended = waiting_operator
    before = signal.signal(signal.SIGTERM, lambda *_: operator.on_kill())

    def kill():
        wait_until(lambda: ended() == [("RUNNING", None)])
        os.kill(os.getpid(), signal.SIGTERM)

    killer = threading.Thread(target=kill)
    try:
        killer.start()
        with pytest.raises(TaskKilled):
            operator.execute({})
    finally:
        killer.join()
        signal.signal(signal.SIGTERM, before)
    wait_until(lambda: ended() == [("FAILED_WITH_ERROR", "000604")])


def test_an_execution_timeout_cancels_the_statement(waiting_operator, wait_until):
    from airflow.sdk.exceptions import AirflowTaskTimeout
    from airflow.sdk.execution_time.timeout import timeout

    operator, ended = waiting_operator

    def run_as_the_task_runner_does():
        try:
            with timeout(0.3):
                operator.execute({})
        except AirflowTaskTimeout:
            operator.on_kill()
            raise

    with pytest.raises(AirflowTaskTimeout):
        run_as_the_task_runner_does()
    wait_until(lambda: ended() == [("FAILED_WITH_ERROR", "000604")])


def test_a_kill_cancels_the_statement_also_while_the_task_waits_for_its_supervisor(
    waiting_operator, wait_until, monkeypatch
):
    from airflow.sdk.execution_time import task_runner
    from clicks_to_deliveries.operators.killable import TaskKilled

    # The channel to the supervisor, in the midst of a question: another one would wait for ever.
    questions = []
    channel = SimpleNamespace(send=questions.append)
    operator, ended = waiting_operator
    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(operator.execute, {})
        wait_until(lambda: ended() == [("RUNNING", None)])
        with monkeypatch.context() as patch:
            patch.setattr(task_runner, "SUPERVISOR_COMMS", channel, raising=False)
            with pytest.raises(TaskKilled):
                operator.on_kill()
        assert working.exception()
    assert questions == []
    wait_until(lambda: ended() == [("FAILED_WITH_ERROR", "000604")])


def test_a_kill_ends_the_task_also_where_snowflake_is_out_of_reach(waiting_operator, monkeypatch):
    from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
    from clicks_to_deliveries.operators.killable import TaskKilled
    from snowflake.connector.errors import OperationalError

    def unreachable(_):
        raise OperationalError("out of reach")

    operator, _ = waiting_operator
    monkeypatch.setattr(PipelineSnowflakeHook, "canceller", unreachable)
    with pytest.raises(TaskKilled):
        operator.on_kill()
