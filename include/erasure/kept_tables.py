"""What Snowflake says of its tables, streams and loads, for the record of an erasure and for its check.

But for the load history, the services layer answers: asking wakes up no warehouse.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include import names, sql
from include.erasure.copies import TableFacts
from include.pipe_and_stream import STREAM_OFFSET
from include.snowflake_rows import first_row, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

TABLES = f"SHOW TABLES IN SCHEMA {names.DATABASE}.{names.SCHEMA}"
LOAD_MESSAGE = "ops/last_load_message.sql"
STREAMS_ON_RAW = (names.RAW_STREAM, names.PLAUSIBILITY_STREAM)


def table_facts(connection: SnowflakeConnection) -> dict[str, TableFacts]:
    """Return each table of the schema that the role sees; raises snowflake.connector.errors.Error."""
    return {
        row["name"]: TableFacts(str(row["kind"]).upper() == "TRANSIENT", int(row["retention_time"]))
        for row in rows_by_column(connection, TABLES)
    }


def stream_offsets(connection: SnowflakeConnection) -> dict[str, datetime]:
    """Return to what time each stream on RAW was read, aware; raises snowflake.connector.errors.Error."""
    return {name: _offset(connection, name) for name in STREAMS_ON_RAW}


def unread_streams(offsets: Mapping[str, datetime], since: datetime) -> list[str]:
    """Return the streams whose offset is older than ``since``."""
    return [name for name, offset in offsets.items() if offset < since]


def last_load_message(connection: SnowflakeConnection) -> datetime | None:
    """Return when a file last failed to load with a message, aware; raises snowflake.connector.errors.Error."""
    (loaded_at,) = first_row(connection, sql.statement(LOAD_MESSAGE))
    return None if loaded_at is None else loaded_at.replace(tzinfo=UTC)


def _offset(connection: SnowflakeConnection, stream: str) -> datetime:
    (nanoseconds,) = first_row(connection, STREAM_OFFSET, {"stream": stream})
    return datetime.fromtimestamp(int(nanoseconds) / 1e9, UTC)
