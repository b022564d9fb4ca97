"""Numbers: exact where Snowflake's are, with its scales and its errors."""

from __future__ import annotations

from decimal import Decimal

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def amounts(warehouse):
    warehouse.rows("CREATE TABLE AMOUNTS (ID INTEGER, PRICE NUMBER(10, 2), WEIGHT FLOAT, LABEL STRING, BIG NUMBER)")
    warehouse.rows(
        "INSERT INTO AMOUNTS VALUES (1, 0.10, 0.1, '1.5', 9007199254740993), (2, 0.20, 0.2, '2', 9007199254740993)"
    )
    return warehouse


def shown(rows):
    """Rows as text: 0.30 and 0.3 are equal as numbers, and here are not."""
    return [tuple(str(value) for value in row) for row in rows]


def test_a_quotient_is_a_number_with_six_decimals_more(amounts):
    (row,) = shown(
        amounts.rows("""
            SELECT 1/3, 2/3, 7/2, MAX(PRICE)/3, SUM(ID)/COUNT(*), MAX(WEIGHT)/3, 1/3e0, DIV0(1, 0), DIV0(1, 3),
                1/NULLIF(0, 0), 100000 * 100000
            FROM AMOUNTS
        """)
    )
    assert row[:5] == ("0.333333", "0.666667", "3.500000", "0.06666667", "1.500000")
    assert row[5:7] == (str(0.2 / 3), str(1 / 3))
    assert row[7:] == ("0.000000", "0.333333", "None", "10000000000")


def test_sums_of_numbers_are_exact(amounts):
    assert amounts.rows("SELECT SUM(PRICE) = 0.30, SUM(BIG) FROM AMOUNTS") == [(True, 18014398509481986)]
    (row,) = shown(
        amounts.rows("""
            SELECT SUM(PRICE), SUM(ID), SUM(WEIGHT), SUM(LABEL), SUM(DISTINCT ID), SUM(ID) OVER (ORDER BY ID)
            FROM AMOUNTS GROUP BY ID, WEIGHT HAVING ID = 2
        """)
    )
    assert row == ("0.20", "2", "0.2", "2.0", "2", "2")
    assert type(amounts.value("SELECT SUM(ID) FROM AMOUNTS")) is int


def test_an_average_is_a_number_with_six_decimals_more(amounts):
    rows = amounts.rows("""
        SELECT AVG(ID), AVG(PRICE), AVG(WEIGHT), AVG(LABEL), AVG(AVG(ID)) OVER (), AVG(DISTINCT ID),
            AVG(IFF(ID = 1, 1, 0))
        FROM AMOUNTS
    """)
    assert shown(rows) == [
        ("1.500000", "0.15000000", str((0.1 + 0.2) / 2), "1.75", "1.500000000000", "1.500000", "0.500000")
    ]


def test_what_is_not_divisible_is_an_error(amounts):
    for query in ("SELECT 10/0", "SELECT ID/(ID - 1) FROM AMOUNTS", "SELECT WEIGHT/0 FROM AMOUNTS", "SELECT 5 % 0"):
        assert amounts.error(query).errno == 100051, query
    assert amounts.rows("SELECT ID FROM AMOUNTS WHERE ID > 1 AND 1/(ID - 1) = 1") == [(2,)]
    assert amounts.error("SELECT SUM(LABEL || 'x') FROM AMOUNTS").errno == 100038


def test_computed_columns_are_numbers(amounts):
    amounts.rows("""
        CREATE TABLE COMPUTED AS
        SELECT SUM(ID) AS A, AVG(PRICE) AS B, SUM(PRICE) AS C, COUNT(*) AS D, 1 AS E, 1/3 AS F, SUM(WEIGHT) AS G
        FROM AMOUNTS
    """)
    types = [row[1] for row in amounts.rows("DESC TABLE COMPUTED")]
    assert types == [
        "NUMBER(38,0)", "NUMBER(38,8)", "NUMBER(38,2)", "NUMBER(38,0)", "NUMBER(38,0)", "NUMBER(38,6)", "FLOAT"
    ]  # fmt: skip


def test_decimals_are_bound_as_they_are(amounts):
    cursor = amounts.connect(paramstyle="qmark").cursor()
    assert cursor.execute("SELECT ID FROM AMOUNTS WHERE PRICE = ?", (Decimal("0.10"),)).fetchall() == [(1,)]
    assert cursor.execute("SELECT ?, ? + 1", (Decimal("-12.50"), 2**53 + 1)).fetchone() == (
        Decimal("-12.50"),
        2**53 + 2,
    )
    cursor.executemany("INSERT INTO AMOUNTS (ID, PRICE) VALUES (?, ?)", [(8, Decimal("1.25")), (9, Decimal("2"))])
    assert shown(amounts.rows("SELECT PRICE FROM AMOUNTS WHERE ID > 7 ORDER BY ID")) == [("1.25",), ("2.00",)]


def test_pandas_reads_decimals_as_floats(amounts):
    frame = amounts.connection.cursor().execute("SELECT SUM(PRICE) AS S, SUM(ID) AS I FROM AMOUNTS").fetch_pandas_all()
    assert [str(kind) for kind in frame.dtypes] == ["float64", "int64"]
    assert frame.loc[0].tolist() == [0.3, 3]


def test_halves_are_rounded_away_from_zero(amounts):
    amounts.rows("UPDATE AMOUNTS SET WEIGHT = ID + 0.5, PRICE = ID + 0.5, LABEL = '-2.5'")
    rows = amounts.rows("""
        SELECT WEIGHT::INTEGER, -WEIGHT::INTEGER, PRICE::INTEGER, LABEL::INTEGER, ROUND(WEIGHT), (WEIGHT * 1)::NUMBER
        FROM AMOUNTS ORDER BY ID
    """)
    assert rows == [(2, -2, 2, -3, 2, 2), (3, -3, 3, -3, 3, 3)]
    amounts.rows("INSERT INTO AMOUNTS (ID) SELECT 2.5::FLOAT")
    assert amounts.value("SELECT COUNT(*) FROM AMOUNTS WHERE ID = 2") == 2


def test_a_number_with_too_many_digits_is_out_of_range(amounts):
    error = amounts.error("INSERT INTO AMOUNTS (PRICE) VALUES (123456789)")
    assert (error.errno, error.msg) == (100039, "100039 (22003): Numeric value '123456789' is out of range")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO AMOUNTS (BIG) VALUES (12345678901234567890123)",
        "SELECT BIG * BIG FROM AMOUNTS",
        "SELECT 9223372036854775807 + ID FROM AMOUNTS",
        "SELECT '12345678901234567890123'::NUMBER",
    ],
)
def test_integers_beyond_64_bits_are_refused(amounts, statement):
    error = amounts.error(statement)
    assert error.errno == 2
    assert "64 bits" in error.msg


def test_a_sum_may_exceed_64_bits(amounts):
    amounts.rows("UPDATE AMOUNTS SET BIG = 9223372036854775807")
    assert amounts.value("SELECT SUM(BIG) FROM AMOUNTS") == 2 * 9223372036854775807
    assert amounts.value("SELECT 12345678901234567890.5 + 1") == Decimal("12345678901234567891.5")


def test_a_quotient_has_fifteen_exact_digits(amounts):
    assert amounts.value("SELECT 1000000000000.0/3") != Decimal("333333333333.3333333")
    assert round(amounts.value("SELECT 1000000000000.0/3"), 3) == Decimal("333333333333.333")


def test_quotients_of_long_decimals_and_statistics_differ(amounts):
    assert str(amounts.value("SELECT 1.0000000/3")) == "0.3333333333333"
    assert isinstance(amounts.value("SELECT MEDIAN(PRICE) FROM AMOUNTS"), float)
