"""The outbox in Snowflake: the table ALERTS.  Times in it are naive UTC."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from include import sql
from include.alerts.alert import Alert
from include.snowflake_rows import execute, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

#: How long an alert is kept after it was sent.
RETENTION = timedelta(days=30)


def store_alerts(connection: SnowflakeConnection, run_id: str, alerts: Iterable[Alert]) -> None:
    """Store alerts as not yet sent, in the caller's transaction, with the results that they report.

    An alert that is stored already stays as it is.
    """
    with closing(connection.cursor()) as cursor:
        for alert in alerts:
            values = {name: getattr(alert, name) for name in ("alert_id", "incident", "state", "severity", "headline")}
            values |= {"message": alert.message, "stored_at": _naive(alert.stored_at), "is_over": alert.is_over}
            execute(cursor, _statement("store"), {"run_id": run_id, **values})


class FindingsOutbox:
    """What checks found and people don't know yet; each recorded alert is committed."""

    def __init__(self, connection: SnowflakeConnection) -> None:
        self._connection = connection
        connection.autocommit(True)

    def unsent(self) -> list[Alert]:
        rows = rows_by_column(self._connection, _statement("unsent"))
        return [_alert({column.lower(): value for column, value in row.items()}) for row in rows]

    def record(self, alert: Alert, *, is_sent: bool) -> None:
        values = {"alert_id": alert.alert_id, "sent_to": msgspec.json.encode(alert.sent_to).decode()}
        now = datetime.now(UTC)
        with closing(self._connection.cursor()) as cursor:
            execute(cursor, _statement("record_sent"), values | {"sent_at": _naive(now) if is_sent else None})
            if is_sent:
                execute(cursor, _statement("forget_sent"), {"before": _naive(now - RETENTION)})


def _alert(row: dict[str, Any]) -> Alert:
    sent_to = msgspec.json.decode(row["sent_to"], type=tuple[str, ...])
    return msgspec.convert(row | {"stored_at": row["stored_at"].replace(tzinfo=UTC), "sent_to": sent_to}, Alert)


def _naive(time: datetime) -> str:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat()


def _statement(name: str) -> str:
    return sql.statement(f"alerts/{name}.sql")
