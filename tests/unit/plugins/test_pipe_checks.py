"""What CheckPipeOperator reports about a pipe's status and its load history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from clicks_to_deliveries.operators import check_pipe
from clicks_to_deliveries.operators.check_pipe import (
    CheckedWindow,
    CheckPipeOperator,
    Load,
    _failed_files,
    _problems_of_pipe,
    _window_start,
)
from clicks_to_deliveries.triggers.pipe_settled import PipeSettledTrigger

from include import assets
from include.pipe_and_stream import PipeActivity

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)
LIMIT = timedelta(minutes=10)


def _load(name: str, errors: int = 0) -> Load:
    if errors:
        return Load(name, "Load failed", 0, errors, "Error parsing JSON", 2, NOW)
    return Load(name, "Loaded", 5, 0, None, None, NOW)


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


@pytest.mark.parametrize(
    ("status", "has_failed"),
    [("Loaded", False), ("Load in progress", False), ("Load skipped", True), ("Partially loaded", True)],
)
def test_a_load_fails_by_its_status_too(status: str, has_failed: bool) -> None:
    assert Load("a.json.gz", status, 0, 0, None, None, NOW).has_failed == has_failed


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
    classpath, arguments = PipeSettledTrigger("P", "c", wait_seconds=600, since=1.5, while_paused=True).serialize()
    assert classpath == f"{PipeSettledTrigger.__module__}.{PipeSettledTrigger.__qualname__}"
    assert PipeSettledTrigger(**arguments).serialize() == (classpath, arguments)


# --- when COPY_HISTORY is asked ---------------------------------------------------------------------------------------

FILES = {"lastForwardedMessageTimestamp": "13:58", "lastIngestedTimestamp": "13:59", "executionState": "RUNNING"}


class Asked:
    """A check at NOW after one that ended at ``until``; ``awake`` is whether the warehouse runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, awake: bool = False) -> None:
        monkeypatch.setattr(check_pipe, "is_awake", lambda connection: awake)
        self.operator = CheckPipeOperator(task_id="check", asset=assets.RAW, pending_limit=LIMIT)

    def window(self, last: CheckedWindow | None, status: dict[str, Any], run_id: str = "this") -> CheckedWindow:
        return self.operator._window(None, last, PipeActivity.of(status), run_id, NOW)  # type: ignore[arg-type]

    def asks(self, last: CheckedWindow, status: dict[str, Any]) -> bool:
        window = self.window(last, status, "next")
        return window.until > window.since


def last_check(minutes_ago: int, **more: Any) -> CheckedWindow:
    at = NOW - timedelta(minutes=minutes_ago)
    fields = {"activity": PipeActivity.of(FILES), "is_last": True, "checked_at": at} | more
    return CheckedWindow("earlier", at - timedelta(minutes=5), at, **fields)


def test_an_idle_pipe_is_not_asked_about_even_after_days(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, awake=True)
    last = last_check(3 * 24 * 60)
    window = asked.window(last, FILES)
    assert (window.since, window.until, window.run_id) == (last.until, last.until, "this")
    # The loads of the days between are still to be checked, should there be some.
    assert asked.asks(window, FILES | {"lastIngestedTimestamp": "14:01"})


def test_loads_wait_until_the_warehouse_runs_or_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    more = FILES | {"lastForwardedMessageTimestamp": "14:00", "lastIngestedTimestamp": "14:00"}
    assert not Asked(monkeypatch).asks(last_check(5), more)
    assert Asked(monkeypatch, awake=True).asks(last_check(5), more)
    assert Asked(monkeypatch).asks(last_check(15), more)


@pytest.mark.parametrize(
    "status",
    [{"lastForwardedMessageTimestamp": "14:00"}, {"lastPipeErrorTimestamp": "14:00"}],
    ids=["announced and not loaded", "an error"],
)
def test_what_looks_bad_does_not_wait(monkeypatch: pytest.MonkeyPatch, status: dict[str, str]) -> None:
    assert Asked(monkeypatch).asks(last_check(5), FILES | status)


def test_after_the_last_load_it_is_asked_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, awake=True)
    window = asked.window(last_check(5, is_last=False), FILES)
    assert window.is_last
    assert window.until > window.since
    assert not asked.asks(window, FILES)


def test_alerts_of_two_checks_differ_although_nothing_was_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch)
    first = asked.window(last_check(5), FILES, "first")
    assert first.checked_from == NOW - timedelta(minutes=5)
    assert asked.window(first, FILES, "second").checked_from == NOW
    assert asked.window(first, FILES, "first").checked_from == first.checked_from
