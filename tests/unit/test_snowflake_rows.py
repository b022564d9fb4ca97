"""Rows of one statement, whatever Snowflake returns."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from snowflake.connector import DictCursor

from include.snowflake_rows import bound, changed_rows, execute, execute_rows, first_row

pytestmark = pytest.mark.unit


class Connection:
    """Returns the same rows for every statement."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows
        self.returns_dictionaries = False

    def cursor(self, kind: type | None = None) -> Connection:
        self.returns_dictionaries = kind is DictCursor
        return self

    def execute(self, statement: str, parameters: Any, **_: Any) -> None:
        pass

    def fetchone(self) -> tuple[Any, ...] | None:
        return tuple(self.rows[0].values()) if self.rows else None

    def fetchall(self) -> list[dict[str, Any]]:
        assert self.returns_dictionaries
        return list(self.rows)

    def close(self) -> None:
        pass


def test_a_statement_without_a_first_row_is_an_error() -> None:
    assert first_row(Connection({"A": 1, "B": 2}), "select 1, 2") == (1, 2)
    with pytest.raises(LookupError, match="no row from select 1, 2"):
        first_row(Connection(), "select 1, 2")


def test_a_kind_of_change_that_the_statement_can_not_make_counts_as_none() -> None:
    inserted = Connection({"number of rows inserted": 7})
    assert changed_rows(inserted, "insert") == {"rows_inserted": 7, "rows_updated": 0, "rows_deleted": 0}


class Sent(Connection):
    """Notes what was sent."""

    def execute(self, statement: str, parameters: Any, **options: Any) -> None:
        self.statement, self.parameters, self.options = statement, parameters, options


def test_texts_times_and_measurements_are_bound_whatever_the_style_of_the_connection() -> None:
    cursor = Sent()
    values = {"truck": "TRK001", "at": datetime(2026, 11, 22, 10), "speed": 61.5, "limit": 20, "on": True, "no": None}  # noqa: DTZ001
    execute(cursor, "select %(at)s, %(truck)s, %(speed)s, %(truck)s, %(limit)s, %(on)s, %(no)s, '50%%'", values)
    assert cursor.statement == "select ?, ?, ?, ?, 20, True, NULL, '50%'"
    assert cursor.parameters == ["2026-11-22T10:00:00", "TRK001", 61.5, "TRK001"]
    assert cursor.options["_force_qmark_paramstyle"]


def test_a_constant_is_quoted_in_the_text_and_a_text_without_values_stays_as_it_is() -> None:
    assert bound("show streams like %(stream)r", {"stream": "O'S"}) == ("show streams like 'O''S'", [])
    assert bound("select 1 like '5%'", None) == ("select 1 like '5%'", [])


def test_what_no_column_holds_is_not_bound() -> None:
    with pytest.raises(TypeError, match="list"):
        bound("select %(a)s", {"a": []})


def test_many_rows_are_arrays_and_none_are_no_statement() -> None:
    cursor = Sent()
    execute_rows(cursor, "insert into T (A, B) values (%(b)s, %(a)s)", [{"a": 1, "b": None}, {"a": 2, "b": "x"}])
    assert (cursor.statement, cursor.parameters) == (
        "insert into T (A, B) values (?, ?)",
        [[None, "x"], ["1", "2"]],
    )
    execute_rows(untouched := Sent(), "insert into T (A) values (%(a)s)", [])
    assert not hasattr(untouched, "statement")
