"""Waits for a Snowflake stream to have rows, or to be consumed, on behalf of a task between two rounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from clicks_to_deliveries.hooks.snowflake_poller import (
    SnowflakePoller,
    SnowflakeUnreachableError,
    StatementRefusedError,
    tag_of,
)
from include.pipe_and_stream import STREAM_HAS_DATA, STREAM_OFFSET


class StreamWaitTrigger(BaseTrigger):
    """Fires when the stream has rows or, given an ``offset``, when its offset is another one; or when the time is up.

    The payload is {"is_woken": False} if the time is up.  Both times are seconds since the epoch, so that a triggerer
    that is restarted does not begin anew.  While Snowflake can't be reached, it goes on waiting; a stream that can't be
    read wakes the task, which says what is wrong.

    :param stream: name of the stream, in the connection's database and schema.
    :param not_before: do not look before this time.
    :param until: the time is up.
    """

    def __init__(
        self,
        stream: str,
        snowflake_conn_id: str,
        not_before: float,
        until: float,
        poll_interval_seconds: float,
        offset: str = "",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's class has no types here.
        self.stream = stream
        self.snowflake_conn_id = snowflake_conn_id
        self.not_before = not_before
        self.until = until
        self.poll_interval_seconds = poll_interval_seconds
        self.offset = offset

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = ("stream", "snowflake_conn_id", "not_before", "until", "poll_interval_seconds", "offset")
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(max(0.0, self.not_before - time.time()))
        poller = SnowflakePoller(self.snowflake_conn_id, tag_of(self))
        try:
            while not (is_woken := await self._is_there(poller)) and time.time() < self.until:
                await asyncio.sleep(self.poll_interval_seconds)
        finally:
            await poller.close()
        yield TriggerEvent({"is_woken": is_woken})

    async def _is_there(self, poller: SnowflakePoller) -> bool:
        question = STREAM_OFFSET if self.offset else STREAM_HAS_DATA
        try:
            (answer,) = await poller.first_row(question, {"stream": self.stream})
        except StatementRefusedError as error:
            self.log.warning("Stream %s can't be read: %s", self.stream, error)
            return True
        except SnowflakeUnreachableError as error:
            self.log.warning("Snowflake can't be reached, trying again: %s", error)
            return False
        return str(answer) != self.offset if self.offset else bool(answer)
