"""Quarantine on moto, and fake functions that a payload tells to accept, reject or raise."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from include import names
from include.aws_clients import ReprocessingClients
from include.contracts import ContractError, Envelope
from include.contracts.aggregates import is_aggregate, rejection
from include.contracts.quarantine import (
    Quarantined,
    Verdict,
    answer_to_replay,
    batch_objects,
    decode,
    encode,
    object_key,
)
from include.replay import ReplayPlan, ReplaySummary, replay
from lambdas.common.batch import records as user_records

BUCKET = "telemetry-of-a-test"


class Functions:
    """Lambda: ``invoke`` answers as our functions do.  A record is valid unless its payload says otherwise."""

    def __init__(self) -> None:
        self.fixed = False
        # Each call: (function, sequence numbers).
        self.calls: list[tuple[str, list[str]]] = []
        self.sinks: dict[str, set[tuple[str, str]]] = {names.CLICK_FUNCTION: set(), names.TRUCK_FUNCTION: set()}
        self.events: list[dict[str, Any]] = []
        # Called with each event before it is answered.
        self.before: Callable[[dict[str, Any]], None] = lambda event: None
        self.refusals = 0
        self.silent = False

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        event = json.loads(Payload)
        self.events.append(event)
        self.before(event)
        if FunctionName == names.INTAKE_FUNCTION:
            key = event["Records"][0]["s3"]["object"]["key"]
            if key.endswith("foreign"):
                return _answer(
                    {"errorType": "NotAnInvocationRecordError", "errorMessage": "no JSON"}, error="Unhandled"
                )
            return _answer({"taken_in": 1})
        records = event["Records"]
        self.calls.append((FunctionName, [record["kinesis"]["sequenceNumber"] for record in records]))
        if self.refusals:
            self.refusals -= 1
            return _answer({"batchItemFailures": [{"itemIdentifier": records[0]["kinesis"]["sequenceNumber"]}]})
        verdicts = []
        for payload, envelope in ((each.payload, each.envelope) for each in user_records(event)):
            if payload == b"raise" and not self.fixed:
                return _answer({"errorType": "KeyError", "errorMessage": "poison"}, error="Unhandled")
            if is_aggregate(payload):
                verdicts.append(Verdict.of(envelope, rejection(payload)))
            elif payload == b"invalid" and not self.fixed:
                verdicts.append(Verdict.of(envelope, ContractError("missing", "Item_ID", None, "must be there")))
            else:
                self.sinks[FunctionName].add((envelope.shard_id, envelope.number))
        answer = {"batchItemFailures": []}
        return _answer(answer if self.silent else answer | answer_to_replay(verdicts))


def _answer(body: Any, error: str | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(body).encode())}
    return answer | ({"FunctionError": error} if error else {})


@pytest.fixture
def functions() -> Functions:
    return Functions()


@pytest.fixture(scope="session")
def session() -> boto3.Session:
    """One session for all tests: creating a client is slow because it reads the service's model."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


@pytest.fixture
def cloud(session: boto3.Session, monkeypatch: pytest.MonkeyPatch, functions: Functions) -> Iterator[SimpleNamespace]:
    """``.put(payload, …)`` quarantines a record, ``.pack(key, …)`` makes a batch of records, ``.objects(prefix)`` is
    key -> document, ``.replay(…)`` runs."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3 = session.client("s3")
        for bucket in (BUCKET, names.abandoned_bucket(BUCKET)):
            s3.create_bucket(Bucket=bucket)

        def put(
            number: int,
            payload: bytes = b"valid",
            *,
            stream: str = names.CLICK_STREAM,
            shard: str = "shardId-000000000000",
            arrival: str = "2026-11-22T14:30:00.250000",
            reason: str = "not_processed",
            position: int = 0,
        ) -> str:
            envelope = Envelope(stream, shard, str(number), arrival, f"key-{number}", position)
            record = Quarantined(
                reason=reason, field=None, value=None, rule="a rule", envelope=envelope, payload=payload, function="f"
            )
            key = object_key(names.QUARANTINE_PREFIX, envelope)
            s3.put_object(Bucket=BUCKET, Key=key, Body=encode(record))
            return key

        def pack(*keys: str) -> str:
            """Put the records of these objects into one, as a function writes those of a batch."""
            records = [decode(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys]
            for key in keys:
                s3.delete_object(Bucket=BUCKET, Key=key)
            ((packed, body),) = batch_objects(names.QUARANTINE_PREFIX, records)
            s3.put_object(Bucket=BUCKET, Key=packed, Body=body)
            return packed

        def objects(prefix: str) -> dict[str, dict[str, Any]]:
            keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
            return {key: json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()) for key in keys}

        def replay_of(
            *, dry_run: bool = False, streams: Sequence[str] = (), by: str = "a test", **given: Any
        ) -> ReplaySummary:
            options = {name: given.pop(name) for name in ("limits", "on_selected") if name in given}
            plan = ReplayPlan(streams=tuple(streams), **given)
            return replay(ReprocessingClients(s3, functions), BUCKET, plan, by=by, dry_run=dry_run, **options)

        yield SimpleNamespace(s3=s3, put=put, pack=pack, objects=objects, replay=replay_of, bucket=BUCKET)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


@pytest.fixture
def denied() -> Callable[[str], ClientError]:
    return lambda code: ClientError({"Error": {"Code": code, "Message": code}}, "Invoke")
