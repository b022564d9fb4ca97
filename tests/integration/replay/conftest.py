"""The template with its real bundles on a MiniStack of its own, driven mappings, and a switch that breaks functions."""

from __future__ import annotations

import gzip
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

from include import names
from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from lambdas.bundle import bundle, local_target
from tests.fixtures.ministack import MiniStack

ROOT = Path(__file__).parents[3]
CODE_BUCKET, BUCKET = "bundles", "telemetry-of-the-replay-tests"
BUNDLES = {
    "ClickCodeKey": "kinesis_to_dynamodb",
    "TruckCodeKey": "truck_data",
    "IntakeCodeKey": "quarantine_intake",
}
# What each processor does not start without.
NEEDED = {names.CLICK_FUNCTION: "CLICK_TABLE", names.TRUCK_FUNCTION: "TRUCK_STATE_TABLE"}


class Pipeline:
    """Streams, functions, stores and the driver's process."""

    bucket = BUCKET

    def __init__(self, server: MiniStack) -> None:
        self.server = server
        self.environment = {**os.environ, **server.environment, "PYTHONPATH": str(ROOT)}
        self.client = server.client
        self.s3, self.kinesis, self.lambda_ = (server.client(each) for each in ("s3", "kinesis", "lambda"))
        self._variables: dict[str, dict[str, str]] = {}

    def put(self, stream: str, *payloads: dict[str, Any] | bytes) -> list[str]:
        """Sends records of one shard; returns their sequence numbers."""
        data = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in payloads]
        records = [{"Data": each, "PartitionKey": "one"} for each in data]
        answer = self.kinesis.put_records(StreamName=stream, Records=records)
        assert answer["FailedRecordCount"] == 0
        return [record["SequenceNumber"] for record in answer["Records"]]

    def map(self, **settings: Any) -> None:
        """Changes both mappings; MiniStack itself must not poll for them."""
        for mapping in self.lambda_.list_event_source_mappings()["EventSourceMappings"]:
            self.lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False, **settings)

    def break_(self, function: str) -> None:
        """From now on it raises on everything, as after a deployment that forgot a variable."""
        configuration = self.lambda_.get_function_configuration(FunctionName=function)
        variables = configuration["Environment"]["Variables"]
        self._variables[function] = variables
        broken = {name: value for name, value in variables.items() if name != NEEDED[function]}
        self.lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": broken})

    def mend(self, function: str) -> None:
        variables = self._variables.pop(function)
        self.lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": variables})

    def objects(self, prefix: str) -> dict[str, bytes]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def documents(self, prefix: str, stream: str) -> dict[str, dict[str, Any]]:
        """Sequence number -> quarantine object."""
        documents = map(json.loads, self.objects(f"{prefix}{stream}/").values())
        return {document["envelope"]["sequence_number"]: document for document in documents}

    def clicks(self) -> list[str]:
        """The sequence numbers of the rows of ClickStreamData."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=names.CLICK_TABLE)
        return sorted(item["Sequence_Number"]["S"] for page in pages for item in page["Items"])

    def landed(self) -> list[str]:
        """The sequence numbers of all landed lines, also of those that landed twice."""
        bodies = self.objects(names.LANDING_PREFIX).values()
        return [json.loads(line)["sequence_number"] for body in bodies for line in gzip.decompress(body).splitlines()]

    def replay(
        self, *arguments: str, program: tuple[str, ...] = ("-m", "include.replay")
    ) -> subprocess.CompletedProcess:
        """The command line, in a process of its own."""
        return subprocess.run(
            [sys.executable, *program, "--bucket", BUCKET, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @staticmethod
    def wait_for(condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + 45
        while not condition():
            assert time.monotonic() < deadline, f"not in 45 s: {what}"
            time.sleep(0.05)


@pytest.fixture(scope="package")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Deployed once; a failing batch is given up at once, not after an hour of halving and retries."""
    server = MiniStack(tmp_path_factory.mktemp("replay"))
    server.start()
    driver = None
    try:
        pipeline = Pipeline(server)
        _deploy(pipeline, tmp_path_factory.mktemp("bundles"))
        state = tmp_path_factory.mktemp("driver")
        with (state / "log").open("wb") as log:
            driver = subprocess.Popen(
                [sys.executable, "-m", "include.local.event_source_mapping", "--state", str(state / "checkpoints")],
                cwd=ROOT,
                env=pipeline.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        yield pipeline
    finally:
        if driver:
            driver.terminate()
            try:
                driver.wait(timeout=10)
            finally:
                driver.kill()
        server.stop()


def _deploy(pipeline: Pipeline, directory: Path) -> None:
    pipeline.s3.create_bucket(Bucket=CODE_BUCKET)
    keys = {name: "idle.zip" for name in load(TEMPLATE)["Parameters"] if name.endswith("CodeKey")}
    pipeline.s3.put_object(Bucket=CODE_BUCKET, Key="idle.zip", Body=_idle())
    version, platform = local_target()
    for parameter, function in BUNDLES.items():
        archive = bundle(function, python_version=version, platform=platform, output_dir=directory)
        pipeline.s3.put_object(Bucket=CODE_BUCKET, Key=archive.name, Body=archive.read_bytes())
        keys[parameter] = archive.name
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pipeline.server.environment.items():
            patch.setenv(name, value)
        DeployStackOperator(
            task_id="deploy",
            stack_name="clicks-to-deliveries",
            template=TEMPLATE,
            template_bucket=CODE_BUCKET,
            parameters={
                "DeploymentBucket": CODE_BUCKET,
                **keys,
                "TelemetryBucketName": BUCKET,
                "BatchingWindowSeconds": 0,
                "EventSourceMappingsEnabled": False,
            },
            aws_conn_id=None,
        ).execute({})
    # MiniStack's Firehose would carry every record of these tests, one by one, beside them.
    for name in pipeline.client("firehose").list_delivery_streams()["DeliveryStreamNames"]:
        pipeline.client("firehose").delete_delivery_stream(DeliveryStreamName=name)
    pipeline.map(MaximumRetryAttempts=0, BisectBatchOnFunctionError=False)


def _idle() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("idle.py", "")
    return buffer.getvalue()
