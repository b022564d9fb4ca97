"""The account's and the session's parameters; those of tables are in test_stale_streams.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from snowflake.connector import DatabaseError

pytestmark = pytest.mark.integration


@pytest.fixture
def set_account_zone(warehouse):
    def change(zone: str) -> None:
        warehouse.rows(f"ALTER ACCOUNT SET TIMEZONE = '{zone}'")

    yield change
    warehouse.rows("ALTER ACCOUNT UNSET TIMEZONE")


def zone(connection, scope="SESSION"):
    """Value, default and level of TIMEZONE."""
    return connection.cursor().execute(f"SHOW PARAMETERS LIKE 'timezone' IN {scope}").fetchone()[1:4]


def hours_behind_utc(connection):
    local, utc = connection.cursor().execute("SELECT CURRENT_TIMESTAMP()::TIMESTAMP_NTZ, SYSDATE()").fetchone()
    return round((utc - local) / timedelta(minutes=1)) / 60


def test_the_accounts_time_zone_is_for_later_sessions(warehouse, set_account_zone):
    assert zone(warehouse.connection, "ACCOUNT") == ("America/Los_Angeles", "America/Los_Angeles", "")
    set_account_zone("Asia/Kolkata")
    assert zone(warehouse.connection, "ACCOUNT") == ("Asia/Kolkata", "America/Los_Angeles", "ACCOUNT")
    assert zone(warehouse.connection) == ("America/Los_Angeles", "America/Los_Angeles", "SESSION")
    later = warehouse.connect()
    assert zone(later) == ("Asia/Kolkata", "America/Los_Angeles", "ACCOUNT")
    assert hours_behind_utc(later) == -5.5
    stated = warehouse.connect(session_parameters={"TIMEZONE": "UTC"})
    assert (zone(stated)[0], hours_behind_utc(stated)) == ("UTC", 0)
    stated.cursor().execute("ALTER SESSION UNSET TIMEZONE")
    assert zone(stated)[0] == "Asia/Kolkata"


def test_snowpipe_runs_in_the_accounts_time_zone_not_a_sessions(warehouse, set_account_zone, wait_until):
    warehouse.stage()
    warehouse.rows("CREATE TABLE LOADED (SCANNED TIMESTAMP_NTZ, AT TIMESTAMP_LTZ)")
    set_account_zone("Asia/Kolkata")
    warehouse.rows("ALTER SESSION SET TIMEZONE = 'UTC'")
    warehouse.rows(
        "CREATE PIPE INTAKE AUTO_INGEST = TRUE AS COPY INTO LOADED FROM"
        " (SELECT METADATA$START_SCAN_TIME::TIMESTAMP_NTZ, $1:at::TIMESTAMP_LTZ FROM @LANDING)"
    )
    warehouse.put("a.json.gz", {"at": "2026-11-22 12:00:00"})
    warehouse.rows("ALTER PIPE INTAKE REFRESH")
    wait_until(lambda: warehouse.value("SELECT COUNT(*) FROM LOADED"))
    scanned, at = warehouse.rows("SELECT SCANNED, AT FROM LOADED")[0]
    ahead = scanned - datetime.now(UTC).replace(tzinfo=None)
    assert timedelta(hours=5.4) < ahead < timedelta(hours=5.6)
    assert at == datetime(2026, 11, 22, 6, 30, tzinfo=UTC)


def test_autocommit_is_shown_and_unset(warehouse):
    warehouse.rows("ALTER SESSION SET AUTOCOMMIT = FALSE")
    assert warehouse.rows("SHOW PARAMETERS LIKE 'AUTO%'")[0][:4] == ("AUTOCOMMIT", "false", "true", "SESSION")
    warehouse.rows("ALTER SESSION UNSET AUTOCOMMIT")
    assert warehouse.rows("SHOW PARAMETERS LIKE 'AUTO%'")[0][1] == "true"
    assert [row[0] for row in warehouse.rows("SHOW PARAMETERS")] == [
        "AUTOCOMMIT",
        "QUERY_TAG",
        "STATEMENT_TIMEOUT_IN_SECONDS",
        "TIMEZONE",
    ]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("ALTER ACCOUNT SET TIMEZONE = 'Mars/Base'", "TIMEZONE"),
        ("ALTER ACCOUNT SET LOCK_TIMEOUT = 5", "LOCK_TIMEOUT"),
        ("ALTER ACCOUNT", "unexpected end"),
        ("ALTER SESSION SET TIMESTAMP_OUTPUT_FORMAT = 'YYYY'", "TIMESTAMP_OUTPUT_FORMAT"),
        ("ALTER SESSION UNSET TIMESTAMP_OUTPUT_FORMAT", "TIMESTAMP_OUTPUT_FORMAT"),
        ("ALTER SESSION SET ERROR_ON_NONDETERMINISTIC_MERGE = FALSE", "ERROR_ON_NONDETERMINISTIC_MERGE"),
        ("SHOW PARAMETERS IN USER U", "SHOW PARAMETERS IN USER"),
        ("SHOW PARAMETERS IN TABLE NO_SUCH", "NO_SUCH"),
    ],
)
def test_unsupported_parameters_are_refused(warehouse, statement, message):
    assert message in warehouse.error(statement).msg


@pytest.mark.parametrize("parameters", [{"WEEK_START": 1}, {"AUTOCOMMIT": 2}, {"STATEMENT_TIMEOUT_IN_SECONDS": "soon"}])
def test_a_login_with_unsupported_parameters_is_refused(warehouse, parameters):
    with pytest.raises(DatabaseError, match=next(iter(parameters))):
        warehouse.connect(session_parameters=parameters, login_timeout=5)


def test_what_a_statement_states_for_itself_is_heeded_or_refused(warehouse):
    cursor = warehouse.connection.cursor()
    assert cursor.execute("SELECT 1", _statement_params={"QUERY_TAG": "once"}).fetchall() == [(1,)]
    with pytest.raises(DatabaseError, match="TIMEZONE"):
        cursor.execute("SELECT 1", _statement_params={"TIMEZONE": "UTC"})


def test_autocommit_is_true_or_false(warehouse):
    assert "AUTOCOMMIT" in warehouse.error("ALTER SESSION SET AUTOCOMMIT = 1").msg
    assert warehouse.rows("SHOW PARAMETERS LIKE 'AUTOCOMMIT'")[0][1] == "true"
