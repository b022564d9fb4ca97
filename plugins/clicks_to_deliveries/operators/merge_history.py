"""Updates the truck history from the stream, in one short task."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.one_writer import one_writer
from include import names, sql
from include.pipe_and_stream import STREAM_HAS_DATA, problem_of_stream
from include.snowflake_rows import NOW, changed_rows, first_row

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

EARLIEST = "merge/earliest_reading.sql"
MERGE = "merge/truck_telemetry_scd2.sql"
RECORD = "merge/record_run.sql"


class MergeHistoryOperator(Killable, BaseOperator):
    """Checks whether the stream has rows, merges them, and records the run in HISTORY_MERGE_RUNS.

    One task, not three: starting a task costs more than the work.  If there is nothing to merge, the task is skipped
    and sends no asset event.  A retry that finds the stream empty succeeds: the try before it may have merged and died
    before it reported success.

    Returns {"rows_inserted", "rows_updated", "rows_deleted"} of the merge, or None if there was nothing to merge.
    """

    def __init__(self, *, snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, int] | None:
        from snowflake.connector.errors import ProgrammingError

        with closing(connect(self.snowflake_conn_id)) as connection:
            # One statement merges and consumes the stream, so both commit together.
            connection.autocommit(True)
            try:
                return self._merge(connection, context)
            except ProgrammingError as error:
                # A stream that can't be read any more does not repair itself: fail without a retry, and say what to do.
                if problem := problem_of_stream(connection, names.RAW_STREAM):
                    raise AirflowFailException(problem) from error
                raise

    def _merge(self, connection: SnowflakeConnection, context: Context) -> dict[str, int] | None:
        if not first_row(connection, STREAM_HAS_DATA, {"stream": names.RAW_STREAM})[0]:
            if context["ti"].try_number == 1:
                raise AirflowSkipException(f"{names.RAW_STREAM} has no rows")
            self.log.info("%s has no rows now: an earlier try may have merged them", names.RAW_STREAM)
            return None
        with self._lease(connection, context):
            return self._merge_rows(connection, context)

    def _lease(self, connection: SnowflakeConnection, context: Context) -> AbstractContextManager[None]:
        return one_writer(connection, names.HISTORY_WRITER, context)

    def _merge_rows(self, connection: SnowflakeConnection, context: Context) -> dict[str, int]:
        (started_at,) = first_row(connection, NOW)
        # Only a hint where the MERGE begins to read, so it need not be from the same moment.
        (earliest,) = first_row(connection, sql.render(EARLIEST))
        counts = changed_rows(connection, sql.render(MERGE), {"earliest": earliest})
        seconds = record_run(connection, context["run_id"], started_at, counts)
        self.log.info("Merged in %.2f s: %s", seconds, counts)
        return counts


def record_run(connection: SnowflakeConnection, run_id: str, started_at: datetime, counts: dict[str, int]) -> float:
    """Record a run that ends now, and the rows it changed, in HISTORY_MERGE_RUNS; return its duration in seconds."""
    finished_at: datetime
    (finished_at,) = first_row(connection, NOW)
    run = {"run_id": run_id, "started_at": started_at, "finished_at": finished_at}
    with closing(connection.cursor()) as cursor:
        cursor.execute(sql.render(RECORD), {**run, **counts})
    return (finished_at - started_at).total_seconds()
