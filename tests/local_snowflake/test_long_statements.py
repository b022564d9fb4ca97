"""Statements that take long: "in progress", asynchronous, cancelled, timed out.

The tests' server answers "in progress" after half a second (tests/fixtures/snowflake.py), Snowflake after 45.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import requests
import snowflake.connector
from snowflake.connector.constants import QueryStatus
from snowflake.connector.errors import DatabaseError, ProgrammingError

pytestmark = pytest.mark.integration

# A wait that no test sees the end of.
LONG = "CALL SYSTEM$WAIT(600)"
CANCELED = (604, "57014")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def start(warehouse, pool, wait_until) -> Callable[..., tuple[Future, str]]:
    """Runs a statement on another connection; returns its future and its query id once it runs."""

    def begin(sql: str, connection=None) -> tuple[Future, str]:
        connection = connection or warehouse.connect()
        running = pool.submit(lambda: connection.cursor().execute(sql).fetchall())
        history = "SELECT QUERY_ID FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(SESSION_ID => {}))"
        found = wait_until(
            lambda: warehouse.rows(history.format(connection.session_id) + " WHERE EXECUTION_STATUS = 'RUNNING'")
        )
        return running, found[0][0]

    return begin


def failure(running: Future) -> tuple[int, str]:
    error = running.exception(timeout=10)
    assert isinstance(error, snowflake.connector.Error), error
    return error.errno, error.sqlstate


# --- in progress ------------------------------------------------------------------------------------------------------


def test_a_long_statement_is_in_progress_and_then_answers(warehouse):
    base, verify = f"https://localhost:{warehouse.server.port}", str(warehouse.server.tls.bundle)
    headers = {"Authorization": f'Snowflake Token="{warehouse.connection.rest.token}"'}
    first = requests.post(
        f"{base}/queries/v1/query-request",
        params={"requestId": "b1c6a0a1-6a0e-4f0e-9b57-1f0f5b1d7a11"},
        json={"sqlText": "CALL SYSTEM$WAIT(700, 'MILLISECONDS')"},
        headers=headers,
        verify=verify,
        timeout=10,
    ).json()
    assert (first["code"], first["success"]) == ("333333", True)
    url = base + first["data"]["getResultUrl"]
    second = requests.get(url, headers=headers, verify=verify, timeout=10).json()
    assert (second["success"], second["data"]["queryId"]) == (True, first["data"]["queryId"])
    assert second["data"]["total"] == 1
    assert requests.get(url, headers=headers, verify=verify, timeout=10).json() == second


def test_the_connector_waits_for_a_long_statement(warehouse):
    cursor = warehouse.connection.cursor().execute("CALL SYSTEM$WAIT(0.6)")
    assert cursor.fetchall() == [("waited 0.6 seconds",)]
    assert [column.name for column in cursor.description] == ["SYSTEM$WAIT"]
    assert warehouse.value("SELECT SYSTEM$WAIT(1, 'MILLISECONDS')") == "waited 1 milliseconds"
    assert "YEARS" in warehouse.error("SELECT SYSTEM$WAIT(1, 'YEARS')").msg


def test_a_long_failure_is_reported_too(warehouse):
    error = warehouse.error("SELECT SYSTEM$WAIT(0.6), 'x'::INTEGER")
    assert error.errno == 100038
    assert error.sfqid


def test_an_unknown_query_has_no_result(warehouse):
    nobody = "01b2c3d4-0000-0000-0000-000000000000"
    with pytest.raises(ProgrammingError, match="not found"):
        warehouse.connection.cursor().query_result(nobody)
    assert warehouse.connection.get_query_status(nobody) is QueryStatus.NO_DATA


# --- asynchronous -----------------------------------------------------------------------------------------------------


def test_an_asynchronous_statement_runs_beside_its_session(warehouse, wait_until):
    warehouse.rows("CREATE TABLE T (ID INTEGER, AT TIMESTAMP_NTZ)")
    warehouse.rows("INSERT INTO T VALUES (1, '2026-11-27 20:00:00')")
    cursor = warehouse.connection.cursor()
    cursor.execute_async("SELECT ID, AT FROM T WHERE SYSTEM$WAIT(0.3) IS NOT NULL")
    query = cursor.sfqid
    status = warehouse.connection.get_query_status(query)
    assert status is QueryStatus.RUNNING
    assert warehouse.connection.is_still_running(status)
    assert warehouse.value("SELECT 2") == 2
    cursor.get_results_from_sfqid(query)
    assert warehouse.connection.get_query_status(query) is QueryStatus.RUNNING
    assert [(row[0], row[1].hour) for row in cursor.fetchall()] == [(1, 20)]
    assert warehouse.connection.get_query_status(query) is QueryStatus.SUCCESS
    assert [row[0] for row in warehouse.connection.cursor().query_result(query).fetchall()] == [1]


def test_an_asynchronous_failure_has_its_reason(warehouse, wait_until):
    cursor = warehouse.connection.cursor()
    cursor.execute_async("SELECT 'x'::INTEGER")
    wait_until(lambda: warehouse.connection.get_query_status(cursor.sfqid) is QueryStatus.FAILED_WITH_ERROR)
    with pytest.raises(ProgrammingError) as raised:
        cursor.get_results_from_sfqid(cursor.sfqid)
    assert raised.value.errno == 100038


def test_an_asynchronous_statement_outlives_its_connection_and_can_be_cancelled(warehouse, wait_until):
    sender = warehouse.connect()
    cursor = sender.cursor()
    cursor.execute_async(LONG)
    sender.close()
    assert warehouse.connection.get_query_status(cursor.sfqid) is QueryStatus.RUNNING
    assert warehouse.connection.cursor().abort_query(cursor.sfqid) is True
    wait_until(lambda: warehouse.connection.get_query_status(cursor.sfqid) is QueryStatus.FAILED_WITH_ERROR)
    with pytest.raises(DatabaseError) as raised:
        warehouse.connection.cursor().get_results_from_sfqid(cursor.sfqid)
    assert raised.value.errno == 604


def test_result_scan_is_for_asynchronous_statements(warehouse):
    assert "RESULT_SCAN" in warehouse.error("SELECT COUNT(*) FROM TABLE(RESULT_SCAN('x'))").msg
    done = warehouse.connection.cursor().execute("SELECT 1").sfqid
    assert "not sent asynchronously" in warehouse.error(f"SELECT * FROM TABLE(RESULT_SCAN('{done}'))").msg
    assert "not found" in warehouse.error("SELECT * FROM TABLE(RESULT_SCAN('x'))").msg


# --- cancelled --------------------------------------------------------------------------------------------------------


def test_a_waiting_statement_is_cancelled_by_its_id(warehouse, start):
    running, query = start(LONG)
    assert warehouse.value(f"SELECT SYSTEM$CANCEL_QUERY('{query}')") == f"query [{query}] terminated."
    assert failure(running) == CANCELED
    again = warehouse.value(f"SELECT SYSTEM$CANCEL_QUERY('{query}')")
    assert again == "Identified SQL statement is not currently executing."
    assert warehouse.connection.cursor().abort_query(query) is False


def test_a_computing_statement_is_interrupted(warehouse, start):
    warehouse.rows("CREATE TABLE T AS SELECT 1 AS ID")
    for _ in range(14):
        warehouse.rows("INSERT INTO T SELECT ID FROM T")
    running, query = start("SELECT SUM(A.ID + B.ID + C.ID) FROM T A, T B, T C")
    warehouse.rows(f"SELECT SYSTEM$CANCEL_QUERY('{query}')")
    assert failure(running) == CANCELED


def test_all_statements_of_a_session_are_cancelled_and_the_session_goes_on(warehouse, start):
    other = warehouse.connect()
    running, _ = start(LONG, other)
    assert warehouse.value(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({other.session_id})") == "1 cancelled."
    assert failure(running) == CANCELED
    assert other.cursor().execute("SELECT 1").fetchone() == (1,)
    assert warehouse.value(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({other.session_id})") == "0 cancelled."


def test_an_aborted_session_is_gone_with_its_transaction(warehouse, start):
    warehouse.rows("CREATE TABLE T (ID INTEGER)")
    other = warehouse.connect()
    other.cursor().execute("BEGIN")
    other.cursor().execute("INSERT INTO T VALUES (1)")
    other.cursor().execute("DELETE FROM T")  # it holds the writers' lock
    running, _ = start(LONG, other)
    number = other.session_id
    assert warehouse.value(f"SELECT SYSTEM$ABORT_SESSION({number})") == f"session [{number}] terminated."
    assert failure(running) == CANCELED
    warehouse.rows("INSERT INTO T VALUES (2)")
    warehouse.rows("UPDATE T SET ID = ID + 1")
    with pytest.raises(ProgrammingError, match="login again"):
        other.cursor().execute("COMMIT")
    assert warehouse.rows("SELECT ID FROM T") == [(3,)]
    assert "does not exist" in warehouse.error(f"SELECT SYSTEM$ABORT_SESSION({number})").msg


def test_the_connectors_timeout_cancels_its_statement(warehouse):
    connection = warehouse.connect()
    with pytest.raises(ProgrammingError) as raised:
        connection.cursor().execute(LONG, timeout=1)
    assert raised.value.errno == 604


def test_a_closed_connection_cancels_its_statement(warehouse, start):
    other = warehouse.connect()
    running, query = start(LONG, other)
    # As the connector's close() does.
    other.rest.delete_session()
    assert running.exception(timeout=10) is not None
    assert warehouse.connection.get_query_status(query) is QueryStatus.FAILED_WITH_ERROR


MERGE = """
MERGE INTO TOTALS T USING (SELECT ID, SYSTEM$WAIT({seconds}) AS W FROM NEW_ROWS) S ON T.ID = S.ID
WHEN NOT MATCHED THEN INSERT (ID) VALUES (S.ID)
"""


def test_a_cancelled_merge_leaves_nothing_and_its_stream_unread(warehouse, start):
    warehouse.rows("CREATE TABLE T (ID INTEGER)")
    warehouse.rows("CREATE STREAM NEW_ROWS ON TABLE T APPEND_ONLY = TRUE")
    warehouse.rows("CREATE TABLE TOTALS (ID INTEGER)")
    warehouse.rows("INSERT INTO T VALUES (1)")
    offset = warehouse.value("SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP('NEW_ROWS')")
    running, query = start(MERGE.format(seconds=600))
    # The next writer waits for the first, and can be cancelled while it waits.
    waiting, second = start("DELETE FROM TOTALS")
    warehouse.rows(f"SELECT SYSTEM$CANCEL_QUERY('{second}')")
    assert failure(waiting) == CANCELED
    assert not running.done()
    warehouse.rows(f"SELECT SYSTEM$CANCEL_QUERY('{query}')")
    assert failure(running) == CANCELED
    assert warehouse.rows("SELECT ID FROM TOTALS") == []
    assert warehouse.value("SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP('NEW_ROWS')") == offset
    assert warehouse.rows(MERGE.format(seconds=0)) == [(1,)]


def test_cancelled_at_any_moment_a_statement_is_whole_or_nothing(warehouse):
    """Timers hit a MERGE at a dozen moments: its answer always says what is in the table."""
    warehouse.rows("CREATE TABLE T (ID INTEGER)")
    warehouse.rows("CREATE STREAM NEW_ROWS ON TABLE T APPEND_ONLY = TRUE")
    warehouse.rows("CREATE TABLE TOTALS (ID INTEGER)")
    merger, sql = warehouse.connect(), MERGE.format(seconds=0)
    expected = 0
    for round_number in range(12):
        warehouse.rows(f"INSERT INTO T VALUES ({round_number})")
        sent = warehouse.value("SELECT COUNT(*) FROM NEW_ROWS")
        cancel = f"SELECT SYSTEM$CANCEL_ALL_QUERIES({merger.session_id})"
        timer = threading.Timer(0.003 * round_number, warehouse.rows, [cancel])
        timer.start()
        answer = _answer(merger, sql)
        assert answer in ("merged", 604)
        expected += sent if answer == "merged" else 0
        timer.join()
        assert warehouse.value("SELECT COUNT(*) FROM TOTALS") == expected
        assert warehouse.value("SELECT COUNT(*) FROM NEW_ROWS") == round_number + 1 - expected


def _answer(connection, sql) -> str | int:
    try:
        connection.cursor().execute(sql)
    except ProgrammingError as error:
        return error.errno
    return "merged"


# --- timed out --------------------------------------------------------------------------------------------------------


def timed_out(seconds: int) -> str:
    return f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was canceled."


def test_a_statement_is_cancelled_at_its_sessions_timeout(warehouse):
    connection = warehouse.connect(session_parameters={"STATEMENT_TIMEOUT_IN_SECONDS": 1})
    begun = time.monotonic()
    with pytest.raises(ProgrammingError) as raised:
        connection.cursor().execute(LONG)
    assert 1 <= time.monotonic() - begun < 5
    assert (raised.value.errno, raised.value.sqlstate) == (630, "57014")
    assert timed_out(1) in raised.value.msg


def test_where_the_timeout_comes_from_is_shown(warehouse):
    def shown(scope: str) -> tuple[str, str]:
        return warehouse.rows(f"SHOW PARAMETERS LIKE 'STATEMENT_TIMEOUT_IN_SECONDS' IN {scope}")[0][1:4:2]

    warehouse.rows("CREATE WAREHOUSE QUICK STATEMENT_TIMEOUT_IN_SECONDS = 7")
    try:
        assert (shown("SESSION"), shown("WAREHOUSE QUICK")) == (("172800", ""), ("7", "WAREHOUSE"))
        warehouse.rows("ALTER WAREHOUSE QUICK UNSET STATEMENT_TIMEOUT_IN_SECONDS")
        warehouse.rows("ALTER ACCOUNT SET STATEMENT_TIMEOUT_IN_SECONDS = 900")
        assert (shown("SESSION"), shown("WAREHOUSE QUICK")) == (("900", "ACCOUNT"), ("900", "ACCOUNT"))
        warehouse.rows("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 100")
        assert (shown("SESSION"), shown("ACCOUNT")) == (("100", "SESSION"), ("900", "ACCOUNT"))
    finally:
        warehouse.rows("ALTER ACCOUNT UNSET STATEMENT_TIMEOUT_IN_SECONDS")
        warehouse.rows("DROP WAREHOUSE QUICK")
    assert "does not exist" in warehouse.error("SHOW PARAMETERS IN WAREHOUSE QUICK").msg


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 604801",
        "ALTER ACCOUNT SET STATEMENT_TIMEOUT_IN_SECONDS = 'long'",
        "CREATE WAREHOUSE SLOW STATEMENT_TIMEOUT_IN_SECONDS = -1",
    ],
)
def test_an_impossible_timeout_is_refused(warehouse, statement):
    assert "invalid value" in warehouse.error(statement).msg


# --- history ----------------------------------------------------------------------------------------------------------


def test_the_history_has_tags_states_and_errors(warehouse):
    connection = warehouse.connect(session_parameters={"QUERY_TAG": "of the login"})
    cursor = connection.cursor()
    cursor.execute('SELECT 1 AS "it\'s"')
    cursor.execute("ALTER SESSION SET QUERY_TAG = 'of the session'")
    with pytest.raises(ProgrammingError):
        cursor.execute("SELECT 'x'::INTEGER", _statement_params={"QUERY_TAG": "of the statement"})
    columns = "QUERY_TEXT, QUERY_TAG, EXECUTION_STATUS, ERROR_CODE, END_TIME >= START_TIME, USER_NAME"
    history = f"TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION(SESSION_ID => {connection.session_id}))"
    user = warehouse.value("SELECT CURRENT_USER()")
    assert warehouse.rows(f"SELECT {columns} FROM {history}") == [
        ("SELECT 'x'::INTEGER", "of the statement", "FAILED_WITH_ERROR", "100038", True, user),
        ("ALTER SESSION SET QUERY_TAG = 'of the session'", "of the login", "SUCCESS", None, True, user),
        ('SELECT 1 AS "it\'s"', "of the login", "SUCCESS", None, True, user),
    ]
    by_user = "SELECT QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_USER(RESULT_LIMIT => 1))"
    assert warehouse.rows(by_user) == [(by_user,)]
    assert (
        warehouse.rows("SELECT 1 FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_WAREHOUSE(WAREHOUSE_NAME => 'X'))")
        == []
    )
