"""Everyday statements, as Snowflake answers them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER SESSION SET QUERY_TAG = 'x'",
        "CREATE RESOURCE MONITOR IF NOT EXISTS LIMIT_IT WITH CREDIT_QUOTA = 1 TRIGGERS ON 90 PERCENT DO SUSPEND",
    ],
)
def test_listed_no_ops_are_accepted(warehouse, statement):
    assert warehouse.rows(statement) is not None


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TASK T AS SELECT 1",
        "CALL SOMETHING()",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "BEGIN LET X := 1; END",
        "CREATE FUNCTION F() RETURNS INT AS '1'",
        "CREATE TEMPORARY STAGE S URL = 's3://x/'",
        "CREATE STAGE S",
        "CREATE FILE FORMAT F TYPE = CSV",
        "CREATE FILE FORMAT F TYPE = JSON STRIP_OUTER_ARRAY = TRUE",
        "ALTER SESSION SET TIMESTAMP_OUTPUT_FORMAT = 'YYYY'",
        "SELECT SYSTEM$TYPEOF(1)",
        "PUT file:///tmp/x @%T",
        "REMOVE @~",
    ],
)
def test_a_refusal_names_the_feature(warehouse, statement):
    error = warehouse.error(statement)
    assert error.errno in (2, 8, 1003), error.msg
    assert error.msg


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ("SELEC 1", 1003),
        ("SELECT * FROM NO_SUCH_TABLE", 2003),
        ("SELECT NO_SUCH_COLUMN FROM (SELECT 1 AS A)", 904),
        ("SELECT 'x'::INTEGER", 100038),
        ("", 900),
        ("SELECT 1; SELECT 2", 8),
        ("DROP TABLE NO_SUCH_TABLE", 2003),
    ],
)
def test_errors_are_answers(warehouse, statement, errno):
    if statement:
        assert warehouse.error(statement).errno == errno
    assert warehouse.value("SELECT 1") == 1


def test_warehouse_and_integration_are_recorded(warehouse):
    warehouse.rows("CREATE WAREHOUSE IF NOT EXISTS SMALL_WH WITH WAREHOUSE_SIZE = XSMALL AUTO_SUSPEND = 60")
    warehouse.rows("USE WAREHOUSE SMALL_WH")
    assert warehouse.value("SELECT CURRENT_WAREHOUSE()") == "SMALL_WH"
    assert [row[0] for row in warehouse.rows("SHOW WAREHOUSES LIKE 'small%'")] == ["SMALL_WH"]
    name = f"INTEGRATION_{warehouse.schema}"
    create = (
        f"CREATE {{}} STORAGE INTEGRATION {{}} {name} TYPE = EXTERNAL_STAGE STORAGE_PROVIDER = 'S3' ENABLED = TRUE"
        " STORAGE_AWS_ROLE_ARN = 'arn:aws:iam::1:role/r' STORAGE_ALLOWED_LOCATIONS = ('s3://allowed/here/')"
    )
    warehouse.rows(create.format("", "IF NOT EXISTS"))

    def described():
        return {row[0]: row[2] for row in warehouse.rows(f"DESC INTEGRATION {name}")}

    before = described()
    assert before["STORAGE_AWS_IAM_USER_ARN"].startswith("arn:aws:iam::")
    assert before["STORAGE_AWS_ROLE_ARN"] == "arn:aws:iam::1:role/r"
    warehouse.rows(create.format("", "IF NOT EXISTS"))
    assert described() == before
    warehouse.rows(create.format("OR REPLACE", ""))
    assert described()["STORAGE_AWS_EXTERNAL_ID"] != before["STORAGE_AWS_EXTERNAL_ID"]
    warehouse.rows(f"CREATE STAGE FINE URL = 's3://allowed/here/x/' STORAGE_INTEGRATION = {name}")
    error = warehouse.error(f"CREATE STAGE WRONG URL = 's3://other/' STORAGE_INTEGRATION = {name}")
    assert "not allowed by integration" in error.msg
    for url in ("s3://allowed/here-not/", "s3://allowed/here/secret/x/", "s3://allowed/here/secret"):
        warehouse.rows(
            f"ALTER STORAGE INTEGRATION {name} SET STORAGE_BLOCKED_LOCATIONS = ('s3://allowed/here/secret/')"
        )
        error = warehouse.error(f"CREATE STAGE WRONG URL = '{url}' STORAGE_INTEGRATION = {name}")
        assert "not allowed by integration" in error.msg
    warehouse.rows(f"ALTER STORAGE INTEGRATION {name} UNSET STORAGE_BLOCKED_LOCATIONS")
    warehouse.rows(f"ALTER STORAGE INTEGRATION {name} SET ENABLED = FALSE")
    assert (
        "not enabled"
        in warehouse.error(f"CREATE STAGE WRONG URL = 's3://allowed/here/' STORAGE_INTEGRATION = {name}").msg
    )
    warehouse.rows("CREATE TABLE T (A STRING)")
    copy = "COPY INTO T FROM (SELECT $1:a FROM @FINE) FILE_FORMAT = (TYPE = JSON)"
    assert "not enabled" in warehouse.error(copy).msg
    assert [row[1] for row in warehouse.rows("SHOW STAGES IN SCHEMA")] == ["FINE"]
    warehouse.rows("DROP STAGE FINE")
    warehouse.rows(f"DROP INTEGRATION {name}")
    assert warehouse.error(f"DESC INTEGRATION {name}").errno == 2003


def test_primary_key_is_recorded_and_not_enforced_but_not_null_is(warehouse):
    warehouse.rows(
        "CREATE TABLE KEYED (ID INTEGER NOT NULL PRIMARY KEY, A STRING UNIQUE, CONSTRAINT U UNIQUE (A) NOT ENFORCED)"
    )
    warehouse.rows("INSERT INTO KEYED VALUES (1, 'a'), (1, 'a')")
    assert warehouse.value("SELECT COUNT(*) FROM KEYED") == 2
    assert "NOT NULL" in warehouse.error("INSERT INTO KEYED VALUES (NULL, 'a')").msg


def test_values_come_back_as_they_went_in(warehouse):
    warehouse.rows(
        "CREATE TABLE KINDS (I INTEGER, F FLOAT, S STRING, B BOOLEAN, D DATE, N TIMESTAMP_NTZ, L TIMESTAMP_LTZ, "
        "P NUMBER(10, 2), V VARIANT)"
    )
    warehouse.rows(
        "INSERT INTO KINDS SELECT 7, 1.5, 'ü', TRUE, '2026-11-22', '1969-12-31 23:59:59.999999', "
        "'2026-11-22 10:00:00+00:00', 12.34, PARSE_JSON('{\"a\": 1}')"
    )
    warehouse.rows("INSERT INTO KINDS SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL")
    full, empty = warehouse.rows("SELECT * FROM KINDS ORDER BY I NULLS LAST")
    assert full[:6] == (7, 1.5, "ü", True, date(2026, 11, 22), datetime(1969, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001
    assert full[6] == datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert full[6].utcoffset() == timedelta(hours=-8)
    assert full[7] == Decimal("12.34")
    assert '"a"' in full[8]
    assert empty == (None,) * 9


def test_text_with_an_offset_loses_it_as_a_timestamp_ntz(warehouse):
    text = "'2026-11-22 10:00:00+02:00'"
    warehouse.rows("CREATE TABLE PLAIN (AT TIMESTAMP_NTZ)")
    warehouse.rows(f"INSERT INTO PLAIN SELECT {text}")
    expected = datetime(2026, 11, 22, 10)  # noqa: DTZ001
    assert warehouse.rows(f"SELECT AT, {text}::TIMESTAMP_NTZ FROM PLAIN") == [(expected, expected)]


def test_times_are_formatted(warehouse):
    warehouse.rows("CREATE TABLE TIMES AS SELECT '2026-11-22 09:08:07.123456'::TIMESTAMP_NTZ AS AT")
    found = warehouse.rows(
        """SELECT TO_CHAR(AT, 'YYYY-MM-DD"T"HH24:MI:SS.FF6'), TO_VARCHAR(AT, 'DD.MM.YY (%)'),
                  TO_CHAR(AT, 'HH24:MI:SS.FF3'), TO_CHAR('2026-11-22 09:08:07'::TIMESTAMP_NTZ, 'DD MON') FROM TIMES"""
    )
    assert found == [("2026-11-22T09:08:07.123456", "22.11.26 (%)", "09:08:07.123", "22 Nov")]


def test_hash_and_big_sums_fit(warehouse):
    hashed, total = warehouse.rows("SELECT MAX(HASH(COLUMN1)), SUM(COLUMN1) FROM VALUES (1), (2), (3), (4)")[0]
    assert isinstance(hashed, int)
    assert total == 10


def test_try_cast_to_a_timestamp_is_null_where_cast_raises(warehouse):
    texts = "VALUES ('2026-11-22T14:00:00.000001'), ('yesterday'), (NULL)"
    found = warehouse.rows(f"SELECT TRY_CAST(COLUMN1 AS TIMESTAMP_NTZ) FROM {texts}")
    assert found == [(datetime(2026, 11, 22, 14, 0, 0, 1),), (None,), (None,)]  # noqa: DTZ001
    assert "yesterday" in warehouse.error(f"SELECT CAST(COLUMN1 AS TIMESTAMP_NTZ) FROM {texts}").msg


def test_the_account_is_in_los_angeles_and_sysdate_is_utc(warehouse):
    local, utc, converted = warehouse.rows(
        "SELECT CURRENT_TIMESTAMP()::TIMESTAMP_NTZ, SYSDATE(),"
        " CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP())::TIMESTAMP_NTZ"
    )[0]
    assert timedelta(hours=6) < utc - local < timedelta(hours=9)
    assert abs(converted - utc) < timedelta(seconds=5)
    assert abs(utc - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=1)
    warehouse.rows("ALTER SESSION SET TIMEZONE = 'UTC'")
    assert warehouse.value("SELECT ABS(DATEDIFF(SECOND, CURRENT_TIMESTAMP()::TIMESTAMP_NTZ, SYSDATE()))") < 5
    assert "TIMEZONE" in warehouse.error("ALTER SESSION SET TIMEZONE = 'Mars/Base'").msg


def test_binds_in_both_styles(warehouse):
    moment = datetime(2026, 11, 22, 10, 0, 0, 5)  # noqa: DTZ001
    row = warehouse.rows("SELECT %(n)s + 1, %(text)s, %(at)s::TIMESTAMP_NTZ", {"n": 1, "text": "it's", "at": moment})
    assert row == [(2, "it's", moment)]
    cursor = warehouse.connect(paramstyle="qmark").cursor()
    cursor.execute("CREATE TABLE BOUND (A INTEGER, B FLOAT, C STRING)")
    cursor.execute("INSERT INTO BOUND VALUES (?, ?, ?)", (1, 1.5, None))
    cursor.executemany("INSERT INTO BOUND VALUES (?, ?, ?)", [(2, 2.5, "b"), (3, 3.5, "c")])
    assert cursor.rowcount == 2
    assert cursor.execute("SELECT * FROM BOUND WHERE B > ? ORDER BY A", (2,)).fetchall() == [
        (2, 2.5, "b"),
        (3, 3.5, "c"),
    ]


def test_a_bound_value_stays_where_it_was_written(warehouse):
    """Translations repeat the arguments of some functions, and reorder those of others."""
    cursor = warehouse.connect(paramstyle="qmark").cursor()
    statement = (
        "WITH ROWS_ AS (SELECT ? AS FIRST_, TIME_SLICE(?::TIMESTAMP_NTZ, 60, 'SECOND') AS SLICE_)"
        " SELECT FIRST_, SLICE_, DATEDIFF('MINUTE', TO_TIMESTAMP_NTZ(?), TO_TIMESTAMP_NTZ(?)), NVL2(?, ?, ?), ?"
        " FROM ROWS_"
    )
    for minute in (1, 2):
        texts = ("a", f"2026-11-22 10:0{minute}:07", "2026-11-22T10:00:00", f"2026-11-22T10:0{minute}:00")
        # The second time, the translation of the first one serves.
        row = cursor.execute(statement, (*texts, "b", "c", "d", "e")).fetchone()
        assert row == ("a", datetime(2026, 11, 22, 10, minute), minute, "c", "e")  # noqa: DTZ001


def test_a_comment_after_the_semicolon(warehouse):
    assert warehouse.rows("SELECT 1; -- that was it\n") == [(1,)]
    assert warehouse.rows("/* before */ SELECT 2 -- and after") == [(2,)]


def test_create_is_re_runnable(warehouse):
    for _ in range(2):
        warehouse.rows("CREATE DATABASE IF NOT EXISTS TESTS COMMENT = 'x'")
        warehouse.rows("CREATE SCHEMA IF NOT EXISTS TESTS.AGAIN")
        warehouse.rows(
            "CREATE TABLE IF NOT EXISTS TESTS.AGAIN.T (A INTEGER DEFAULT 5, AT TIMESTAMP_NTZ DEFAULT SYSDATE())"
        )
    assert warehouse.error("CREATE DATABASE TESTS").errno == 2002
    warehouse.rows("INSERT INTO TESTS.AGAIN.T (A) VALUES (1)")
    assert warehouse.value("SELECT COUNT(*) FROM TESTS.AGAIN.T WHERE AT IS NOT NULL") == 1


def test_use_and_unqualified_names(warehouse):
    warehouse.rows("CREATE SCHEMA IF NOT EXISTS TESTS.OTHER_ONE")
    warehouse.rows("USE SCHEMA TESTS.OTHER_ONE")
    assert warehouse.rows("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == [("TESTS", "OTHER_ONE")]
    warehouse.rows("USE DATABASE TESTS")
    assert warehouse.error("USE SCHEMA NO_SUCH").errno == 2003
    assert warehouse.error("USE DATABASE NO_SUCH").errno == 2003


def test_login_to_a_database_that_comes_later(warehouse):
    """As a first provisioning does: its connection names the schema that it is about to create."""
    connection = warehouse.connect(schema="LATER")
    cursor = connection.cursor()
    cursor.execute("CREATE SCHEMA TESTS.LATER")
    cursor.execute("CREATE TABLE HERE (A INTEGER)")
    assert cursor.execute("SELECT COUNT(*) FROM TESTS.LATER.HERE").fetchone() == (0,)


def test_insert_overwrite_replaces_in_one_transaction(warehouse):
    warehouse.rows("CREATE TABLE REPLACED (A INTEGER NOT NULL)")
    warehouse.rows("INSERT INTO REPLACED VALUES (1), (2)")
    warehouse.error("INSERT OVERWRITE INTO REPLACED SELECT NULL")
    assert warehouse.value("SELECT COUNT(*) FROM REPLACED") == 2
    warehouse.rows("INSERT OVERWRITE INTO REPLACED SELECT 9")
    assert warehouse.rows("SELECT A FROM REPLACED") == [(9,)]


def test_the_same_text_is_translated_for_the_present_context(warehouse):
    """Translations are kept under the statement's text and everything else that they depend on."""
    query = "SELECT *, CURRENT_SCHEMA(), $said FROM SAME"
    warehouse.rows("SET said = 'a'")
    warehouse.rows("CREATE TABLE SAME AS SELECT 1 AS A")
    assert warehouse.rows(query) == [(1, warehouse.schema, "a")]
    warehouse.rows("SET said = 'b'")
    warehouse.rows("ALTER TABLE SAME ADD COLUMN B STRING DEFAULT 'new'")
    assert warehouse.rows(query) == [(1, "new", warehouse.schema, "b")]
    warehouse.rows("DROP TABLE SAME")
    assert warehouse.error(query).errno == 2003
    warehouse.rows(f"CREATE SCHEMA {warehouse.schema}_ELSEWHERE")  # and is in it
    warehouse.rows("CREATE TABLE SAME AS SELECT 3 AS A")
    assert warehouse.rows(query) == [(3, f"{warehouse.schema}_ELSEWHERE", "b")]


def test_the_same_text_reads_a_stream_then_the_table_that_takes_its_name(warehouse):
    query = "SELECT A FROM NEWS"
    warehouse.rows("CREATE TABLE READ_ALL (A INTEGER)")
    warehouse.rows("CREATE STREAM NEWS ON TABLE READ_ALL APPEND_ONLY = TRUE")
    for number in (1, 2):
        warehouse.rows(f"INSERT INTO READ_ALL VALUES ({number})")
        assert warehouse.rows(query)[-1] == (number,)
    warehouse.rows("DROP STREAM NEWS")
    assert warehouse.error(query).errno == 2003
    warehouse.rows("CREATE TABLE NEWS AS SELECT 9 AS A")
    assert warehouse.rows(query) == [(9,)]


def test_the_same_text_with_other_values_bound_to_it_reads_another_table(warehouse):
    warehouse.rows("CREATE TABLE ONE AS SELECT 1 AS A")
    warehouse.rows("CREATE TABLE TWO AS SELECT 2 AS A")
    cursor = warehouse.connect(paramstyle="qmark").cursor()
    for name, value in (("ONE", 1), ("TWO", 2)):
        assert cursor.execute("SELECT A FROM IDENTIFIER(?) WHERE A < ?", (name, 5)).fetchall() == [(value,)]


def test_rows_that_an_update_joins_with_several_are_counted(warehouse):
    warehouse.rows("CREATE TABLE T (ID INTEGER, V INTEGER)")
    warehouse.rows("CREATE TABLE S (ID INTEGER, V INTEGER, KIND INTEGER)")
    warehouse.rows("CREATE TABLE KINDS (KIND INTEGER)")
    warehouse.rows("INSERT INTO T VALUES (1, 0), (2, 0), (3, 0)")
    warehouse.rows("INSERT INTO S VALUES (1, 10, 1), (1, 10, 1), (2, 20, 1), (2, 20, 2), (4, 40, 1)")
    warehouse.rows("INSERT INTO KINDS VALUES (1)")
    assert warehouse.rows("UPDATE T SET V = S.V FROM S WHERE T.ID = S.ID") == [(2, 2)]
    update = "UPDATE T AS X SET V = S.V + %s FROM S JOIN KINDS ON S.KIND = KINDS.KIND WHERE X.ID = S.ID AND S.V < %s"
    assert warehouse.rows(update, (1, 30)) == [(2, 1)]
    assert warehouse.rows("UPDATE T SET V = V + 1") == [(3, 0)]
    assert warehouse.rows("SELECT ID, V FROM T ORDER BY ID") == [(1, 12), (2, 22), (3, 1)]
