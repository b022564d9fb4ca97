"""Counts arrival hours into the conservation ledger."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.failures import FormError, ReportedFailure
from clicks_to_deliveries.hooks.aws_hook import clients_of
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.links import alert_links
from clicks_to_deliveries.notifiers.failure_note import announce_stored_alerts
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.one_writer import one_writer
from include import names
from include.aws_clients import store_clients
from include.contracts.times import parse
from include.ledger import Balance, hours_between
from include.ledger.due_hours import due_hours
from include.ledger.hour_alerts import CountedHour, difference_alert, differences_text, recovery_alert
from include.ledger.ledger_table import ledger_rows, record_alerts, store_balance
from include.ledger.reconciliation import GRACE, STREAMS, first_hour, reconcile_stream

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection


class ReconcileOperator(Killable, BaseOperator):
    """Counts hours and stores each balance; fails if an hour has a difference that no alert reports yet.

    It counts the hours that are due, or those from ``since`` to ``until``.  A difference of an open hour is stored but
    fails nothing, because records on their way look like one.  The alerts about new differences, and about hours that
    balance again, are stored in one transaction with what the ledger says that people know.

    :param bucket: (templated) the telemetry bucket.
    :param index_shards: number of shards of ClickStreamData's index.
    :param since: (templated) ISO 8601, rounded down to the hour; None or empty counts the hours that are due.
    :param until: (templated) ISO 8601, rounded up to the hour; None or empty means now, and counts the open hour too.

    Returns how many hours were counted and balanced, and which are still unbalanced or balance again.
    """

    template_fields = ("bucket", "since", "until")

    def __init__(
        self,
        *,
        bucket: str,
        index_shards: int,
        since: str | None = None,
        until: str | None = None,
        aws_conn_id: str = names.AWS_CONNECTION,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.index_shards = index_shards
        self.since = since
        self.until = until
        self.aws_conn_id = aws_conn_id
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Count and store.

        Raises:
            ReportedFailure: hours don't balance.  Not retried: counting them again would find the same.
            FormError: the times can't be used; nothing was counted.
        """
        requested = self._requested_hours()
        clients = store_clients(clients_of(self.aws_conn_id))
        entries: list[CountedHour] = []
        with (
            closing(connect(self.snowflake_conn_id)) as connection,
            one_writer(connection, names.LEDGER_WRITER, context),
        ):
            # Each hour is stored as soon as it is counted, so a run that is stopped loses nothing.
            connection.autocommit(True)
            for stream in STREAMS:
                known = ledger_rows(connection, stream)
                hours = requested or due_hours(
                    stream, first_hour(clients.s3, self.bucket, stream), known, datetime.now(UTC), GRACE
                )
                for balance in reconcile_stream(
                    clients, connection, self.bucket, stream, hours, index_shards=self.index_shards
                ):
                    store_balance(connection, balance, context["run_id"], datetime.now(UTC))
                    self._log_balance(balance)
                    entries.append(CountedHour(balance, known.get(balance.hour)))
            return self._verdict(connection, entries, context, report_all=bool(requested))

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
        self, connection: SnowflakeConnection, entries: list[CountedHour], context: Context, *, report_all: bool
    ) -> dict[str, Any]:
        run_id, now, links = context["run_id"], datetime.now(UTC), alert_links()
        unbalanced = [each for each in entries if each.differs]
        new = [each for each in unbalanced if report_all or not each.is_known]
        recovered = [each for each in entries if each.has_recovered]
        still_unbalanced = [each.name for each in unbalanced]
        alerts = [difference_alert(new, len(entries), run_id, links, now)] if new else []
        if recovered:
            self.log.info("Balanced again: %s", ", ".join(each.name for each in recovered))
            alerts.append(recovery_alert(recovered, run_id, links, now, still_differ=still_unbalanced))
        record_alerts(connection, run_id, [each.balance for each in entries if each.is_to_record], alerts)
        if alerts:
            announce_stored_alerts(context["ti"])
        if new:
            raise ReportedFailure(differences_text(new, len(entries)))
        return {
            "counted": len(entries),
            "balanced": sum(each.balance.balanced for each in entries),
            "still_unbalanced": still_unbalanced,
            "recovered": [each.name for each in recovered],
        }
