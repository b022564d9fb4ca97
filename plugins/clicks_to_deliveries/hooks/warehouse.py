"""Snowflake connections that give up in time, for tasks and for the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from snowflake.connector import SnowflakeConnection

from include import names

LOGIN_TIMEOUT_SECONDS = 20
# Of one HTTP request with its retries; a long statement is many requests, so this does not limit it.
NETWORK_TIMEOUT_SECONDS = 300
POLL_NETWORK_TIMEOUT_SECONDS = 15


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


class WarehousePoller:
    """Asks small questions from an event loop, over one connection that is kept from question to question.

    The connector blocks, so it lives in a thread of its own; questions, and the close, queue up there one by one.
    """

    def __init__(self, snowflake_conn_id: str) -> None:
        self._snowflake_conn_id = snowflake_conn_id
        self._connection: SnowflakeConnection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="warehouse-poller")

    async def first_row(self, sql: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """First row of the answer.

        Raises:
            snowflake.connector.errors.Error: the statement failed or Snowflake was out of reach; the next call
                connects anew.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._first_row, sql, parameters)

    async def close(self) -> None:
        """Closes the connection, after the question in progress if there is one."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _first_row(self, sql: str, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        if self._connection is None:
            hook = WarehouseHook(self._snowflake_conn_id, network_timeout_seconds=POLL_NETWORK_TIMEOUT_SECONDS)
            self._connection = hook.get_conn()
        try:
            with closing(self._connection.cursor()) as cursor:
                return cursor.execute(sql, parameters).fetchone()
        except BaseException:
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # retry=False: telling an unreachable server goodbye is not worth waiting for.
            connection.close(retry=False)
