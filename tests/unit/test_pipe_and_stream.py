"""When a pipe is settled, and what is wrong with a stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from include.pipe_and_stream import STREAMS, is_loaded, is_settled, problem_of_stream

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)
LOS_ANGELES = ZoneInfo("America/Los_Angeles")


class Connection:
    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows

    def cursor(self, _: type) -> Connection:
        return self

    def execute(self, statement: str, parameters: list[str], **_: Any) -> Connection:
        assert (statement, parameters) == (STREAMS % {"stream": "A_STREAM"}, [])
        return self

    def fetchall(self) -> list[dict[str, Any]]:
        return list(self.rows)

    def close(self) -> None:
        pass


def stream(stale: str = "false", ends_in: timedelta = timedelta(days=14), name: str = "A_STREAM") -> dict[str, Any]:
    return {"name": name, "stale": stale, "stale_after": (NOW + ends_in).astimezone(LOS_ANGELES)}


def problem(*rows: dict[str, Any]) -> str | None:
    return problem_of_stream(Connection(*rows), "A_STREAM", near=timedelta(hours=12), now=NOW)


def test_a_stream_that_can_be_read_for_long_is_fine() -> None:
    assert problem(stream(), stream("true", name="AXSTREAM")) is None


def test_a_stale_stream_is_named_with_what_to_do() -> None:
    found = problem(stream("true", timedelta(days=-1)))
    assert found.startswith("stream A_STREAM is stale")
    assert "repair_history" in found
    assert "docs/runbooks/repair_history.md" in found


def test_a_stream_that_soon_is_stale_is_reported_with_the_time_in_utc() -> None:
    assert problem(stream(ends_in=timedelta(hours=13))) is None
    assert "A_STREAM becomes stale at 2026-11-23 01:00 UTC" in problem(stream(ends_in=timedelta(hours=11)))


def test_a_stream_that_is_not_there_is_a_problem() -> None:
    assert problem(stream(name="AXSTREAM")).startswith("stream A_STREAM does not exist")


@pytest.mark.parametrize(
    ("pending", "oldest", "loaded"),
    [
        (0, None, True),
        (3, None, False),
        (3, "2026-11-22T14:01:59.999Z", False),
        (3, "2026-11-22T14:02:00.000Z", True),
    ],
    ids=["none pending", "unknown age", "may be loaded still", "all are newer"],
)
def test_files_from_before_are_loaded_although_others_wait(pending: int, oldest: str | None, loaded: bool) -> None:
    for state in ("RUNNING", "PAUSED"):
        status = {"executionState": state, "pendingFileCount": pending, "oldestFileTimestamp": oldest}
        assert is_loaded(status, datetime(2026, 11, 22, 14, tzinfo=UTC)) is loaded
        assert is_loaded(status) is (pending == 0)


@pytest.mark.parametrize(
    ("status", "settled"),
    [
        ({"executionState": "RUNNING", "pendingFileCount": 0}, True),
        ({"executionState": "RUNNING", "pendingFileCount": 1}, False),
        ({"executionState": "PAUSED", "pendingFileCount": 1}, True),
    ],
)
def test_waiting_ends_when_it_would_change_nothing(status: dict[str, Any], settled: bool) -> None:
    assert is_settled(status) is settled


@pytest.mark.parametrize(("state", "settled"), [("PAUSED", False), ("STOPPED_MISSING_TABLE", True)])
def test_a_pipe_that_is_paused_loads_the_files_that_it_has_and_one_that_stopped_does_not(
    state: str, settled: bool
) -> None:
    assert is_settled({"executionState": state, "pendingFileCount": 1}, while_paused=True) is settled
