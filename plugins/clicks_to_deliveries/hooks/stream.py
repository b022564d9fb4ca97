"""Can a Snowflake stream still be read, and for how long."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

from snowflake.connector import DictCursor, SnowflakeConnection

REPAIR = "run the DAG repair_history with 'recreate the stream and rebuild' (docs/runbooks/repair_history.md)"
# Answered by the services layer: no warehouse wakes up for it.
STREAMS = "SHOW STREAMS LIKE %(stream)s"


def problem_of_stream(
    connection: SnowflakeConnection, stream: str, *, near: timedelta = timedelta(0), now: datetime | None = None
) -> str | None:
    """What is wrong with ``stream`` of the connection's schema, and what to do; None if it can be read.

    It is stale when nothing consumed it for longer than its table keeps old versions: what it held is then out of its
    reach for good, though not lost, as RAW has it.  Told beforehand when that is nearer than ``near``.

    Raises:
        snowflake.connector.errors.Error: Snowflake did not answer.
    """
    with closing(connection.cursor(DictCursor)) as cursor:
        found = [row for row in cursor.execute(STREAMS, {"stream": stream}).fetchall() if row["name"] == stream]
    if not found:
        return f"stream {stream} does not exist: {REPAIR}"
    (row,) = found
    if str(row["stale"]).lower() == "true":
        return f"stream {stream} is stale and can't be read any more: {REPAIR}"
    ends: datetime | None = row["stale_after"]
    if ends is not None and ends - (now or datetime.now(UTC)) < near:
        return (
            f"stream {stream} becomes stale at {ends.astimezone(UTC):%Y-%m-%d %H:%M} UTC unless a merge consumes it:"
            " see to scd2_merge (docs/runbooks/scd2_merge.md)"
        )
    return None
