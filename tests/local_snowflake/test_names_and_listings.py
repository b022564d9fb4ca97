"""Copies of tables, quoted names, and what SHOW lists."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from snowflake.connector import DatabaseError

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("how", ["LIKE", "CLONE"])
def test_a_copy_of_a_table_has_its_defaults_and_constraints(warehouse, how):
    warehouse.rows("CREATE TABLE T (ID INTEGER, NAME VARCHAR(5) NOT NULL DEFAULT 'x')")
    warehouse.rows("INSERT INTO T (ID) VALUES (1)")
    warehouse.rows(f"CREATE TABLE COPIED {how} T")
    assert warehouse.rows("SELECT * FROM COPIED") == ([(1, "x")] if how == "CLONE" else [])
    assert warehouse.rows("DESCRIBE TABLE COPIED") == warehouse.rows("DESCRIBE TABLE T")
    warehouse.rows("INSERT INTO COPIED (ID) VALUES (2)")
    assert warehouse.value("SELECT NAME FROM COPIED WHERE ID = 2") == "x"
    assert warehouse.error("INSERT INTO COPIED VALUES (3, NULL)").errno == 100072


@pytest.mark.parametrize("how", ["LIKE", "CLONE"])
def test_a_copy_replaces_a_table_spares_it_or_is_temporary(warehouse, how):
    warehouse.rows("CREATE TABLE T (ID INTEGER, NAME STRING NOT NULL DEFAULT 'x')")
    warehouse.rows("CREATE TABLE COPIED (OTHER INTEGER)")
    warehouse.rows(f"CREATE TABLE IF NOT EXISTS COPIED {how} T")
    assert warehouse.rows("SELECT OTHER FROM COPIED") == []
    warehouse.rows(f"CREATE OR REPLACE TRANSIENT TABLE COPIED {how} T")
    assert warehouse.rows("SELECT ID FROM COPIED") == []
    warehouse.rows(f"CREATE TEMPORARY TABLE PASSING {how} T")
    warehouse.rows("INSERT INTO PASSING (ID) VALUES (1)")
    assert warehouse.rows("SELECT NAME FROM PASSING") == [("x",)]
    assert "its own copy" in warehouse.error(f"CREATE OR REPLACE TABLE T {how} T").msg
    listed = [row[1] for row in warehouse.rows(f"SHOW TABLES IN SCHEMA TESTS.{warehouse.schema}")]
    assert listed == ["COPIED", "T"]
    with warehouse.connect() as other, pytest.raises(DatabaseError):
        other.cursor().execute("SELECT * FROM PASSING")


def test_a_clone_of_a_database_is_refused(warehouse):
    assert "CREATE DATABASE ... CLONE" in warehouse.error("CREATE DATABASE COPY_OF_TESTS CLONE TESTS").msg


def test_the_case_of_a_quoted_name_is_kept(warehouse):
    warehouse.rows('CREATE TABLE "lower" ("a" INTEGER)')
    assert warehouse.rows('SELECT "a" FROM "lower"') == []
    assert [row[1] for row in warehouse.rows(f"SHOW TABLES IN SCHEMA {warehouse.schema}")] == ["lower"]
    assert warehouse.error("SELECT A FROM LOWER").errno == 2003


def test_a_quotation_mark_in_a_name_is_a_letter_like_others(warehouse):
    warehouse.rows('CREATE TABLE "A""B" (ID INTEGER, "C""D" STRING NOT NULL DEFAULT \'x\')')
    assert [row[1] for row in warehouse.rows(f"SHOW TABLES IN SCHEMA {warehouse.schema}")] == ['A"B']
    warehouse.rows('CREATE STREAM S ON TABLE "A""B" APPEND_ONLY = TRUE')
    warehouse.rows('INSERT INTO IDENTIFIER(\'"A""B"\') (ID) VALUES (1)')
    warehouse.rows('DELETE FROM "A""B"')
    assert warehouse.rows('SELECT ID, "C""D" FROM S') == [(1, "x")]
    warehouse.rows('CREATE TABLE "E""F" LIKE "A""B"')
    warehouse.rows('DROP TABLE "A""B"')
    assert [row[1] for row in warehouse.rows(f"SHOW TABLES IN SCHEMA {warehouse.schema}")] == ['E"F']


@pytest.mark.parametrize("name", ['DATABASE "A""B"', 'SCHEMA "A""B"', 'SCHEMA "A\'B"', 'TABLE "A\'B" (ID INTEGER)'])
def test_quotation_marks_in_names_that_are_refused(warehouse, name):
    assert warehouse.error(f"CREATE {name}").errno == 2
    assert warehouse.rows(f"SHOW TABLES IN SCHEMA {warehouse.schema}") == []
    assert warehouse.rows("SHOW SCHEMAS LIKE 'A%B' IN DATABASE TESTS") == []


def names(cursor):
    index = [column.name for column in cursor.description].index("name")
    return [row[index] for row in cursor.fetchall()]


@pytest.mark.parametrize(
    ("clause", "found"),
    [
        ("TABLES LIKE 'a%'", ["AB", "AC"]),
        ("TABLES STARTS WITH 'AB'", ["AB"]),
        ("TABLES STARTS WITH 'a'", []),
        ("TABLES LIMIT 1 FROM 'AB'", ["AC"]),
        ("VIEWS LIKE '%'", ["AV"]),
        ("SEQUENCES LIKE 'zz'", []),
        ("SCHEMAS LIKE '{schema}'", ["{schema}"]),
        ("SCHEMAS STARTS WITH 'NO SUCH'", []),
        ("DATABASES LIKE 'TEST_'", ["TESTS"]),
    ],
)
def test_show_heeds_its_clauses(warehouse, clause, found):
    for statement in ("CREATE TABLE AB (A INTEGER)", "CREATE TABLE AC (A INTEGER)", "CREATE SEQUENCE AS_S"):
        warehouse.rows(statement)
    warehouse.rows("CREATE VIEW AV AS SELECT A FROM AB")
    scope = "" if clause.startswith(("SCHEMAS", "DATABASES")) else f" IN SCHEMA TESTS.{warehouse.schema}"
    kind, _, rest = clause.partition(" ")
    # IN comes between LIKE and STARTS WITH.
    text = f"SHOW {clause}{scope}" if rest.startswith("LIKE") else f"SHOW {kind}{scope} {rest}"
    cursor = warehouse.connection.cursor().execute(text.format(schema=warehouse.schema))
    assert names(cursor) == [name.format(schema=warehouse.schema) for name in found]


def test_show_tables_counts_rows_and_knows_when_a_table_was_created(warehouse):
    warehouse.rows("CREATE TABLE T AS SELECT 1 AS A UNION ALL SELECT 2")
    warehouse.rows("CREATE VIEW V AS SELECT A FROM T")
    cursor = warehouse.connection.cursor().execute(f"SHOW TABLES LIKE 'T' IN SCHEMA TESTS.{warehouse.schema}")
    table = dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))
    assert table["rows"] == 2
    assert timedelta(0) <= datetime.now(UTC) - table["created_on"] < timedelta(minutes=5)
    cursor = warehouse.connection.cursor().execute(f"SHOW OBJECTS LIKE 'V' IN SCHEMA TESTS.{warehouse.schema}")
    view = dict(zip([column.name for column in cursor.description], cursor.fetchone(), strict=True))
    assert (view["kind"], view["rows"]) == ("VIEW", None)


def test_show_history_is_refused(warehouse):
    assert "HISTORY" in warehouse.error("SHOW TABLES HISTORY").msg


@pytest.mark.parametrize("clause", ["STARTS WITH 'A'", "LIMIT 1"])
def test_clauses_of_show_that_are_refused(warehouse, clause):
    assert f"{clause.rpartition(' ')[0]} in SHOW STREAMS" in warehouse.error(f"SHOW STREAMS {clause}").msg


def test_show_warehouses_has_the_documented_columns(warehouse):
    cursor = warehouse.connection.cursor().execute("SHOW WAREHOUSES LIKE 'COMPUTE_WH'")
    columns = [column.name for column in cursor.description]
    assert columns[:11] == ["name", "state", "type", "size", "min_cluster_count", "max_cluster_count",
                            "started_clusters", "running", "queued", "is_default", "is_current"]  # fmt: skip
    assert len(columns) == 34
    shown = dict(zip(columns, cursor.fetchone(), strict=True))
    assert (shown["running"], shown["max_cluster_count"], shown["auto_resume"], shown["is_current"]) == (
        0, 1, "true", "Y"
    )  # fmt: skip
    assert cursor.execute("SHOW WAREHOUSES LIKE 'NO_SUCH'").fetchall() == []
    assert [column.name for column in cursor.description] == columns
