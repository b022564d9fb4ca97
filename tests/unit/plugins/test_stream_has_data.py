"""The watcher's trigger against a scripted stream; time passes only when the trigger sleeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from clicks_to_deliveries.hooks.snowflake_poller import SnowflakeUnreachableError, StatementRefusedError
from clicks_to_deliveries.triggers import stream_has_data
from clicks_to_deliveries.triggers.stream_has_data import MAX_BACKOFF_SECONDS, StreamHasDataTrigger

from include.pipe_and_stream import STREAM_HAS_DATA, STREAM_OFFSET

pytestmark = pytest.mark.unit


class World:
    """A clock, and a stream whose state is a function of the time."""

    def __init__(self, state: Callable[[float], tuple[int, bool] | Exception]) -> None:
        self.now = 1000.0
        self.state = state
        self.looks: list[float] = []
        self.closed = 0
        self.problem: str | None = None
        self.runs: tuple[float, float] | None = None

    def is_at_work(self, dag_id: str) -> bool:
        assert dag_id == "merges"
        return self.runs is not None and self.runs[0] <= self.now - 1000 < self.runs[1]

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    async def first_row(self, sql: str, parameters: dict[str, Any]) -> tuple:
        assert parameters == {"stream": "S"}
        self.looks.append(self.now)
        found = self.state(self.now - 1000)
        if isinstance(found, Exception):
            raise found
        return ({STREAM_OFFSET: found[0], STREAM_HAS_DATA: found[1]}[sql],)

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return self.problem

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[float, str]]]:
    """Runs a trigger in a world until a time; returns the events as (second, offset)."""

    def run(world: World, until: float, **arguments: float) -> list[tuple[float, str]]:
        monkeypatch.setattr(stream_has_data, "SnowflakePoller", lambda _, __: world)
        monkeypatch.setattr(stream_has_data, "_is_at_work", world.is_at_work)
        monkeypatch.setattr(stream_has_data.asyncio, "sleep", world.sleep)
        monkeypatch.setattr(stream_has_data.time, "monotonic", lambda: world.now)
        given = {"min_interval_seconds": 10, "poll_interval_seconds": 1, "repeat_after_seconds": 100} | arguments
        trigger = StreamHasDataTrigger("S", "snowflake_default", "merges", **given)

        async def collect() -> list[tuple[float, str]]:
            events = []
            generator = trigger.run()
            # A watcher runs for ever, so the world ends with an exception.
            original = world.state

            def ending(now: float) -> Any:
                if now > until:
                    raise asyncio.CancelledError
                return original(now)

            world.state = ending
            try:
                async for event in generator:
                    assert event.payload["stream"] == "S"
                    events.append((world.now - 1000, event.payload["offset"]))
            except asyncio.CancelledError:
                pass
            return events

        return asyncio.run(collect())

    return run


def test_an_empty_stream_is_no_event(watch: Callable) -> None:
    assert watch(World(lambda now: (7, False)), until=50) == []


def test_rows_are_announced_once_while_the_offset_stays(watch: Callable) -> None:
    assert watch(World(lambda now: (7, now >= 5)), until=90) == [(5, "7")]


def test_a_merge_and_new_rows_are_a_new_event_after_the_least_interval(watch: Callable) -> None:
    # Consumed at 6 s, new rows from 7 s on.
    events = watch(World(lambda now: (7, True) if now < 6 else (8, now >= 7)), until=60)
    assert events == [(0, "7"), (10, "8")]


def test_a_run_that_is_at_work_is_no_event_and_what_it_leaves_is_one(watch: Callable) -> None:
    # The run merges at 5 s and every 10 s after that, until 40 s; new rows come all the time.
    world = World(lambda now: (min(int((now + 5) / 10), 4), True))
    world.runs = (1, 42)
    assert watch(world, until=60) == [(0, "0"), (42, "4")]


def test_rows_that_nothing_consumes_are_announced_again_after_a_bounded_time(watch: Callable) -> None:
    events = watch(World(lambda now: (7, True)), until=250)
    assert [second for second, _ in events] == [0, 100, 200]


def test_no_look_is_spent_in_the_interval_after_an_event(watch: Callable) -> None:
    world = World(lambda now: (int(now), True))
    events = watch(world, until=100)
    assert [second for second, _ in events] == list(range(0, 101, 10))
    assert set(world.looks) == {1000 + second for second in range(0, 111, 10)}


def test_an_outage_is_waited_out_with_bounded_backoff_and_one_line(
    watch: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Mock()
    monkeypatch.setattr(StreamHasDataTrigger, "log", log)
    outage = SnowflakeUnreachableError("away")
    world = World(lambda now: outage if now < 600 else (7, True))
    events = watch(world, until=700)
    assert 600 <= events[0][0] <= 600 + MAX_BACKOFF_SECONDS
    waits = [later - earlier for earlier, later in zip(world.looks, world.looks[1:], strict=False)]
    assert max(waits[:-1]) <= MAX_BACKOFF_SECONDS
    assert waits[0] <= 2 < MAX_BACKOFF_SECONDS / 2 <= waits[8]
    assert [len(log.warning.mock_calls), len(log.info.mock_calls)] == [1, 1]
    assert "away" in str(log.warning.mock_calls)
    assert "watched again" in str(log.info.mock_calls)


def test_a_stream_that_can_not_be_read_is_announced_once_and_again_when_it_can(watch: Callable) -> None:
    world = World(lambda now: StatementRefusedError("stale") if 20 <= now < 500 else (7 if now < 20 else 8, True))
    world.problem = "stream S is stale"
    assert [event for event in watch(world, until=560) if event[0] >= 20] == [(20, "unreadable"), (500, "8")]


def test_a_statement_that_fails_on_a_healthy_stream_is_waited_out(watch: Callable) -> None:
    assert watch(World(lambda now: StatementRefusedError("suspended") if now < 9 else (7, True)), until=90)[0][1] == "7"


def test_the_connection_is_closed_when_the_trigger_is_cancelled(watch: Callable) -> None:
    world = World(lambda now: (7, False))
    watch(world, until=3)
    assert world.closed == 1


@pytest.mark.parametrize(("least_interval", "looks_every"), [(2, 0.5), (60, 6), (3600, 10)])
def test_looks_are_a_tenth_of_the_least_interval_apart_within_bounds(least_interval: float, looks_every: float) -> None:
    trigger = StreamHasDataTrigger("S", "c", "merges", min_interval_seconds=least_interval)
    assert trigger.poll_interval_seconds == looks_every


def test_serialized_it_is_the_same_trigger() -> None:
    classpath, arguments = StreamHasDataTrigger("S", "c", "merges", min_interval_seconds=60).serialize()
    assert classpath == f"{StreamHasDataTrigger.__module__}.{StreamHasDataTrigger.__qualname__}"
    assert StreamHasDataTrigger(**arguments).serialize() == (classpath, arguments)
