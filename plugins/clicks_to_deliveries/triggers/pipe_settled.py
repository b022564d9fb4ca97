"""Waits for a Snowflake pipe to finish its queue, without holding a worker slot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from clicks_to_deliveries.hooks.snowflake_poller import SnowflakePoller, tag_of
from include.pipe_and_stream import is_settled, pipe_status


class PipeSettledTrigger(BaseTrigger):
    """Fires when the pipe has loaded all files announced before ``since``, or ``wait_seconds`` have passed.

    A pipe that does not run ends the wait too.  With ``while_paused``, one that is paused does not: it goes on with the
    files that it has.

    :param since: seconds since 1970; by default, whatever is announced is waited for.

    The payload is {"status": the last answer of SYSTEM$PIPE_STATUS, as a dictionary}.
    """

    def __init__(
        self,
        pipe: str,
        snowflake_conn_id: str,
        wait_seconds: float,
        since: float | None = None,
        *,
        while_paused: bool = False,
        poll_interval_seconds: float = 2.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's class has no types here.
        self.pipe = pipe
        self.snowflake_conn_id = snowflake_conn_id
        self.wait_seconds = wait_seconds
        self.since = since
        self.while_paused = while_paused
        self.poll_interval_seconds = poll_interval_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = ("pipe", "snowflake_conn_id", "wait_seconds", "since", "while_paused", "poll_interval_seconds")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        deadline = time.monotonic() + self.wait_seconds
        since = None if self.since is None else datetime.fromtimestamp(self.since, UTC)
        poller = SnowflakePoller(self.snowflake_conn_id, tag_of(self))
        try:
            while True:
                status = await poller.ask(partial(pipe_status, pipe=self.pipe))
                if is_settled(status, since, while_paused=self.while_paused) or time.monotonic() >= deadline:
                    break
                await asyncio.sleep(self.poll_interval_seconds)
        finally:
            await poller.close()
        yield TriggerEvent({"status": status})
