"""Questions to Snowflake from the triggerer's event loop.

The connector is imported with the first question, in the poller's thread: in the event loop, it would stop every
trigger for as long as that takes.  So what a question raises are exceptions of this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.providers.common.compat.sdk import AirflowException

from clicks_to_deliveries.hooks.snowflake_access import connect
from include.snowflake_rows import first_row

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger
    from snowflake.connector import SnowflakeConnection

POLL_NETWORK_TIMEOUT_SECONDS = 15

Answer = TypeVar("Answer")


class SnowflakeUnreachableError(Exception):
    """Snowflake did not answer, or the connection can't be used: a later question may succeed."""


class StatementRefusedError(Exception):
    """Snowflake refused the statement."""


def tag_of(trigger: BaseTrigger, **known: str) -> dict[str, str]:
    """Return the QUERY_TAG of what a trigger asks: the trigger, and the task that waits for it if there is one."""
    waiting = getattr(trigger, "task_instance", None)  # a trigger that starts runs has none
    task = {} if waiting is None else {"dag": waiting.dag_id, "task": waiting.task_id, "run": waiting.run_id}
    return {**known, **task, "trigger": type(trigger).__name__}


class SnowflakePoller:
    """Asks small questions from an event loop, over one connection that it keeps between questions.

    The connector blocks, so it runs in a thread of its own.  Questions, and the close, queue up there.
    """

    def __init__(self, snowflake_conn_id: str, tag: Mapping[str, str]) -> None:
        """Args: tag: the QUERY_TAG of the questions, such as ``tag_of`` a trigger."""
        self._snowflake_conn_id, self._tag = snowflake_conn_id, tag
        self._connection: SnowflakeConnection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snowflake-poller")

    async def first_row(self, sql: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
        """Return the first row of the answer; raises as ``ask`` does."""
        return await self.ask(lambda connection: first_row(connection, sql, parameters))

    async def ask(self, question: Callable[[SnowflakeConnection], Answer]) -> Answer:
        """Return what ``question`` returns for the connection.

        Raises:
            StatementRefusedError, SnowflakeUnreachableError: the next call opens a new connection.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, question)

    async def close(self) -> None:
        """Close the connection, after the question in progress if there is one."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _ask(self, question: Callable[[SnowflakeConnection], Answer]) -> Answer:
        from snowflake.connector import errors

        try:
            return self._ask_snowflake(question)
        except errors.ProgrammingError as error:
            raise StatementRefusedError(str(error)) from error
        except (errors.Error, AirflowException, OSError) as error:
            raise SnowflakeUnreachableError(str(error)) from error

    def _ask_snowflake(self, question: Callable[[SnowflakeConnection], Answer]) -> Answer:
        if self._connection is None:
            self._connection = connect(
                self._snowflake_conn_id, self._tag, network_timeout_seconds=POLL_NETWORK_TIMEOUT_SECONDS
            )
        try:
            return question(self._connection)
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # retry=False: an unreachable server is not worth waiting for.
            connection.close(retry=False)
