"""Airflow's stock hook and operator against the local Snowflake."""

from __future__ import annotations

import json
import os

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def hook(warehouse, monkeypatch):
    connection = json.loads(warehouse.server.environment["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    connection["schema"] = warehouse.schema
    connection["extra"] |= {"database": "TESTS", "warehouse": "W", "role": "SYSADMIN"}
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
