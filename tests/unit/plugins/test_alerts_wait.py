"""The event that starts send_alerts: once for what is new, and again while something waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from clicks_to_deliveries.triggers import alerts_wait
from clicks_to_deliveries.triggers.alerts_wait import AlertsWaitTrigger

pytestmark = pytest.mark.unit

MERGE, MESSAGE, OWN = "unsent_alert.run.scd2_merge.1.0", "unsent_alert.message.ab", "unsent_alert.run.send_alerts.2.0"


def events(monkeypatch: pytest.MonkeyPatch, *polls: list[str], seconds: float = 15.0) -> list[int]:
    """The polls (numbers) after which an event came; ``seconds`` pass between two polls."""
    found: list[int] = []
    clock, number = [1000.0], [-1]

    def keys() -> list[str]:
        number[0] += 1
        if number[0] == len(polls):
            raise asyncio.CancelledError
        return polls[number[0]]

    async def sleep(_: float) -> None:
        clock[0] += seconds

    async def watch() -> None:
        async for event in AlertsWaitTrigger().run():
            assert event.payload == {"waiting": len(polls[number[0]])}
            found.append(number[0])

    monkeypatch.setattr(alerts_wait, "_keys", keys)
    monkeypatch.setattr(alerts_wait.asyncio, "sleep", sleep)
    monkeypatch.setattr(alerts_wait.time, "monotonic", lambda: clock[0])
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(watch())
    return found


def test_nothing_waits_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    assert events(monkeypatch, [], [], []) == []


def test_an_alert_is_announced_once_while_it_is_being_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    assert events(monkeypatch, [], [MERGE], [MERGE], []) == [1]


def test_what_is_new_meanwhile_is_announced_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert events(monkeypatch, [MERGE], [MERGE, MESSAGE], [MESSAGE]) == [0, 1]


def test_what_still_waits_is_announced_again_every_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert events(monkeypatch, *[[MESSAGE]] * 45, seconds=15) == [0, 20, 40]


def test_the_senders_own_failures_do_not_make_it_run_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    polls = [[MESSAGE, f"{OWN}{number}"] for number in range(20)]
    assert events(monkeypatch, *polls) == [0]


def test_serialized_it_is_the_same_trigger() -> None:
    classpath, arguments = AlertsWaitTrigger(1.0, 2.0).serialize()
    assert classpath == "clicks_to_deliveries.triggers.alerts_wait.AlertsWaitTrigger"
    same: Any = AlertsWaitTrigger(**arguments)
    assert same.serialize() == (classpath, arguments)
