"""Event for scd2_merge: a Snowflake stream holds rows that no merge has consumed."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.exceptions import AirflowException
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from snowflake.connector import errors

from clicks_to_deliveries.hooks.stream import problem_of_stream
from clicks_to_deliveries.hooks.warehouse import WarehousePoller

# Both functions are answered by the services layer: no warehouse wakes up for a poll.
HAS_DATA = "SELECT SYSTEM$STREAM_HAS_DATA(%(stream)s)"
OFFSET = "SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP(%(stream)s)"

MAX_BACKOFF_SECONDS = 60.0
UNREADABLE = "unreadable"


class StreamHasDataTrigger(BaseEventTrigger):
    """Yields once for each offset at which the stream is found with rows.

    Consuming a stream moves its offset, so an offset that has not moved means that the merge asked for is still to
    come, or failed: only after ``repeat_after_seconds`` is it asked for again.

    A stream that can't be read any more (stale, dropped) is announced once, with the offset UNREADABLE: the merge then
    fails and tells, which waiting here in silence would not.

    :param stream: name of the stream, in the connection's database and schema.
    :param min_interval_seconds: least time between two events, so that a warehouse can rest.
    :param poll_interval_seconds: time between two looks; default a tenth of the interval, half a second to 10.
    :param repeat_after_seconds: an offset that stays is announced again after so long.
    """

    def __init__(
        self,
        stream: str,
        snowflake_conn_id: str,
        min_interval_seconds: float,
        poll_interval_seconds: float | None = None,
        repeat_after_seconds: float = 300.0,
    ) -> None:
        super().__init__()
        self.stream = stream
        self.snowflake_conn_id = snowflake_conn_id
        self.min_interval_seconds = min_interval_seconds
        self.poll_interval_seconds = poll_interval_seconds or min(max(min_interval_seconds / 10, 0.5), 10.0)
        self.repeat_after_seconds = repeat_after_seconds
        self._failures = 0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = (
            "stream",
            "snowflake_conn_id",
            "min_interval_seconds",
            "poll_interval_seconds",
            "repeat_after_seconds",
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        announced: str | None = None
        repeat_at = 0.0
        poller = WarehousePoller(self.snowflake_conn_id)
        try:
            while True:
                try:
                    offset = await self._unconsumed_offset(poller)
                except (errors.Error, AirflowException, OSError) as error:
                    await asyncio.sleep(self._backoff(error))
                    continue
                self._recovered()
                if offset is None or (offset == announced and time.monotonic() < repeat_at):
                    await asyncio.sleep(self.poll_interval_seconds)
                    continue
                yield TriggerEvent({"stream": self.stream, "offset": offset})
                again = math.inf if offset == UNREADABLE else self.repeat_after_seconds
                announced, repeat_at = offset, time.monotonic() + again
                await asyncio.sleep(self.min_interval_seconds)
        finally:
            await poller.close()

    async def _unconsumed_offset(self, poller: WarehousePoller) -> str | None:
        """The stream's offset, UNREADABLE, or None when it has no rows.

        The offset is read first: if a merge consumes the stream in between, either there is no data, or the offset is
        the old one and the new one is announced a look later.  The other way round an offset would be lost.
        """
        try:
            (offset,) = await poller.first_row(OFFSET, {"stream": self.stream})
            (has_data,) = await poller.first_row(HAS_DATA, {"stream": self.stream})
        except errors.ProgrammingError:
            if await poller.ask(lambda connection: problem_of_stream(connection, self.stream)):
                return UNREADABLE
            raise
        return str(offset) if has_data else None

    def _backoff(self, error: Exception) -> float:
        """Seconds until the next try, doubling up to a minute, with jitter; says so once an outage."""
        if self._failures == 0:
            self.log.warning("Stream %s can't be read, trying until it can: %s", self.stream, error)
        self._failures += 1
        ceiling = min(MAX_BACKOFF_SECONDS, self.poll_interval_seconds * 2 ** min(self._failures, 10))
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter is no secret

    def _recovered(self) -> None:
        if self._failures:
            self.log.info("Stream %s is readable again after %d failed looks", self.stream, self._failures)
            self._failures = 0
