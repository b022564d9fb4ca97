"""Counts arrival hours into the conservation ledger."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.notifiers.alert_topic import TOPIC, publish, subject_of
from include import names
from include.contracts.times import parse
from include.ledger import Balance, hours_between, make_clients, table
from include.ledger.reconciliation import GRACE, STREAMS, first_hour, reconcile_stream
from include.ledger.table import Counted

# What of a run's differences an alert says.
TOLD_AT_MOST = 10


class Entry(NamedTuple):
    """An hour as it was counted now, and what the ledger said of it before."""

    balance: Balance
    before: Counted | None


class ReconcileOperator(BaseOperator):
    """Counts the hours that are due, or those from ``since`` to ``until``, stores each balance, and then fails if any
    hour has a difference that people don't know of.

    :param bucket: the telemetry bucket.
    :param index_shards: of the index of ClickStreamData.
    :param since: (templated) ISO 8601; None or empty counts what is due, otherwise whole hours from the one it is in.
    :param until: (templated) arrived before this; None or empty is now, so that the open hour is counted too.

    Returns how many hours were counted and what became of the differences.  A difference of an open hour is stored
    and fails nothing: what is on its way looks like that.  Hours that balance again are told through ``topic_arn``.
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
        """Raises AirflowFailException where hours don't balance: counting them again at once would find the same."""
        asked = self._asked_for()
        clients = make_clients(
            lambda service, config: AwsBaseHook(self.aws_conn_id, client_type=service, config=config).get_conn()
        )
        entries: list[Entry] = []
        with closing(PipelineSnowflakeHook(self.snowflake_conn_id).get_conn()) as connection:
            # Each hour is kept as soon as it is counted: a run that is stopped has done what it has done.
            connection.autocommit(True)
            for stream in STREAMS:
                known = table.counted(connection, stream)
                hours = asked or table.due(
                    stream, first_hour(clients.s3, self.bucket, stream), known, datetime.now(UTC), GRACE
                )
                for balance in reconcile_stream(
                    clients, connection, self.bucket, stream, hours, index_shards=self.index_shards
                ):
                    table.store(connection, balance, context["run_id"], datetime.now(UTC))
                    self._tell(balance)
                    entries.append(Entry(balance, known.get(balance.hour)))
        return self._verdict(entries, context["run_id"], tell_all=bool(asked))

    def _asked_for(self) -> list[datetime]:
        if not self.since:
            if self.until:
                raise AirflowFailException("until without since: say from when on, or neither")
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

    def _tell(self, balance: Balance) -> None:
        self.log.info(
            "%s %s%s: %s",
            balance.stream,
            f"{balance.hour:%Y-%m-%dT%H}",
            " (open)" if balance.is_open else "",
            "; ".join(balance.differences()) or f"{balance.archived:,} records, balanced",
        )

    def _verdict(self, entries: list[Entry], run_id: str, *, tell_all: bool) -> dict[str, Any]:
        unbalanced = [each for each in entries if not each.balance.balanced and not each.balance.is_open]
        new = [each for each in unbalanced if tell_all or not _is_known(each, run_id)]
        recovered = [_name(each.balance) for each in entries if _has_recovered(each)]
        if recovered:
            self.log.info("balanced again: %s", ", ".join(recovered))
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


def _is_known(entry: Entry, run_id: str) -> bool:
    """Whether an earlier run has told of all of it; the same run, tried again, has not."""
    before = entry.before
    return (
        before is not None
        and not before.is_open
        and before.run_id != run_id
        and not entry.balance.grew_since(before.differences)
    )


def _has_recovered(entry: Entry) -> bool:
    before = entry.before
    return entry.balance.balanced and before is not None and not before.is_open and not before.balanced


def _alert(entries: Sequence[Entry], counted: int) -> str:
    differences = [text for each in entries for text in each.balance.differences()]
    told = "\n".join(differences[:TOLD_AT_MOST])
    more = f"\nand {len(differences) - TOLD_AT_MOST} more, see {names.LEDGER_TABLE}" * (len(differences) > TOLD_AT_MOST)
    return f"{len(entries)} of {counted} hours that were counted do not balance:\n{told}{more}"


def _name(balance: Balance) -> str:
    return f"{balance.stream} {balance.hour:%Y-%m-%dT%H}"
