"""What somebody types into a worksheet: each statement answers as an account does, or is refused by name."""

from __future__ import annotations

from datetime import datetime

import pytest

from include.local.snowflake.instance import Instance
from tests.local_snowflake.person import Person


@pytest.fixture(scope="module")
def instance(tmp_path_factory):
    instance = Instance(tmp_path_factory.mktemp("worksheet"))
    yield instance
    instance.close()


@pytest.fixture(scope="module")
def person(instance):
    person = Person(instance)
    person.rows("CREATE DATABASE D", "CREATE SCHEMA S")
    return person


@pytest.fixture(scope="module")
def documents(person):
    """T, which no test changes."""
    person.rows(
        "CREATE TABLE T (ID INTEGER, NAME VARCHAR, V VARIANT)",
        """INSERT INTO T SELECT 1, 'a', PARSE_JSON('{"x": [1, null, "y"]}') UNION ALL SELECT 2, 'b', PARSE_JSON('"z"')
        UNION ALL SELECT 3, NULL, NULL""",
    )
    return person


# --- VARIANT ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("V || '!'", "z!"),
        ("CONCAT(V, '!')", "z!"),
        ("V::STRING", "z"),
        ("TO_VARCHAR(V)", "z"),
        ("UPPER(V)", "Z"),
        ("V = 'z' AND V LIKE 'z%'", True),
        ("V = 'y'", False),
    ],
)
def test_a_column_is_known_to_be_a_variant(documents, expression, value):
    assert documents.rows(f"SELECT {expression} FROM T WHERE ID = 2") == [(value,)]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("TRIM('xax', 'x')", "a"),
        ("LTRIM('xxax', 'x')", "ax"),
        ("RTRIM('axyx', 'yx')", "a"),
        ("LTRIM('  a ')", "a "),
        ("RTRIM(' a  ')", " a"),
        ("TRIM(' a' || CHR(160))", "a\xa0"),
        ("RTRIM(5.50, 0)", "5.5"),
        ('LTRIM(PARSE_JSON(\'{"a": " b "}\'):a)', "b "),
    ],
)
def test_trimming_heeds_its_side_and_its_characters(person, expression, value):
    assert person.rows(f"SELECT {expression}") == [(value,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT W || '!' FROM (SELECT V AS W, ID FROM T) WHERE ID = 2",
        "WITH C AS (SELECT * FROM T) SELECT C.V || '!' FROM C WHERE ID = 2",
        "SELECT X.V || '!' FROM T AS X INNER JOIN (SELECT 2 AS ID) AS Y ON X.ID = Y.ID",
        "SELECT W || '!' FROM DOCUMENTS WHERE ID = 2",
    ],
)
def test_it_is_known_in_a_query_around_it(documents, query):
    documents.rows("CREATE OR REPLACE VIEW DOCUMENTS AS SELECT V AS W, ID FROM T")
    assert documents.rows(query) == [("z!",)]


def test_a_text_keeps_its_quotes_and_a_new_table_its_new_types(documents):
    query = "SELECT V || '!' FROM KEPT"
    documents.rows("CREATE OR REPLACE TABLE KEPT AS SELECT '\"q\"' AS V")
    assert documents.rows(query) == [('"q"!',)]
    documents.rows("CREATE OR REPLACE TABLE KEPT AS SELECT PARSE_JSON('\"q\"') AS V")
    assert documents.rows(query) == [("q!",)]
    documents.rows("CREATE TEMPORARY TABLE OWN AS SELECT PARSE_JSON('\"q\"') AS V")
    assert documents.rows("SELECT V || '!' FROM OWN") == [("q!",)]


def test_the_order_of_a_column_of_variants_is_refused_and_that_of_an_alias_is_not(documents):
    assert documents.refusal("SELECT V FROM T ORDER BY V") == 2
    assert documents.refusal("SELECT MAX(V) FROM T") == 2
    assert documents.rows("SELECT V::STRING AS V FROM T WHERE ID = 2 ORDER BY V") == [("z",)]


# --- arrays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("ARRAY_AGG(NAME) WITHIN GROUP (ORDER BY NAME DESC)", '["b","a"]'),
        ("ARRAY_AGG(IFF(ID > 9, NAME, NULL))", "[]"),
        ("ARRAY_TO_STRING(ARRAY_AGG(NAME) WITHIN GROUP (ORDER BY ID), ',')", "a,b"),
        ("MIN(ARRAY_TO_STRING(ARRAY_CONSTRUCT(1, NULL, 'a'), '-'))", "1--a"),
        ("ARRAY_TO_STRING(MIN_BY(V:x, ID), '-')", "1--y"),
        ("MIN(ARRAY_TO_STRING(SPLIT('a,b', ','), '-'))", "a-b"),
        ("LISTAGG(DISTINCT NAME, '+') WITHIN GROUP (ORDER BY NAME DESC)", "b+a"),
        ("LISTAGG(NAME)", "ab"),
    ],
)
def test_arrays_are_aggregated_without_nulls_and_joined(documents, expression, value):
    assert documents.rows(f"SELECT {expression} FROM T") == [(value,)]


# --- DML, functions --------------------------------------------------------------------------------------------------


def test_insert_overwrite_may_read_its_own_table(documents):
    documents.rows("CREATE TABLE OWN_ROWS AS SELECT ID, NAME FROM T")
    documents.rows("INSERT OVERWRITE INTO OWN_ROWS SELECT * FROM OWN_ROWS WHERE ID < 3")
    assert documents.rows("SELECT ID FROM OWN_ROWS ORDER BY ID") == [(1,), (2,)]
    documents.rows("CREATE VIEW LATER AS SELECT ID + 1 AS ID, NAME FROM OWN_ROWS")
    documents.rows("INSERT OVERWRITE INTO OWN_ROWS (NAME, ID) SELECT NAME, ID FROM LATER")
    assert documents.rows("SELECT ID, NAME FROM OWN_ROWS ORDER BY ID") == [(2, "a"), (3, "b")]


def test_convert_timezone_of_two_arguments_begins_in_the_sessions(person):
    person.rows("ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'")
    berlin = "SELECT CONVERT_TIMEZONE('Europe/Berlin', '2026-01-01 10:00:00'::{})::TIMESTAMP_NTZ"
    for kind in ("TIMESTAMP_NTZ", "TIMESTAMP_LTZ"):
        assert person.rows(berlin.format(kind)) == [(datetime(2026, 1, 1, 19),)]  # noqa: DTZ001


def test_last_query_id_is_that_of_the_statement_before(person):
    result = person.session.execute("SELECT 1")
    assert person.rows("SELECT LAST_QUERY_ID()") == [(result.query_id,)]
    assert person.rows("SELECT LAST_QUERY_ID(-2)") == [(result.query_id,)]
    assert person.refusal("SELECT LAST_QUERY_ID(1)") == 2


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT COUNT(*) FROM TABLE(GENERATOR(TIMELIMIT => 1))",
        'SHOW TABLES ->> SELECT "name" FROM $1',
        "SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))",
        "SELECT * FROM T AT (OFFSET => -60)",
        "SELECT * FROM T MATCH_RECOGNIZE (ORDER BY ID MEASURES FIRST(ID) AS F PATTERN (X+) DEFINE X AS ID > 0)",
        "COPY INTO @LANDING FROM T",
        "SELECT * FROM TABLE('T')",
    ],
)
def test_statements_that_are_refused_by_name(documents, statement):
    assert documents.refusal(statement) == 2


# --- names that differ by case only ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        'CREATE TABLE "t" (A INTEGER)',
        'CREATE OR REPLACE TABLE "t" (A INTEGER)',
        'CREATE TABLE IF NOT EXISTS "t" (A INTEGER)',
        'CREATE TEMPORARY TABLE "t" (A INTEGER)',
        'CREATE OR REPLACE VIEW "t" AS SELECT 1 AS A',
        'ALTER TABLE T RENAME TO "t"',
        'ALTER TABLE T ADD COLUMN "id" INTEGER',
        'ALTER TABLE T RENAME COLUMN NAME TO "id"',
        'CREATE SCHEMA "s"',
        'CREATE DATABASE "d"',
        'CREATE TABLE PAIR ("a" INTEGER, A INTEGER)',
        'SELECT 1 AS "a", 2 AS A',
        'SELECT "a", "A" FROM (SELECT 1 AS "a", 2 AS "A")',
    ],
)
def test_a_second_name_that_differs_by_case_only_is_refused(documents, statement):
    assert documents.refusal(statement) == 2
    assert documents.rows("SELECT COUNT(*) FROM T") == [(3,)]


@pytest.mark.parametrize(
    ("statement", "errno"),
    [
        ('SELECT * FROM "t"', 2003),
        ('DROP TABLE "t"', 2003),
        ('DELETE FROM "t"', 2003),
        ('INSERT INTO "t" VALUES (1, NULL, NULL)', 2003),
        ('DROP SCHEMA "s"', 2003),
        ("SELECT * FROM LOWER_T", 2003),
        ('SELECT "id" FROM T', 904),
        ('SELECT COLUMN_A FROM "lower_t"', 904),
        ('UPDATE T SET "id" = 1', 904),
        ('INSERT INTO T ("id") VALUES (1)', 904),
    ],
)
def test_a_name_with_other_letters_does_not_exist(documents, statement, errno):
    documents.rows('CREATE TABLE IF NOT EXISTS "lower_t" ("column_a" INTEGER)')
    assert documents.refusal(statement) == errno
    assert documents.rows("SELECT COUNT(*) FROM T") == [(3,)]


def test_quoted_names_are_aliases_too(documents):
    assert documents.rows('SELECT "id" FROM (SELECT ID AS "id" FROM T) ORDER BY "id"') == [(1,), (2,), (3,)]
    documents.rows('CREATE OR REPLACE TABLE "lower_u" ("a" INTEGER, B INTEGER)')
    documents.rows('INSERT INTO "lower_u" ("a", B) VALUES (1, 2)', 'UPDATE "lower_u" SET "a" = B + "a"')
    assert documents.rows('SELECT U."a", B FROM "lower_u" AS U') == [(3, 2)]


@pytest.mark.parametrize("copy", ["LIKE", "CLONE"])
def test_a_temporary_table_that_is_there_is_not_made_a_copy(person, copy):
    person.rows(
        "CREATE OR REPLACE TABLE ORIGINAL (ID INTEGER NOT NULL, NAME VARCHAR DEFAULT 'new')",
        "CREATE OR REPLACE TEMPORARY TABLE KEPT (ID INTEGER, NAME VARCHAR)",
        f"CREATE TEMPORARY TABLE IF NOT EXISTS KEPT {copy} ORIGINAL",
        "INSERT INTO KEPT (ID) VALUES (NULL)",
    )
    assert person.rows("SELECT * FROM KEPT") == [(None, None)]
    person.rows("DROP TABLE KEPT", "DROP TABLE ORIGINAL")


@pytest.mark.parametrize("role", ["ACCOUNTADMIN", "CLERK"])
@pytest.mark.parametrize(
    "columns",
    [
        "(ID INTEGER PRIMARY KEY, BOSS INTEGER REFERENCES STAFF(ID))",
        "(ID INTEGER PRIMARY KEY, BOSS INTEGER, FOREIGN KEY (BOSS) REFERENCES D.S.STAFF(ID))",
    ],
)
def test_a_foreign_key_may_refer_to_its_own_table(instance, person, columns, role):
    person.rows(
        "CREATE ROLE IF NOT EXISTS CLERK",
        "GRANT USAGE ON DATABASE D TO ROLE CLERK",
        "GRANT USAGE, CREATE TABLE ON SCHEMA D.S TO ROLE CLERK",
    )
    creator = Person(instance, role)
    creator.rows(f"CREATE TABLE IF NOT EXISTS STAFF {columns}", "DROP TABLE STAFF")


@pytest.mark.parametrize(
    ("query", "errno"),
    [
        ("SELECT HASH_AGG(ID) FROM T", 2),
        ("SELECT AS_INTEGER(V) FROM T", 2),
        ("SELECT * FROM TABLE(STRTOK_SPLIT_TO_TABLE('a b'))", 2),
        ("SELECT * FROM TABLE(INFORMATION_SCHEMA.LOGIN_HISTORY())", 2),
        ("SELECT NOPE(ID) FROM T", 2140),
        ("SELECT * FROM TABLE(NOPE())", 2143),
    ],
)
def test_a_function_that_is_missing_here_is_no_unknown_one(documents, query, errno):
    assert documents.refusal(query) == errno
