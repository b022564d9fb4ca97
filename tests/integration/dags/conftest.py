"""The DAGs on the local stack: MiniStack, the local Snowflake with our DDL, and Airflow's own way to run a DAG."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from clicks_to_deliveries.notifiers.run_outbox import RUN_PREFIX
from clicks_to_deliveries.operators.provision_snowflake import ProvisionSnowflakeOperator
from sqlalchemy import select

from include import names
from include.alerts.run_outages import RunNote
from include.contracts import METRICS
from include.local.demo.environment import AWS_CONNECTIONS
from include.local.snowflake.tls import TlsFiles
from tests.fixtures.snowflake import LocalSnowflake
from tests.fixtures.waiting import wait_for

DAGS = Path(__file__).parents[3] / "dags"
BUCKET = "telemetry-of-dag-tests"


class Stack:
    """The two stand-ins, as the tests use them."""

    def __init__(self, ministack: Any, connection: Any) -> None:
        self.aws = ministack.client
        self.connection = connection
        self._numbers = count()
        self.queue_url = self.aws("sqs").create_queue(QueueName="on-call")["QueueUrl"]
        queue = self.aws("sqs").get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=["QueueArn"])
        self.topic_arn = self.aws("sns").create_topic(Name="alerts-of-dag-tests")["TopicArn"]
        self.aws("sns").subscribe(TopicArn=self.topic_arn, Protocol="sqs", Endpoint=queue["Attributes"]["QueueArn"])

    def query(self, statement: str, parameters: dict[str, Any] | None = None) -> list[tuple]:
        return self.connection.cursor().execute(statement, parameters).fetchall()

    def reading(self, truck: str, second: int, **values: Any) -> dict[str, Any]:
        """One line of a landing file."""
        at = (datetime(2026, 11, 22, 12, tzinfo=UTC) + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.%f")
        return {
            "truck_id": truck,
            "event_time": at,
            **{metric.name: None for metric in METRICS},
            "brake_status": "Good",
            "transmission_status": "Operational",
            "stream_name": names.TRUCK_STREAM,
            "shard_id": "shardId-000000000000",
            "sequence_number": str(1000 + next(self._numbers)),
            "arrival_time": at,
            "partition_key": truck,
            **values,
        }

    def land(self, *lines: dict[str, Any] | str) -> str:
        """Put a landing file and wait until Snowpipe has tried to load it; return its key."""
        key = f"{names.LANDING_PREFIX}2026/11/22/12/file-{next(self._numbers)}.json.gz"
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        self.aws("s3").put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(text.encode()))
        wait_for(lambda: any(key.endswith(row[0]) for row in self._load_history()), "Snowpipe")
        return key

    def _load_history(self) -> list[tuple]:
        return self.query(
            "select FILE_NAME from table(INFORMATION_SCHEMA.COPY_HISTORY("
            f"TABLE_NAME => '{names.RAW_TABLE}', START_TIME => dateadd('hour', -1, current_timestamp())))"
        )

    def stored_alerts(self) -> list[dict[str, str]]:
        """Return the alerts that checks stored since the last call of this method."""
        rows = self.query(f"select HEADLINE, MESSAGE from {names.ALERTS_TABLE} order by STORED_AT, ALERT_ID")
        self.query(f"delete from {names.ALERTS_TABLE}")
        return [{"Subject": subject, "Message": message} for subject, message in rows]

    def failed_runs(self) -> list[RunNote]:
        """Return the failed runs that are to be alerted since the last call of this method."""
        with create_session() as session:
            stored = session.scalars(select(Variable).where(Variable.key.startswith(RUN_PREFIX))).all()
            for each in stored:
                session.delete(each)
            notes = [msgspec.json.decode(each.get_val(), type=RunNote) for each in stored]
        return [note for note in notes if note.failed]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the messages to the people on call since the last call of this method."""
        received = self.aws("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = received.get("Messages", [])
        for message in messages:
            self.aws("sqs").delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in messages]


@pytest.fixture(scope="package")
def stack(
    ministack: Any, snowflake_tls: TlsFiles, airflow_database: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """New bucket, topic and Snowflake objects; Airflow's connections lead to them."""
    # A server of its own, because our objects have fixed names.
    server = LocalSnowflake(tmp_path_factory.mktemp("dags"), snowflake_tls, ministack.environment)
    server.start()
    server.create_identities()
    try:
        with pytest.MonkeyPatch.context() as patch, server.connect() as connection:
            for name, value in _environment(ministack, server).items():
                patch.setenv(name, value)
            stack = Stack(ministack, connection)
            for bucket in (BUCKET, names.abandoned_bucket(BUCKET)):
                stack.aws("s3").create_bucket(Bucket=bucket)
            _provision(stack)
            outputs = f"AIRFLOW_VAR_{names.STACK_OUTPUTS_VARIABLE.upper()}"
            patch.setenv(outputs, json.dumps({"AlertTopicArn": stack.topic_arn}))
            yield stack
    finally:
        server.kill()


def _environment(ministack: Any, server: LocalSnowflake) -> dict[str, str]:
    region = ministack.environment["AWS_DEFAULT_REGION"]
    aws = json.dumps({"conn_type": "aws", "extra": {"region_name": region}})
    connections = {f"AIRFLOW_CONN_{name.upper()}": aws for name in AWS_CONNECTIONS}
    return {**ministack.environment, **server.environment, **connections}


def _provision(stack: Stack) -> None:
    parameters = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": BUCKET}
    provision = ProvisionSnowflakeOperator(task_id="provision", ddl="ddl/*.sql", parameters=parameters)
    queue = provision.execute({})["SnowpipeQueueArn"]
    rule = {"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}
    rule["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": names.LANDING_PREFIX}]}}
    stack.aws("s3").put_bucket_notification_configuration(
        Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": [rule]}
    )
    stack.query(f"use database {names.DATABASE}")
    stack.query(f"use schema {names.SCHEMA}")


@pytest.fixture(scope="package")
def run(stack: Stack) -> Callable[..., DagRun]:
    """Runs a DAG as the scheduler does, but without one; each call is a new run unless ``at`` is given."""
    bag = DagBag(DAGS, collect_dags=True, bundle_path=DAGS)
    minutes = count(1)

    def run_dag(dag_id: str, at: datetime | None = None, **conf: Any) -> DagRun:
        moment = at or datetime(2026, 11, 22, tzinfo=UTC) + timedelta(minutes=next(minutes))
        return bag.dags[dag_id].test(run_after=moment, logical_date=moment, run_conf=conf)

    return run_dag
