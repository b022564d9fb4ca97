"""Counts arrival hours into the conservation ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.providers.common.compat.sdk import AirflowSkipException
from airflow.sdk import Asset, BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.failures import FormError, ReportedFailure
from clicks_to_deliveries.hooks.aws_hook import clients_of
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.links import alert_links
from clicks_to_deliveries.notifiers.failure_note import announce_stored_alerts
from clicks_to_deliveries.operators.asset_events import describe_outlets
from clicks_to_deliveries.operators.in_rounds import MANUAL
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.lineage import WithLineage
from clicks_to_deliveries.operators.one_writer import one_writer
from clicks_to_deliveries.telemetry import count, measure
from include import names
from include.aws_clients import StoreClients, store_clients
from include.contracts.times import parse
from include.ledger import Balance, hours_between
from include.ledger.due_hours import RECHECKED_FOR, LedgerRow, Span, due_hours
from include.ledger.hour_alerts import CountedHour, difference_alert, differences_text, hour_name, recovery_alert
from include.ledger.ledger_table import ledger_row, ledger_rows, record_alerts, store_balance
from include.ledger.quiet_hours import LastCount, after_count, closed_until, has_records, may_be_quiet
from include.ledger.reconciliation import GRACE, STREAMS, first_hour, reconcile_stream, stored_lately
from include.pipe_and_stream import PipeActivity, pipe_status

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# The last count, which Airflow keeps with the asset of the ledger.
STATE_KEY = "last_count"


class ReconcileOperator(WithLineage, Killable, BaseOperator):
    """Counts hours and stores each balance; fails if an hour has a difference that no alert reports yet.

    It counts the hours that are due, or those from ``since`` to ``until``.  A difference of an open hour is stored but
    fails nothing, because records on their way look like one.  The alerts about new differences, and about hours that
    balance again, are stored in one transaction with what the ledger says that people know.

    With ``asset``, a scheduled run that finds nothing in the hours since the last count is skipped, and resumes no
    warehouse (include/ledger/quiet_hours.py).

    :param bucket: (templated) the telemetry bucket.
    :param asset: the ledger, among the task's outlets.
    :param index_shards: number of shards of ClickStreamData's index.
    :param click_ttl_days: days that ClickStreamData keeps a click; 0 for ever.
    :param since: (templated) ISO 8601, rounded down to the hour; None or empty counts the hours that are due.
    :param until: (templated) ISO 8601, rounded up to the hour; None or empty means now, and counts the open hour too.

    Returns how many hours were counted and balanced, and which are still unbalanced or balance again.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.LEDGER, buttons.QUERIES)

    template_fields = ("bucket", "since", "until")

    def __init__(
        self,
        *,
        bucket: str,
        index_shards: int,
        asset: Asset | None = None,
        outlets: Sequence[Asset] = (),
        click_ttl_days: int = 0,
        since: str | None = None,
        until: str | None = None,
        aws_conn_id: str = names.AWS_CONNECTION,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(outlets=[*([asset] if asset else []), *outlets], **kwargs)
        self.asset = asset
        self.bucket = bucket
        self.index_shards = index_shards
        self.click_ttl_days = click_ttl_days
        self.since = since
        self.until = until
        self.aws_conn_id = aws_conn_id
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Count and store.

        Raises:
            ReportedFailure: hours don't balance.  Not retried: counting them again would find the same.
            FormError: the times can't be used; nothing was counted.
            AirflowSkipException: nothing happened, so there is nothing to count.
        """
        requested = self._requested_hours()
        clients = store_clients(clients_of(self.aws_conn_id))
        with closing(connect(self.snowflake_conn_id)) as connection:
            if requested or self.asset is None:
                verdict, _, _ = self._count(connection, clients, context, requested, ())
                return verdict
            state, now = context["asset_state_store"][self.asset], datetime.now(UTC)
            stored = state.get(STATE_KEY)
            last = None if stored is None else msgspec.json.decode(str(stored), type=LastCount)
            loaded = PipeActivity.of(pipe_status(connection, names.PIPE))
            if context["dag_run"].run_type != MANUAL and last and may_be_quiet(last, loaded, now):
                until = closed_until(now, GRACE)
                if not has_records(clients, self.bucket, self.index_shards, last.until, until):
                    state.set(STATE_KEY, msgspec.json.encode(last.with_quiet(until)).decode())
                    raise AirflowSkipException(f"Nothing happened since {last.until:%Y-%m-%dT%H}")
            verdict, rows, counted = self._count(connection, clients, context, [], last.quiet if last else ())
            count = after_count(rows, counted, loaded, now, GRACE, last)
            state.set(STATE_KEY, msgspec.json.encode(count).decode())
            return verdict

    def _count(
        self,
        connection: SnowflakeConnection,
        clients: StoreClients,
        context: Context,
        requested: list[datetime],
        quiet: Sequence[Span],
    ) -> tuple[dict[str, Any], dict[str, dict[datetime, LedgerRow]], dict[str, int]]:
        """Count the ``requested`` hours, or those that are due.

        Returns the task's result, the ledger's rows by stream and hour, and how many hours of each stream were counted.
        """
        entries: list[CountedHour] = []
        rows: dict[str, dict[datetime, LedgerRow]] = {}
        counted: dict[str, int] = {}
        with one_writer(connection, names.LEDGER_WRITER, context):
            # Each hour is stored as soon as it is counted, so a run that is stopped loses nothing.
            connection.autocommit(True)
            for stream in STREAMS:
                known = ledger_rows(connection, stream)
                rows[stream] = dict(known)
                # An hour is stored with when its count began: what the archive gets from then on may not be in it.
                began = datetime.now(UTC)
                hours = requested or due_hours(
                    stream,
                    first_hour(clients.s3, self.bucket, stream),
                    known,
                    began,
                    GRACE,
                    quiet,
                    stored_lately(clients.s3, self.bucket, stream, began),
                )
                counted[stream] = len(hours)
                for balance in reconcile_stream(
                    clients,
                    connection,
                    self.bucket,
                    stream,
                    hours,
                    index_shards=self.index_shards,
                    click_ttl_days=self.click_ttl_days,
                ):
                    store_balance(connection, balance, context["run_id"], began)
                    rows[stream][balance.hour] = ledger_row(balance, began)
                    self._log_balance(balance)
                    entries.append(CountedHour(balance, known.get(balance.hour)))
            _report(entries, rows)
            verdict = self._verdict(connection, entries, rows, context, report_all=bool(requested))
        return verdict, rows, counted

    def _requested_hours(self) -> list[datetime]:
        if not self.since:
            if self.until:
                raise FormError("until without since: set both, or neither")
            return []
        try:
            since = parse(self.since)
            now = datetime.now(UTC)
            until = min(parse(self.until), now) if self.until else now
        except ValueError as error:
            raise FormError(str(error)) from error
        if not (hours := hours_between(since, until)):
            raise FormError(f"no hour is from {self.since} to {self.until}")
        return hours

    def _log_balance(self, balance: Balance) -> None:
        self.log.info(
            "%s %s%s: %s",
            balance.stream,
            f"{balance.hour:%Y-%m-%dT%H}",
            " (open)" if balance.is_open else "",
            "; ".join(balance.differences()) or f"{balance.archived:,} records, balanced",
        )

    def _verdict(
        self,
        connection: SnowflakeConnection,
        entries: list[CountedHour],
        rows: Mapping[str, Mapping[datetime, LedgerRow]],
        context: Context,
        *,
        report_all: bool,
    ) -> dict[str, Any]:
        run_id, now, links = context["run_id"], datetime.now(UTC), alert_links()
        unbalanced = [each for each in entries if each.differs]
        new = [each for each in unbalanced if report_all or not each.is_known]
        recovered = [each for each in entries if each.has_recovered]
        still_unbalanced = [each.name for each in unbalanced]
        alerts = [difference_alert(new, len(entries), run_id, links, now)] if new else []
        if recovered:
            self.log.info("Balanced again: %s", ", ".join(each.name for each in recovered))
            # Not only those of this run: one that somebody counted by the form is not the end of the others.
            differ = {
                hour_name(stream, hour): hour >= now - RECHECKED_FOR
                for stream, known in rows.items()
                for hour, row in known.items()
                if not row.balanced and not row.is_open
            }
            still_differ = sorted({*still_unbalanced, *(name for name, is_recent in differ.items() if is_recent)})
            given_up = sorted(differ.keys() - {*still_differ})
            alerts.append(recovery_alert(recovered, run_id, links, now, still_differ=still_differ, given_up=given_up))
        record_alerts(connection, run_id, [each.balance for each in entries if each.is_to_record], alerts)
        if alerts:
            announce_stored_alerts(context["ti"])
        if new:
            raise ReportedFailure(differences_text(new, len(entries)))
        balanced = sum(each.balance.balanced for each in entries)
        self.log.info("%d of %d hours balance", balanced, len(entries))
        describe_outlets(self, context, hours=len(entries), balanced=balanced)
        return {
            "counted": len(entries),
            "balanced": balanced,
            "still_unbalanced": still_unbalanced,
            "recovered": [each.name for each in recovered],
        }


def _report(entries: Sequence[CountedHour], rows: Mapping[str, Mapping[datetime, LedgerRow]]) -> None:
    """Count the records of hours that were open until now, and measure how many closed hours do not balance."""
    closed = [each.balance for each in entries if not each.balance.is_open and (not each.before or each.before.is_open)]
    kinds = ("archived", "quarantined", "missing")
    counts = {kind: sum(getattr(balance, kind) for balance in closed) for kind in kinds}
    count("ledger", {"hours": len(closed), **counts})
    every = [row for hours in rows.values() for row in hours.values()]
    measure("ledger", {"unbalanced_hours": sum(not (row.balanced or row.is_open) for row in every)})
