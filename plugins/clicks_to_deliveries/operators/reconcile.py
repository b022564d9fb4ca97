"""Counts arrival hours into the conservation ledger."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from clicks_to_deliveries.hooks.aws_hook import clients_of
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.notifiers.alert_topic import TOPIC, publish, subject_of
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.aws_clients import store_clients
from include.contracts.times import parse
from include.ledger import Balance, hours_between
from include.ledger.due_hours import LedgerRow, due_hours
from include.ledger.ledger_table import ledger_rows, store_balance
from include.ledger.reconciliation import GRACE, STREAMS, first_hour, reconcile_stream

# How many of a run's differences an alert lists.
DIFFERENCES_SHOWN = 10


class CountedHour(NamedTuple):
    """The balance of an hour now, and what the ledger had of it before."""

    balance: Balance
    before: LedgerRow | None


class ReconcileOperator(Killable, BaseOperator):
    """Counts hours and stores each balance; fails if an hour has a difference that no alert has reported yet.

    It counts the hours that are due, or those from ``since`` to ``until``.  A difference of an open hour is stored but
    fails nothing, because records on their way look like one.  A notification says which hours balance again.

    :param bucket: (templated) the telemetry bucket.
    :param index_shards: number of shards of ClickStreamData's index.
    :param since: (templated) ISO 8601, rounded down to the hour; None or empty counts the hours that are due.
    :param until: (templated) ISO 8601, rounded up to the hour; None or empty means now, and counts the open hour too.
    :param topic_arn: (templated) the SNS topic for notifications; empty sends none.

    Returns how many hours were counted and balanced, and which are still unbalanced or balance again.
    """

    template_fields = ("bucket", "since", "until", "topic_arn")

    def __init__(
        self,
        *,
        bucket: str,
        index_shards: int,
        since: str | None = None,
        until: str | None = None,
        topic_arn: str = TOPIC,
        aws_conn_id: str = names.AWS_CONNECTION,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.index_shards = index_shards
        self.since = since
        self.until = until
        self.topic_arn = topic_arn
        self.aws_conn_id = aws_conn_id
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Count, store, notify.

        Raises:
            AirflowFailException: hours don't balance.  Not retried: counting them again would find the same.
        """
        requested = self._requested_hours()
        clients = store_clients(clients_of(self.aws_conn_id))
        entries: list[CountedHour] = []
        with closing(PipelineSnowflakeHook(self.snowflake_conn_id).get_conn()) as connection:
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
        return self._verdict(entries, context["run_id"], report_all=bool(requested))

    def _requested_hours(self) -> list[datetime]:
        if not self.since:
            if self.until:
                raise AirflowFailException("until without since: set both, or neither")
            return []
        try:
            since = parse(self.since)
            now = datetime.now(UTC)
            until = min(parse(self.until), now) if self.until else now
        except ValueError as error:
            raise AirflowFailException(str(error)) from error
        if not (hours := hours_between(since, until)):
            raise AirflowFailException(f"no hour is from {self.since} to {self.until}")
        return hours

    def _log_balance(self, balance: Balance) -> None:
        self.log.info(
            "%s %s%s: %s",
            balance.stream,
            f"{balance.hour:%Y-%m-%dT%H}",
            " (open)" if balance.is_open else "",
            "; ".join(balance.differences()) or f"{balance.archived:,} records, balanced",
        )

    def _verdict(self, entries: list[CountedHour], run_id: str, *, report_all: bool) -> dict[str, Any]:
        unbalanced = [each for each in entries if not each.balance.balanced and not each.balance.is_open]
        new = [each for each in unbalanced if report_all or not _is_known(each, run_id)]
        recovered = [_name(each.balance) for each in entries if _has_recovered(each)]
        if recovered:
            self.log.info("Balanced again: %s", ", ".join(recovered))
        if recovered and self.topic_arn:
            message = "\n".join(["These hours balance again:", *recovered, "", f"run      {run_id}"])
            publish(self.topic_arn, self.aws_conn_id, subject_of("recovered", "reconcile", recovered), message)
        if new:
            raise AirflowFailException(_alert(new, len(entries)))
        return {
            "counted": len(entries),
            "balanced": sum(each.balance.balanced for each in entries),
            "still_unbalanced": [_name(each.balance) for each in unbalanced],
            "recovered": recovered,
        }


def _is_known(hour: CountedHour, run_id: str) -> bool:
    """Return whether an earlier run reported all of the difference; an earlier try of the same run may not have."""
    before = hour.before
    return (
        before is not None
        and not before.is_open
        and before.run_id != run_id
        and not hour.balance.grew_since(before.differences)
    )


def _has_recovered(hour: CountedHour) -> bool:
    before = hour.before
    return hour.balance.balanced and before is not None and not before.is_open and not before.balanced


def _alert(entries: Sequence[CountedHour], counted: int) -> str:
    differences = [text for each in entries for text in each.balance.differences()]
    shown = "\n".join(differences[:DIFFERENCES_SHOWN])
    hidden = len(differences) - DIFFERENCES_SHOWN
    more = f"\nand {hidden} more, see {names.LEDGER_TABLE}" if hidden > 0 else ""
    return f"{len(entries)} of {counted} hours do not balance:\n{shown}{more}"


def _name(balance: Balance) -> str:
    return f"{balance.stream} {balance.hour:%Y-%m-%dT%H}"
