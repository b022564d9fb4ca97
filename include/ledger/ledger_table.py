"""The table CONSERVATION_LEDGER in Snowflake: store a balance, and read what is stored."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from include import sql
from include.alerts import Alert
from include.alerts.findings import store_alerts
from include.contracts.times import to_canonical
from include.ledger.balance import Balance
from include.ledger.due_hours import LedgerRow
from include.snowflake_rows import execute

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

STORE = "ledger/store_balance.sql"
COUNTED = "ledger/counted_hours.sql"
RECORD = "ledger/record_alert.sql"


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
        execute(cursor, sql.render(STORE), values)


def ledger_rows(connection: SnowflakeConnection, stream: str) -> dict[datetime, LedgerRow]:
    """Hour -> row, for every hour of a stream that is in the table."""
    with closing(connection.cursor()) as cursor:
        execute(cursor, sql.render(COUNTED), {"stream": stream})
        rows = cursor.fetchall()
    return {
        hour.replace(tzinfo=UTC): LedgerRow(
            is_open,
            balanced,
            waiting,
            checked_at.replace(tzinfo=UTC),
            msgspec.json.decode(alerted, type=dict[str, int]) if alerted else None,
        )
        for hour, is_open, balanced, waiting, checked_at, alerted in rows
    }


def ledger_row(balance: Balance, checked_at: datetime) -> LedgerRow:
    """Return a balance as ``ledger_rows`` has it once people know of it."""
    alerted = None if balance.balanced else balance.counts()
    return LedgerRow(balance.is_open, balance.balanced, balance.waiting, checked_at, alerted)


def record_alerts(
    connection: SnowflakeConnection, run_id: str, balances: Iterable[Balance], alerts: Iterable[Alert]
) -> None:
    """Store alerts, and of each hour that they report what people know then, all or nothing.

    Raises:
        snowflake.connector.Error: nothing is stored.
    """
    connection.autocommit(False)
    with closing(connection.cursor()) as cursor:
        for balance in balances:
            alerted = None if balance.balanced else msgspec.json.encode(balance.counts()).decode()
            values = {"stream": balance.stream, "hour": to_canonical(balance.hour), "alerted": alerted}
            execute(cursor, sql.statement(RECORD), values)
    store_alerts(connection, run_id, alerts)
    connection.commit()
