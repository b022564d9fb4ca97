"""What CheckPipeOperator reports about a pipe's status and its load history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clicks_to_deliveries.operators.check_pipe import (
    CheckPipeOperator,
    Load,
    _failed_files,
    _problems_of_pipe,
    _window_start,
)
from clicks_to_deliveries.triggers.pipe_settled import PipeSettledTrigger

from include import assets

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=10)


def _load(name: str, errors: int = 0) -> Load:
    if errors:
        return Load(name, "Load failed", 0, errors, "Error parsing JSON", 2)
    return Load(name, "Loaded", 5, 0, None, None)


def _state_store(state: dict[str, Any]) -> dict[Any, Any]:
    class Store:
        def get(self, key: str) -> Any:
            return state.get(key)

    return {assets.RAW: Store()}


def test_a_running_pipe_with_nothing_pending_is_fine() -> None:
    assert _problems_of_pipe({"executionState": "RUNNING", "pendingFileCount": 0}, NOW, LIMIT) == {}


def test_a_file_pending_for_less_than_the_limit_is_fine() -> None:
    status = {"executionState": "RUNNING", "pendingFileCount": 3, "oldestFileTimestamp": "2026-11-22T13:55:00.000Z"}
    assert _problems_of_pipe(status, NOW, LIMIT) == {}


def test_a_file_pending_for_longer_is_a_problem_with_its_age() -> None:
    status = {"executionState": "RUNNING", "pendingFileCount": 3, "oldestFileTimestamp": "2026-11-22T13:40:00.000Z"}
    assert _problems_of_pipe(status, NOW, LIMIT) == {"pending files": "3 files pending, the oldest for 1200 s"}


def test_a_stopped_pipe_is_a_problem_with_its_error() -> None:
    status = {"executionState": "STOPPED_MISSING_TABLE", "error": "Table 'X' does not exist"}
    problem = _problems_of_pipe(status, NOW, LIMIT)["pipe"]
    assert "STOPPED_MISSING_TABLE: Table 'X' does not exist" in problem


def test_load_errors_name_file_line_and_first_error() -> None:
    assert _failed_files([_load("good.json.gz"), _load("bad.json.gz", errors=2)]) == {
        "bad.json.gz": ("load error: bad.json.gz (Load failed, 2 errors, first in line 2: Error parsing JSON)")
    }


def test_of_many_bad_files_ten_are_named_and_all_are_counted() -> None:
    files = _failed_files([_load(f"{number}.json.gz", errors=1) for number in range(25)])
    assert len(files) == 11
    assert list(files.values())[-1] == "and 15 files more with load errors, see COPY_HISTORY"


@pytest.mark.parametrize(
    ("state", "since"),
    [
        ({}, NOW - timedelta(days=1)),
        ({"run_id": "earlier", "since": "2026-11-22T13:00:00+00:00", "until": "2026-11-22T13:30:00+00:00"}, "13:30"),
        ({"run_id": "this", "since": "2026-11-22T13:00:00+00:00", "until": "2026-11-22T13:30:00+00:00"}, "13:00"),
        (
            {"run_id": "earlier", "since": "2026-09-01T00:00:00+00:00", "until": "2026-09-01T00:00:00+00:00"},
            NOW - timedelta(days=13),
        ),
    ],
    ids=["first check", "continues where the last ended", "retry of the same run", "no earlier than Snowflake knows"],
)
def test_where_a_check_begins(state: dict[str, str], since: datetime | str) -> None:
    operator = CheckPipeOperator(task_id="check", asset=assets.RAW, pending_limit=LIMIT)
    stored = {"load_history_look": state} if state else {}
    last = operator._last_window({"asset_state_store": _state_store(stored)})
    begin = _window_start(last, "this", NOW)
    assert begin == since if isinstance(since, datetime) else f"{begin:%H:%M}" == since


def test_serialized_it_is_the_same_trigger() -> None:
    classpath, arguments = PipeSettledTrigger("P", "c", wait_seconds=600).serialize()
    assert classpath == f"{PipeSettledTrigger.__module__}.{PipeSettledTrigger.__qualname__}"
    assert PipeSettledTrigger(**arguments).serialize() == (classpath, arguments)
