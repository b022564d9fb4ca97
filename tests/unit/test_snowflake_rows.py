"""Rows of one statement, whatever Snowflake returns."""

from __future__ import annotations

from typing import Any

import pytest
from snowflake.connector import DictCursor

from include.snowflake_rows import changed_rows, first_row

pytestmark = pytest.mark.unit


class Connection:
    """Returns the same rows for every statement."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows
        self.returns_dictionaries = False

    def cursor(self, kind: type | None = None) -> Connection:
        self.returns_dictionaries = kind is DictCursor
        return self

    def execute(self, statement: str, parameters: Any, timeout: int | None = None) -> None:
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
