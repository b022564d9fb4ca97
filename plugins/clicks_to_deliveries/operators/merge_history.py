"""Brings the truck history up to date with the stream, in one short task."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowSkipException
from snowflake.connector import SnowflakeConnection

from clicks_to_deliveries.hooks.warehouse import WarehouseHook
from clicks_to_deliveries.triggers.stream_has_data import HAS_DATA
from include import names, sql

MERGE = "merge/truck_telemetry_scd2.sql"
RECORD = "merge/record_run.sql"
NOW = "SELECT SYSDATE()"


class MergeHistoryOperator(BaseOperator):
    """Looks whether the stream has rows, merges them, and records the run in HISTORY_MERGE_RUNS.

    One task, not three: starting a task costs more than the work.  A skip (nothing to merge) sends no asset event.
    A retry that finds the stream empty does succeed: the try before it may have merged and died before it said so.

    Returns {"rows_inserted", "rows_updated", "rows_deleted"} of the merge; nothing where there was nothing to merge.
    """

    def __init__(self, *, snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, int] | None:
        with closing(WarehouseHook(self.snowflake_conn_id).get_conn()) as connection:
            # The merge and the consumption of the stream are one statement, and commit as one.
            connection.autocommit(True)
            if not _first_row(connection, HAS_DATA, {"stream": names.RAW_STREAM})[0]:
                if context["ti"].try_number == 1:
                    raise AirflowSkipException(f"{names.RAW_STREAM} has no rows")
                self.log.info("%s has no rows now: an earlier try may have merged them", names.RAW_STREAM)
                return None
            (started_at,) = _first_row(connection, NOW)
            counts = _merge(connection)
            (finished_at,) = _first_row(connection, NOW)
            times = {"started_at": started_at, "finished_at": finished_at}
            with closing(connection.cursor()) as cursor:
                cursor.execute(sql.render(RECORD), {"run_id": context["run_id"], **times, **counts})
        self.log.info("Merged in %.2f s: %s", (finished_at - started_at).total_seconds(), counts)
        return counts


def _merge(connection: SnowflakeConnection) -> dict[str, int]:
    with closing(connection.cursor()) as cursor:
        row = cursor.execute(sql.render(MERGE)).fetchone()
        # Snowflake answers with one column for each kind of change that the statement can make.
        found = {column.name.lower(): int(value) for column, value in zip(cursor.description, row, strict=True)}
    return {f"rows_{change}": found.get(f"number of rows {change}", 0) for change in ("inserted", "updated", "deleted")}


def _first_row(connection: SnowflakeConnection, statement: str, parameters: dict[str, Any] | None = None) -> tuple:
    with closing(connection.cursor()) as cursor:
        return cursor.execute(statement, parameters).fetchone()
