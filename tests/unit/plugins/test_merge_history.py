"""What the merge task makes of an empty stream, and of Snowflake's answer (the merge itself runs in tests/sql)."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException
from clicks_to_deliveries.hooks.warehouse import WarehouseHook
from clicks_to_deliveries.operators.merge_history import MergeHistoryOperator

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 0, 0)  # noqa: DTZ001 - Snowflake's TIMESTAMP_NTZ, UTC


class Connection:
    """A Snowflake whose stream has rows or not, and whose merge answers with the given columns."""

    def __init__(self, has_data: bool, merged: dict[str, int] | None = None) -> None:
        self.has_data = has_data
        self.merged = merged or {}
        self.recorded: dict[str, Any] | None = None
        self.autocommits: list[bool] = []
        self.description: list[Any] = []

    def autocommit(self, mode: bool) -> None:
        self.autocommits.append(mode)

    def cursor(self) -> Connection:
        return self

    def execute(self, statement: str, parameters: dict[str, Any] | None = None) -> Connection:
        if "STREAM_HAS_DATA" in statement:
            self.row = (self.has_data,)
        elif "SYSDATE" in statement:
            self.row = (NOW,)
        elif parameters:
            self.recorded = parameters
        else:
            self.description = [SimpleNamespace(name=name) for name in self.merged]
            self.row = tuple(self.merged.values())
        return self

    def fetchone(self) -> tuple:
        return self.row

    def close(self) -> None:
        pass


def merge(monkeypatch: pytest.MonkeyPatch, connection: Connection, try_number: int = 1) -> dict[str, int] | None:
    monkeypatch.setattr(WarehouseHook, "get_conn", lambda _: connection)
    context = {"ti": SimpleNamespace(try_number=try_number), "run_id": "run-1"}
    return MergeHistoryOperator(task_id="merge").execute(context)


def test_an_empty_stream_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(has_data=False)
    with pytest.raises(AirflowSkipException):
        merge(monkeypatch, connection)
    assert connection.recorded is None


def test_a_retry_that_finds_the_stream_empty_succeeds_as_the_try_before_may_have_merged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = Connection(has_data=False)
    assert merge(monkeypatch, connection, try_number=2) is None
    assert connection.recorded is None


def test_the_merge_commits_by_itself_and_its_counts_are_recorded_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"number of rows inserted": 5, "number of rows updated": 2, "number of rows deleted": 1}
    connection = Connection(True, answer)
    assert merge(monkeypatch, connection) == {"rows_inserted": 5, "rows_updated": 2, "rows_deleted": 1}
    assert connection.autocommits == [True]
    assert connection.recorded == {
        "run_id": "run-1",
        "started_at": NOW,
        "finished_at": NOW,
        "rows_inserted": 5,
        "rows_updated": 2,
        "rows_deleted": 1,
    }
