"""The stores of the pipeline: AWS's on moto, and RAW as a connection with the rows that a test sets."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include import names
from include.aws_clients import StoreClients
from include.contracts import Envelope
from include.contracts.archive import ArchivedRecord, encode_line
from include.contracts.envelope import read_number
from include.contracts.quarantine import Quarantined, batch_objects, decode, encode, object_key
from include.contracts.times import to_canonical
from include.ledger import Balance, reconcile

BUCKET = "telemetry-of-a-test"
# moto stores objects as of now, and every record in an archive object arrived before the object was stored.
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
SHARD = "shardId-000000000000"
CLICKS, TRUCKS = names.CLICK_STREAM, names.TRUCK_STREAM


class Raw:
    """A Snowflake connection that has RAW: (arrival, envelope, loaded, truck, event time, state)."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.nulled: list[datetime] = []
        self.asked: list[tuple[str, str]] = []
        self._answer: list[tuple] = []

    def cursor(self) -> Raw:
        return self

    def execute(self, statement: str, marked: list[str], **_: Any) -> None:
        assert names.RAW_TABLE in statement
        since, until = marked[:2]
        if "NULLED_METRICS" in statement:
            self._answer = [(sum(since <= to_canonical(arrival) < until for arrival in self.nulled),)]
            return
        if len(marked) == 2:
            self._answer = [(datetime(2026, 1, 1),)]  # noqa: DTZ001  As the connector gives NTZ.
            return
        self.asked.append((since, until))
        self._answer = [row[1:] for row in self.rows if since <= to_canonical(row[0]) < until]

    def fetchmany(self, size: int) -> list[tuple]:
        taken, self._answer = self._answer[:size], self._answer[size:]
        return taken

    def fetchone(self) -> tuple:
        return self._answer.pop()

    def close(self) -> None:
        pass


def second(number: int | str) -> int:
    """The sequence number in ``number``."""
    return int(str(number).partition(".")[0])


class World:
    """Puts records where the pipeline puts them, or elsewhere; ``number`` is a sequence number and, as seconds after
    ``HOUR``, when the record arrived.  A text like ``7.2`` is the third record of the aggregate 7."""

    hour = HOUR

    def __init__(self, session: boto3.Session) -> None:
        self.clients = StoreClients(session.client("s3"), session.client("dynamodb"))
        self.s3, self.dynamodb = self.clients
        self.raw = Raw()
        self.reads: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.s3.create_bucket(Bucket=BUCKET)
        self._create_tables()
        self.s3.meta.events.register("provide-client-params.s3.GetObject", self._count_read)
        for client in self.clients:
            client.meta.events.register("before-call", self._count_call)

    # --- Records -----------------------------------------------------------------------------------------------------

    def click(self, number: int, item: str = "MOB001", counts: int = 1, at: int | None = None) -> dict[str, Any]:
        """A click as sent: its own time is second ``at``, by default that of its arrival."""
        moment = to_canonical(HOUR + timedelta(seconds=number if at is None else at))
        return {"Item_ID": item, "Item_Name": f"name of {item}", "Timestamp": moment, "Click_Counts": counts}

    def archived(
        self,
        *numbers: int | str,
        stream: str = TRUCKS,
        payload: Any = "{}",
        name: str | None = None,
        shard: str = SHARD,
    ) -> str:
        """One archive object with these records, in this order; ``payload`` is one for all, or a list."""
        payloads = payload if isinstance(payload, list) else [payload] * len(numbers)
        lines = [
            encode_line(self.record(number, stream, each, shard))
            for number, each in zip(numbers, payloads, strict=True)
        ]
        oldest = HOUR + timedelta(seconds=min(map(second, numbers)))
        key = f"{names.ARCHIVE_PREFIX}{stream}/{oldest:%Y/%m/%d/%H}/{name or numbers[0]}.gz"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(b"".join(lines)))
        return key

    def record(self, number: int | str, stream: str, payload: Any, shard: str = SHARD) -> ArchivedRecord:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        arrival = to_canonical(HOUR + timedelta(seconds=second(number)))
        sequence_number, position = read_number(str(number))
        return ArchivedRecord(stream, shard, sequence_number, arrival, "key", b64encode(data).decode(), position)

    def quarantined(
        self, number: int | str, *, stream: str, prefix: str = names.QUARANTINE_PREFIX, reason: str = "missing"
    ) -> str:
        sequence_number, position = read_number(str(number))
        arrival = to_canonical(HOUR + timedelta(seconds=second(number)))
        envelope = Envelope(stream, SHARD, sequence_number, arrival, "key", position)
        record = Quarantined(
            reason=reason, field=None, value=None, rule="a rule", envelope=envelope, payload=b"x", function="f"
        )
        key = object_key(prefix, envelope)
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=encode(record))
        return key

    def quarantined_together(self, *numbers: int, stream: str) -> str:
        """The records of these numbers in one object, as a function writes those of a batch."""
        singles = [self.quarantined(number, stream=stream) for number in numbers]
        bodies = [self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in singles]
        ((packed, body),) = batch_objects(names.QUARANTINE_PREFIX, map(decode, bodies))
        self.s3.put_object(Bucket=BUCKET, Key=packed, Body=body)
        for key in singles:
            self.s3.delete_object(Bucket=BUCKET, Key=key)
        return packed

    def resolved(self, number: int | str, *, stream: str, reason: str = "missing") -> str:
        return self.quarantined(number, stream=stream, prefix=names.RESOLVED_PREFIX, reason=reason)

    def row(self, number: int, click: dict[str, Any]) -> None:
        """The click as KinesisToDynamoDBProcessor writes it, from the record ``number``."""
        item = {name: {"S": str(value)} for name, value in click.items() if name != "Click_Counts"} | {
            "Click_Counts": {"N": str(click["Click_Counts"])},
            "Item_Hour_Shard": {"S": f"{click['Item_ID']}#{click['Timestamp'][:13]}#0"},
            "Arrival_Time": {"S": to_canonical(HOUR + timedelta(seconds=number))},
            "Shard_ID": {"S": SHARD},
            "Sequence_Number": {"S": str(number)},
        }
        self.dynamodb.put_item(TableName=names.CLICK_TABLE, Item=item)
        name = {"Item_ID": {"S": click["Item_ID"]}, "Item_Name": {"S": click["Item_Name"]}}
        self.dynamodb.put_item(TableName=names.CLICK_ITEM_TABLE, Item=name)

    def loaded(self, *numbers: int | str, state: str = "covered", at: datetime = HOUR, shard: str = SHARD) -> None:
        """Readings in RAW."""
        self.raw.rows += [
            (
                at_second := HOUR + timedelta(seconds=second(number)),
                shard,
                *read_number(str(number)),
                _naive(at),
                "TRK001",
                _naive(at_second),
                state,
            )
            for number in numbers
        ]

    def landed(self, *numbers: int | str, body: bytes | None = None, hour: datetime = HOUR) -> str:
        """A landing object."""
        envelopes = [read_number(str(number)) for number in numbers]
        lines = (
            json.dumps({"shard_id": SHARD, "sequence_number": sequence_number, "sub_sequence_number": position or None})
            for sequence_number, position in envelopes
        )
        first, last = envelopes[0][0], envelopes[-1][0]
        key = f"{names.LANDING_PREFIX}{hour:%Y/%m/%d/%H}/{SHARD}-{first}-{last}-0123456789abcdef.json.gz"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body or gzip.compress("\n".join(lines).encode()))
        return key

    # --- Counting ----------------------------------------------------------------------------------------------------

    def balances(self, *hours: datetime, **options: Any) -> dict[tuple[str, int], Balance]:
        """(stream, hours after HOUR) -> balance."""
        self.reads.clear()
        self.calls.clear()
        found = reconcile(self.clients, self.raw, BUCKET, hours or [HOUR], **options)
        return {(each.stream, (each.hour - HOUR) // timedelta(hours=1)): each for each in found}

    def clicks(self, **options: Any) -> Balance:
        return self.balances(streams=[CLICKS], **options)[CLICKS, 0]

    def readings(self, **options: Any) -> Balance:
        return self.balances(streams=[TRUCKS], **options)[TRUCKS, 0]

    def _count_read(self, params: dict[str, Any], **_: Any) -> None:
        self.reads[params["Key"]] += 1

    def _count_call(self, model: Any, **_: Any) -> None:
        self.calls[model.name] += 1

    def _create_tables(self) -> None:
        def attribute(name: str) -> dict[str, str]:
            return {"AttributeName": name, "AttributeType": "S"}

        def schema(*names: str) -> list[dict[str, str]]:
            return [
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)
            ]

        self.dynamodb.create_table(
            TableName=names.CLICK_TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[attribute(name) for name in ("Timestamp", "Item_ID", "Item_Hour_Shard")],
            KeySchema=schema("Timestamp", "Item_ID"),
            GlobalSecondaryIndexes=[
                {
                    "IndexName": names.CLICK_INDEX,
                    "KeySchema": schema("Item_Hour_Shard", "Timestamp"),
                    "Projection": {
                        "ProjectionType": "INCLUDE",
                        "NonKeyAttributes": ["Item_Name", "Click_Counts", "Arrival_Time"],
                    },
                }
            ],
        )
        self.dynamodb.create_table(
            TableName=names.CLICK_ITEM_TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[attribute("Item_ID")],
            KeySchema=schema("Item_ID"),
        )


def _naive(moment: datetime) -> datetime:
    """As Snowflake returns a TIMESTAMP_NTZ."""
    return moment.replace(tzinfo=None)


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One session for all tests: creating a client is slow because it reads the service's model."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


@pytest.fixture
def world(session: boto3.Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield World(session)
