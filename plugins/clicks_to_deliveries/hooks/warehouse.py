"""Snowflake connections that give up in time, for tasks and for the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from snowflake.connector import SnowflakeConnection

from include import names

LOGIN_TIMEOUT_SECONDS = 20
# Of one HTTP request with its retries; a long statement is many requests, so this does not limit it.
NETWORK_TIMEOUT_SECONDS = 300
POLL_NETWORK_TIMEOUT_SECONDS = 15

NOW = "SELECT SYSDATE()"

Answer = TypeVar("Answer")


class WarehouseHook(SnowflakeHook):
    """The provider's hook, with the connector's timeouts set: by default it retries an unreachable account for ever."""

    def __init__(
        self,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        *,
        network_timeout_seconds: int = NETWORK_TIMEOUT_SECONDS,
    ) -> None:
        super().__init__(snowflake_conn_id=snowflake_conn_id)
        self._network_timeout_seconds = network_timeout_seconds

    def _get_conn_params(self) -> dict[str, Any]:
        limits = {"login_timeout": LOGIN_TIMEOUT_SECONDS, "network_timeout": self._network_timeout_seconds}
        return {**super()._get_conn_params(), **limits}


def first_row(connection: SnowflakeConnection, statement: str, parameters: Mapping[str, Any] | None = None) -> tuple:
    """First row of the answer."""
    with closing(connection.cursor()) as cursor:
        return cursor.execute(statement, parameters).fetchone()


def changed_rows(
    connection: SnowflakeConnection, statement: str, parameters: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """What a DML changed: {"rows_inserted", "rows_updated", "rows_deleted"}."""
    with closing(connection.cursor()) as cursor:
        row = cursor.execute(statement, parameters).fetchone()
        # Snowflake answers with one column for each kind of change that the statement can make.
        found = {column.name.lower(): int(value) for column, value in zip(cursor.description, row, strict=True)}
    return {f"rows_{change}": found.get(f"number of rows {change}", 0) for change in ("inserted", "updated", "deleted")}


class WarehousePoller:
    """Asks small questions from an event loop, over one connection that is kept from question to question.

    The connector blocks, so it lives in a thread of its own; questions, and the close, queue up there one by one.
    """

    def __init__(self, snowflake_conn_id: str) -> None:
        self._snowflake_conn_id = snowflake_conn_id
        self._connection: SnowflakeConnection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="warehouse-poller")

    async def first_row(self, sql: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """First row of the answer; raises as ``ask`` does."""
        return await self.ask(lambda connection: first_row(connection, sql, parameters))

    async def ask(self, question: Callable[[SnowflakeConnection], Answer]) -> Answer:
        """What ``question`` returns for the connection.

        Raises:
            snowflake.connector.errors.Error: a statement failed or Snowflake was out of reach; the next call connects
                anew.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, question)

    async def close(self) -> None:
        """Closes the connection, after the question in progress if there is one."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _ask(self, question: Callable[[SnowflakeConnection], Answer]) -> Answer:
        if self._connection is None:
            hook = WarehouseHook(self._snowflake_conn_id, network_timeout_seconds=POLL_NETWORK_TIMEOUT_SECONDS)
            self._connection = hook.get_conn()
        try:
            return question(self._connection)
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # retry=False: telling an unreachable server goodbye is not worth waiting for.
            connection.close(retry=False)
