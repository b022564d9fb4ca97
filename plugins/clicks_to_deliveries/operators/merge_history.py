"""Updates the truck history from the stream, in one short task, or again and again in one run."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import Context
from airflow.triggers.base import BaseTrigger

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.in_rounds import LEAST_PAUSE, InRounds, Progress, Round
from clicks_to_deliveries.operators.one_writer import one_writer
from clicks_to_deliveries.telemetry import count, measure, span
from clicks_to_deliveries.triggers.stream_has_data import poll_interval
from clicks_to_deliveries.triggers.stream_wait import StreamWaitTrigger
from include import names, sql
from include.pipe_and_stream import STREAM_HAS_DATA, problem_of_stream
from include.snowflake_rows import CHANGES, NOW, changed_rows, execute, first_row, rows_by_column

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

EARLIEST = "merge/earliest_reading.sql"
WAITING_FILES = "merge/waiting_files.sql"
MERGE = "merge/truck_telemetry_scd2.sql"
RECORD = "merge/record_run.sql"
# How long a task merges again and again without giving its worker and its pool slot away.
STAYS = timedelta(minutes=1)


class MergeHistoryOperator(InRounds):
    """Checks whether the stream has rows, merges them, and records the merge in HISTORY_MERGE_RUNS.

    One task, not three: starting a task costs more than the work.  If there is nothing to merge, the task is skipped
    and sends no asset event.  A retry that finds the stream empty succeeds: the try before it may have merged and died
    before it reported success.

    With ``run_for``, it waits after a merge until the stream has rows again, and merges them, until no row has come for
    as long as ``min_interval``.  An interval below LEAST_PAUSE is too short to wait in the triggerer: then the task
    itself waits, in a run of STAYS at most, so that a repair has its turn.

    :param min_interval: least time between the starts of two merges of a run.

    Returns {"rounds", "rows_inserted", "rows_updated", "rows_deleted"} of all merges.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.MERGE_RUNS, buttons.QUERIES)

    def __init__(
        self,
        *,
        min_interval: timedelta = timedelta(minutes=1),
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.min_interval = min_interval
        self.snowflake_conn_id = snowflake_conn_id
        self._began = 0.0

    def work(self, context: Context, progress: Progress) -> Round:
        from snowflake.connector.errors import ProgrammingError

        self._began = time.time()
        stays = bool(self.run_for) and self.min_interval < LEAST_PAUSE
        with closing(connect(self.snowflake_conn_id)) as connection:
            # One statement merges and consumes the stream, so both commit together.
            connection.autocommit(True)
            try:
                return self._stay(connection, context) if stays else self._merge(connection, context, progress)
            except ProgrammingError as error:
                # A stream that can't be read any more does not repair itself: fail without a retry, and say what to do.
                if problem := problem_of_stream(connection, names.RAW_STREAM):
                    raise AirflowFailException(problem) from error
                raise

    def wait(self) -> tuple[BaseTrigger, timedelta]:
        interval = self.min_interval.total_seconds()
        not_before = max(self._began + interval, time.time() + LEAST_PAUSE.total_seconds())
        trigger = StreamWaitTrigger(
            stream=names.RAW_STREAM,
            snowflake_conn_id=self.snowflake_conn_id,
            not_before=not_before,
            until=not_before + interval,
            poll_interval_seconds=poll_interval(interval),
        )
        return trigger, LEAST_PAUSE + 2 * self.min_interval

    def is_over(self, event: Any) -> bool:
        return not event["is_woken"]

    def _stay(self, connection: SnowflakeConnection, context: Context) -> Round:
        """Merge, and again whenever the interval has passed and there are rows, until none has come for an interval."""
        done = self._merge(connection, context, Progress({}, 0))
        total, merges = done.counts or {}, 1
        interval, began = self.min_interval.total_seconds(), time.monotonic()
        leave = began + min(STAYS, self.run_for).total_seconds()
        while time.monotonic() < leave and not self.is_news(context):
            time.sleep(max(0.0, self._began + interval - time.time()))
            if not self._have_come(connection, interval):
                break
            self._began = time.time()
            counts = self._merge(connection, context, Progress({}, merges)).counts or {}
            total = {name: count + counts.get(name, 0) for name, count in total.items()}
            merges += bool(counts)
        return Round({"rounds": merges, **total}, is_last=True)

    def _have_come(self, connection: SnowflakeConnection, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not first_row(connection, STREAM_HAS_DATA, {"stream": names.RAW_STREAM})[0]:
            if time.monotonic() >= deadline:
                return False
            time.sleep(poll_interval(seconds))
        return True

    def _merge(self, connection: SnowflakeConnection, context: Context, progress: Progress) -> Round:
        if first_row(connection, STREAM_HAS_DATA, {"stream": names.RAW_STREAM})[0]:
            with self._lease(connection, context):
                return Round(self._merge_rows(connection, _name(context, progress)))
        if progress.rounds:
            return Round(None)
        if context["ti"].try_number == 1:
            raise AirflowSkipException(f"{names.RAW_STREAM} has no rows")
        self.log.info("%s has no rows now: an earlier try may have merged them", names.RAW_STREAM)
        return Round(dict.fromkeys((f"rows_{change}" for change in CHANGES), 0))

    def _lease(self, connection: SnowflakeConnection, context: Context) -> AbstractContextManager[None]:
        return one_writer(connection, names.HISTORY_WRITER, context)

    def _merge_rows(self, connection: SnowflakeConnection, name: str) -> dict[str, int]:
        (started_at,) = first_row(connection, NOW)
        newest_arrival = self._log_files(connection, name)
        # Only a hint where the MERGE begins to read, so it need not be from the same moment.
        (earliest,) = first_row(connection, sql.render(EARLIEST))
        with span("merge", run=name):
            counts = changed_rows(connection, sql.render(MERGE), {"earliest": earliest})
        seconds = record_run(connection, name, started_at, counts)
        self.log.info("Merged in %.2f s: %s", seconds, counts)
        count("history", {"merges": 1, **counts})
        measure("history", {"merge_seconds": seconds})
        if newest_arrival:
            age = (started_at - newest_arrival).total_seconds() + seconds
            measure("history", {"freshness_seconds": max(0.0, age)})
        return counts

    def _log_files(self, connection: SnowflakeConnection, name: str) -> datetime | None:
        """Log the landing files that are to be merged; return when their newest reading arrived."""
        files = rows_by_column(connection, sql.render(WAITING_FILES))
        for file in files:
            self.log.info("Merging %d readings of %s as %s", file["READINGS"], file["FILE_NAME"], name)
        if not files:
            return None
        if more := files[0]["FILE_COUNT"] - len(files):
            self.log.info("And of %d more files", more)
        newest: datetime = files[0]["NEWEST_ARRIVAL"]
        return newest


def _name(context: Context, progress: Progress) -> str:
    """Return what identifies a merge in HISTORY_MERGE_RUNS; a retry does not overwrite what the try before recorded."""
    try_number = context["ti"].try_number
    return progress.name(context) if try_number == 1 else f"{context['run_id']} #try {try_number}"


def record_run(connection: SnowflakeConnection, run_id: str, started_at: datetime, counts: dict[str, int]) -> float:
    """Record a run that ends now, and the rows it changed, in HISTORY_MERGE_RUNS; return its duration in seconds."""
    finished_at: datetime
    (finished_at,) = first_row(connection, NOW)
    run = {"run_id": run_id, "started_at": started_at, "finished_at": finished_at}
    with closing(connection.cursor()) as cursor:
        execute(cursor, sql.render(RECORD), {**run, **counts})
    return (finished_at - started_at).total_seconds()
