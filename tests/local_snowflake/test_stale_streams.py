"""Streams left unread for longer than their table keeps old versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.integration

NOTHING_KEPT = "ALTER TABLE SOURCE SET DATA_RETENTION_TIME_IN_DAYS = 0 MAX_DATA_EXTENSION_TIME_IN_DAYS = 0"
DEFAULTS = "ALTER TABLE SOURCE UNSET DATA_RETENTION_TIME_IN_DAYS, MAX_DATA_EXTENSION_TIME_IN_DAYS"
CONSUME = "INSERT INTO SINK SELECT ID FROM NEW_ROWS"


@pytest.fixture(autouse=True)
def _tables(warehouse):
    warehouse.rows("CREATE TABLE SOURCE (ID INTEGER)")
    warehouse.rows("CREATE TABLE SINK (ID INTEGER)")
    warehouse.rows("CREATE STREAM NEW_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE")


def shown(warehouse):
    cursor = warehouse.connection.cursor().execute("SHOW STREAMS LIKE 'NEW_ROWS' IN SCHEMA")
    return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))


def days_left(warehouse):
    return (shown(warehouse)["stale_after"] - datetime.now(UTC)) / timedelta(days=1)


def test_a_stream_is_stale_after_the_longer_of_retention_and_extension(warehouse):
    assert days_left(warehouse) == pytest.approx(14, abs=0.01)
    warehouse.rows("ALTER TABLE SOURCE SET DATA_RETENTION_TIME_IN_DAYS = 30")
    assert days_left(warehouse) == pytest.approx(30, abs=0.01)
    warehouse.rows("ALTER TABLE SOURCE SET DATA_RETENTION_TIME_IN_DAYS = 2 MAX_DATA_EXTENSION_TIME_IN_DAYS = 1")
    assert days_left(warehouse) == pytest.approx(2, abs=0.01)
    warehouse.rows(DEFAULTS)
    assert days_left(warehouse) == pytest.approx(14, abs=0.01)


def test_retention_can_be_set_when_the_table_is_created(warehouse):
    table = "TABLE KEPT (ID INTEGER) DATA_RETENTION_TIME_IN_DAYS = 3 MAX_DATA_EXTENSION_TIME_IN_DAYS = 0 COMMENT = 'x'"
    for create in ("CREATE", "CREATE OR REPLACE"):
        warehouse.rows(f"{create} {table}")
        parameters = {row[0]: row[1:4] for row in warehouse.rows("SHOW PARAMETERS IN TABLE KEPT")}
        assert parameters["DATA_RETENTION_TIME_IN_DAYS"] == ("3", "1", "TABLE")
        assert parameters["MAX_DATA_EXTENSION_TIME_IN_DAYS"] == ("0", "14", "TABLE")
    warehouse.rows("CREATE TABLE IF NOT EXISTS KEPT (ID INTEGER) DATA_RETENTION_TIME_IN_DAYS = 9")
    assert warehouse.rows("SHOW PARAMETERS LIKE 'data_ret%' IN TABLE KEPT")[0][1] == "3"
    warehouse.rows("CREATE OR REPLACE TABLE KEPT AS SELECT 1 AS ID")
    assert warehouse.rows("SHOW PARAMETERS LIKE 'DATA_RET%' IN TABLE KEPT")[0][1:4] == ("1", "1", "")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM NEW_ROWS",
        CONSUME,
        "MERGE INTO SINK USING NEW_ROWS N ON SINK.ID = N.ID WHEN NOT MATCHED THEN INSERT (ID) VALUES (N.ID)",
        "SELECT SYSTEM$STREAM_HAS_DATA('NEW_ROWS')",
    ],
    ids=["select", "insert", "merge", "has_data"],
)
def test_a_stale_stream_can_not_be_read(warehouse, statement):
    warehouse.rows("INSERT INTO SOURCE VALUES (1)")
    warehouse.rows(NOTHING_KEPT)
    error = warehouse.error(statement)
    assert (error.errno, error.sqlstate) == (707, "02000")
    assert f"TESTS.{warehouse.schema}.NEW_ROWS' is stale" in error.msg
    found = shown(warehouse)
    assert (found["stale"], found["invalid_reason"]) == ("true", "N/A")
    assert found["stale_after"] <= datetime.now(UTC)


def test_a_stale_stream_stays_stale_until_it_is_created_again(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (1)")
    warehouse.rows(NOTHING_KEPT)
    warehouse.rows(DEFAULTS)
    assert shown(warehouse)["stale"] == "true"
    assert warehouse.error("SELECT * FROM NEW_ROWS").errno == 707
    warehouse.rows("CREATE STREAM IF NOT EXISTS NEW_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE")
    assert shown(warehouse)["stale"] == "true"
    warehouse.rows("CREATE OR REPLACE STREAM NEW_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE")
    assert shown(warehouse)["stale"] == "false"
    warehouse.rows("INSERT INTO SOURCE VALUES (2)")
    warehouse.rows(CONSUME)
    assert warehouse.rows("SELECT ID FROM SINK") == [(2,)]


def test_deleting_the_rows_does_not_help(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (1)")
    warehouse.rows(NOTHING_KEPT)
    warehouse.rows("DELETE FROM SOURCE")
    assert shown(warehouse)["stale"] == "true"


def test_a_stream_without_rows_is_never_stale(warehouse):
    """In Snowflake only while somebody consumes it or asks SYSTEM$STREAM_HAS_DATA, as the merge's watcher does."""
    warehouse.rows(NOTHING_KEPT)
    assert shown(warehouse)["stale"] == "false"
    assert warehouse.value("SELECT SYSTEM$STREAM_HAS_DATA('NEW_ROWS')") is False
    warehouse.rows(CONSUME)
    warehouse.rows("INSERT INTO SOURCE VALUES (1)")
    assert shown(warehouse)["stale"] == "true"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("ALTER TABLE SOURCE SET DATA_RETENTION_TIME_IN_DAYS = 91", "invalid value [91]"),
        ("ALTER TABLE SOURCE SET DATA_RETENTION_TIME_IN_DAYS = -1", "invalid value [-1]"),
        ("ALTER TABLE SOURCE SET DATA_RETENTION_TIME_IN_DAYS = 1 CHANGE_TRACKING = TRUE", "CHANGE_TRACKING"),
        ("ALTER TABLE NO_SUCH SET DATA_RETENTION_TIME_IN_DAYS = 1", "NO_SUCH"),
        ("CREATE TABLE T (A INTEGER) DATA_RETENTION_TIME_IN_DAYS = 'x'", "invalid value [x]"),
        ("CREATE TABLE T (A INTEGER) ENABLE_SCHEMA_EVOLUTION = TRUE", "ENABLE_SCHEMA_EVOLUTION"),
        ("CREATE DATABASE D DATA_RETENTION_TIME_IN_DAYS = 0", "CREATE DATABASE ... DATA_RETENTION"),
    ],
)
def test_errors_name_the_cause(warehouse, statement, message):
    assert message in warehouse.error(statement).msg
