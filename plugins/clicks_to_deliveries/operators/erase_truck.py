"""One truck out of every store: objects and states, then tables, then a look at what is left (docs/erasure.md).

They take connections of their own: what may erase is more than any other task of the pipeline may do (docs/adr/0012).
"""

from __future__ import annotations

import json
from contextlib import closing
from datetime import timedelta
from typing import Any

import msgspec
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.triggers.pipe_settled import PipeSettledTrigger
from include import names
from include.contracts.times import parse
from include.erasure import Clients, Summary, lines, run, warehouse
from include.erasure.clients import DYNAMODB_CONFIG, S3_CONFIG
from include.pipe_and_stream import PIPE_STATUS, is_settled


class EraseObjectsOperator(BaseOperator):
    """Erases the truck from the bucket and TruckLatestState, or only counts.

    :param since: (templated) look only at what was stored since this ISO 8601 time; empty for all.
    :param dry_run: (templated) count only.

    Returns the summary.  Fails for good where something needs somebody: objects that can't be read, or a truck that
    still sends.
    """

    template_fields = ("bucket", "truck_id", "since", "dry_run")

    def __init__(
        self,
        *,
        bucket: str,
        truck_id: str,
        since: str = "",
        dry_run: bool | str,
        aws_conn_id: str = names.ERASURE_AWS_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.truck_id = truck_id
        self.since = since
        self.dry_run = dry_run
        self.aws_conn_id = aws_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        summary = self._run(_is_dry(self.dry_run))
        text = "\n".join(lines(summary))
        self.log.info("%s", text)
        if summary.failed:
            raise AirflowFailException(text)
        return msgspec.to_builtins(summary)

    def _run(self, dry_run: bool) -> Summary:
        clients = Clients(
            AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type="s3", config=S3_CONFIG).get_conn(),
            AwsBaseHook(aws_conn_id=self.aws_conn_id, client_type="dynamodb", config=DYNAMODB_CONFIG).get_conn(),
        )
        try:
            since = parse(self.since) if self.since else None
            return run(clients, self.bucket, self.truck_id, dry_run=dry_run, since=since, tell=self.log.info)
        except ValueError as error:
            raise AirflowFailException(str(error)) from error


class EraseRowsOperator(BaseOperator):
    """Erases the truck from the tables, in one transaction, or only counts.

    First it waits (deferred) until the pipe has nothing pending: a file that Snowpipe began to read before its object
    was rewritten would bring the truck back.

    :param dry_run: (templated) count only.

    Returns rows by table as they were before.
    """

    template_fields = ("truck_id", "dry_run")

    def __init__(
        self,
        *,
        truck_id: str,
        dry_run: bool | str,
        pending_limit: timedelta = timedelta(minutes=10),
        snowflake_conn_id: str = names.ERASURE_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.truck_id = truck_id
        self.dry_run = dry_run
        self.pending_limit = pending_limit
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        if not _is_dry(self.dry_run):
            (answer,) = PipelineSnowflakeHook(self.snowflake_conn_id).get_first(PIPE_STATUS, {"pipe": names.PIPE})
            if not is_settled(json.loads(answer)):
                trigger = PipeSettledTrigger(names.PIPE, self.snowflake_conn_id, self.pending_limit.total_seconds())
                self.defer(trigger=trigger, method_name="erase", timeout=self.pending_limit + timedelta(minutes=1))
        return self.erase(context)

    def erase(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, int]:
        """Once the pipe has settled.

        Raises:
            RuntimeError: it has not.
        """
        if event and not is_settled(event["status"]):
            raise RuntimeError(f"{names.PIPE} has {event['status']['pendingFileCount']} files pending: nothing erased")
        with closing(PipelineSnowflakeHook(self.snowflake_conn_id).get_conn()) as connection:
            connection.autocommit(True)  # The script has its own transaction.
            found = warehouse.count(connection, self.truck_id)
            if not _is_dry(self.dry_run):
                warehouse.erase(connection, self.truck_id)
        self.log.info("%s", ", ".join(f"{table}: {rows:,} rows" for table, rows in found.items()))
        return found


class VerifyErasureOperator(EraseObjectsOperator):
    """Looks once more, at what was stored ``since`` and at every table, and fails where the truck is still found."""

    def __init__(self, *, snowflake_conn_id: str = names.ERASURE_SNOWFLAKE_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        if _is_dry(self.dry_run):
            raise AirflowSkipException("Nothing was erased")
        summary = self._run(dry_run=True)
        with closing(PipelineSnowflakeHook(self.snowflake_conn_id).get_conn()) as connection:
            rows = warehouse.count(connection, self.truck_id)
        found = {prefix: store.found for prefix, store in summary.stores.items()}
        found |= {names.TRUCK_STATE_TABLE: int(summary.state), **rows}
        if left := {store: count for store, count in found.items() if count}:
            # Tried again in this run, it would only be found again.
            raise AirflowFailException(f"{self.truck_id} is still, or again, in {left}: does it still send?")
        self.log.info("Nothing is left in %s", ", ".join(found))
        return found


def _is_dry(dry_run: bool | str) -> bool:
    """A template makes text of a boolean; any other text counts as no permission, and is an error."""
    try:
        return {True: True, "True": True, False: False, "False": False}[dry_run]
    except (KeyError, TypeError) as error:
        raise AirflowFailException(f"dry_run is {dry_run!r}, not true or false") from error
