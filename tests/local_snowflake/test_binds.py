"""Values that a client binds, names among them, and what describing a statement says."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import snowflake.connector

from include.local.snowflake import bindings, bulk_inserts, errors, identifiers
from include.local.snowflake.statements import parse

pytestmark = pytest.mark.integration

AT = datetime(2026, 1, 1, 5, 0, 0, 250000)  # noqa: DTZ001


@pytest.fixture
def cursor(warehouse):
    """A cursor whose connection binds ``?`` at the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snowflake.connector, "paramstyle", "qmark")
        yield warehouse.connect().cursor()


def test_times_without_a_zone_are_bound_as_they_are(cursor):
    cursor.execute("ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'")
    cursor.execute("CREATE TABLE T (N TIMESTAMP_NTZ, L TIMESTAMP_LTZ, D DATE)")
    cursor.execute("INSERT INTO T VALUES (?, ?, ?)", (AT, AT, AT.date()))
    cursor.execute("INSERT INTO T (N) VALUES (?)", (("TIMESTAMP_NTZ", AT),))
    (first, other) = cursor.execute("SELECT * FROM T").fetchall()
    assert (first[0], first[1].replace(tzinfo=None), first[2]) == (AT, AT, date(2026, 1, 1))
    assert other[0] == AT
    assert cursor.execute("SELECT ?::TIMESTAMP_NTZ", (AT,)).fetchone() == (AT,)
    assert cursor.execute("SELECT TO_TIMESTAMP_NTZ(?)", (1767243600,)).fetchone() == (datetime(2026, 1, 1, 5),)  # noqa: DTZ001


def test_decimals_and_casts_of_binds(cursor):
    assert cursor.execute("SELECT ?, ?::INTEGER", (Decimal("1.25"), "5")).fetchone() == (Decimal("1.25"), 5)


def test_a_bound_name_names_any_object(cursor):
    cursor.execute("CREATE TABLE IDENTIFIER(?) (A INTEGER)", ("T",))
    cursor.execute("INSERT INTO IDENTIFIER(?) VALUES (?)", ("T", 5))
    assert cursor.execute("SELECT A FROM IDENTIFIER(?) WHERE A = ?", ("T", 5)).fetchall() == [(5,)]
    cursor.execute("CREATE STAGE IDENTIFIER(?) URL = 's3://bucket/'", ("LANDING",))
    cursor.execute("SET NAME = 'T'")
    cursor.execute("DROP TABLE IDENTIFIER($NAME)")
    with pytest.raises(snowflake.connector.Error, match="does not exist"):
        cursor.execute("SELECT * FROM T")


def test_many_rows_are_one_insert_of_all_or_none(cursor):
    cursor.execute("CREATE TABLE T (I INTEGER NOT NULL, S STRING, N TIMESTAMP_NTZ, P NUMBER(10, 2))")
    rows = [(number, str(number), AT, Decimal("0.5") if number % 2 else None) for number in range(1000)]
    cursor.executemany("INSERT INTO T (I, S, N, P) VALUES (?, ?, ?, ?)", rows)
    assert cursor.rowcount == 1000
    assert cursor.execute("SELECT COUNT(*), COUNT(P), MAX(I), MIN(N) FROM T").fetchone() == (1000, 500, 999, AT)
    with pytest.raises(snowflake.connector.Error):
        cursor.executemany("INSERT INTO T (I, S) VALUES (?, ?)", [(1, "a"), (None, "b")])
    cursor.executemany("UPDATE T SET S = ? WHERE I = ?", [("x", 1), ("y", 2)])
    assert cursor.execute("SELECT COUNT(*), COUNT_IF(S IN ('x', 'y')) FROM T").fetchone() == (1000, 2)


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ("INSERT INTO T VALUES (?)", ["number of rows inserted"]),
        ("UPDATE T SET A = 1", ["number of rows updated", "number of multi-joined rows updated"]),
        ("DELETE FROM T", ["number of rows deleted"]),
        (
            "MERGE INTO T USING (SELECT 1 AS B) S ON A = B WHEN MATCHED THEN DELETE"
            " WHEN NOT MATCHED THEN INSERT VALUES (B)",
            ["number of rows inserted", "number of rows deleted"],
        ),
        ("DROP TABLE T", ["status"]),
        ("SHOW ROLES LIKE 'NOBODY'", ["created_on", "name"]),
    ],
)
def test_describing_a_statement_names_its_columns_and_changes_nothing(cursor, statement, columns):
    cursor.execute("CREATE TABLE T (A INTEGER)")
    described = [column.name for column in cursor.describe(statement)]
    assert described[: len(columns)] == columns
    assert cursor.execute("SELECT COUNT(*) FROM T").fetchone() == (0,)


def test_describing_a_dml_of_a_missing_table_fails(cursor):
    with pytest.raises(snowflake.connector.Error, match="does not exist"):
        cursor.describe("INSERT INTO MISSING VALUES (1)")


def test_ddl_commits_itself_without_autocommit(warehouse):
    warehouse.connection.autocommit(False)
    warehouse.rows("CREATE TABLE T (A INTEGER)")
    warehouse.rows("INSERT INTO T VALUES (1)")
    warehouse.rows("CREATE TABLE COPIED AS SELECT * FROM T")
    warehouse.rows("ALTER TABLE COPIED RENAME TO RENAMED")
    warehouse.rows("ROLLBACK")
    assert warehouse.rows("SELECT * FROM RENAMED") == [(1,)]
    warehouse.rows("DROP TABLE RENAMED")
    warehouse.rows("INSERT INTO T VALUES (2)")
    warehouse.rows("ROLLBACK")
    assert warehouse.error("SELECT * FROM RENAMED").errno == 2003
    assert warehouse.rows("SELECT * FROM T") == [(1,)]


def test_a_variable_has_the_value_that_it_was_set_to(warehouse):
    warehouse.rows("CREATE TABLE T AS SELECT 3 AS A")
    warehouse.rows("SET LAST = (SELECT MAX(A) FROM T)")
    warehouse.rows("SET (LA, SAID) = (1, 'it''s')")
    warehouse.rows("INSERT INTO T VALUES (9)")
    assert warehouse.rows("SELECT $last, $LA, $SAID, '$LAST', GETVARIABLE('LAST'), GETVARIABLE('NONE')") == [
        (3, 1, "it's", "$LAST", "3", None)
    ]
    warehouse.rows("UNSET LAST")
    error = warehouse.error("SELECT $LAST")
    assert (error.errno, "Session variable '$LAST' does not exist" in error.msg) == (2211, True)


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("CREATE TABLE T (A INTEGER)", 2002),
        ("CREATE VIEW T AS SELECT 1 AS A", 2002),
        ("CREATE SCHEMA {schema}", 2002),
        ("CREATE TABLE U (A INTEGER, a INTEGER)", 2025),
        ("FOO BAR", 1003),
        ("UPDATE T SET", 1003),
    ],
)
def test_errors_have_snowflakes_numbers(warehouse, statement, errno):
    warehouse.rows("CREATE TABLE T (A INTEGER)")
    assert warehouse.error(statement.format(schema=warehouse.schema)).errno == errno


def test_an_argument_of_identifier_is_quoted_whatever_it_holds():
    assert identifiers.resolve("SELECT * FROM IDENTIFIER(?)", ['a"; DROP']) == ('SELECT * FROM "A""; DROP"', None)
    assert identifiers.resolve("SELECT ?, A FROM IDENTIFIER('d.s.t') WHERE B = ?", [1, 2]) == (
        'SELECT ?, A FROM "D"."S"."T" WHERE B = ?',
        [1, 2],
    )
    with pytest.raises(errors.SnowflakeError, match="IDENTIFIER"):
        identifiers.resolve("SELECT * FROM IDENTIFIER(?)", None)


def test_bindings_with_names_are_refused():
    with pytest.raises(errors.SnowflakeError, match="bind variables with names"):
        bindings.row({"a": {"type": "FIXED", "value": "1"}})
    assert bindings.row({"1": {"type": "TIMESTAMP_LTZ", "value": "1767243600000000000"}}) == [
        datetime(2026, 1, 1, 5, tzinfo=UTC)
    ]


def test_rows_of_mixed_types_are_inserted_one_by_one():
    insert = parse("INSERT INTO T VALUES (?, 1)")
    assert bulk_inserts.of(insert, [(1,), (2,)]) is not None
    assert bulk_inserts.of(insert, [(1,), ("a",)]) is None
    assert bulk_inserts.of(insert, [(2**70,)]) is None
    assert bulk_inserts.of(parse("DELETE FROM T WHERE A = ?"), [(1,)]) is None


def test_an_update_with_bound_values_counts_the_rows_that_it_joins_with_several(cursor):
    cursor.execute("CREATE TABLE T AS SELECT 1 AS A, 0 AS B UNION ALL SELECT 2, 0")
    cursor.execute("CREATE TABLE S AS SELECT 1 AS A UNION ALL SELECT 1 UNION ALL SELECT 2")
    cursor.execute("UPDATE T SET B = ? FROM S WHERE T.A = S.A AND S.A < ?", (7, 2))
    assert cursor.fetchall() == [(1, 1)]
    assert cursor.execute("SELECT A, B FROM T ORDER BY A").fetchall() == [(1, 7), (2, 0)]
