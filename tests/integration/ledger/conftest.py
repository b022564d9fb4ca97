"""Stores, functions, Snowpipe and the DAG, on servers of their own, because the ledger counts everything."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from clicks_to_deliveries.operators.provision_snowflake import ProvisionSnowflakeOperator

from include import names, sql
from include.aws_clients import ReprocessingClients
from include.contracts.archive import ArchivedRecord, encode_line
from include.contracts.times import to_canonical
from include.local.snowflake.tls import TlsFiles
from include.rebuild import RebuildPlan, rebuild
from tests.fixtures.deployment import Deploy
from tests.fixtures.ministack import MiniStack
from tests.fixtures.snowflake import LocalSnowflake
from tests.fixtures.waiting import wait_for

DAG = Path(__file__).parents[3] / "dags" / "reconcile.py"
# The default of the settings, because the DAG is read unchanged.
BUCKET = "kinesis-telemetry-data-bucket"
HOUR = timedelta(hours=1)


class Pipeline:
    """Puts records into the archive, and sends them from there through the functions, as a rebuild does."""

    bucket = BUCKET
    # Long closed.
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 5 * HOUR

    def __init__(self, server: MiniStack, connection: Any) -> None:
        self.client = server.client
        self.s3 = server.client("s3")
        self.connection = connection
        self._numbers = count(1000)
        self._minutes = count(1)

    def arrive(self, stream: str, payloads: Sequence[bytes], hour: datetime) -> list[str]:
        """One archive object of records that arrive a second apart; returns their sequence numbers."""
        records = [
            ArchivedRecord(
                stream,
                "shardId-000000000000",
                str(next(self._numbers)),
                to_canonical(hour + timedelta(seconds=second)),
                "key",
                b64encode(payload).decode(),
            )
            for second, payload in enumerate(payloads)
        ]
        key = f"{names.ARCHIVE_PREFIX}{stream}/{hour:%Y/%m/%d/%H}/{records[0].sequence_number}.gz"
        body = gzip.compress(b"".join(map(encode_line, records)))
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        return [record.sequence_number for record in records]

    def process(self, hour: datetime) -> None:
        """Send everything archived in the hour through its function."""
        rebuild(ReprocessingClients(self.s3, self.client("lambda")), BUCKET, RebuildPlan(since=hour, until=hour + HOUR))

    def merge(self) -> None:
        self.connection.execute_string(sql.render("ops/rebuild_history.sql"), remove_comments=True)

    def wait_for_rows(self, number: int) -> None:
        wait_for(lambda: self.query(f"select count(*) from {names.RAW_TABLE}") == [(number,)], f"{number} rows in RAW")

    def query(self, statement: str) -> list[tuple]:
        return self.connection.cursor().execute(statement).fetchall()

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def reconcile(self, **conf: str) -> tuple[str, str]:
        """State and id of a run of the DAG, as the scheduler would make one."""
        moment = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(minutes=next(self._minutes))
        # Read again, as a worker does: a run replaces the templates of the DAG that it runs.
        dag = DagBag(DAG, collect_dags=True, bundle_path=DAG.parent).dags["reconcile"]
        run = dag.test(run_after=moment, logical_date=moment, run_conf=conf)
        return str(run.state), run.run_id

    def pretend_counts_were(self, later: timedelta) -> None:
        """Move the times of all counts: the scheduler's runs are an hour apart, and those of a test are not."""
        seconds = later // timedelta(seconds=1)
        self.query(f"update {names.LEDGER_TABLE} set CHECKED_AT = dateadd('second', {seconds}, CHECKED_AT)")

    def ledger(self) -> dict[tuple[str, int], dict[str, Any]]:
        """(stream, hours after the first) -> row."""
        cursor = self.connection.cursor()
        rows = cursor.execute(f"select * from {names.LEDGER_TABLE}").fetchall()
        columns = [column.name for column in cursor.description]
        found = [dict(zip(columns, row, strict=True)) for row in rows]
        return {
            (row["STREAM_NAME"], (row["ARRIVAL_HOUR"].replace(tzinfo=UTC) - self.first) // HOUR): row for row in found
        }

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that were stored since the last call of this method."""
        rows = self.query(f"select HEADLINE, MESSAGE from {names.ALERTS_TABLE}")
        self.query(f"delete from {names.ALERTS_TABLE}")
        return [{"Subject": subject, "Message": message} for subject, message in rows]


@pytest.fixture
def pipeline(
    deploy: Deploy,
    own_ministack: MiniStack,
    snowflake_tls: TlsFiles,
    airflow_database: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Pipeline]:
    server = LocalSnowflake(tmp_path / "warehouse", snowflake_tls, own_ministack.environment)
    server.start()
    server.create_identities()
    try:
        region = own_ministack.environment["AWS_DEFAULT_REGION"]
        environment = own_ministack.environment | server.environment
        environment["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps({"conn_type": "aws", "extra": {"region_name": region}})
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        parameters = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": BUCKET}
        provision = ProvisionSnowflakeOperator(task_id="provision", ddl="ddl/*.sql", parameters=parameters)
        outputs = deploy(
            own_ministack,
            ("kinesis_to_dynamodb", "truck_data"),
            TelemetryBucketName=BUCKET,
            SnowpipeQueueArn=provision.execute({})["SnowpipeQueueArn"],
        )
        monkeypatch.setenv(f"AIRFLOW_VAR_{names.STACK_OUTPUTS_VARIABLE.upper()}", json.dumps(outputs))
        with server.connect(database=names.DATABASE, schema=names.SCHEMA) as connection:
            yield Pipeline(own_ministack, connection)
    finally:
        server.kill()
