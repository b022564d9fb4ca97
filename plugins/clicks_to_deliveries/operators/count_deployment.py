"""Counts what a teardown would delete."""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.snowflake_rows import first_row

# A bucket of millions of objects would be listed for hours.
MOST_OBJECTS = 10_000
TABLES = (names.RAW_TABLE, names.HISTORY_TABLE, names.LEDGER_TABLE, names.KNOWN_TRUCKS_TABLE)


class CountDeploymentOperator(Killable, BaseOperator):
    """Counts the objects of the stack's buckets, and the rows of the main tables if they are to be dropped.

    It fails while a bucket has objects that are not to be deleted: CloudFormation would leave half a stack behind.

    :param bucket: (templated) the stack's telemetry bucket, beside which is the one for abandoned batches.
    :param empty_bucket: (templated) "True": the objects are to be deleted.
    :param drop: (templated) "True": the tables are to be dropped.

    Returns place -> count, as texts.
    """

    template_fields = ("bucket", "empty_bucket", "drop")
    operator_extra_links = (buttons.RUNBOOK, buttons.STACK)

    def __init__(
        self,
        *,
        bucket: str,
        empty_bucket: str,
        drop: str,
        aws_conn_id: str = names.DEPLOYER_AWS_CONNECTION,
        snowflake_conn_id: str = names.DEPLOYER_SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bucket = bucket
        self.empty_bucket = empty_bucket
        self.drop = drop
        self.aws_conn_id = aws_conn_id
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        counts = self._objects() | (self._rows() if self.drop == "True" else {})
        self.log.info("%s", "; ".join(f"{place}: {count}" for place, count in counts.items()))
        return counts

    def _objects(self) -> dict[str, str]:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        s3 = S3Hook(aws_conn_id=self.aws_conn_id)
        counts = {}
        for name in (self.bucket, names.abandoned_bucket(self.bucket)):
            if not s3.check_for_bucket(name):
                continue
            found = sum(1 for _ in islice(s3.get_bucket(name).object_versions.all(), MOST_OBJECTS + 1))
            if found and self.empty_bucket != "True":
                raise AirflowFailException(f"bucket {name} holds objects: empty it yourself, or run with empty_bucket")
            more = "more than " if found > MOST_OBJECTS else ""
            counts[f"bucket {name}"] = f"{more}{min(found, MOST_OBJECTS):,} objects and old versions"
        return counts

    def _rows(self) -> dict[str, str]:
        from snowflake.connector.errors import ProgrammingError

        counts = {}
        with closing(connect(self.snowflake_conn_id)) as connection:
            for table in TABLES:
                try:
                    (rows,) = first_row(connection, f"select count(*) from {table}")  # noqa: S608 - a constant
                except ProgrammingError as error:
                    counts[f"table {table}"] = f"not counted: {error.msg}"
                else:
                    counts[f"table {table}"] = f"{rows:,} rows"
        return counts
