"""The readings of an hour in RAW: whether the history has them, and in how many a metric was nulled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from include import sql
from include.contracts.times import to_canonical
from include.ledger.balance import HOUR
from include.ledger.reading_balance import ReadingRow
from include.snowflake_rows import execute, first_row

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

EARLIEST = "ledger/earliest_of_hour.sql"
READINGS = "ledger/readings_of_hour.sql"
NULLED_READINGS = "ledger/nulled_of_hour.sql"
FETCHED_AT_ONCE = 10_000


def raw_readings(connection: SnowflakeConnection, hour: datetime) -> Iterator[ReadingRow]:
    """The readings that arrived in ``hour``, as rows of the table ``readings``.

    Raises:
        snowflake.connector.Error: Snowflake does not answer.
    """
    (earliest,) = first_row(connection, sql.render(EARLIEST), _bounds(hour))
    if earliest is None:
        return
    with closing(connection.cursor()) as cursor:
        execute(cursor, sql.render(READINGS), {**_bounds(hour), "earliest": _text(earliest)})
        while rows := cursor.fetchmany(FETCHED_AT_ONCE):
            for shard_id, sequence_number, sub_sequence_number, loaded, truck_id, event_time, state in rows:
                what = f"{truck_id} {_text(event_time)}"
                yield shard_id, sequence_number, sub_sequence_number, state, _text(loaded), what


def nulled_readings(connection: SnowflakeConnection, hour: datetime) -> int:
    """The number of readings that arrived in ``hour`` and have a metric that was nulled.

    Raises:
        snowflake.connector.Error: Snowflake does not answer.
    """
    (count,) = first_row(connection, sql.render(NULLED_READINGS), _bounds(hour))
    return int(count)


def _bounds(hour: datetime) -> dict[str, str]:
    return {"since": to_canonical(hour), "until": to_canonical(hour + HOUR)}


def _text(moment: datetime) -> str:
    """A TIMESTAMP_NTZ, UTC by convention, as canonical text."""
    return to_canonical(moment.replace(tzinfo=UTC))
