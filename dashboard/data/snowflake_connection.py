"""The connection to Snowflake that all sessions share, and Snowflake's errors in the words of the dashboard."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import snowflake.connector
import streamlit as st
from snowflake.connector import SnowflakeConnection
from snowflake.connector.errors import Error as SnowflakeError
from snowflake.connector.errors import ProgrammingError

from dashboard.data.settings import connection_settings, store_timeout
from dashboard.data.stores import SNOWFLAKE_STORE, StoreUnavailableError
from dashboard.data.trucks import NUMERIC_METRICS
from include import sql
from include.snowflake_rows import bound

QUERY_TIMEOUT_SECONDS = 20
# After a failed connection, queries fail immediately for so many timeouts instead of each waiting for its own.
FAILURE_MEMORY_TIMEOUTS = 2

# These columns keep their type when a result is empty or all NULL.
_TIMES = {
    "effective_start_date", "effective_end_date", "load_timestamp", "slice_start", "last_time", "first_start",
    "last_start", "newest", "arrival_hour", "started_at", "finished_at", "checked_at", "failing_since", "loaded_at",
    "retired_at", "begins_at", "ends_at", "decided_at", "first_found_at", "event_time",
    "status_start", "status_end", "stored_at", "sent_at",
}  # fmt: skip
_FLOATS = {*NUMERIC_METRICS, "lowest", "highest", "area", "lasted", "last_value", "today", "past_value", "usual"}

# Every statement's QUERY_TAG, with the file of the query.
_TAG = {"app": "dashboard"}

# Of one query: the name of each bound value, and the value.
Values = Mapping[str, str | int | float]


def query(path: str, values: Values) -> pd.DataFrame:
    """Return the rows of ``sql/dashboard/<path>`` with ``values`` bound.

    Column names are in lower case; timestamps are aware UTC.

    Raises:
        StoreUnavailableError: Snowflake is unreachable or refuses the statement.
    """
    return _shared_connection().query(sql.render(f"dashboard/{path}"), values, tag=json.dumps({**_TAG, "query": path}))


def connect() -> None:
    """Open the connection, unless it is open.

    Raises:
        StoreUnavailableError: Snowflake is unreachable or refuses the login.
    """
    _shared_connection().open()


@st.cache_resource(show_spinner=False)
def _shared_connection() -> SharedConnection:
    return SharedConnection()


class SharedConnection:
    """One connection for all sessions, opened by the first query and replaced when it breaks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: SnowflakeConnection | None = None
        # The last failure to connect, and the monotonic time until which it answers every query.
        self._failure: tuple[float, StoreUnavailableError] | None = None

    def open(self) -> None:
        """Open the connection, unless it is open.

        Raises:
            StoreUnavailableError: Snowflake is unreachable or refuses the login.
        """
        self._connect()

    def query(self, statement: str, values: Values, tag: str = "") -> pd.DataFrame:
        """Execute ``statement`` with the QUERY_TAG ``tag`` and return its rows.

        Raises:
            StoreUnavailableError: Snowflake is unreachable or refuses the statement.
        """
        connection, is_new = self._connect()
        try:
            return self._rows(connection, statement, values, tag)
        except SnowflakeError as error:
            if is_new:
                raise self._unreachable(error) from error
        # The connection had worked and is gone, for example because its session expired: try once more.
        connection, _ = self._connect()
        try:
            return self._rows(connection, statement, values, tag)
        except SnowflakeError as error:
            raise self._unreachable(error) from error

    def _rows(self, connection: SnowflakeConnection, statement: str, values: Values, tag: str) -> pd.DataFrame:
        """Execute ``statement`` on ``connection``, and drop the connection if it is gone.

        Raises:
            StoreUnavailableError: Snowflake refuses the statement.
            SnowflakeError: the connection is gone.
        """
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    *bound(statement, values), timeout=QUERY_TIMEOUT_SECONDS, _statement_params={"QUERY_TAG": tag}
                )
                return _frame(cursor.fetchall(), [column.name.lower() for column in cursor.description])
        except SnowflakeError as error:
            if isinstance(error, ProgrammingError) and not _is_session_error(error):
                raise _refused(error) from error
            self._drop(connection)
            raise

    def _connect(self) -> tuple[SnowflakeConnection, bool]:
        """Return the connection, and whether this call opened it."""
        with self._lock:
            if self._connection is not None:
                return self._connection, False
            if self._failure and time.monotonic() < self._failure[0]:
                raise self._failure[1]
            arguments: dict[str, Any] = connection_settings(os.environ)
            try:
                self._connection = snowflake.connector.connect(**arguments, paramstyle="qmark")
            except SnowflakeError as error:
                raise self._unreachable(error) from error
            return self._connection, True

    def _drop(self, connection: SnowflakeConnection) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None

    def _unreachable(self, error: SnowflakeError) -> StoreUnavailableError:
        failure = StoreUnavailableError(
            SNOWFLAKE_STORE,
            "is unreachable",
            "Check that it is running, and check SNOWFLAKE_HOST, SNOWFLAKE_PORT and the credentials.",
            _first_line(error),
        )
        self._failure = (time.monotonic() + FAILURE_MEMORY_TIMEOUTS * store_timeout(os.environ), failure)
        return failure


def _is_session_error(error: SnowflakeError) -> bool:
    """Return whether the session or its token is gone or expired (errors 390xxx)."""
    return error.errno is not None and 390_000 <= error.errno < 391_000


def _refused(error: SnowflakeError) -> StoreUnavailableError:
    # 2003: the object does not exist, or this role may not see it.  2043 says the same of other kinds of object.
    if error.errno in {2003, 2043}:
        return StoreUnavailableError(
            SNOWFLAKE_STORE,
            "does not have this object yet",
            "Run the DAG provision_resources, then come back. In an account, check the role's grants too.",
            _first_line(error),
        )
    return StoreUnavailableError(
        SNOWFLAKE_STORE, "refused the query", "Check the role's grants and the warehouse.", _first_line(error)
    )


def _first_line(error: SnowflakeError) -> str:
    return " ".join((error.raw_msg or error.msg or str(error)).split())[:300]


def _frame(rows: Sequence[Sequence[object]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns)
    for column in columns:
        if column in _TIMES:
            frame[column] = pd.to_datetime(frame[column], utc=True)
        elif column in _FLOATS:
            frame[column] = frame[column].astype("float64")
    return frame
