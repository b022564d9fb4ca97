"""Event for scd2_merge: a Snowflake stream has rows that no merge has consumed."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk.exceptions import AirflowRuntimeError
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from clicks_to_deliveries.hooks.snowflake_poller import (
    SnowflakePoller,
    SnowflakeUnreachableError,
    StatementRefusedError,
    tag_of,
)
from include.pipe_and_stream import STREAM_HAS_DATA, STREAM_OFFSET, problem_of_stream
from include.retry import EQUAL_JITTER, backoff

MAX_BACKOFF_SECONDS = 60.0
UNREADABLE = "unreadable"


def poll_interval(interval_seconds: float) -> float:
    """Return the seconds between two polls for merges that are at least so far apart: a tenth, from 0.5 to 10."""
    return min(max(interval_seconds / 10, 0.5), 10.0)


class StreamHasDataTrigger(BaseEventTrigger):
    """Fires once for each offset at which it finds rows in the stream while no run of ``dag_id`` is at work.

    A run that is at work merges what it finds, round after round, so an event would only add another run.

    Consuming a stream moves its offset.  If the offset has not moved, the merge that was asked for has yet to run, or
    failed: the trigger asks for it again after ``repeat_after_seconds``.

    A stream that can't be read any more (stale, dropped) is announced once, with the offset UNREADABLE.  The merge then
    fails and alerts; waiting here would hide the problem.

    :param stream: name of the stream, in the connection's database and schema.
    :param dag_id: the DAG that consumes the stream.
    :param min_interval_seconds: least time between two events, so that a warehouse can suspend.
    :param poll_interval_seconds: time between two polls; by default a tenth of the interval, from 0.5 to 10 seconds.
    :param repeat_after_seconds: time after which an offset that has not moved is announced again.
    """

    def __init__(
        self,
        stream: str,
        snowflake_conn_id: str,
        dag_id: str,
        min_interval_seconds: float,
        poll_interval_seconds: float | None = None,
        repeat_after_seconds: float = 300.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Airflow's class has no types here.
        self.stream = stream
        self.snowflake_conn_id = snowflake_conn_id
        self.dag_id = dag_id
        self.min_interval_seconds = min_interval_seconds
        self.poll_interval_seconds = poll_interval_seconds or poll_interval(min_interval_seconds)
        self.repeat_after_seconds = repeat_after_seconds
        self._failures = 0

    def serialize(self) -> tuple[str, dict[str, Any]]:
        arguments = (
            "stream",
            "snowflake_conn_id",
            "dag_id",
            "min_interval_seconds",
            "poll_interval_seconds",
            "repeat_after_seconds",
        )
        return f"{type(self).__module__}.{type(self).__qualname__}", {name: getattr(self, name) for name in arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        announced: str | None = None
        repeat_at = 0.0
        poller = SnowflakePoller(self.snowflake_conn_id, tag_of(self, dag=self.dag_id))
        try:
            while True:
                try:
                    offset = await self._unconsumed_offset(poller)
                    is_news = offset is not None and (offset != announced or time.monotonic() >= repeat_at)
                    is_due = is_news and not await sync_to_async(_is_at_work)(self.dag_id)
                except (SnowflakeUnreachableError, StatementRefusedError, AirflowRuntimeError) as error:
                    await asyncio.sleep(self._backoff(error))
                    continue
                self._recovered()
                if not is_due:
                    await asyncio.sleep(self.poll_interval_seconds)
                    continue
                yield TriggerEvent({"stream": self.stream, "offset": offset})
                again = math.inf if offset == UNREADABLE else self.repeat_after_seconds
                announced, repeat_at = offset, time.monotonic() + again
                await asyncio.sleep(self.min_interval_seconds)
        finally:
            await poller.close()

    async def _unconsumed_offset(self, poller: SnowflakePoller) -> str | None:
        """Return the stream's offset, UNREADABLE, or None if the stream has no rows.

        It reads the offset first.  If a merge consumes the stream in between, either there is no data, or the offset is
        the old one and the next poll announces the new one.  In the other order an offset could be missed.
        """
        try:
            (offset,) = await poller.first_row(STREAM_OFFSET, {"stream": self.stream})
            (has_data,) = await poller.first_row(STREAM_HAS_DATA, {"stream": self.stream})
        except StatementRefusedError:
            if await poller.ask(lambda connection: problem_of_stream(connection, self.stream)):
                return UNREADABLE
            raise
        return str(offset) if has_data else None

    def _backoff(self, error: Exception) -> float:
        """Return the seconds until the next try; log the first failure of an outage."""
        if self._failures == 0:
            self.log.warning("Stream %s can't be watched, trying until it can: %s", self.stream, error)
        self._failures += 1
        first = 2 * self.poll_interval_seconds
        return backoff(self._failures, first=first, longest=MAX_BACKOFF_SECONDS, floor=EQUAL_JITTER)

    def _recovered(self) -> None:
        if self._failures:
            self.log.info("Stream %s can be watched again after %d failed polls", self.stream, self._failures)
            self._failures = 0


def _is_at_work(dag_id: str) -> bool:
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    return RuntimeTaskInstance.get_dr_count(dag_id, states=["queued", "running"]) > 0
