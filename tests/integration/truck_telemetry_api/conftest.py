"""The API as deployed by the real operator from the real template, with its real bundle, behind MiniStack's gateway."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from include import names
from include.contracts import Envelope, decode_reading, times
from lambdas.truck_data.logic import AcceptedReading, state_item
from tests.fixtures.deployment import Deploy
from tests.fixtures.ministack import MiniStack


@pytest.fixture(scope="package")
def api(deploy: Deploy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """``.url``, ``.key`` (an API key), ``.outputs``, ``.client(service)`` and ``.send(method, path, key=…, …)``, which
    answers as requests does; ``.environment`` leads any AWS client to it."""
    server = MiniStack(tmp_path_factory.mktemp("api"))
    server.start()
    try:
        outputs = deploy(
            server,
            ["truck_telemetry_api"],
            TruckShards=2,
            ApiRateLimit=400,
            ApiBurstLimit=800,
            ApiEndpoint=f"{server.endpoint}/_aws/execute-api",
        )
        gateway = server.client("apigateway")
        key = gateway.get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)["value"]
        with requests.Session() as session:

            def send(method: str, path: str, *, key: str | None = key, **request: Any) -> requests.Response:
                headers = ({"x-api-key": key} if key else {}) | request.pop("headers", {})
                return session.request(method, outputs["ApiUrl"] + path, headers=headers, timeout=60, **request)

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
        item = state_item(AcceptedReading(reading, envelope), ingested_at="2026-11-22T14:30:01.000000")
        dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item=item)
        written.append(item["Truck_ID"])

    yield write
    for truck_id in written:
        dynamodb.delete_item(TableName=names.TRUCK_STATE_TABLE, Key={"Truck_ID": truck_id})
