"""Numbers and texts of digits as times, in a session whose time zone is far from UTC."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.local.snowflake.errors import SnowflakeError
from include.local.snowflake.instance import Instance
from include.local.snowflake.session import Session

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    instance = Instance(tmp_path_factory.mktemp("epoch"))
    opened = Session(instance)
    for statement in (
        "CREATE DATABASE D",
        "ALTER SESSION SET TIMEZONE = 'America/Los_Angeles'",
        "CREATE TABLE T (N INTEGER, S STRING, F NUMBER(10, 3), A TIMESTAMP_NTZ)",
        "INSERT INTO T VALUES (0, '0', 1.5, '1970-01-01 00:00:01.123456')",
    ):
        opened.execute(statement)
    yield opened
    opened.close()
    instance.close()


def value(session, expression):
    return session.execute(f"SELECT {expression} AS X FROM T").table.column(0)[0].as_py()


def at(text):
    return datetime.fromisoformat(f"1970-01-01 00:00:{text}")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TO_TIMESTAMP_NTZ(0)", at("00")),
        ("TO_TIMESTAMP(0)", at("00")),
        ("TO_TIMESTAMP_NTZ(N)", at("00")),
        ("TO_TIMESTAMP_NTZ(S)", at("00")),
        ("TO_TIMESTAMP_NTZ(NULL)", None),
        ("N::TIMESTAMP_NTZ", at("00")),
        ("S::TIMESTAMP_NTZ", at("00")),
        ("0::TIMESTAMP", at("00")),
        ("TRY_CAST('0' AS TIMESTAMP_NTZ)", at("00")),
        ("TO_TIMESTAMP(PARSE_JSON('0'))", at("00")),
        ("TO_TIMESTAMP(-1)", datetime(1969, 12, 31, 23, 59, 59)),  # noqa: DTZ001
        ("TO_TIMESTAMP(1.5)", at("01.500")),
        ("TO_TIMESTAMP(F)", at("01.500")),
        ("TO_TIMESTAMP(-1.5)", datetime(1969, 12, 31, 23, 59, 58, 500000)),  # noqa: DTZ001
        *((f"TO_TIMESTAMP(15{'0' * (scale - 1)}, {scale})", at("01.500")) for scale in range(1, 10)),
        # A text of digits has the unit that its size suggests.
        ("TO_TIMESTAMP('31535999999')", datetime(2969, 5, 2, 23, 59, 59)),  # noqa: DTZ001
        ("TO_TIMESTAMP('31536000000')", datetime(1971, 1, 1)),  # noqa: DTZ001
        ("TO_TIMESTAMP('31536000000000')", datetime(1971, 1, 1)),  # noqa: DTZ001
        ("TO_TIMESTAMP('31536000000000000')", datetime(1971, 1, 1)),  # noqa: DTZ001
        ("TO_TIMESTAMP('-1')", datetime(1969, 12, 31, 23, 59, 59)),  # noqa: DTZ001
        # Instants: the same one, whatever zone it is shown in.
        ("TO_TIMESTAMP_LTZ(0)", datetime(1970, 1, 1, tzinfo=UTC)),
        ("TO_TIMESTAMP_TZ(0)", datetime(1970, 1, 1, tzinfo=UTC)),
        ("TO_TIMESTAMP_LTZ(1500, 3)", datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)),
        ("TO_TIMESTAMP_TZ('31536000000')", datetime(1971, 1, 1, tzinfo=UTC)),
        # And back.
        ("DATE_PART(EPOCH_SECOND, A)", 1),
        ("DATE_PART(EPOCH_MILLISECOND, A)", 1123),
        ("DATE_PART(EPOCH_MICROSECOND, A)", 1123456),
        ("DATE_PART(EPOCH_NANOSECOND, A)", 1123456000),
        ("DATE_PART(EPOCH_SECOND, TO_TIMESTAMP_LTZ(7))", 7),
    ],
)
def test_a_number_counts_from_1970_in_utc(session, expression, expected):
    assert value(session, expression) == expected


@pytest.mark.parametrize(
    "expression", ["TO_TIMESTAMP(1, 10)", "TO_TIMESTAMP('1.5')", "TO_DATE(0)", "0::DATE", "N::TIME"]
)
def test_what_snowflake_refuses_is_refused(session, expression):
    with pytest.raises(SnowflakeError):
        value(session, expression)


@pytest.mark.parametrize(
    "expression", ["TO_DATE('86400')", "'86400'::DATE", "TO_TIME('86399')", "N::TIMESTAMP_LTZ", "S::TIMESTAMP_TZ"]
)
def test_other_conversions_of_numbers_are_refused(session, expression):
    with pytest.raises(SnowflakeError):
        value(session, expression)
