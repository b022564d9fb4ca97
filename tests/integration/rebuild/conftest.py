"""The stream path as deployed, down to RAW, with both of the laptop's deliveries running."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clicks_to_deliveries.operators.provision_snowflake import ProvisionSnowflakeOperator

from include import names, sql
from include.local.aws import event_source_mapping, firehose_delivery
from include.local.snowflake.tls import TlsFiles
from tests.fixtures.delivery import DeliveryProcess
from tests.fixtures.deployment import Deploy
from tests.fixtures.ministack import MiniStack
from tests.fixtures.snowflake import LocalSnowflake
from tests.fixtures.streams import put_records
from tests.fixtures.waiting import wait_for

BUCKET = "telemetry-of-the-rebuild"
FUNCTIONS = ("kinesis_to_dynamodb", "truck_data", "archive_envelope")
SNOWFLAKE = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": BUCKET}


class Pipeline:
    """Sends records, waits for them, reads the stores and empties them."""

    bucket = BUCKET

    def __init__(self, ministack: MiniStack, connection: Any, state: Path) -> None:
        self.client = ministack.client
        self.connection = connection
        self.s3 = ministack.client("s3")
        self.deliveries = {
            module: DeliveryProcess(module, ministack.environment, state / module)
            for module in ("event_source_mapping", "firehose_delivery")
        }

    def start(self) -> None:
        for process in self.deliveries.values():
            process.start()

    def stop(self) -> None:
        for process in self.deliveries.values():
            process.kill()

    def send(self, stream: str, *payloads: tuple[str, bytes]) -> None:
        """Send records, each a partition key and data."""
        put_records(self.client("kinesis"), stream, payloads)

    def wait_until_delivered(self) -> None:
        """Wait until every record that was sent is processed, archived and loaded."""
        now = time.time()
        for module in (event_source_mapping, firehose_delivery):
            name = module.__name__.rpartition(".")[2]
            state = self.deliveries[name].state
            wait_for(
                lambda module=module, state=state: (
                    [each.caught_up(now) for each in module.read_status(state)] == [True, True]
                ),
                f"{name} to catch up",
            )
        self.wait_until_loaded()

    def wait_until_loaded(self) -> None:
        def loaded() -> bool:
            landed = {key.partition("/")[2] for key in self.keys(names.LANDING_PREFIX)}
            rows = self.query(f"select distinct FILE_NAME from {names.RAW_TABLE}")
            return {row[0].partition("/")[2] for row in rows} == landed

        wait_for(loaded, "Snowpipe")

    def query(self, statement: str) -> list[tuple]:
        return self.connection.cursor().execute(statement).fetchall()

    def run_sql(self, path: str) -> None:
        self.connection.execute_string(sql.render(path, **SNOWFLAKE), remove_comments=True)

    def keys(self, prefix: str) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def bodies(self, prefix: str) -> dict[str, bytes]:
        return {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in self.keys(prefix)}

    def rows(self, table: str) -> list[dict[str, Any]]:
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]


@pytest.fixture
def pipeline(deploy: Deploy, own_ministack: MiniStack, snowflake_tls: TlsFiles, tmp_path: Path) -> Iterator[Pipeline]:
    server = LocalSnowflake(tmp_path / "warehouse", snowflake_tls, own_ministack.environment)
    server.start()
    server.create_identities()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in (own_ministack.environment | server.environment).items():
                patch.setenv(name, value)
            provision = ProvisionSnowflakeOperator(task_id="provision", ddl="ddl/*.sql", parameters=SNOWFLAKE)
            deploy(
                own_ministack,
                FUNCTIONS,
                TelemetryBucketName=BUCKET,
                TruckShards=2,
                ArchiveIntervalSeconds=0,
                SnowpipeQueueArn=provision.execute({})["SnowpipeQueueArn"],
            )
            with server.connect(database=names.DATABASE, schema=names.SCHEMA) as connection:
                pipeline = Pipeline(own_ministack, connection, tmp_path)
                pipeline.start()
                try:
                    yield pipeline
                finally:
                    pipeline.stop()
    finally:
        server.kill()
