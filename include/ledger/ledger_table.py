"""The table CONSERVATION_LEDGER in Snowflake: store a balance, and read what is stored."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import msgspec
from snowflake.connector import SnowflakeConnection

from include import sql
from include.contracts.times import to_canonical
from include.ledger.balance import DIFFERENCES, Balance
from include.ledger.due_hours import LedgerRow

STORE = "ledger/store_balance.sql"
COUNTED = "ledger/counted_hours.sql"


def store_balance(connection: SnowflakeConnection, balance: Balance, run_id: str, checked_at: datetime) -> None:
    """Store one row; it replaces the row of the same stream and hour.

    Raises:
        snowflake.connector.Error: the row is not stored.
    """
    values = msgspec.structs.asdict(balance) | {
        "hour": to_canonical(balance.hour),
        "balanced": balance.balanced,
        "details": msgspec.json.encode(balance.samples).decode(),
        "checked_at": to_canonical(checked_at),
        "run_id": run_id,
    }
    del values["samples"]
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql.render(STORE), values)


def ledger_rows(connection: SnowflakeConnection, stream: str) -> dict[datetime, LedgerRow]:
    """Hour -> row, for every hour of a stream that is in the table."""
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql.render(COUNTED), {"stream": stream})
        rows = cursor.fetchall()
    return {
        hour.replace(tzinfo=UTC): LedgerRow(
            is_open,
            balanced,
            waiting,
            checked_at.replace(tzinfo=UTC),
            run_id,
            dict(zip(DIFFERENCES, differences, strict=True)),
        )
        for hour, is_open, balanced, waiting, checked_at, run_id, *differences in rows
    }
