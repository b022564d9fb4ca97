"""Replaces a pipe whose COPY lacks columns that a later version loads, and has a pipe load what it missed.

Snowflake can't change the COPY of a pipe.  A new pipe does not know what the old one loaded, and has none of its
waiting files.  So the files of the last day are loaded again.  RAW takes the repetition: every count and every merge
works on distinct envelopes.
"""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from include import names
from include.pipe_and_stream import DESCRIBE_PIPE
from include.snowflake_rows import rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

PIPE_DDL = "ddl/060_pipe.sql"
# Longer than a file may wait unnoticed (monitor_snowpipe).
LOADED_AGAIN = timedelta(days=1)
# How far back REFRESH goes by itself: seven days, and it refuses a time before them.
_REACH = timedelta(days=7) - timedelta(minutes=10)

_PIPE = f"{names.DATABASE}.{names.SCHEMA}.{names.PIPE}"


def replace_outdated_pipe(connection: SnowflakeConnection, ddl: str) -> set[str]:
    """Replace the pipe if its COPY lacks names that the COPY of ``ddl`` (PIPE_DDL, rendered) has; return these names.

    The grants on a replaced pipe have to be made again.

    Raises:
        snowflake.connector.errors.Error: the pipe does not exist, or Snowflake refused.
    """
    (pipe,) = rows_by_column(connection, DESCRIBE_PIPE)
    missing = _names_in_copy(ddl) - _names_in_copy(pipe["definition"])
    if missing:
        since = datetime.now(UTC) - LOADED_AGAIN
        replacing = ddl.replace("create pipe if not exists", "create or replace pipe")
        connection.execute_string(replacing, remove_comments=True)
        _refresh(connection, since)
    return missing


def refresh_pipe(connection: SnowflakeConnection) -> int:
    """Have the pipe load the files of the last seven days that it has not loaded; return how many these are.

    A replaced pipe does not know what its predecessor loaded.  So files from more than a day before the pipe was
    created stay out, as in ``replace_outdated_pipe``.

    Raises:
        snowflake.connector.errors.Error: the pipe does not exist, or Snowflake refused.
    """
    (pipe,) = rows_by_column(connection, DESCRIBE_PIPE)
    since = pipe["created_on"].astimezone(UTC) - LOADED_AGAIN
    return _refresh(connection, since if since > datetime.now(UTC) - _REACH else None)


def _refresh(connection: SnowflakeConnection, since: datetime | None) -> int:
    after = f" MODIFIED_AFTER = '{since:%Y-%m-%dT%H:%M:%S}+00:00'" if since else ""
    with closing(connection.cursor()) as cursor:
        cursor.execute(f"ALTER PIPE {_PIPE} REFRESH{after}")
        return len(cursor.fetchall())


def _names_in_copy(statement: str) -> set[str]:
    """Names in lower case, without comments and layout: Snowflake may format a definition in its own way."""
    copy = re.sub(r"--[^\n]*", "", statement.lower()).partition("copy into")[2].partition(";")[0]
    return set(re.findall(r"\w+", copy))
