"""The functions on moto: their resources, events as a Kinesis mapping sends them, and faults on the wire."""

from __future__ import annotations

import importlib
import json
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws
from moto.core.botocore_stubber import MockRawResponse
from moto.dynamodb.models import DynamoDBBackend

from include import names
from include.contracts.quarantine import Quarantined, decode_all
from lambdas.common import aws as lambda_aws
from tests.fixtures import functions

BUCKET = "telemetry-of-a-test"
# 2026-11-22T14:30:00.250 UTC.
ARRIVAL = 1795357800.25
FIRST_SEQUENCE_NUMBER = 49650000000000000000000000000000000000000000000000000000

ENVIRONMENT = {
    **functions.ENVIRONMENT,
    "POWERTOOLS_SERVICE_NAME": "unit-test",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "TRUCK_STREAM": names.TRUCK_STREAM,
    "CALLER_TABLE": names.API_CALLER_TABLE,
    "API_AUTHORIZATION": "key",
    "BIND_CALLERS": "true",
    "STACK_KEY": "key-of-the-stack",
    "BUCKET": BUCKET,
    "ABANDONED_BUCKET": names.abandoned_bucket(BUCKET),
    "MAX_CLOCK_SKEW_SECONDS": "600",
    "MAX_EVENT_AGE_SECONDS": "",
    "NULL_OUT_OF_RANGE": "",
    "METRIC_DECIMALS": "",
}

# The one PartiQL statement that the truck function uses.  moto evaluates neither comparisons nor conditions in PartiQL;
# tests/integration/lambdas runs the same statement on a server that does.
_UPDATE = re.compile(
    r'UPDATE "(?P<table>[^"]+)" (?P<clauses>(?:(?:SET "\w+" = \?|REMOVE "\w+") )+)'
    r'WHERE "Truck_ID" = \? AND "Recency" < \?'
)


def _batch_execute_statement(self: DynamoDBBackend, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    for statement in statements:
        parsed = _UPDATE.fullmatch(statement["Statement"])
        assert parsed, f"not the statement this stands in for: {statement['Statement']}"
        *values, truck, recency = statement["Parameters"]
        stored = self.get_item(parsed["table"], {"Truck_ID": truck})
        if stored is None:
            answers.append({"Error": {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed"}})
            continue
        item = stored.to_json()["Attributes"]
        if not item["Recency"]["S"] < recency["S"]:
            error = {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": item}
            answers.append({"Error": error})
            continue
        assigned = re.findall(r'SET "(\w+)"', parsed["clauses"])
        removed = re.findall(r'REMOVE "(\w+)"', parsed["clauses"])
        item = {name: value for name, value in item.items() if name not in removed}
        self.put_item(parsed["table"], item | dict(zip(assigned, values, strict=True)))
        answers.append({"TableName": parsed["table"]})
    return answers


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that the template gives the functions."""
    for variable in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in ENVIRONMENT.items():
        monkeypatch.setenv(variable, value)
    return ENVIRONMENT


@pytest.fixture(scope="session")
def boto3_session() -> boto3.Session:
    """One for all tests: it keeps the service models that it has read, most of what making a client costs."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


@pytest.fixture(scope="session")
def own_clients(boto3_session: boto3.Session) -> tuple[Any, Any, Any]:
    """The tests' own clients of DynamoDB, S3 and Kinesis.  No test changes them, and making them costs most."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        # A client keeps the endpoint that it was made with.
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        return boto3_session.client("dynamodb"), boto3_session.client("s3"), boto3_session.client("kinesis")


@pytest.fixture
def cloud(
    environment: dict[str, str],
    boto3_session: boto3.Session,
    own_clients: tuple[Any, Any, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SimpleNamespace]:
    """moto with the functions' tables, bucket and stream: ``.rows(table)``, ``.objects(prefix)``, ``.records(stream)``
    ((shard, sequence number) -> partition key, data), ``.quarantined()`` (in order), clients of DynamoDB and S3."""
    with mock_aws():
        monkeypatch.setattr(lambda_aws, "session", lambda: boto3_session._session)
        monkeypatch.setattr(DynamoDBBackend, "batch_execute_statement", _batch_execute_statement)
        dynamodb, s3, kinesis = own_clients
        for bucket in (BUCKET, names.abandoned_bucket(BUCKET)):
            s3.create_bucket(Bucket=bucket)
        kinesis.create_stream(StreamName=names.TRUCK_STREAM, ShardCount=2)
        keys = {
            names.CLICK_TABLE: ("Timestamp", "Item_ID"),
            names.CLICK_ITEM_TABLE: ("Item_ID",),
            names.TRUCK_STATE_TABLE: ("Truck_ID",),
            names.API_CALLER_TABLE: ("Caller",),
        }
        for table, attributes in keys.items():
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in attributes],
                KeySchema=[
                    {"AttributeName": name, "KeyType": key_type}
                    for name, key_type in zip(attributes, ("HASH", "RANGE"), strict=False)
                ],
            )

        def rows(table: str) -> list[dict[str, str | Decimal]]:
            pages = dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
            items = [item for page in pages for item in page["Items"]]
            return [
                {name: Decimal(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
                for item in items
            ]

        def objects(prefix: str) -> dict[str, bytes]:
            """Of both buckets."""
            found = {}
            for bucket in (BUCKET, names.abandoned_bucket(BUCKET)):
                pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
                for key in (entry["Key"] for page in pages for entry in page.get("Contents", [])):
                    found[key] = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            return found

        def records(stream: str) -> dict[tuple[str, str], tuple[str, bytes]]:
            found = {}
            for shard in (each["ShardId"] for each in kinesis.list_shards(StreamName=stream)["Shards"]):
                start = {"StreamName": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
                iterator = kinesis.get_shard_iterator(**start)["ShardIterator"]
                for record in kinesis.get_records(ShardIterator=iterator)["Records"]:
                    found[shard, record["SequenceNumber"]] = (record["PartitionKey"], record["Data"])
            return found

        def quarantined() -> list[Quarantined]:
            found = [record for body in objects(names.QUARANTINE_PREFIX).values() for record in decode_all(body)]
            return sorted(found, key=lambda record: record.envelope.number)

        yield SimpleNamespace(
            dynamodb=dynamodb, s3=s3, rows=rows, objects=objects, records=records, quarantined=quarantined
        )


@pytest.fixture
def kinesis_event() -> Callable[..., dict[str, Any]]:
    """Builds a Lambda event of payloads (bytes, or something to send as JSON) with rising sequence numbers."""

    def build(
        payloads: Sequence[Any],
        *,
        stream: str = names.CLICK_STREAM,
        first: int = 0,
        arrival: float = ARRIVAL,
        shard: str = "shardId-000000000000",
    ) -> dict[str, Any]:
        records = []
        for offset, payload in enumerate(payloads, start=first):
            data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
            number = str(FIRST_SEQUENCE_NUMBER + offset)
            records.append(
                {
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0",
                        "partitionKey": f"key-{offset}",
                        "sequenceNumber": number,
                        "data": b64encode(data).decode(),
                        "approximateArrivalTimestamp": arrival,
                    },
                    "eventSource": "aws:kinesis",
                    "eventID": f"{shard}:{number}",
                    "eventSourceARN": f"arn:aws:kinesis:us-east-1:123456789012:stream/{stream}",
                }
            )
        return {"Records": records}

    return build


class Function:
    """A function in a container of its own: its module freshly imported, its clients at hand for faults."""

    def __init__(self, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        # The services that it has made a client of.
        self.clients: list[str] = []
        self._answers: dict[str, Callable[[Any], tuple[int, dict[str, Any]] | None]] = {}
        real_client = lambda_aws.client

        def client(service: str) -> Any:
            self.clients.append(service)
            made = real_client(service)
            made.meta.events.register_first("before-send", self._before_send)
            return made

        monkeypatch.setattr(lambda_aws, "client", client)
        self.module = importlib.import_module(f"lambdas.{package}.handler")

    def __call__(self, event: dict[str, Any], remaining_seconds: float = 60) -> Any:
        context = SimpleNamespace(
            function_name="function",
            memory_limit_in_mb=512,
            invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:function",
            aws_request_id="request",
            get_remaining_time_in_millis=lambda: int(remaining_seconds * 1000),
        )
        return self.module.handler(event, context)

    def on_wire(self, operation: str, answer: Callable[[Any], tuple[int, dict[str, Any]] | None]) -> None:
        """Between boto3 and the store: ``answer`` of a request is what comes back, or None to let it through."""
        self._answers[operation] = answer

    def _before_send(self, request: Any, event_name: str, **_: Any) -> AWSResponse | None:
        _, service, operation = event_name.split(".")
        self.calls.append(operation)
        answered = self._answers.get(operation, lambda request: None)(request)
        if answered is None:
            return None
        request.url = "https://answered.invalid/"  # Every handler is called: moto must not carry it out.
        status, body = answered
        data = b"" if service == "s3" else json.dumps(body).encode()
        return AWSResponse(request.url, status, {}, MockRawResponse(data))


@pytest.fixture
def new_function(cloud: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Function]:
    """Starts a container of the function in ``lambdas/<package>``."""

    def start(package: str) -> Function:
        monkeypatch.delitem(sys.modules, f"lambdas.{package}.handler", raising=False)
        return Function(package, monkeypatch)

    return start


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Retries come at once; the seconds that would have been waited, in order."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits
