"""Types of dates, operators on VARIANT, FLATTEN, aggregates of nothing, and names of columns without an alias."""

from __future__ import annotations

from datetime import date, datetime

import pytest

pytestmark = pytest.mark.integration

DOCUMENT = """PARSE_JSON('{"name": "Ann", "n": 4, "yes": true, "no": null, "day": "2026-01-01", "list": [1, 2]}')"""


def test_a_date_stays_a_date(warehouse):
    warehouse.rows("CREATE TABLE T AS SELECT '2026-03-04'::DATE AS D, '2026-03-04 05:06:07'::TIMESTAMP_NTZ AS N")
    (row,) = warehouse.rows(
        "SELECT DATE_TRUNC('month', D), DATE_TRUNC('hour', D), DATEADD('day', 1, D), ADD_MONTHS(D, 1),"
        " DATEADD('month', 1, DATE_TRUNC('year', MAX(D))), DATEADD('quarter', 1, CURRENT_DATE()) > D,"
        " DATEADD('hour', 1, D), DATE_TRUNC('month', N), DATEADD('day', 1, DATEADD('hour', 1, D)) FROM T GROUP BY D, N"
    )
    assert row == (
        date(2026, 3, 1), date(2026, 3, 4), date(2026, 3, 5), date(2026, 4, 4), date(2026, 2, 1), True,
        datetime(2026, 3, 4, 1), datetime(2026, 3, 1), datetime(2026, 3, 5, 1),  # noqa: DTZ001
    )  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("V:name || '!'", "Ann!"),
        ("CONCAT(V:name, V:n)", "Ann4"),
        ("V:name = 'Ann'", True),
        ("'Bob' <> V['name']", True),
        ("V:name IN ('Bob', 'Ann')", True),
        ("V:name LIKE 'A%' AND UPPER(V:name) = 'ANN'", True),
        ("V:n + 1", 5),
        ("V:n > 3.5 AND V:n BETWEEN 1 AND 9", True),
        ("V:yes = TRUE AND V:yes", True),
        ("V:no = 'x'", None),
        ("V:missing = 'x'", None),
        ("V:day = DAY", True),
        ("V:name = TEXT AND V:n = NUMBER", True),
        ("V:n = V:n", True),
        ("CASE V:name WHEN 'Ann' THEN 1 END", 1),
    ],
)
def test_a_variant_is_converted_to_what_it_meets(warehouse, expression, value):
    source = f"SELECT {DOCUMENT} AS V, '2026-01-01'::DATE AS DAY, 'Ann' AS TEXT, 4 AS NUMBER"
    assert warehouse.value(f"SELECT {expression} AS X FROM ({source})") == value


@pytest.mark.parametrize("clause", ["V:n < V:n", "MAX(V:n) = 4"])
def test_the_order_of_variants_is_refused(warehouse, clause):
    assert "order of VARIANTs" in warehouse.error(f"SELECT {clause} AS X FROM (SELECT {DOCUMENT} AS V)").msg
    assert "order of VARIANTs" in warehouse.error(f"SELECT 1 AS X FROM (SELECT {DOCUMENT} AS V) ORDER BY V:n").msg


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ("INPUT => V", [("b c", "['b c']", None, '{"d":3}'), ("a", "a", None, "[1,2]"), ("e", "e", None, "[]")]),
        ("V, PATH => 'a'", [(None, "a[0]", 0, "1"), (None, "a[1]", 1, "2")]),
        ("V, MODE => 'ARRAY'", []),
        ("V, MODE => 'ARRAY', OUTER => TRUE", [(None, "", None, None)]),
        ("INPUT => V, PATH => 'e'", []),
        ("INPUT => V, PATH => 'e', OUTER => TRUE", [(None, "e", None, None)]),
        ("INPUT => V:nothing, OUTER => TRUE", [(None, "", None, None)]),
    ],
)
def test_flatten_heeds_its_options(warehouse, arguments, rows):
    source = """SELECT PARSE_JSON('{"a": [1, 2], "b c": {"d": 3}, "e": []}') AS V"""
    flattened = f"SELECT KEY, PATH, INDEX, VALUE FROM ({source}) T, LATERAL FLATTEN({arguments}) F ORDER BY PATH"
    assert warehouse.rows(flattened) == rows


def test_values_of_flatten_are_variants(warehouse):
    source = """SELECT PARSE_JSON('["p", "q"]') AS V"""
    flattened = f"SELECT VALUE || '!' AS X FROM ({source}) T, TABLE(FLATTEN(V)) F WHERE F.VALUE = 'q'"
    assert warehouse.rows(flattened) == [("q!",)]


def test_recursive_flatten_is_refused(warehouse):
    assert "FLATTEN(RECURSIVE" in warehouse.error(
        "SELECT * FROM TABLE(FLATTEN(INPUT => PARSE_JSON('{}'), RECURSIVE => TRUE))"
    ).msg  # fmt: skip


def test_aggregates_of_nothing_are_empty(warehouse):
    warehouse.rows("CREATE TABLE T (K STRING, V INTEGER)")
    ordered = "ARRAY_AGG(V) WITHIN GROUP (ORDER BY V), LISTAGG(K, ',') WITHIN GROUP (ORDER BY K)"
    aggregates = f"ARRAY_AGG(V), OBJECT_AGG(K, V), {ordered}"
    assert warehouse.rows(f"SELECT {aggregates} FROM T") == [("[]", "{}", "[]", "")]
    warehouse.rows("INSERT INTO T VALUES ('a', 1)")
    assert warehouse.rows(f"SELECT {aggregates} FROM T") == [("[1]", '{"a":1}', "[1]", "a")]
    assert warehouse.rows("SELECT LISTAGG(K) OVER (PARTITION BY V) AS X FROM T") == [("a",)]


def test_a_column_without_an_alias_is_called_as_it_is_written(warehouse):
    cursor = warehouse.connection.cursor()
    cursor.execute(
        "SELECT count(*),1+1, 'a' , extract(year FROM CURRENT_DATE), a::string, CURRENT_DATE, a"
        " FROM (SELECT 1 AS A) GROUP BY ALL"
    )
    assert [column.name for column in cursor.description] == [
        "COUNT(*)", "1+1", "'A'", "EXTRACT(YEAR FROM CURRENT_DATE)", "A::STRING", "CURRENT_DATE", "A",
    ]  # fmt: skip
    cursor.execute("WITH N AS (SELECT MAX(A) FROM (SELECT 1 AS A)) SELECT * FROM N UNION ALL SELECT 2")
    assert [column.name for column in cursor.description] == ["MAX(A)"]


def test_a_table_needs_names_of_its_columns(warehouse):
    assert warehouse.error("CREATE TABLE T AS SELECT 1 + 1").errno == 2022
    assert warehouse.error("CREATE VIEW V AS SELECT COUNT(*) FROM (SELECT 1 AS A)").errno == 2022
    warehouse.rows("CREATE VIEW V (N) AS SELECT COUNT(*) FROM (SELECT 1 AS A)")
    assert warehouse.rows("SELECT N FROM V") == [(1,)]


def test_a_timestamp_is_described_as_ltz(warehouse):
    warehouse.rows("CREATE TABLE T (L TIMESTAMP_LTZ, N TIMESTAMP_NTZ)")
    assert [row[1] for row in warehouse.rows("DESCRIBE TABLE T")] == ["TIMESTAMP_LTZ(9)", "TIMESTAMP_NTZ(9)"]
    columns = "SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'T' AND TABLE_SCHEMA = %s ORDER BY 1"
    assert warehouse.rows(columns, [warehouse.schema]) == [("TIMESTAMP_LTZ",), ("TIMESTAMP_NTZ",)]
