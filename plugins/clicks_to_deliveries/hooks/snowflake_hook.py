"""Snowflake connections that give up in time, for tasks and for the triggerer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from airflow.sdk.exceptions import AirflowFailException
from snowflake.connector import SnowflakeConnection

from include import names
from include.snowflake_rows import first_row

LOGIN_TIMEOUT_SECONDS = 20
# For one HTTP request with its retries.  A long statement is many requests, so this does not limit it.
NETWORK_TIMEOUT_SECONDS = 300
POLL_NETWORK_TIMEOUT_SECONDS = 15

NOW = "SELECT SYSDATE()"

Answer = TypeVar("Answer")


class PipelineSnowflakeHook(SnowflakeHook):
    """The provider's hook with timeouts, and with transactions that no connection can switch off.

    By default the connector retries an unreachable account for ever.  And with AUTOCOMMIT among a connection's
    ``session_parameters`` the provider neither begins nor commits a transaction: if true, a failed change leaves half
    its rows; if false, a successful one is lost.
    """

    def __init__(
        self,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        *,
        network_timeout_seconds: int = NETWORK_TIMEOUT_SECONDS,
    ) -> None:
        super().__init__(snowflake_conn_id=snowflake_conn_id)
        self._network_timeout_seconds = network_timeout_seconds

    def _get_conn_params(self) -> dict[str, Any]:
        """Return the connector's parameters.

        Raises:
            AirflowFailException: the connection sets AUTOCOMMIT, or its session parameters can't be read.
        """
        limits = {"login_timeout": LOGIN_TIMEOUT_SECONDS, "network_timeout": self._network_timeout_seconds}
        parameters: dict[str, Any] = super()._get_conn_params()
        # A copy: the connector writes AUTOCOMMIT into what it gets, where the provider would find it.
        given = parameters["session_parameters"] or {}
        if not isinstance(given, Mapping):
            raise AirflowFailException(
                f"session_parameters of the connection {self.snowflake_conn_id} is {type(given).__name__}, no object"
            )
        session_parameters = dict(given)
        if any(name.strip().upper() == "AUTOCOMMIT" for name in session_parameters):
            raise AirflowFailException(
                f"The connection {self.snowflake_conn_id} sets AUTOCOMMIT in its session_parameters. With it a failed"
                " change would leave half its rows, or a successful one be lost. Remove it: each task sets what it"
                " needs."
            )
        return {**parameters, **limits, "session_parameters": session_parameters}


class SnowflakePoller:
    """Asks small questions from an event loop, over one connection that it keeps between questions.

    The connector blocks, so it runs in a thread of its own.  Questions, and the close, queue up there.
    """

    def __init__(self, snowflake_conn_id: str) -> None:
        self._snowflake_conn_id = snowflake_conn_id
        self._connection: SnowflakeConnection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snowflake-poller")

    async def first_row(self, sql: str, parameters: dict[str, Any]) -> tuple[Any, ...]:
        """Return the first row of the answer; raises as ``ask`` does."""
        return await self.ask(lambda connection: first_row(connection, sql, parameters))

    async def ask(self, question: Callable[[SnowflakeConnection], Answer]) -> Answer:
        """Return what ``question`` returns for the connection.

        Raises:
            snowflake.connector.errors.Error: a statement failed or Snowflake was out of reach.  The next call opens a
                new connection.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, question)

    async def close(self) -> None:
        """Close the connection, after the question in progress if there is one."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    def _ask(self, question: Callable[[SnowflakeConnection], Answer]) -> Answer:
        if self._connection is None:
            hook = PipelineSnowflakeHook(self._snowflake_conn_id, network_timeout_seconds=POLL_NETWORK_TIMEOUT_SECONDS)
            self._connection = hook.get_conn()
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
