"""The stream path as deployed, down to RAW, with both of the laptop's deliveries running."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from clicks_to_deliveries.operators.deploy_stack import DeployStackOperator
from clicks_to_deliveries.operators.provision_snowflake import ProvisionSnowflakeOperator

from include import names, sql
from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from include.local import event_source_mapping, firehose_delivery
from lambdas.bundle import bundle, local_target
from tests.fixtures.ministack import MiniStack

ROOT = Path(__file__).parents[3]
CODE_BUCKET, BUCKET = "bundles", "telemetry-of-the-rebuild"
FUNCTIONS = {
    "ClickCodeKey": "kinesis_to_dynamodb",
    "TruckCodeKey": "truck_data",
    "ArchiveCodeKey": "archive_envelope",
}
SNOWFLAKE = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": BUCKET}
DEADLINE = 60.0


class Pipeline:
    """What the test sends, waits for, reads and wipes."""

    bucket = BUCKET

    def __init__(self, ministack: MiniStack, connection: Any, state: Path) -> None:
        self.client = ministack.client
        self.connection = connection
        self.s3 = ministack.client("s3")
        self._environment = {**os.environ, **ministack.environment, "PYTHONPATH": str(ROOT)}
        self._state = state
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *modules: str) -> None:
        for module in modules:
            command = [sys.executable, "-m", f"include.local.{module}", "--state", str(self._state / module)]
            with (self._state / f"{module}.log").open("ab") as log:
                self._processes[module] = subprocess.Popen(
                    command, cwd=ROOT, env=self._environment, stdout=log, stderr=log
                )

    def stop(self, *modules: str) -> None:
        for module in modules or tuple(self._processes):
            process = self._processes.pop(module)
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def send(self, stream: str, *payloads: tuple[str, bytes]) -> None:
        """Partition key and data of each."""
        records = [{"Data": data, "PartitionKey": key} for key, data in payloads]
        answer = self.client("kinesis").put_records(StreamName=stream, Records=records)
        assert answer["FailedRecordCount"] == 0

    def wait_until_delivered(self) -> None:
        """All that was sent is processed, archived and loaded."""
        now = time.time()
        followed = ((event_source_mapping, "event_source_mapping"), (firehose_delivery, "firehose_delivery"))
        for module, name in followed:
            self.wait_for(
                lambda module=module, name=name: (
                    [each.caught_up(now) for each in module.read_status(self._state / name)] == [True, True]
                ),
                f"{name} to catch up",
            )
        self.wait_until_loaded()

    def wait_until_loaded(self) -> None:
        def loaded() -> bool:
            landed = {key.partition("/")[2] for key in self.keys(names.LANDING_PREFIX)}
            rows = self.query(f"select distinct FILE_NAME from {names.RAW_TABLE}")
            return {row[0].partition("/")[2] for row in rows} == landed

        self.wait_for(loaded, "Snowpipe")

    @staticmethod
    def wait_for(is_met: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not is_met():
            assert time.monotonic() < deadline, f"waited too long for {what}"
            time.sleep(0.1)

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
def pipeline(snowflake_server: Any, tmp_path: Path, own_ministack: MiniStack) -> Iterator[Pipeline]:
    server = type(snowflake_server)(tmp_path / "warehouse", snowflake_server.tls, own_ministack.environment)
    server.start()
    login = json.loads(server.environment["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"]) | {"schema": names.SCHEMA}
    login["extra"] |= {"database": names.DATABASE, "warehouse": names.WAREHOUSE}
    environment = own_ministack.environment | {"AIRFLOW_CONN_SNOWFLAKE_DEFAULT": json.dumps(login)}
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            _deploy(own_ministack, tmp_path)
            with server.connect(database=names.DATABASE, schema=names.SCHEMA) as connection:
                pipeline = Pipeline(own_ministack, connection, tmp_path)
                pipeline.start("event_source_mapping", "firehose_delivery")
                try:
                    yield pipeline
                finally:
                    pipeline.stop()
    finally:
        server.kill()


def _deploy(ministack: MiniStack, directory: Path) -> None:
    s3 = ministack.client("s3")
    s3.create_bucket(Bucket=CODE_BUCKET)
    version, platform = local_target()
    for name in FUNCTIONS.values():
        code = bundle(name, python_version=version, platform=platform, output_dir=directory)
        s3.put_object(Bucket=CODE_BUCKET, Key=f"{name}.zip", Body=code.read_bytes())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as idle:
        idle.writestr("idle.py", "")
    s3.put_object(Bucket=CODE_BUCKET, Key="idle.zip", Body=buffer.getvalue())
    snowflake = ProvisionSnowflakeOperator(task_id="provision", ddl="ddl/*.sql", parameters=SNOWFLAKE).execute({})
    keys = {name: "idle.zip" for name in load(TEMPLATE)["Parameters"] if name.endswith("CodeKey")}
    DeployStackOperator(
        task_id="deploy",
        stack_name="rebuild",
        template=TEMPLATE,
        template_bucket=CODE_BUCKET,
        parameters={
            "DeploymentBucket": CODE_BUCKET,
            **keys,
            **{parameter: f"{name}.zip" for parameter, name in FUNCTIONS.items()},
            "TelemetryBucketName": BUCKET,
            "TruckShards": 2,
            "BatchingWindowSeconds": 0,
            "ArchiveIntervalSeconds": 0,
            "EventSourceMappingsEnabled": False,
            "SnowpipeQueueArn": snowflake["SnowpipeQueueArn"],
        },
        aws_conn_id=None,
    ).execute({})
