"""The template with its real bundles on a MiniStack of its own, driven mappings, and a switch that breaks functions."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include import names
from tests.fixtures.delivery import DeliveryProcess
from tests.fixtures.deployment import Deploy
from tests.fixtures.ministack import MiniStack
from tests.fixtures.streams import put_records

ROOT = Path(__file__).parents[3]
BUCKET = "telemetry-of-the-replay-tests"
FUNCTIONS = ("kinesis_to_dynamodb", "truck_data", "quarantine_intake")
# The variable that each processor needs to start.
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
        """Send records to one shard; return their sequence numbers."""
        data = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in payloads]
        accepted = put_records(self.kinesis, stream, [("one", each) for each in data])
        return [record["SequenceNumber"] for record in accepted]

    def map(self, **settings: Any) -> None:
        """Change both mappings; MiniStack itself must not poll for them."""
        for mapping in self.lambda_.list_event_source_mappings()["EventSourceMappings"]:
            self.lambda_.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False, **settings)

    def break_(self, function: str) -> None:
        """Make the function raise on every event, as after a deployment that forgot a variable."""
        configuration = self.lambda_.get_function_configuration(FunctionName=function)
        variables = configuration["Environment"]["Variables"]
        self._variables[function] = variables
        broken = {name: value for name, value in variables.items() if name != NEEDED[function]}
        self.lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": broken})

    def repair(self, function: str) -> None:
        variables = self._variables.pop(function)
        self.lambda_.update_function_configuration(FunctionName=function, Environment={"Variables": variables})

    def objects(self, prefix: str) -> dict[str, bytes]:
        bucket = names.abandoned_bucket(BUCKET) if prefix.startswith(names.ON_FAILURE_PREFIX) else BUCKET
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: self.s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def documents(self, prefix: str, stream: str) -> dict[str, dict[str, Any]]:
        """Sequence number -> quarantined record."""
        lines = (line for body in self.objects(f"{prefix}{stream}/").values() for line in body.splitlines())
        documents = map(json.loads, lines)
        return {document["envelope"]["sequence_number"]: document for document in documents}

    def clicks(self) -> list[str]:
        """The sequence numbers of the rows of ClickStreamData."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=names.CLICK_TABLE)
        return sorted(item["Sequence_Number"]["S"] for page in pages for item in page["Items"])

    def landed(self) -> list[str]:
        """The sequence numbers of all landed lines; one that landed twice appears twice."""
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
            timeout=180,
            check=False,
        )


# One per file: a driver polls as long as it lives, also during later tests.
@pytest.fixture(scope="module")
def pipeline(deploy: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Deployed once; the mappings give up a failing batch immediately, not after an hour of halving and retries."""
    server = MiniStack(tmp_path_factory.mktemp("replay"))
    driver = DeliveryProcess(
        "event_source_mapping", server.environment, tmp_path_factory.mktemp("driver") / "checkpoints"
    )
    server.start()
    try:
        pipeline = Pipeline(server)
        deploy(server, FUNCTIONS, TelemetryBucketName=BUCKET)
        pipeline.map(MaximumRetryAttempts=0, BisectBatchOnFunctionError=False)
        driver.start()
        yield pipeline
    finally:
        driver.kill()
        server.stop()
