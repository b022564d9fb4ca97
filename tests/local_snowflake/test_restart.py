"""Stopped, killed and started again: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import threading
import uuid

import pytest
import requests
import snowflake.connector

from include.local.snowflake import tls

pytestmark = pytest.mark.integration

MERGE = """
MERGE INTO TOTALS T USING (SELECT TRUCK, COUNT(*) AS N FROM NEW_READINGS GROUP BY TRUCK) S ON T.TRUCK = S.TRUCK
WHEN MATCHED THEN UPDATE SET N = T.N + S.N WHEN NOT MATCHED THEN INSERT (TRUCK, N) VALUES (S.TRUCK, S.N)
"""


@pytest.fixture
def warehouse(own_warehouse, copy_readings):
    own_warehouse.stage()
    own_warehouse.rows("CREATE STREAM NEW_READINGS ON TABLE READINGS APPEND_ONLY = TRUE")
    own_warehouse.rows("CREATE TABLE TOTALS (TRUCK STRING, N INTEGER)")
    own_warehouse.rows(f"CREATE PIPE INTAKE AUTO_INGEST = TRUE AS {copy_readings}")
    return own_warehouse


def restarted(warehouse, *, kill=True):
    warehouse.server.kill() if kill else warehouse.server.stop()
    warehouse.server.start()
    warehouse.connection = warehouse.server.connect(database="TESTS", schema=warehouse.schema)


@pytest.mark.verify
def test_sigterm_ends_it_with_0_even_with_clients(warehouse):
    assert warehouse.server.stop() == 0


@pytest.mark.parametrize("kill", [True, pytest.param(False, marks=pytest.mark.verify)], ids=["killed", "stopped"])
def test_everything_is_there_again(warehouse, kill, copy_readings, wait_until):
    warehouse.rows("CREATE TABLE DEFAULTS (A INTEGER, AT TIMESTAMP_NTZ DEFAULT '2026-01-01'::TIMESTAMP_NTZ)")
    warehouse.put("a.json.gz", {"truck": "T1"})
    warehouse.rows("ALTER PIPE INTAKE REFRESH")
    wait_until(lambda: warehouse.value("SELECT COUNT(*) FROM READINGS") == 1)
    before = warehouse.rows("SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP('NEW_READINGS'), COUNT(*) FROM NEW_READINGS")
    channel = warehouse.rows("SHOW PIPES IN SCHEMA")[0][6]
    restarted(warehouse, kill=kill)
    after = warehouse.rows("SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP('NEW_READINGS'), COUNT(*) FROM NEW_READINGS")
    assert after == before
    assert warehouse.rows("SHOW PIPES IN SCHEMA")[0][6] == channel
    assert warehouse.rows("ALTER PIPE INTAKE REFRESH") == []
    warehouse.put("b.json.gz", {"truck": "T1"})
    warehouse.rows("ALTER PIPE INTAKE REFRESH")
    wait_until(lambda: warehouse.value("SELECT COUNT(*) FROM READINGS") == 2)
    assert warehouse.rows(MERGE) == [(1, 0)]
    warehouse.rows("INSERT INTO DEFAULTS (A) VALUES (1)")
    assert warehouse.value("SELECT COUNT(AT) FROM DEFAULTS") == 1
    warehouse.rows("CREATE TABLE IF NOT EXISTS DEFAULTS (A INTEGER)")


# The connector's own timer thread can't reach a killed server to cancel a statement, and says so.
@pytest.mark.verify
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_killed_three_times_while_it_loads_and_merges(warehouse, wait_until):
    """Totals fed from the stream plus what is left in it equal the rows; each file is loaded once."""
    chance = random.Random(20261122)
    for round_number in range(1, 4):
        for number in range(20):
            warehouse.put(f"{round_number}/{number}.json.gz", *({"truck": f"T{n % 3}"} for n in range(200)))
        warehouse.connection = warehouse.connect(network_timeout=2, login_timeout=2)
        warehouse.rows("ALTER PIPE INTAKE REFRESH")
        stop = threading.Event()

        def merge(connection=warehouse.connection, stop=stop) -> None:
            with contextlib.suppress(snowflake.connector.Error):
                while not stop.is_set():
                    connection.cursor().execute(MERGE)

        worker = threading.Thread(target=merge)
        worker.start()
        # When does not matter to what must hold: it is chance that reaches each moment over many runs.
        killer = threading.Timer(chance.uniform(0.02, 0.5), warehouse.server.kill)
        killer.start()
        killer.join()
        stop.set()
        worker.join(30)
        assert not worker.is_alive()
        restarted(warehouse)
        rows = round_number * 4000
        wait_until(lambda rows=rows: warehouse.value("SELECT COUNT(*) FROM READINGS") >= rows)
        merged = "SELECT COALESCE(SUM(N), 0) FROM TOTALS"
        assert warehouse.value(merged) + warehouse.value("SELECT COUNT(*) FROM NEW_READINGS") == rows
        warehouse.rows(MERGE)
        assert warehouse.value(merged) == warehouse.value("SELECT COUNT(*) FROM READINGS") == rows


@pytest.mark.verify
def test_a_request_sent_again_after_a_kill_is_not_run_again(own_warehouse):
    """The client never got the answer: the statement is committed, and the session is gone."""
    own_warehouse.rows("CREATE TABLE T (ID INTEGER)")
    server = own_warehouse.server
    own_warehouse.rows("INSERT INTO T VALUES (1)")
    token, identifier = own_warehouse.connection.rest.token, str(uuid.uuid4())

    def send():
        return requests.post(
            f"https://localhost:{server.port}/queries/v1/query-request",
            params={"requestId": identifier},
            json={"sqlText": f"INSERT INTO TESTS.{own_warehouse.schema}.T VALUES (2)"},
            headers={"Authorization": f'Snowflake Token="{token}"'},
            verify=str(server.tls.bundle),
            timeout=60,
        ).json()

    assert send()["success"]
    server.kill()
    server.start()
    answer = send()
    assert (answer["success"], answer["code"]) == (False, "390104")
    own_warehouse.connection = own_warehouse.connect()
    assert own_warehouse.rows("SELECT ID FROM T ORDER BY 1") == [(1,), (2,)]


@pytest.mark.verify
def test_a_taken_port_is_one_clear_line(snowflake_server, tmp_path):
    command = [part if part != str(snowflake_server.state) else str(tmp_path) for part in snowflake_server.command()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=os.environ)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"local Snowflake: port {snowflake_server.port} can't be used")
    assert ended.stderr.count("\n") == 1


@pytest.mark.verify
def test_a_state_directory_in_use_is_one_clear_line(snowflake_server):
    command = [part if part != str(snowflake_server.port) else "0" for part in snowflake_server.command()]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=os.environ)
    assert ended.returncode == 1
    assert "is in use by another process" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.verify
def test_it_starts_and_serves_without_aws_and_ingests_when_aws_comes(
    snowflake_tls: tls.TlsFiles, snowflake_server, own_ministack, tmp_path, wait_until
):
    server = type(snowflake_server)(tmp_path / "lonely", snowflake_tls, own_ministack.environment)
    own_ministack.client("s3").create_bucket(Bucket="lonely")
    own_ministack.stop()
    server.start()
    try:
        cursor = server.connect().cursor()
        for statement in (
            "CREATE DATABASE TESTS",
            "CREATE TABLE READINGS (TRUCK STRING)",
            "CREATE FILE FORMAT NDJSON TYPE = JSON",
            "CREATE STAGE LANDING URL = 's3://lonely/' FILE_FORMAT = NDJSON",
        ):
            cursor.execute(statement)
        create = (
            "CREATE PIPE INTAKE AUTO_INGEST = TRUE AS COPY INTO READINGS FROM (SELECT $1:truck::STRING FROM @LANDING)"
        )
        with pytest.raises(snowflake.connector.Error, match="notification channel"):
            cursor.execute(create)
        own_ministack.start()
        cursor.execute(create)
        own_ministack.client("s3").put_object(Bucket="lonely", Key="a.json", Body=b'{"truck": "T1"}')
        cursor.execute("ALTER PIPE INTAKE REFRESH")
        wait_until(lambda: cursor.execute("SELECT COUNT(*) FROM READINGS").fetchone()[0] == 1)
    finally:
        server.kill()
