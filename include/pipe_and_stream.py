"""The state of Snowpipe's pipe and of the stream that the merge consumes: what to ask Snowflake, and what it means.

Snowflake's services layer answers all of it, so asking wakes up no warehouse.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from include import names
from include.snowflake_rows import first_row, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

DESCRIBE_PIPE = f"DESC PIPE {names.DATABASE}.{names.SCHEMA}.{names.PIPE}"
PIPE_STATUS = "SELECT SYSTEM$PIPE_STATUS(%(pipe)r)"
STREAM_HAS_DATA = "SELECT SYSTEM$STREAM_HAS_DATA(%(stream)r)"
STREAM_OFFSET = "SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP(%(stream)r)"
# In the database alone, a clone of the schema has streams of the same names.
STREAMS = f"SHOW STREAMS LIKE %(stream)r IN SCHEMA {names.DATABASE}.{names.SCHEMA}"
WAREHOUSES = "SHOW WAREHOUSES LIKE %(warehouse)r"

# States of a warehouse that runs.
AWAKE = ("STARTED", "RESIZING")

REPAIR = "run the DAG repair_history with 'recreate the stream and rebuild' (docs/runbooks/repair_history.md)"


def pipe_status(connection: SnowflakeConnection, pipe: str) -> dict[str, Any]:
    """Return what Snowflake says of ``pipe``; raises snowflake.connector.errors.Error."""
    (answer,) = first_row(connection, PIPE_STATUS, {"pipe": pipe})
    status: dict[str, Any] = json.loads(answer)
    return status


# In these states a pipe loads the files that it has; new ones it takes only while it runs.
LOADS = ("RUNNING", "PAUSED")
# A file that is being loaded is in no queue any more.
BEING_LOADED = timedelta(minutes=2)


def is_loaded(status: Mapping[str, Any], since: datetime | None = None) -> bool:
    """Return whether no file is pending, or none that was announced before ``since`` (aware).

    Where readings keep coming, some file is always pending.  A pipe that is paused goes on with those that it has.
    ``status`` is the answer of ``pipe_status``; its oldestFileTimestamp is that of the files in the queue.
    """
    oldest = status.get("oldestFileTimestamp")
    is_past = since is not None and oldest is not None and datetime.fromisoformat(oldest) >= since + BEING_LOADED
    return is_past or not status.get("pendingFileCount", 0)


def is_settled(status: Mapping[str, Any], since: datetime | None = None, *, while_paused: bool = False) -> bool:
    """Return whether waiting can't change a pipe's status: it has loaded what it had, or it does not run.

    ``status`` is the answer of ``pipe_status``, ``since`` as for ``is_loaded``.  With ``while_paused``, a pipe that is
    paused is waited for too.
    """
    goes_on = LOADS if while_paused else LOADS[:1]
    return status["executionState"] not in goes_on or is_loaded(status, since)


class PipeActivity(msgspec.Struct, frozen=True):
    """What changes in a pipe's status whenever a file comes in: if it is as before, COPY_HISTORY has nothing new.

    Fields are as SYSTEM$PIPE_STATUS has them, or empty.
    """

    announced: str
    loaded: str
    failed: str

    @classmethod
    def of(cls, status: Mapping[str, Any]) -> PipeActivity:
        """``status`` is the decoded JSON that PIPE_STATUS returns."""

        def text(*names: str) -> str:
            return " ".join(str(status.get(name, "")) for name in names)

        return cls(
            announced=text("lastForwardedMessageTimestamp", "lastForwardedFilePath"),
            loaded=text("lastIngestedTimestamp", "lastIngestedFilePath"),
            failed=text("lastPipeErrorTimestamp", "lastPipeFaultTimestamp"),
        )


def is_awake(connection: SnowflakeConnection) -> bool:
    """Return whether the connection's warehouse runs: then a statement resumes nothing.

    Raises:
        snowflake.connector.errors.Error: Snowflake did not answer.
    """
    found = rows_by_column(connection, WAREHOUSES, {"warehouse": connection.warehouse})
    return any(row["name"] == connection.warehouse and row["state"] in AWAKE for row in found)


# Of the text about a stream that can still be read.
WILL_BE_STALE = "becomes stale at"


def problem_of_stream(
    connection: SnowflakeConnection, stream: str, *, near: timedelta = timedelta(0), now: datetime | None = None
) -> str | None:
    """Return what is wrong with ``stream`` of the pipeline's schema and what to do, or None if it can be read.

    A stream becomes stale when nothing consumes it for longer than its table keeps old versions.  Its rows are then out
    of its reach for good, but not lost: RAW has them.  A stream that becomes stale in less than ``near`` is a problem
    too.

    Raises:
        snowflake.connector.errors.Error: Snowflake did not answer.
    """
    found = [row for row in rows_by_column(connection, STREAMS, {"stream": stream}) if row["name"] == stream]
    if not found:
        return f"stream {stream} does not exist: {REPAIR}"
    (row,) = found
    if str(row["stale"]).lower() == "true":
        return f"stream {stream} is stale and can't be read any more: {REPAIR}"
    ends: datetime | None = row["stale_after"]
    if ends is not None and ends - (now or datetime.now(UTC)) < near:
        return (
            f"stream {stream} {WILL_BE_STALE} {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC unless a merge consumes it:"
            " check scd2_merge (docs/runbooks/scd2_merge.md)"
        )
    return None
