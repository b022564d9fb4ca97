"""Polling from an event loop: it keeps one connection, replaces a failed one, leaves none; and the pipe's trigger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.triggers.base import TriggerEvent
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.hooks.snowflake_poller import (
    SnowflakePoller,
    SnowflakeUnreachableError,
    StatementRefusedError,
)
from clicks_to_deliveries.triggers.pipe_settled import PipeSettledTrigger
from snowflake.connector import errors

pytestmark = pytest.mark.unit

SINCE = 1_795_000_000.0


class Connection:
    """Gives scripted answers; raises an exception in the script."""

    def __init__(self, script: Iterator[Any]) -> None:
        self.script = script
        self.is_open = True

    def cursor(self) -> Connection:
        return self

    def execute(self, sql: str, parameters: list[str], **_: Any) -> Connection:
        assert self.is_open
        self.answer = next(self.script)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self

    def fetchone(self) -> tuple:
        return (self.answer,)

    def close(self, retry: bool | None = None) -> None:
        # A cursor closes without an argument, the connection with one.
        self.is_open = self.is_open and retry is None


@pytest.fixture
def opened() -> list[Connection]:
    """The connections of the test, in the order of their opening."""
    return []


def open_with(monkeypatch: pytest.MonkeyPatch, opened: list[Connection], *answers: Any) -> None:
    """All new connections share one script of answers."""
    script = iter(answers)

    def get_conn(hook: PipelineSnowflakeHook) -> Connection:
        opened.append(Connection(script))
        return opened[-1]

    monkeypatch.setattr(PipelineSnowflakeHook, "get_conn", get_conn)


def test_one_connection_serves_all_questions_and_is_closed(
    monkeypatch: pytest.MonkeyPatch, opened: list[Connection]
) -> None:
    open_with(monkeypatch, opened, 1, 2, 3)

    async def poll() -> list[tuple]:
        poller = SnowflakePoller("snowflake_default", {"trigger": "test"})
        rows = [await poller.first_row("SELECT", {}) for _ in range(3)]
        assert opened[0].is_open
        await poller.close()
        return rows

    assert asyncio.run(poll()) == [(1,), (2,), (3,)]
    assert [connection.is_open for connection in opened] == [False]


def test_after_a_failure_the_next_question_connects_anew(
    monkeypatch: pytest.MonkeyPatch, opened: list[Connection]
) -> None:
    open_with(monkeypatch, opened, 1, errors.OperationalError("gone"), 3)

    async def poll() -> None:
        poller = SnowflakePoller("snowflake_default", {"trigger": "test"})
        await poller.first_row("SELECT", {})
        with pytest.raises(SnowflakeUnreachableError, match="gone"):
            await poller.first_row("SELECT", {})
        assert await poller.first_row("SELECT", {}) == (3,)
        await poller.close()

    asyncio.run(poll())
    assert [connection.is_open for connection in opened] == [False, False]


def test_every_connection_has_time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"conn_type": "snowflake", "login": "u", "password": "secret", "extra": {"account": "a"}}
    monkeypatch.setenv("AIRFLOW_CONN_SNOWFLAKE_DEFAULT", json.dumps(login))
    parameters = PipelineSnowflakeHook(network_timeout_seconds=7)._get_conn_params()
    assert (parameters["login_timeout"], parameters["network_timeout"]) == (20, 7)
    # No metadata service of a cloud is asked before each login.
    assert parameters["platform_detection_timeout_seconds"] == 0
    assert parameters["account"] == "a"


def settle(trigger: PipeSettledTrigger) -> list[TriggerEvent]:
    async def collect() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    return asyncio.run(collect())


def status(pending: int, state: str = "RUNNING") -> str:
    return json.dumps({"executionState": state, "pendingFileCount": pending})


def test_a_pipe_is_waited_for_until_nothing_is_pending(
    monkeypatch: pytest.MonkeyPatch, opened: list[Connection]
) -> None:
    open_with(monkeypatch, opened, status(2), status(1), status(0))
    (event,) = settle(PipeSettledTrigger("P", "c", 60, SINCE, poll_interval_seconds=0.001))
    assert event.payload == {"status": {"executionState": "RUNNING", "pendingFileCount": 0}}
    assert [connection.is_open for connection in opened] == [False]


@pytest.mark.parametrize(("oldest", "is_past"), [(SINCE + 60, False), (SINCE + 121, True)])
def test_where_files_keep_coming_only_those_from_before_are_waited_for(
    monkeypatch: pytest.MonkeyPatch, opened: list[Connection], oldest: float, is_past: bool
) -> None:
    queued = datetime.fromtimestamp(oldest, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    answers = [
        json.dumps({"executionState": state, "pendingFileCount": 6, "oldestFileTimestamp": queued})
        for state in ("RUNNING", "PAUSED")
    ]
    for answer in answers:
        open_with(monkeypatch, opened, answer, status(0))
        trigger = PipeSettledTrigger("P", "c", 60, SINCE, while_paused=True, poll_interval_seconds=0.001)
        (event,) = settle(trigger)
        assert event.payload["status"]["pendingFileCount"] == (6 if is_past else 0)


def test_a_pipe_that_stops_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, opened: list[Connection]) -> None:
    open_with(monkeypatch, opened, status(2), status(2, "PAUSED"))
    (event,) = settle(PipeSettledTrigger("P", "c", 60, SINCE, poll_interval_seconds=0.001))
    assert event.payload["status"]["executionState"] == "PAUSED"


def test_a_pipe_that_is_never_done_is_waited_for_so_long_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, opened: list[Connection]
) -> None:
    open_with(monkeypatch, opened, status(2), status(2))
    (event,) = settle(PipeSettledTrigger("P", "c", 0, SINCE))
    assert event.payload["status"]["pendingFileCount"] == 2


def test_an_error_fails_the_wait_and_leaves_no_connection(
    monkeypatch: pytest.MonkeyPatch, opened: list[Connection]
) -> None:
    open_with(monkeypatch, opened, errors.ProgrammingError("no such pipe"))
    with pytest.raises(StatementRefusedError, match="no such pipe"):
        settle(PipeSettledTrigger("P", "c", 60, SINCE))
    assert [connection.is_open for connection in opened] == [False]
