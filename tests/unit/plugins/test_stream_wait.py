"""What wakes a task between two rounds; time passes only when the trigger sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from clicks_to_deliveries.hooks.snowflake_poller import SnowflakeUnreachableError, StatementRefusedError
from clicks_to_deliveries.triggers import stream_wait
from clicks_to_deliveries.triggers.stream_wait import StreamWaitTrigger

from include.pipe_and_stream import STREAM_HAS_DATA, STREAM_OFFSET

pytestmark = pytest.mark.unit


def wait(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[float], Any], *, offset: str = ""
) -> tuple[bool, float, list[float]]:
    """Whether it was woken, the second in which it fired, and those in which it asked."""
    now, asked, closed = [0.0], [], []

    class Poller:
        async def first_row(self, sql: str, _: Any) -> tuple[Any]:
            assert sql == (STREAM_OFFSET if offset else STREAM_HAS_DATA)
            asked.append(now[0])
            found = answer(now[0])
            if isinstance(found, Exception):
                raise found
            return (found,)

        async def close(self) -> None:
            closed.append(True)

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    async def fire() -> bool:
        trigger = StreamWaitTrigger("S", "c", not_before=10, until=30, poll_interval_seconds=2, offset=offset)
        (event,) = [event async for event in trigger.run()]
        return event.payload["is_woken"]

    monkeypatch.setattr(stream_wait, "SnowflakePoller", lambda _, __: Poller())
    monkeypatch.setattr(stream_wait.asyncio, "sleep", sleep)
    monkeypatch.setattr(stream_wait.time, "time", lambda: now[0])
    woken = asyncio.run(fire())
    assert closed == [True]
    return woken, now[0], asked


def test_rows_wake_it_but_not_before_the_least_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wait(monkeypatch, lambda now: now >= 3) == (True, 10, [10])
    assert wait(monkeypatch, lambda now: now >= 13) == (True, 14, [10, 12, 14])


def test_without_rows_the_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    woken, fired, _ = wait(monkeypatch, lambda now: False)
    assert (woken, fired) == (False, 30)


def test_a_merge_wakes_what_waits_for_another_offset(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wait(monkeypatch, lambda now: 8 if now >= 16 else 7, offset="7")[:2] == (True, 16)
    assert wait(monkeypatch, lambda now: 7, offset="7")[:2] == (False, 30)


def test_an_outage_is_waited_out_and_a_stream_that_can_not_be_read_wakes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wait(monkeypatch, lambda now: SnowflakeUnreachableError("away") if now < 20 else True)[:2] == (True, 20)
    assert wait(monkeypatch, lambda now: StatementRefusedError("stale"))[:2] == (True, 10)


def test_serialized_it_is_the_same_trigger() -> None:
    classpath, arguments = StreamWaitTrigger("S", "c", 1.0, 2.0, 0.5, "7").serialize()
    assert classpath == f"{StreamWaitTrigger.__module__}.{StreamWaitTrigger.__qualname__}"
    assert StreamWaitTrigger(**arguments).serialize() == (classpath, arguments)
