"""Event for send_alerts: an alert waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from include import names


class AlertsWaitTrigger(BaseEventTrigger):
    """Fires when a Variable of the outbox appears, and again and again while one stays.

    It lists keys, one call to Airflow's API per poll, and touches no warehouse.

    :param poll_seconds: time between two polls.
    :param repeat_seconds: time after which what still waits is announced again: a channel was down.
    """

    def __init__(self, poll_seconds: float = 15.0, repeat_seconds: float = 300.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's class has no types here.
        self.poll_seconds = poll_seconds
        self.repeat_seconds = repeat_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = {"poll_seconds": self.poll_seconds, "repeat_seconds": self.repeat_seconds}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        announced: frozenset[str] = frozenset()
        repeat_at = 0.0
        while True:
            waiting = await self._waiting()
            # The sender's own failures are no news: it is called again anyway while they wait.
            news = {key for key in waiting - announced if f".{SENDER}." not in key}
            if news or (waiting and time.monotonic() >= repeat_at):
                yield TriggerEvent({"waiting": len(waiting)})
                repeat_at = time.monotonic() + self.repeat_seconds
            announced = waiting
            await asyncio.sleep(self.poll_seconds)

    async def _waiting(self) -> frozenset[str]:
        try:
            keys = await sync_to_async(_keys)()
        except AirflowRuntimeError as error:
            # Airflow's API is restarting, for example.  The schedule of send_alerts does without this trigger.
            self.log.warning("The alerts that wait can't be listed, trying again: %s", error)
            return frozenset()
        return frozenset(keys)


SENDER = names.dag("send_alerts")


def _keys() -> list[str]:
    return list(Variable.keys(prefix=names.UNSENT_ALERT_PREFIX))
