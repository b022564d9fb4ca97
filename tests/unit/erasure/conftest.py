"""A versioned bucket and the table of states on moto, filled as the functions and Firehose fill them."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include import names
from include.aws_clients import StoreClients
from include.contracts import Envelope
from include.contracts.archive import ArchivedRecord, encode_line
from include.contracts.quarantine import Quarantined, encode, object_key
from include.erasure import ErasureSummary, erase

BUCKET = "telemetry-of-a-test"
ARRIVAL = "2026-11-22T14:30:00.250000"
HOUR = "2026/11/22/14/"
TRUCK = "TRK001"


class Cloud:
    """The stores, and what tests put into them."""

    bucket = BUCKET
    truck = TRUCK

    def __init__(self, session: boto3.Session) -> None:
        self.s3 = session.client("s3")
        self.dynamodb = session.client("dynamodb")
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        self.dynamodb.create_table(
            TableName=names.TRUCK_STATE_TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "Truck_ID", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "Truck_ID", "KeyType": "HASH"}],
        )

    def put(self, key: str, body: bytes, **more: Any) -> str:
        return self.s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)["VersionId"]

    def land(self, name: str, *trucks: str) -> str:
        key = f"{names.LANDING_PREFIX}{HOUR}{name}.json.gz"
        lines = [json.dumps({"truck_id": truck, "vehicle_speed": n}) + "\n" for n, truck in enumerate(trucks)]
        self.put(key, gzip.compress("".join(lines).encode(), 6, mtime=0), ContentType="application/gzip")
        return key

    def archive(self, name: str, *payloads: bytes, partition_key: str = "key", stream: str = names.TRUCK_STREAM) -> str:
        key = f"{names.ARCHIVE_PREFIX}{stream}/{HOUR}{name}.gz"
        records = (
            ArchivedRecord(stream, "shardId-0", str(n), ARRIVAL, partition_key, b64encode(data).decode())
            for n, data in enumerate(payloads)
        )
        self.put(key, gzip.compress(b"".join(map(encode_line, records)), 6, mtime=0), StorageClass="GLACIER_IR")
        return key

    def quarantine(
        self, number: int, payload: bytes, *, prefix: str = names.QUARANTINE_PREFIX, partition_key: str = "key"
    ) -> str:
        envelope = Envelope(names.TRUCK_STREAM, "shardId-0", str(number), ARRIVAL, partition_key)
        record = Quarantined(
            reason="missing", field=None, value=None, rule="-", envelope=envelope, payload=payload, function="f"
        )
        key = object_key(prefix, envelope)
        self.put(key, encode(record))
        return key

    def abandon(self, name: str, *payloads: bytes, stream: str = names.TRUCK_STREAM, as_text: bool = False) -> str:
        records = [
            {
                "kinesis": {
                    "partitionKey": "key",
                    "sequenceNumber": str(n),
                    "data": b64encode(payload).decode(),
                    "approximateArrivalTimestamp": 1795962600.25,
                },
                "eventID": f"shardId-0:{n}",
                "eventSourceARN": f"arn:aws:kinesis:us-east-1:123456789012:stream/{stream}",
            }
            for n, payload in enumerate(payloads)
        ]
        event = {"Records": records}
        key = f"{names.ON_FAILURE_PREFIX}mapping/shardId-0/{name}"
        self.put(key, json.dumps({"version": "1.0", "payload": json.dumps(event) if as_text else event}).encode())
        return key

    def archive_error(self, name: str, *payloads: bytes, compressed: bool) -> str:
        key = f"{names.ARCHIVE_ERROR_PREFIX}{names.TRUCK_STREAM}/processing-failed/{HOUR}{name}"
        body = b"".join(json.dumps({"rawData": b64encode(data).decode()}).encode() + b"\n" for data in payloads)
        self.put(key, gzip.compress(body, 6, mtime=0) if compressed else body)
        return key

    def state(self, *trucks: str) -> None:
        for truck in trucks:
            self.dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item={"Truck_ID": {"S": truck}})

    def states(self) -> set[str]:
        rows = self.dynamodb.scan(TableName=names.TRUCK_STATE_TABLE)["Items"]
        return {row["Truck_ID"]["S"] for row in rows}

    def body(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def lines(self, key: str) -> list[bytes]:
        return gzip.decompress(self.body(key)).splitlines()

    def keys(self) -> set[str]:
        return {entry["Key"] for entry in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}

    def versions(self) -> dict[tuple[str, str], bytes]:
        """Everything that the bucket holds, current or not: (key, version) -> body."""
        listed = self.s3.list_object_versions(Bucket=BUCKET).get("Versions", [])
        return {
            (each["Key"], each["VersionId"]): self.s3.get_object(
                Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"]
            )["Body"].read()
            for each in listed
        }

    def erase(self, truck: str = TRUCK, *, s3: Any = None, dry_run: bool = False, **more: Any) -> ErasureSummary:
        return erase(StoreClients(s3 or self.s3, self.dynamodb), BUCKET, truck, dry_run=dry_run, **more)


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One for all tests: reading the service's model is most of what making a client costs."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


@pytest.fixture
def cloud(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with mock_aws():
        yield Cloud(session)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)
