"""The API as deployed by the real operator from the real template, with its real bundle, behind MiniStack's gateway."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from clicks_to_deliveries.operators.deploy_stack import DeployStackOperator

from include import names
from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from include.contracts import Envelope, decode_reading, times
from lambdas.bundle import FUNCTIONS, bundle, local_target
from lambdas.truck_data.logic import Accepted, state_item
from tests.fixtures.ministack import MiniStack

CODE_BUCKET, STACK = "bundles", "clicks-to-deliveries"


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """``.url``, ``.key`` (an API key), ``.outputs``, ``.client(service)`` and ``.send(method, path, key=…, …)``, which
    answers as requests does; ``.environment`` leads any AWS client to it."""
    server = MiniStack(tmp_path_factory.mktemp("api"))
    server.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in server.environment.items():
                patch.setenv(name, value)
            version, platform = local_target()
            s3 = server.client("s3")
            s3.create_bucket(Bucket=CODE_BUCKET)
            archive = bundle(
                "truck_telemetry_api",
                python_version=version,
                platform=platform,
                output_dir=tmp_path_factory.mktemp("bundle"),
            )
            s3.put_object(Bucket=CODE_BUCKET, Key="api.zip", Body=archive.read_bytes())
            s3.put_object(Bucket=CODE_BUCKET, Key="idle.zip", Body=_idle())
            operator = DeployStackOperator(
                task_id="deploy",
                stack_name=STACK,
                template=TEMPLATE,
                template_bucket=CODE_BUCKET,
                parameters={
                    "DeploymentBucket": CODE_BUCKET,
                    **{name: "idle.zip" for name in load(TEMPLATE)["Parameters"] if name.endswith("CodeKey")},
                    "ApiCodeKey": "api.zip",
                    "TruckShards": 2,
                    "EventSourceMappingsEnabled": False,
                    "ApiRateLimit": 400,
                    "ApiBurstLimit": 800,
                    "ApiEndpoint": f"{server.endpoint}/_aws/execute-api",
                },
                aws_conn_id=None,
            )
            outputs = operator.execute({})
        # MiniStack's Firehose would carry every record of these tests, one by one, beside them.
        for name in server.client("firehose").list_delivery_streams()["DeliveryStreamNames"]:
            server.client("firehose").delete_delivery_stream(DeliveryStreamName=name)
        gateway = server.client("apigateway")
        key = gateway.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
        with requests.Session() as session:

            def send(method: str, path: str, *, key: str | None = key, **request: Any) -> requests.Response:
                headers = ({"x-api-key": key} if key else {}) | request.pop("headers", {})
                return session.request(method, outputs["ApiUrl"] + path, headers=headers, timeout=20, **request)

            yield SimpleNamespace(
                url=outputs["ApiUrl"],
                key=key,
                outputs=outputs,
                environment=server.environment,
                client=server.client,
                send=send,
            )
    finally:
        server.stop()


def _idle() -> bytes:
    """Functions that are deployed with the API and not called."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for package in FUNCTIONS:
            archive.writestr(
                f"lambdas/{package}/handler.py", "def handler(event, context): raise NotImplementedError\n"
            )
    return buffer.getvalue()


@pytest.fixture
def records(api: SimpleNamespace):
    """What is in TruckTelemetry: (shard, sequence number) -> (partition key, data)."""
    kinesis = api.client("kinesis")

    def read() -> dict[tuple[str, str], tuple[str, bytes]]:
        found = {}
        for shard in kinesis.list_shards(StreamName=names.TRUCK_STREAM)["Shards"]:
            start = {"StreamName": names.TRUCK_STREAM, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = kinesis.get_shard_iterator(**start)["ShardIterator"]
            for record in kinesis.get_records(ShardIterator=iterator)["Records"]:
                found[shard["ShardId"], record["SequenceNumber"]] = (record["PartitionKey"], record["Data"])
        return found

    return read


@pytest.fixture
def states(api: SimpleNamespace):
    """Writes states of trucks as TruckDataProcessor does; they are gone after the test."""
    dynamodb = api.client("dynamodb")
    written: list[dict[str, str]] = []

    def write(data: bytes) -> None:
        arrival = times.parse("2026-11-22T14:30:00")
        reading = decode_reading(data, now=arrival)
        envelope = Envelope(names.TRUCK_STREAM, "shardId-000000000000", "1", times.to_canonical(arrival), "key")
        item = state_item(Accepted(reading, envelope), ingested_at="2026-11-22T14:30:01.000000")
        dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item=item)
        written.append(item["Truck_ID"])

    yield write
    for truck_id in written:
        dynamodb.delete_item(TableName=names.TRUCK_STATE_TABLE, Key={"Truck_ID": truck_id})
