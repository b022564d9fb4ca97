"""Erase one truck from every store: objects and states first, then tables, then a check of what is left.

docs/erasure.md describes it.  These operators have their own connections: no other task may erase (docs/adr/0011).
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.hooks.aws_hook import clients_of
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.notifiers.run_outbox import Variables
from clicks_to_deliveries.operators.check_erasures import record_erasure
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.one_writer import one_writer
from clicks_to_deliveries.triggers.pipe_settled import PipeSettledTrigger
from include import names
from include.aws_clients import store_clients
from include.contracts.times import parse
from include.erasure import ErasureSummary, erase, erasure_report, kept_tables, truck_tables
from include.pipe_and_stream import LOADS, is_loaded, pipe_status

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# Longer than a check may take (include/quality/checks.py, TIME_FOR_ALL).
CHECK_ENDS_SECONDS = 600.0


class CheckTrackersOperator(Killable, BaseOperator):
    """Refuses to erase while an assignment names the truck; if this run only counts, it only says so.

    An erasure knows reported ids.  With an assignment, the truck has readings under another id, or its id has readings
    of another truck: erasing by the id would leave the former and take the latter.

    :param count_only: (templated) erase nothing.

    Returns the assignments.
    """

    template_fields = ("truck_id", "count_only")

    def __init__(
        self,
        *,
        truck_id: str,
        count_only: bool | str,
        snowflake_conn_id: str = names.ERASURE_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.truck_id = truck_id
        self.count_only = count_only
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> list[str]:
        with closing(connect(self.snowflake_conn_id)) as connection:
            found = truck_tables.assignments_of(connection, self.truck_id)
        if found:
            text = (
                f"readings of {self.truck_id} are assigned: {'; '.join(found)}. Undo these assignments (DAG "
                "fleet_register), then erase each id that has readings of the truck"
            )
            if not _as_bool(self.count_only):
                raise AirflowFailException(text)
            self.log.warning("Only this id is counted: %s", text)
        return found


class EraseObjectsOperator(Killable, BaseOperator):
    """Erases the truck from the bucket and from TruckLatestState, or only counts.

    :param since: (templated) only consider objects stored since this ISO 8601 time; empty considers all.
    :param count_only: (templated) erase nothing.

    Returns the summary.  Fails without a retry if a person has to act: objects can't be read, or the truck still sends.
    """

    template_fields = ("bucket", "truck_id", "since", "count_only")

    def __init__(
        self,
        *,
        bucket: str,
        truck_id: str,
        since: str = "",
        count_only: bool | str,
        aws_conn_id: str = names.ERASURE_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.truck_id = truck_id
        self.since = since
        self.count_only = count_only
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        summary = self._run(dry_run=_as_bool(self.count_only))
        text = erasure_report(summary)
        self.log.info("%s", text)
        if summary.failed:
            raise AirflowFailException(text)
        summary_fields: dict[str, Any] = msgspec.to_builtins(summary)
        return summary_fields

    def _run(self, *, dry_run: bool) -> ErasureSummary:
        clients = store_clients(clients_of(self.aws_conn_id))
        try:
            since = parse(self.since) if self.since else None
            return erase(clients, self.bucket, self.truck_id, dry_run=dry_run, since=since, report=self.log.info)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error


class EraseRowsOperator(Killable, BaseOperator):
    """Erases the truck from the tables, in one transaction, or only counts.

    First it waits (deferred) until the pipe has loaded each file that was announced before: one that Snowpipe began to
    read before its object was rewritten would bring the truck back.  Then it waits until no check of the quality rules
    is under way: one that has found the truck would name it in its results afterwards.

    :param count_only: (templated) erase nothing.
    :param pending_limit: longest wait for the pipe.

    Returns the truck's rows by table, as they were before.
    """

    template_fields = ("truck_id", "count_only")

    def __init__(
        self,
        *,
        truck_id: str,
        count_only: bool | str,
        pending_limit: timedelta = timedelta(minutes=10),
        snowflake_conn_id: str = names.ERASURE_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.truck_id = truck_id
        self.count_only = count_only
        self.pending_limit = pending_limit
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        if not _as_bool(self.count_only):
            with closing(connect(self.snowflake_conn_id)) as connection:
                status = pipe_status(connection, names.PIPE)
            if not is_loaded(status):
                since, limit = datetime.now(UTC).timestamp(), self.pending_limit.total_seconds()
                trigger = PipeSettledTrigger(names.PIPE, self.snowflake_conn_id, limit, since, while_paused=True)
                timeout = self.pending_limit + timedelta(minutes=1)
                self.defer(trigger=trigger, method_name="erase", kwargs={"since": since}, timeout=timeout)
        return self.erase(context)

    def erase(
        self, context: Context, event: dict[str, Any] | None = None, since: float | None = None
    ) -> dict[str, int]:
        """Erase, once the pipe has loaded the files that were announced before ``since`` (seconds since 1970).

        Raises:
            RuntimeError: it has not yet.
            AirflowFailException: it can't, because somebody has to repair it first.
        """
        if event and not is_loaded(event["status"], datetime.fromtimestamp(since, UTC) if since else None):
            pending, state = event["status"]["pendingFileCount"], event["status"]["executionState"]
            problem = f"{names.PIPE} is {state} and has {pending} files pending: nothing was erased"
            raise (RuntimeError if state in LOADS else AirflowFailException)(problem)
        with closing(connect(self.snowflake_conn_id)) as connection:
            connection.autocommit(True)  # The script begins and commits its own transaction.
            found = truck_tables.count_rows(connection, self.truck_id)
            self.log.info("%s", ", ".join(f"{table}: {rows:,} rows" for table, rows in found.items()))
            if _as_bool(self.count_only):
                self._say_what_is_rewritten(connection)
            else:
                # Before it erases, too: what a killed try erased is in no table when the next one counts.
                self._record(connection, found, context)
                with (
                    one_writer(connection, names.QUALITY_WRITER, context, patience_seconds=CHECK_ENDS_SECONDS),
                    one_writer(connection, names.HISTORY_WRITER, context),
                ):
                    truck_tables.erase_rows(connection, self.truck_id)
                self._record(connection, found, context)
        return found

    def _record(self, connection: SnowflakeConnection, found: dict[str, int], context: Context) -> None:
        facts = kept_tables.table_facts(connection)
        concerned = {name: facts[name] for name, rows in found.items() if rows}
        message = kept_tables.last_load_message(connection)
        record_erasure(Variables(), context["run_id"], datetime.now(UTC), concerned, message)

    def _say_what_is_rewritten(self, connection: SnowflakeConnection) -> None:
        rewritten, rows = truck_tables.rewritten_rows(connection, self.truck_id)
        if rewritten:
            self.log.info(
                "An erasure rewrites about %s of %s rows (%.0f %%) of %s: all of each day on which the truck measured."
                " Until the old ones have left Time Travel and Fail-safe, they are stored and billed twice",
                f"{rewritten:,}", f"{rows:,}", 100 * rewritten / rows, names.RAW_TABLE,
            )  # fmt: skip


class VerifyErasureOperator(EraseObjectsOperator):
    """Counts again, in the objects stored ``since`` and in every table; fails if the truck is still found.

    Returns the counts by store.
    """

    def __init__(self, *, snowflake_conn_id: str = names.ERASURE_SNOWFLAKE_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        if _as_bool(self.count_only):
            raise AirflowSkipException("Nothing was erased, so there is nothing to verify")
        summary = self._run(dry_run=True)
        with closing(connect(self.snowflake_conn_id)) as connection:
            rows = truck_tables.count_rows(connection, self.truck_id)
        found = {prefix: store.found for prefix, store in summary.stores.items()}
        found |= {names.TRUCK_STATE_TABLE: int(summary.state), **rows}
        if left := {store: count for store, count in found.items() if count}:
            # Not retried: a retry of this task would find the same.
            raise AirflowFailException(f"{self.truck_id} is still in {left}, or again: does it still send?")
        self.log.info("Nothing is left in %s", ", ".join(found))
        return found


def _as_bool(count_only: bool | str) -> bool:
    """A template renders a boolean as text.  Any other text is an error: it permits nothing."""
    try:
        return {True: True, "True": True, False: False, "False": False}[count_only]
    except (KeyError, TypeError) as error:
        raise AirflowFailException(f"dry_run is {count_only!r}, not true or false") from error
