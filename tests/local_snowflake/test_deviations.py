"""Differences from Snowflake that belong to no other subject: each is a row of DEVIATIONS.md."""

from __future__ import annotations

from datetime import datetime

import pytest
import snowflake.connector

pytestmark = pytest.mark.integration

NTZ = datetime(2026, 1, 1, 0, 0, 0, 123456)  # noqa: DTZ001


@pytest.fixture
def other_database(warehouse):
    name = f"OTHER_{warehouse.schema}"
    warehouse.rows(f"CREATE DATABASE {name}")
    warehouse.rows(f"CREATE TABLE {name}.PUBLIC.FAR (ID INTEGER)")
    warehouse.rows(f"USE SCHEMA TESTS.{warehouse.schema}")
    yield name
    warehouse.rows(f"DROP DATABASE {name}")


def test_a_warehouse_that_comes_after_the_login_is_used_from_then_on(warehouse):
    name = f"LATER_{warehouse.schema}"
    cursor = warehouse.connect(warehouse=name).cursor()
    warehouse.rows("CREATE TABLE T (ID INTEGER)")
    with pytest.raises(snowflake.connector.Error, match="No active warehouse"):
        cursor.execute("SELECT * FROM T")
    warehouse.rows(f"CREATE WAREHOUSE {name}")
    assert cursor.execute("SELECT * FROM T").fetchall() == []


@pytest.mark.parametrize(
    "statement",
    [
        "GRANT DATABASE ROLE R TO ROLE SYSADMIN",
        "GRANT USAGE ON FUNCTION F TO ROLE SYSADMIN",
        "GRANT USAGE ON DATABASE TESTS TO SHARE S",
        "REVOKE SELECT ON ALL TABLES IN SCHEMA TESTS.PUBLIC FROM ROLE SYSADMIN CASCADE",
        "ALTER USER ADMIN RENAME TO OTHER",
        "CREATE USER U MINS_TO_UNLOCK = 5",
    ],
)
def test_grants_and_users_beyond_these_are_refused(warehouse, statement):
    assert warehouse.error(statement).errno in (2, 1003)


def test_show_roles_lists_all_roles(warehouse):
    warehouse.rows("USE ROLE PUBLIC")
    assert "ACCOUNTADMIN" in {row[1] for row in warehouse.rows("SHOW ROLES")}


def test_information_schema_lists_what_a_role_may_not_see(warehouse):
    warehouse.rows("CREATE TABLE SECRET (ID INTEGER)")
    role = f"NOSY_{warehouse.schema}"
    for statement in (
        f"CREATE ROLE {role}",
        f"GRANT ROLE {role} TO USER ADMIN",
        f"GRANT USAGE ON DATABASE TESTS TO ROLE {role}",
        f"GRANT USAGE ON WAREHOUSE COMPUTE_WH TO ROLE {role}",
        f"USE ROLE {role}",
        "USE SECONDARY ROLES NONE",
    ):
        warehouse.rows(statement)
    listed = "SELECT TABLE_NAME FROM TESTS.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = %s"
    assert warehouse.rows(listed, [warehouse.schema]) == [("SECRET",)]
    assert warehouse.error("SELECT * FROM SECRET").errno == 2003


def test_a_view_reads_its_tables_whoever_owns_it(warehouse):
    role = f"VIEWER_{warehouse.schema}"
    warehouse.rows("CREATE TABLE T (ID INTEGER)")
    warehouse.rows("CREATE VIEW V AS SELECT * FROM T")
    warehouse.rows(f"CREATE ROLE {role}")
    warehouse.rows(f"GRANT OWNERSHIP ON VIEW V TO ROLE {role}")
    warehouse.rows(f"GRANT ROLE {role} TO ROLE SYSADMIN")
    assert warehouse.rows("SELECT * FROM V") == []


def test_text_keeps_its_length_and_times_lose_nanoseconds(warehouse):
    warehouse.rows("CREATE TABLE LOOSE (A VARCHAR(2), AT TIMESTAMP_NTZ(9))")
    warehouse.rows("INSERT INTO LOOSE SELECT 'longer', '2026-01-01 00:00:00.123456789'")
    assert warehouse.rows("SELECT A, AT FROM LOOSE") == [("longer", NTZ)]


def test_a_transaction_in_two_databases_is_refused(warehouse, other_database):
    warehouse.rows("CREATE TABLE NEAR (ID INTEGER)")
    warehouse.rows("BEGIN")
    warehouse.rows("INSERT INTO NEAR VALUES (1)")
    assert "a single transaction" in warehouse.error(f"INSERT INTO {other_database}.PUBLIC.FAR VALUES (1)").msg
    warehouse.rows("ROLLBACK")
    assert warehouse.value("SELECT COUNT(*) FROM NEAR") == 0


def test_a_stream_or_pipe_in_another_database_than_its_table_is_refused(warehouse, other_database):
    stream = f"CREATE STREAM S ON TABLE {other_database}.PUBLIC.FAR APPEND_ONLY = TRUE"
    assert "table is in another database" in warehouse.error(stream).msg
    warehouse.stage()
    pipe = f"CREATE PIPE P AS COPY INTO {other_database}.PUBLIC.FAR FROM (SELECT $1:id::INTEGER FROM @LANDING)"
    assert "table is in another database" in warehouse.error(pipe).msg


def test_information_schema_lacks_some_objects(warehouse):
    assert warehouse.error("SELECT * FROM INFORMATION_SCHEMA.PIPES").errno == 2003
    tables = "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = %s"
    warehouse.rows("CREATE TABLE LASTING (ID INTEGER)")
    warehouse.rows("CREATE TEMPORARY TABLE PASSING (ID INTEGER)")
    assert warehouse.rows(tables, [warehouse.schema]) == [("LASTING",)]


def test_clustering_and_comments_on_columns_are_forgotten(warehouse):
    warehouse.rows("CREATE TABLE TIDY (A INTEGER COMMENT 'what it is') CLUSTER BY (A) DATA_RETENTION_TIME_IN_DAYS = 5")
    warehouse.rows("COMMENT ON COLUMN TIDY.A IS 'what it is'")
    warehouse.rows("ALTER TABLE TIDY SUSPEND RECLUSTER")
    warehouse.rows("ALTER TABLE TIDY RESUME RECLUSTER")
    assert warehouse.error("ALTER TABLE MISSING SUSPEND RECLUSTER").errno == 2003
    warehouse.rows("CREATE TRANSIENT TABLE BRIEF (A INTEGER)")
    cursor = warehouse.connection.cursor().execute("SHOW TABLES LIKE 'TIDY'")
    table = dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))
    assert table["cluster_by"] == ""
    cursor = warehouse.connection.cursor().execute("DESCRIBE TABLE TIDY")
    assert dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))["comment"] is None


@pytest.mark.parametrize(
    "statement",
    [
        "WITH N AS (SELECT 1 AS ID) MERGE INTO T USING N ON T.ID = N.ID WHEN MATCHED THEN DELETE",
        "CREATE VIEW V AS SELECT * FROM NEW_ROWS",
        "SELECT * FROM T AT (OFFSET => -60)",
        "CREATE TABLE PAST CLONE T BEFORE (OFFSET => -60)",
        "ALTER TABLE T SWAP WITH T2",
        "ALTER TABLE T RENAME TO PUBLIC.T",
        "CREATE TEMPORARY TABLE PUBLIC.T (ID INTEGER)",
        "CREATE OR REPLACE SCHEMA {schema}",
        "DROP SCHEMA {schema} RESTRICT",
        "SELECT TO_CHAR(ID, '99.9') FROM T",
        "EXPLAIN SELECT 1",
        "CREATE OR ALTER TABLE T (ID INTEGER, NAME STRING)",
        "CREATE TABLE T2 (ID INTEGER) WITH ROW ACCESS POLICY RP ON (ID)",
        "CREATE TABLE T2 (ID INTEGER) WITH TAG (OWNED_BY = 'her')",
        "CREATE MATERIALIZED VIEW V AS SELECT ID FROM T",
        "CREATE VOLATILE TABLE T2 (ID INTEGER)",
    ],
)
def test_unsupported_features_are_refused(warehouse, statement):
    warehouse.rows("CREATE TABLE T (ID INTEGER)")
    warehouse.rows("INSERT INTO T VALUES (1)")
    warehouse.rows("CREATE STREAM NEW_ROWS ON TABLE T APPEND_ONLY = TRUE")
    error = warehouse.error(statement.format(schema=warehouse.schema))
    assert error.errno == 2
    assert "Unsupported feature of the local Snowflake" in error.msg
    assert warehouse.rows("SELECT ID FROM T") == [(1,)]
