"""Small things that an account does in its own way, and that a laptop would not notice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import snowflake.connector

pytestmark = pytest.mark.integration


# --- reserved words ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE ROWS (ID INTEGER)",
        "CREATE TABLE minus (ID INTEGER)",
        "CREATE TABLE LEFT (ID INTEGER)",
        "CREATE TABLE T (START INTEGER)",
        "CREATE TABLE T (CONSTRAINT INTEGER)",
        "CREATE VIEW TRIGGER AS SELECT 1 AS A",
        "CREATE SCHEMA INCREMENT",
        "CREATE STAGE SAMPLE URL = 's3://x/'",
        "SELECT 1 AS TRIGGER",
        "SELECT START FROM (SELECT 1 AS A)",
        "WITH ROWS AS (SELECT 1 AS A) SELECT A FROM ROWS",
    ],
)
def test_a_reserved_word_is_no_name(warehouse, statement):
    error = warehouse.error(statement)
    assert error.errno == 1003
    assert "unexpected" in error.msg


def test_a_quoted_word_and_one_that_is_not_reserved_are_names(warehouse):
    warehouse.rows('CREATE TABLE "ROWS" ("START" INTEGER, VALUE INTEGER, DATE DATE, TYPE STRING, COMMENT STRING)')
    warehouse.rows("CREATE TABLE ACCOUNT (STATUS STRING, LEVEL INTEGER, KEY STRING)")
    assert warehouse.rows('SELECT "START", VALUE, DATE FROM "ROWS" ORDER BY ROW_NUMBER() OVER (ORDER BY VALUE)') == []


# --- times as text ----------------------------------------------------------------------------------------------------


def test_a_time_as_text_has_three_decimals(warehouse):
    warehouse.rows("ALTER SESSION SET TIMEZONE = 'Asia/Kolkata'")
    warehouse.rows("CREATE TABLE TIMES (N TIMESTAMP_NTZ, L TIMESTAMP_LTZ, D DATE, S STRING)")
    warehouse.rows("""
        INSERT INTO TIMES VALUES
        ('2026-01-01 01:02:03.123456', '2026-01-01 01:02:03.9999', '2026-01-01', 'x'),
        ('1969-12-31', '1969-12-31', NULL, NULL)
    """)
    rows = warehouse.rows("SELECT N::STRING, TO_VARCHAR(L), CAST(D AS VARCHAR), S::STRING FROM TIMES ORDER BY N DESC")
    assert rows == [
        ("2026-01-01 01:02:03.123", "2026-01-01 01:02:03.999 +0530", "2026-01-01", "x"),
        ("1969-12-31 00:00:00.000", "1969-12-31 00:00:00.000 +0530", None, None),
    ]
    warehouse.rows("ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'")
    (row,) = warehouse.rows("SELECT MAX(N)::STRING, TO_CHAR(COALESCE(MAX(L), NULL)), MIN(N)::DATE::STRING FROM TIMES")
    assert row == ("2026-01-01 01:02:03.123", "2025-12-31 11:32:03.999 -0800", "1969-12-31")


def test_a_time_that_becomes_text_by_itself_keeps_its_decimals(warehouse):
    warehouse.rows("CREATE TABLE TIMES (N TIMESTAMP_NTZ, F FLOAT)")
    warehouse.rows("INSERT INTO TIMES VALUES ('2026-01-01 01:02:03.123456', 1)")
    assert warehouse.rows("SELECT 'at ' || N, F || '' FROM TIMES") == [("at 2026-01-01 01:02:03.123456", "1.0")]


def test_a_float_as_text_has_a_point_only_if_it_needs_one(warehouse):
    warehouse.rows("CREATE TABLE FLOATS (F FLOAT, N NUMBER(5, 1))")
    warehouse.rows("INSERT INTO FLOATS VALUES (1, 1), (-12.50, 2.5), (0.1 + 0.2::FLOAT, NULL)")
    rows = warehouse.rows("SELECT F::STRING, TO_VARCHAR(F * 2), N::STRING FROM FLOATS ORDER BY F")
    assert rows == [
        ("-12.5", "-25", "2.5"), ("0.30000000000000004", "0.6000000000000001", None), ("1", "2", "1.0")
    ]  # fmt: skip


# --- SHOW -------------------------------------------------------------------------------------------------------------


def test_show_lists_the_database_unless_it_says_where(warehouse):
    name = f"SCOPE_{warehouse.schema}"
    warehouse.rows(f"CREATE TABLE {name} (ID INTEGER)")
    warehouse.rows(f"CREATE VIEW {name}_V AS SELECT * FROM {name}")
    warehouse.rows(f"CREATE STREAM {name}_S ON TABLE {name} APPEND_ONLY = TRUE")
    warehouse.rows(f"CREATE FILE FORMAT {name}_F TYPE = JSON")
    warehouse.rows(f"CREATE SCHEMA OTHER_{warehouse.schema}")
    warehouse.rows(f"USE SCHEMA OTHER_{warehouse.schema}")
    for kind, pattern in (
        ("TABLES", name),
        ("VIEWS", f"{name}_V"),
        ("STREAMS", f"{name}_S"),
        ("FILE FORMATS", f"{name}_F"),
    ):
        statement = f"SHOW {kind} LIKE '{pattern}'"
        assert len(warehouse.rows(statement)) == 1, statement
        assert len(warehouse.rows(f"{statement} IN ACCOUNT")) == 1, statement
        assert warehouse.rows(f"{statement} IN SCHEMA") == [], statement
        assert len(warehouse.rows(f"{statement} IN SCHEMA {warehouse.schema}")) == 1, statement
    warehouse.rows(f"DROP SCHEMA OTHER_{warehouse.schema}")


# --- COPY -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "feature"),
    [
        ("SHA2($1:truck::STRING)", None),
        ("IFF($1:truck IS NULL, 'none', UPPER(TRIM($1:truck::STRING)))", None),
        ("CASE WHEN $1:truck = 'A' THEN 'a' ELSE NVL($1:truck::STRING, '-') END", None),
        ("INITCAP($1:truck::STRING)", "INITCAP"),
        ("DATEADD('day', 1, $1:at::TIMESTAMP_NTZ)::STRING", "DATEADD"),
        ("MAX($1:truck::STRING)", "MAX"),
        ("ROW_NUMBER() OVER (ORDER BY $1:truck)::STRING", "ROW_NUMBER"),
        ("UUID_STRING()", "UUID_STRING"),
        ("(SELECT 'x')", "simple SELECT"),
    ],
)
def test_a_copy_transforms_with_snowflakes_functions_only(warehouse, expression, feature):
    warehouse.stage()
    copy = f"COPY INTO READINGS (TRUCK) FROM (SELECT {expression} FROM @LANDING)"
    if feature is None:
        warehouse.rows(copy)
    else:
        error = warehouse.error(copy)
        assert error.errno == 1003
        assert feature in error.msg


def test_a_copy_trims_the_side_and_the_characters_that_it_names(warehouse):
    warehouse.stage()
    warehouse.put("1.json.gz", {"truck": "  xA "})
    for expression, truck in (
        ("LTRIM($1:truck)", "xA "),
        ("LTRIM($1:truck::STRING, ' x')", "A "),
        ("RTRIM($1:truck)", "  xA"),
    ):
        warehouse.rows(f"COPY INTO READINGS (TRUCK) FROM (SELECT {expression} FROM @LANDING) FORCE = TRUE")
        assert warehouse.rows("SELECT TRUCK FROM READINGS") == [(truck,)]
        warehouse.rows("DELETE FROM READINGS")


def test_the_times_of_copy_history_are_constants_of_the_last_14_days(warehouse):
    warehouse.stage()
    warehouse.put("one.json", {"truck": "A"})
    warehouse.rows("COPY INTO READINGS (TRUCK) FROM (SELECT $1:truck::STRING FROM @LANDING)")
    history = "SELECT STATUS FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'READINGS', {}))"
    for times in (
        "START_TIME => DATEADD('day', -14, CURRENT_TIMESTAMP())",
        "START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP()), END_TIME => DATEADD('hour', 1, CURRENT_TIMESTAMP())",
        "START_TIME => CURRENT_DATE() - 1",
    ):
        assert warehouse.rows(history.format(times)) == [("Loaded",)], times
    for times in (
        "START_TIME => DATEADD('day', -40, CURRENT_TIMESTAMP())",
        "START_TIME => CURRENT_TIMESTAMP(), END_TIME => '2026-01-01'::TIMESTAMP_LTZ",
    ):
        assert "more than 14 days ago" in warehouse.error(history.format(times)).msg, times
    assert warehouse.error(history.format("START_TIME => (SELECT MIN(AT) FROM READINGS)")).errno == 1015
    cursor = warehouse.connect(paramstyle="qmark").cursor()
    bound = history.format("START_TIME => ?::TIMESTAMP_LTZ")
    assert cursor.execute(bound, (datetime.now(UTC) - timedelta(days=13),)).fetchall() == [("Loaded",)]
    with pytest.raises(snowflake.connector.Error, match="more than 14 days ago"):
        cursor.execute(bound, (datetime.now(UTC) - timedelta(days=15),))


def test_copy_history_lists_a_file_when_its_load_has_ended(warehouse):
    warehouse.stage()
    warehouse.put("bad.json", '{"truck": ', raw=None)
    warehouse.put("good.json", {"truck": "A"})
    warehouse.put("mixed.json", {"truck": "A"}, "{")
    copy = "COPY INTO READINGS (TRUCK) FROM (SELECT $1:truck::STRING FROM @LANDING) ON_ERROR = CONTINUE"
    warehouse.rows(copy)
    rows = warehouse.rows("""
        SELECT FILE_NAME, STATUS FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(
            TABLE_NAME => 'READINGS', START_TIME => DATEADD('hour', -1, CURRENT_TIMESTAMP()))) ORDER BY 1
    """)
    assert rows == [("bad.json", "Load failed"), ("good.json", "Loaded"), ("mixed.json", "Partially loaded")]
