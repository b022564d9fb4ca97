"""Smoke check after provisioning: every part exists and works."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

from airflow.sdk import BaseOperator, Context
from botocore.exceptions import ClientError

from clicks_to_deliveries.hooks.aws_hook import aws_client
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.notifiers.alert_topic import confirmed_subscriptions
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.pipe_and_stream import STREAM_HAS_DATA, pipe_status
from include.snowflake_rows import first_row

STREAMS = (names.CLICK_STREAM, names.TRUCK_STREAM)
TABLES = (names.CLICK_TABLE, names.CLICK_ITEM_TABLE, names.TRUCK_STATE_TABLE, names.API_CALLER_TABLE)
PROCESSORS = (names.CLICK_FUNCTION, names.TRUCK_FUNCTION)
FUNCTIONS = (
    *PROCESSORS,
    names.API_FUNCTION,
    names.ARCHIVE_FUNCTION,
    names.INTAKE_FUNCTION,
)


ALERTS_RUNBOOK = "alert_subscribers.md"


class VerifyPipelineOperator(Killable, BaseOperator):
    """Checks streams, functions, mappings, tables, bucket notification, alerts, pipe and Snowflake stream.

    It checks all of them, then fails with a list of everything that is wrong.  It sends no record; that is the task of
    ProbeArchiveOperator.

    :param bucket: (templated) the telemetry bucket.
    :param queue_arn: (templated) the pipe's queue, which the bucket must notify.
    :param alert_topic_arn: (templated) the topic of the alerts, which somebody must have subscribed to.
    :param mappings_enabled: whether AWS delivers the streams to the functions.
    """

    template_fields = ("bucket", "queue_arn", "alert_topic_arn")

    def __init__(
        self,
        *,
        bucket: str,
        queue_arn: str,
        alert_topic_arn: str,
        mappings_enabled: bool,
        aws_conn_id: str = names.DEPLOYER_AWS_CONNECTION,
        snowflake_conn_id: str = names.DEPLOYER_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.queue_arn = queue_arn
        self.alert_topic_arn = alert_topic_arn
        self.mappings_enabled = mappings_enabled
        self.aws_conn_id = aws_conn_id
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> None:
        from snowflake.connector import errors

        problems = []
        for what, ask, expected in self._checks():
            try:
                found = ask()
            except (ClientError, errors.Error) as error:
                found = str(error)
            self.log.info("%s: %s", what, found)
            if found != expected:
                problems.append(f"{what} is {found}, not {expected}")
        if problems:
            # Retried: on AWS a resource can take a while until it is ready.
            raise RuntimeError("; ".join(problems))

    def _checks(self) -> list[tuple[str, Callable[[], Any], Any]]:
        """Each check: what it is about, the question, and the expected answer."""
        kinesis, dynamodb, functions, s3, sns = (
            aws_client(self.aws_conn_id, service) for service in ("kinesis", "dynamodb", "lambda", "s3", "sns")
        )

        def stream_status(name: str) -> str:
            summary = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
            return str(summary["StreamStatus"])

        def table_status(name: str) -> str:
            return str(dynamodb.describe_table(TableName=name)["Table"]["TableStatus"])

        def function_state(name: str) -> str:
            return str(functions.get_function(FunctionName=name)["Configuration"]["State"])

        def mapping_states(function: str) -> list[str]:
            mappings = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
            return [str(mapping["State"]) for mapping in mappings]

        def is_subscribed() -> bool:
            return confirmed_subscriptions(sns, self.alert_topic_arn) > 0

        def notified_queues() -> list[str]:
            rules = s3.get_bucket_notification_configuration(Bucket=self.bucket).get("QueueConfigurations", [])
            return [rule["QueueArn"] for rule in rules]

        def pipe_state() -> str:
            with closing(connect(self.snowflake_conn_id)) as connection:
                return str(pipe_status(connection, names.PIPE)["executionState"])

        def stream_answers() -> bool:
            with closing(connect(self.snowflake_conn_id)) as connection:
                return first_row(connection, STREAM_HAS_DATA, {"stream": names.RAW_STREAM})[0] in (True, False)

        return [
            *((f"stream {name}", partial(stream_status, name), "ACTIVE") for name in STREAMS),
            *((f"table {name}", partial(table_status, name), "ACTIVE") for name in TABLES),
            *((f"function {name}", partial(function_state, name), "Active") for name in FUNCTIONS),
            # Where something else delivers, a mapping's state says nothing.
            *(
                (f"mapping of {name}", partial(mapping_states, name), ["Enabled"])
                for name in (PROCESSORS if self.mappings_enabled else ())
            ),
            (f"somebody gets the alerts (see docs/runbooks/{ALERTS_RUNBOOK})", is_subscribed, True),
            (f"queues notified by bucket {self.bucket}", notified_queues, [self.queue_arn]),
            (f"pipe {names.PIPE}", pipe_state, "RUNNING"),
            (f"stream {names.RAW_STREAM} answers", stream_answers, True),
        ]
