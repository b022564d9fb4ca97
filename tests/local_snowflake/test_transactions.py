"""Transactions as Airflow's hook uses them, and requests that are sent twice."""

from __future__ import annotations

import json
import uuid

import pytest
import requests

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _table(warehouse):
    warehouse.rows("CREATE TABLE T (ID INTEGER)")


def ids(warehouse):
    return [row[0] for row in warehouse.rows("SELECT ID FROM T ORDER BY 1")]


def test_without_autocommit_a_dml_opens_a_transaction(warehouse):
    writer = warehouse.connect(autocommit=False)
    writer.cursor().execute("INSERT INTO T VALUES (1)")
    assert ids(warehouse) == []
    writer.rollback()
    writer.cursor().execute("INSERT INTO T VALUES (2)")
    writer.commit()
    assert ids(warehouse) == [2]
    writer.autocommit(True)
    writer.cursor().execute("INSERT INTO T VALUES (3)")
    assert ids(warehouse) == [2, 3]


def test_a_failed_statement_rolls_everything_back_and_commit_reports_it(warehouse):
    warehouse.rows("BEGIN")
    warehouse.rows("INSERT INTO T VALUES (1)")
    warehouse.error("INSERT INTO T SELECT 'x'::INTEGER")
    assert "ROLLBACK" in warehouse.error("INSERT INTO T VALUES (2)").msg
    assert "Nothing to commit" in warehouse.error("COMMIT").msg
    warehouse.rows("INSERT INTO T VALUES (3)")
    assert ids(warehouse) == [3]


def test_a_transaction_sees_rows_committed_before_its_first_dml(warehouse):
    other = warehouse.connect().cursor()
    warehouse.rows("BEGIN")
    other.execute("INSERT INTO T VALUES (1)")
    assert ids(warehouse) == [1]
    warehouse.rows("INSERT INTO T VALUES (2)")
    at = warehouse.value("SELECT CURRENT_TIMESTAMP()")
    other.execute("INSERT INTO T VALUES (3)")
    assert (ids(warehouse), warehouse.value("SELECT CURRENT_TIMESTAMP()")) == ([1, 2], at)
    warehouse.rows("COMMIT")
    assert ids(warehouse) == [1, 2, 3]


def test_ddl_commits_the_open_transaction(warehouse):
    warehouse.rows("BEGIN TRANSACTION")
    warehouse.rows("INSERT INTO T VALUES (1)")
    warehouse.rows("CREATE TABLE OTHER (A INTEGER)")
    warehouse.rows("ROLLBACK")
    assert ids(warehouse) == [1]


def test_commit_and_rollback_work_without_a_transaction(warehouse):
    warehouse.rows("COMMIT")
    warehouse.rows("ROLLBACK")


def test_a_closed_connection_rolls_back_and_frees_the_writers(warehouse):
    writer = warehouse.connect()
    writer.cursor().execute("BEGIN")
    writer.cursor().execute("DELETE FROM T")
    writer.close()
    warehouse.rows("INSERT INTO T VALUES (1)")
    warehouse.rows("UPDATE T SET ID = 2")
    assert ids(warehouse) == [2]


def test_a_request_that_comes_again_does_not_run_again(warehouse):
    base = f"https://localhost:{warehouse.server.port}"
    login = requests.post(
        f"{base}/session/v1/login-request",
        params={"databaseName": "TESTS", "schemaName": warehouse.schema},
        json={"data": {"LOGIN_NAME": "admin", "PASSWORD": "local", "SESSION_PARAMETERS": {}}},
        verify=str(warehouse.server.tls.bundle),
        timeout=60,
    ).json()

    def send(identifier, sql):
        return requests.post(
            f"{base}/queries/v1/query-request",
            params={"requestId": identifier},
            data=json.dumps({"sqlText": sql}),
            headers={
                "Authorization": f'Snowflake Token="{login["data"]["token"]}"',
                "Content-Type": "application/json",
            },
            verify=str(warehouse.server.tls.bundle),
            timeout=60,
        )

    identifier = str(uuid.uuid4())
    first, second = (send(identifier, "INSERT INTO T VALUES (1)").json() for _ in range(2))
    assert first == second
    assert first["success"]
    assert send(str(uuid.uuid4()), "INSERT INTO T VALUES (2)").json()["success"]
    assert ids(warehouse) == [1, 2]
    failed = send(str(uuid.uuid4()), "SELECT NOPE")
    assert (failed.status_code, failed.json()["success"]) == (200, False)


def test_an_unknown_session_must_log_in_again(warehouse):
    answer = requests.post(
        f"https://localhost:{warehouse.server.port}/queries/v1/query-request",
        json={"sqlText": "SELECT 1"},
        headers={"Authorization": 'Snowflake Token="nobody"'},
        verify=str(warehouse.server.tls.bundle),
        timeout=60,
    )
    assert (answer.status_code, answer.json()["code"]) == (200, "390104")
