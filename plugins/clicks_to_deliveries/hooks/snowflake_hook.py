"""Snowflake connections that give up in time; what they run ends with its task.

Importing this module takes most of a second and 100 MB: DAG files reach it through snowflake_access.py.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.snowflake.hooks.snowflake import SnowflakeHook
from airflow.sdk import get_current_context
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from snowflake.connector import SnowflakeConnection, connect
from snowflake.connector.errors import Error

from clicks_to_deliveries.telemetry import trace_id
from include import names
from include.snowflake_rows import first_row

log = logging.getLogger(__name__)

LOGIN_TIMEOUT_SECONDS = 20
# For one HTTP request.  Snowflake answers within 45 s, if only that the statement is in progress.
SOCKET_TIMEOUT_SECONDS = 60
# For a statement, however long it is answered with "in progress", and for one HTTP request with its retries.  The
# connector has one limit for both: at its end it cancels the statement.  No statement may run longer than its task, so
# this is beyond every task's execution_timeout.
NETWORK_TIMEOUT_SECONDS = 4 * 3600
# Airflow kills a task that has not ended 5 s after the signal.
CANCEL_TIMEOUT_SECONDS = 3

CANCEL = "SELECT SYSTEM$CANCEL_ALL_QUERIES({session})"
MOST_TAG_LENGTH = 2000

# The connections that this process opened, and the hook that opened each; a closed one has no statement.
_opened: WeakKeyDictionary[SnowflakeConnection, PipelineSnowflakeHook] = WeakKeyDictionary()


def cancel_statements() -> None:
    """Cancel every statement that this process has sent and that Snowflake still runs: its task is being killed.

    Each over a connection of its own: the statement's is in use.  A failure is logged.  Then the statement ends at the
    timeout that its task's session has, or when the next writer cancels it.
    """
    for connection, hook in list(_opened.items()):
        if connection.is_closed():
            continue
        session = connection.session_id
        try:
            with closing(hook.canceller()) as other:
                (answer,) = first_row(other, CANCEL.format(session=session))
        except (Error, OSError) as error:
            log.warning("Statements of session %s were not cancelled: %s", session, error)
        else:
            log.info("Statements of session %s: %s", session, answer)


class PipelineSnowflakeHook(SnowflakeHook):
    """The provider's hook with timeouts, and with transactions that no connection can switch off.

    By default the connector retries an unreachable account for ever.  And with AUTOCOMMIT among a connection's
    ``session_parameters`` the provider neither begins nor commits a transaction: if true, a failed change leaves half
    its rows; if false, a successful one is lost.

    Every statement has a QUERY_TAG that names the task, or the trigger, that sends it.  Inside a task, Snowflake itself
    cancels a statement when the task's ``execution_timeout`` is over.  So it ends even if nothing is left of its task.
    """

    def __init__(
        self,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        *,
        network_timeout_seconds: int = NETWORK_TIMEOUT_SECONDS,
        login_timeout_seconds: int = LOGIN_TIMEOUT_SECONDS,
        tag: Mapping[str, str] | None = None,
    ) -> None:
        """Args: tag: what sends the statements, where that is no task."""
        super().__init__(snowflake_conn_id=snowflake_conn_id)
        self._tag = tag
        self._key: Any = None
        self._parameters: dict[str, Any] = {}
        self._limits = {
            "login_timeout": login_timeout_seconds,
            "network_timeout": network_timeout_seconds,
            "socket_timeout": SOCKET_TIMEOUT_SECONDS,
            # Otherwise each process asks the metadata services of three clouds, for Snowflake's statistics, before it
            # logs in: up to 0.2 s.
            "platform_detection_timeout_seconds": 0.0,
        }

    def get_conn(self) -> SnowflakeConnection:
        connection: SnowflakeConnection = super().get_conn()
        _opened[connection] = self
        return connection

    def canceller(self) -> SnowflakeConnection:
        """Open a connection that cancels what this hook's connections run; it gives up soon.

        It asks Airflow for nothing.  A kill may come while the task waits for an answer of its supervisor, and a second
        question would wait for the first for ever.
        """
        limits = dict.fromkeys(("login_timeout", "network_timeout"), CANCEL_TIMEOUT_SECONDS)
        connection: SnowflakeConnection = connect(**{**self._parameters, **limits})
        return connection

    def get_private_key(self) -> Any:
        self._key = super().get_private_key()
        return self._key

    def _get_conn_params(self) -> dict[str, Any]:
        """Return the connector's parameters.

        Raises:
            AirflowFailException: the connection sets AUTOCOMMIT, or its session parameters can't be read.
        """
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
        stated = {name.strip().upper() for name in session_parameters}
        ours = {name: value for name, value in _parameters_of(self._tag).items() if name not in stated}
        self._parameters = {**parameters, **self._limits, "session_parameters": session_parameters | ours}
        if isinstance(self._key, RSAPrivateKey):
            # As text again, the connector would check it a second time: 30 ms for each task.
            self._parameters["private_key"] = self._key
        return self._parameters


def _parameters_of(tag_outside: Mapping[str, str] | None) -> dict[str, Any]:
    """Return the session parameters that tie a statement to the task that sends it; outside a task a tag, if any."""
    try:
        context = get_current_context()
    except RuntimeError:  # no task: the triggerer, or a test of an operator
        return {"QUERY_TAG": json.dumps(dict(tag_outside))[:MOST_TAG_LENGTH]} if tag_outside else {}
    instance, task = context["ti"], context["task"]
    tag = {"dag": instance.dag_id, "task": instance.task_id, "run": instance.run_id, "try": instance.try_number}
    if trace := trace_id():
        tag["trace"] = trace
    parameters: dict[str, Any] = {"QUERY_TAG": json.dumps(tag)[:MOST_TAG_LENGTH]}
    timeout: timedelta | None = task.execution_timeout
    if timeout is not None:
        parameters["STATEMENT_TIMEOUT_IN_SECONDS"] = math.ceil(timeout.total_seconds())
    return parameters
