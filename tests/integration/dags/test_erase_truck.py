"""The DAG erase_truck: it erases one of three trucks from every store; the others and the balance stay."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.models.variable import Variable
from airflow.utils.session import create_session

from include import names, sql
from include.aws_clients import StoreClients, store_clients
from include.contracts import Envelope, TimeLimits
from include.contracts.archive import ArchivedRecord, encode_line
from include.contracts.quarantine import Quarantined, encode, object_key
from include.contracts.times import to_canonical
from include.erasure import erase as erase_objects
from include.erasure import truck_tables
from include.ledger import Balance, hours_between, reconcile
from lambdas.common.batch import BatchRecord
from lambdas.truck_data import logic
from sql.merge.history_oracle import from_raw, history
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.integration

DAGS = Path(__file__).parents[3] / "dags"
ERASED, KEPT, OTHER = TRUCKS = ("erased truck", "kept truck", "other truck")
# No other test has readings of that hour.
HOUR = datetime(2026, 11, 21, 5, tzinfo=UTC)
IN_KEY = f"{HOUR:%Y/%m/%d/%H}/"
BASE64 = re.compile(rb'"(?:payload_base64|data|rawData)": ?"([^"]*)"')
TABLES = (
    names.RAW_TABLE,
    names.HISTORY_TABLE,
    names.KNOWN_TRUCKS_TABLE,
    names.QUALITY_RESULTS_TABLE,
    names.MERGE_RUNS_TABLE,
    names.LEDGER_TABLE,
    names.ALERTS_TABLE,
    names.ASSIGNMENTS_TABLE,
)


def record(number: int, payload: dict[str, Any] | bytes, partition_key: str = "key") -> BatchRecord:
    arrival = HOUR + timedelta(seconds=number)
    envelope = Envelope(names.TRUCK_STREAM, "shardId-0", str(1000 + number), to_canonical(arrival), partition_key)
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return BatchRecord(envelope=envelope, payload=data, arrival=arrival)


def reading(number: int) -> dict[str, Any]:
    event = {"timestamp": to_canonical(HOUR + timedelta(seconds=number - number % 7)), "vehicle_speed": number // 9}
    return {"truck_id": TRUCKS[number % 3], **event}


VALID = [record(number, reading(number)) for number in range(60)]
INVALID = [
    record(60, reading(0) | {"vehicle_speed": 1000}),
    record(61, reading(1) | {"vehicle_speed": 1000}),
    record(62, json.dumps(reading(0)).encode()[:-5]),
    record(63, b"{", partition_key=ERASED),
    record(64, b"{"),
]


class Stores:
    """Every store, filled as the functions and Firehose fill it."""

    def __init__(self, stack: Any, bucket: str) -> None:
        self.stack, self.bucket = stack, bucket
        self.s3, self.dynamodb = stack.aws("s3"), stack.aws("dynamodb")

    def put(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.bucket_of(key), Key=key, Body=body)

    def bucket_of(self, key: str) -> str:
        return names.abandoned_bucket(self.bucket) if key.startswith(names.ON_FAILURE_PREFIX) else self.bucket

    def fill(self) -> None:
        readings = logic.sort_out(VALID + INVALID, TimeLimits())
        assert [len(readings.accepted), len(readings.rejected)] == [len(VALID), len(INVALID)]
        for batch in (readings.accepted[:30], readings.accepted[30:], readings.accepted[:1], readings.accepted[:30]):
            self.put(logic.landing_key(names.LANDING_PREFIX, batch), logic.landing_object(batch))
        for rejected in readings.rejected:
            self.quarantine(names.QUARANTINE_PREFIX, rejected.record)
        # Abandoned first, then replayed: it is in RAW as well.
        for each in VALID[:2]:
            self.quarantine(names.QUARANTINE_PREFIX, each)
            self.quarantine(names.RESOLVED_PREFIX, each)
            self.s3.delete_object(Bucket=self.bucket, Key=object_key(names.QUARANTINE_PREFIX, each.envelope))
        lines = [encode_line(_archived(each)) for each in VALID + INVALID]
        for name, part in (("a", lines[:40]), ("b", lines[35:])):
            self.put(f"{names.ARCHIVE_PREFIX}{names.TRUCK_STREAM}/{IN_KEY}{name}.gz", gzip.compress(b"".join(part)))
        failed = [json.dumps({"rawData": base64.b64encode(each.payload).decode()}).encode() for each in VALID[:3]]
        self.put(f"{names.ARCHIVE_ERROR_PREFIX}{names.TRUCK_STREAM}/processing-failed/x", b"\n".join(failed) + b"\n")
        self.put(f"{names.ON_FAILURE_PREFIX}mapping/x", json.dumps({"payload": _event(VALID[3:6])}).encode())
        for newest in logic.newest(readings.accepted):
            item = logic.state_item(newest, ingested_at=to_canonical(HOUR))
            self.dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item=item)

    def quarantine(self, prefix: str, each: BatchRecord) -> None:
        found = {"reason": "out_of_range", "field": None, "value": None, "rule": "-", "function": names.TRUCK_FUNCTION}
        kept = Quarantined(envelope=each.envelope, payload=each.payload, **found)
        self.put(object_key(prefix, each.envelope), encode(kept))

    def contents(self) -> dict[tuple[str, str], bytes]:
        """(key, version) -> its readable content, for every version of every object."""
        listing = self.s3.get_paginator("list_object_versions")
        pages = [
            page
            for bucket in (self.bucket, names.abandoned_bucket(self.bucket))
            for page in listing.paginate(Bucket=bucket)
        ]
        versions = [(entry["Key"], entry["VersionId"]) for page in pages for entry in page.get("Versions", [])]
        return {each: self._content(*each) for each in versions}

    def _content(self, key: str, version: str) -> bytes:
        body = self.s3.get_object(Bucket=self.bucket_of(key), Key=key, VersionId=version)["Body"].read()
        text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        return text + b"".join(map(base64.b64decode, BASE64.findall(text)))

    def states(self) -> set[str]:
        return {row["Truck_ID"]["S"] for row in self.dynamodb.scan(TableName=names.TRUCK_STATE_TABLE)["Items"]}

    def raw(self) -> list[dict[str, Any]]:
        columns = [row[0] for row in self.stack.query(f"describe table {names.RAW_TABLE}")]
        rows = self.stack.query(
            f"select * from {names.RAW_TABLE} where ARRIVAL_TIME >= %(a)s and ARRIVAL_TIME < %(b)s",
            {"a": to_canonical(HOUR), "b": to_canonical(HOUR + timedelta(hours=1))},
        )
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def versions(self) -> list[tuple]:
        return self.stack.query(
            f"select TRUCK_ID, EFFECTIVE_START_DATE, EFFECTIVE_END_DATE, VEHICLE_SPEED from {names.HISTORY_TABLE}"
            " where TRUCK_ID like '% truck' order by 1, 2"
        )

    def merge(self) -> None:
        ((earliest,),) = self.stack.query(sql.render("merge/earliest_reading.sql"))
        self.stack.query(sql.render("merge/truck_telemetry_scd2.sql"), {"earliest": earliest})

    def balance(self) -> Balance:
        hours = hours_between(HOUR, HOUR + timedelta(minutes=59))
        clients = store_clients(lambda service, config: self.stack.aws(service))
        (balance,) = reconcile(clients, self.stack.connection, self.bucket, hours, streams=(names.TRUCK_STREAM,))
        return balance


def _archived(each: BatchRecord) -> ArchivedRecord:
    envelope = each.envelope
    return ArchivedRecord(
        envelope.stream,
        envelope.shard_id,
        envelope.sequence_number,
        envelope.arrival_time,
        envelope.partition_key,
        base64.b64encode(each.payload).decode(),
    )


def _event(records: list[BatchRecord]) -> dict[str, Any]:
    return {
        "Records": [
            {
                "kinesis": {
                    "partitionKey": each.envelope.partition_key,
                    "sequenceNumber": each.envelope.sequence_number,
                    "data": base64.b64encode(each.payload).decode(),
                    "approximateArrivalTimestamp": each.arrival.timestamp(),
                },
                "eventID": f"{each.envelope.shard_id}:{each.envelope.sequence_number}",
                "eventSourceARN": f"arn:aws:kinesis:us-east-1:000000000000:stream/{each.envelope.stream}",
            }
            for each in records
        ]
    }


@pytest.fixture
def stores(stack: Any) -> Iterator[Stores]:
    bucket = "telemetry-of-dag-tests"
    dynamodb = stack.aws("dynamodb")
    dynamodb.create_table(
        TableName=names.TRUCK_STATE_TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "Truck_ID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "Truck_ID", "KeyType": "HASH"}],
    )
    stack.aws("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    yield Stores(stack, bucket)
    dynamodb.delete_table(TableName=names.TRUCK_STATE_TABLE)


@pytest.fixture
def erase(stack: Any, stores: Stores, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DagRun]:
    """Runs the DAG over these stores, with its own connections."""
    dag = DagBag(DAGS / "erase_truck.py", collect_dags=True, bundle_path=DAGS).dags["erase_truck"]
    for task_id in ("count_objects", "erase_objects", "verify"):
        dag.get_task(task_id).bucket = stores.bucket
    minute = iter(range(60))

    def run(**form: Any) -> DagRun:
        moment = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(minutes=next(minute))
        return dag.test(run_after=moment, logical_date=moment, run_conf={"truck_id": ERASED, **form})

    return run


def erasures() -> dict[str, str]:
    """The records of erasures whose last copy is not gone."""
    with create_session() as session:
        found = session.query(Variable).filter(Variable.key.startswith(names.ERASURE_PREFIX))
        return {each.key: each.val for each in found}


@pytest.mark.verify
def test_one_of_three_trucks_leaves_every_store(stack, stores, erase):
    stores.fill()
    wait_for(lambda: len({row["SEQUENCE_NUMBER"] for row in stores.raw()}) == len(VALID), "Snowpipe")
    stores.merge()
    stack.query(f"insert into {names.KNOWN_TRUCKS_TABLE} values ('{ERASED}', sysdate(), null)")
    before = stores.balance()
    assert (before.balanced, before.archived, before.quarantined) == (True, len(VALID + INVALID), len(INVALID))
    contents, versions, raw = stores.contents(), stores.versions(), stores.raw()

    # By default it counts.
    assert erase().state == "success"
    assert stores.contents() == contents

    # While its readings are assigned to another truck, nothing is erased.
    stack.query(
        f"insert into {names.ASSIGNMENTS_TABLE} values"
        f" ('{ERASED}', '2026-11-21', '9999-12-31', '{KEPT}', sysdate(), 'tests', '-')"
    )
    assert erase(dry_run=False, confirm=ERASED).state == "failed"
    assert stores.contents() == contents
    stack.query(f"delete from {names.ASSIGNMENTS_TABLE}")

    assert erasures() == {}
    # Stored since a long time ago: everything.
    assert erase(dry_run=False, confirm=ERASED, since="2026-11-20T00:00:00Z").state == "success"
    (left_record,) = erasures().items()
    assert names.RAW_TABLE in left_record[1]
    assert ERASED not in left_record[1]
    check = DagBag(DAGS / "check_erasures.py", collect_dags=True, bundle_path=DAGS).dags["check_erasures"]
    assert check.test().state == "success"
    # Copies are left, so the record stays, and nobody is notified.
    assert erasures() == dict([left_record])
    Variable.delete(left_record[0])
    name = ERASED.encode()
    left = stores.contents()
    assert [key for key, text in left.items() if name in text] == []
    for prefix in (names.LANDING_PREFIX, names.ARCHIVE_PREFIX, names.ARCHIVE_ERROR_PREFIX, names.ON_FAILURE_PREFIX):
        assert [key for key, _ in left if key.startswith(prefix)], prefix
    # Objects without the truck are unchanged.
    assert {key: text for key, text in contents.items() if name not in text}.items() <= left.items()
    assert stores.states() == {KEPT, OTHER}
    for table in TABLES:
        assert ERASED not in str(stack.query(f"select * from {table}")), table
    stores.merge()
    kept = [row for row in raw if row["TRUCK_ID"] != ERASED]
    assert sorted(map(str, stores.raw())) == sorted(map(str, kept))
    oracle = history(from_raw(row) for row in kept)
    assert [version[:3] for version in stores.versions()] == [each[:3] for each in oracle]
    assert stores.versions() == [each for each in versions if each[0] != ERASED]
    after = stores.balance()
    assert after.differences() == []
    # Twenty readings, and three invalid ones.
    assert (before.archived - after.archived, before.quarantined - after.quarantined) == (23, 3)

    # The records in flight arrive, and the second run erases them.
    began = datetime.now(UTC)
    late = logic.sort_out([record(99, reading(0))], TimeLimits()).accepted
    stores.put(logic.landing_key(names.LANDING_PREFIX, late), logic.landing_object(late))
    wait_for(lambda: len(stores.raw()) == len(kept) + 1, "Snowpipe")
    clients = StoreClients(stores.s3, stores.dynamodb)
    second = erase_objects(clients, stores.bucket, ERASED, dry_run=False, since=began)
    assert (second.found, second.is_clean) == (1, True)
    truck_tables.erase_rows(stack.connection, ERASED)
    stores.merge()
    assert stores.contents() == left
    assert stores.versions() == [each for each in versions if each[0] != ERASED]
    assert sorted(map(str, stores.raw())) == sorted(map(str, kept))
    assert set(truck_tables.count_rows(stack.connection, ERASED).values()) == {0}
