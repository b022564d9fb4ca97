"""The readings of an hour in RAW, and whether the history has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

from snowflake.connector import SnowflakeConnection

from include import sql
from include.contracts.times import to_canonical
from include.ledger.balance import HOUR
from include.ledger.reading_balance import ReadingRow

READINGS = "ledger/readings_of_hour.sql"
FETCHED_AT_ONCE = 10_000


def raw_readings(connection: SnowflakeConnection, hour: datetime) -> Iterator[ReadingRow]:
    """The readings that arrived in ``hour``, as rows of the table ``readings``.

    Raises:
        snowflake.connector.Error: Snowflake does not answer.
    """
    bounds = {"since": to_canonical(hour), "until": to_canonical(hour + HOUR)}
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql.render(READINGS), bounds)
        while rows := cursor.fetchmany(FETCHED_AT_ONCE):
            for shard_id, sequence_number, loaded, truck_id, event_time, state in rows:
                yield shard_id, sequence_number, state, _text(loaded), f"{truck_id} {_text(event_time)}"


def _text(moment: datetime) -> str:
    """A TIMESTAMP_NTZ, UTC by convention, as canonical text."""
    return to_canonical(moment.replace(tzinfo=UTC))
