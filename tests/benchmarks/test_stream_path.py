"""Clicks and readings through their functions, and records into a stream, against the plain ways of doing it.

Subject and baseline talk to one emulator in turns.  What each had to do is checked in the stores afterwards.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from include import names
from include.cloudformation import TEMPLATE
from include.cloudformation.render import load
from include.contracts import TimeLimits, times
from include.generator.producer import AcceptedRecord, Producer, kinesis_client
from include.generator.traffic import TrafficRecord
from include.local.aws.ministack import client_environment
from lambdas.common import batch
from lambdas.kinesis_to_dynamodb import logic
from tests.benchmarks import traffic
from tests.fixtures.benchmarks import Benchmarks, Side, alternate
from tests.fixtures.functions import Event, Function, function, kinesis_event
from tests.fixtures.ministack import MiniStack

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

BATCH = 500
# What one round handles: enough to be measured well, little enough for the slowest baseline.
RECORDS = 1000
ROUNDS = 5
FLEETS = (3, 50, 500)
BUCKET = "telemetry-of-the-benchmarks"


# --- What is sent ----------------------------------------------------------------------------------------------------


@pytest.fixture
def clicks() -> Iterator[bytes]:
    return traffic.clicks()


def events(stream: str, source: Iterator[bytes]) -> list[Event]:
    return [kinesis_event(stream, islice(source, BATCH)) for _ in range(RECORDS // BATCH)]


# --- Where it goes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def table(ministack: MiniStack) -> Iterator[Callable[[str], str]]:
    """Makes a table as the template declares it, under a name of its own, and says the name."""
    dynamodb, made = ministack.client("dynamodb"), []
    used = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")

    def make(resource: str) -> str:
        name = f"{resource}-of-benchmark-{len(made)}"
        declared = load(TEMPLATE)["Resources"][resource]["Properties"]
        dynamodb.create_table(TableName=name, **{key: declared[key] for key in used if key in declared})
        made.append(name)
        return name

    yield make
    for name in made:
        dynamodb.delete_table(TableName=name)


@pytest.fixture
def bucket(ministack: MiniStack) -> Iterator[str]:
    s3 = ministack.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    yield BUCKET
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        s3.delete_objects(
            Bucket=BUCKET, Delete={"Objects": [{"Key": each["Key"]} for each in page.get("Contents", [])]}
        )
    s3.delete_bucket(Bucket=BUCKET)


def rows(dynamodb: Any, table: str) -> int:
    return sum(page["Count"] for page in dynamodb.get_paginator("scan").paginate(TableName=table, Select="COUNT"))


def landed(s3: Any, prefix: str) -> int:
    return sum(
        page.get("KeyCount", 0) for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    )


# --- Clicks ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def click_function(ministack: MiniStack, table: Callable[[str], str], bucket: str) -> Iterator[tuple[Function, str]]:
    """The function and the table it writes."""
    clicks = table("ClickTable")
    with function(
        "kinesis_to_dynamodb",
        {
            **client_environment(ministack.port),
            "CLICK_TABLE": clicks,
            "CLICK_ITEM_TABLE": table("ClickItemTable"),
            "CLICK_INDEX_SHARDS": "1",
            "BUCKET": bucket,
            "QUARANTINE_PREFIX": names.QUARANTINE_PREFIX,
            "POWERTOOLS_SERVICE_NAME": names.CLICK_FUNCTION,
        },
    ) as handler:
        yield handler, clicks


def test_click_handler(benchmarks: Benchmarks, ministack, click_function, clicks, table):
    handler, handler_table = click_function
    dynamodb = ministack.client("dynamodb")
    put_table, batch_table = table("ClickTable"), table("ClickTable")

    def ours() -> Callable[[], object]:
        batches = events(names.CLICK_STREAM, clicks)
        return lambda: handler(batches)

    def put_item() -> Callable[[], object]:
        """json.loads and PutItem for each record: the four attributes of a click, and nothing else."""
        batches = events(names.CLICK_STREAM, clicks)

        def work() -> None:
            for event in batches:
                for record in event["Records"]:
                    click = json.loads(b64decode(record["kinesis"]["data"]))
                    item = {
                        "Timestamp": {"S": click["Timestamp"]},
                        "Item_ID": {"S": click["Item_ID"]},
                        "Item_Name": {"S": click["Item_Name"]},
                        "Click_Counts": {"N": str(click["Click_Counts"])},
                    }
                    dynamodb.put_item(TableName=put_table, Item=item)

        return work

    def raw_batch_write() -> Callable[[], object]:
        """Nothing but BatchWriteItem: the rows that the function would write, ready to be sent in calls of 25."""
        requests = [{"PutRequest": {"Item": item}} for item in click_items(events(names.CLICK_STREAM, clicks))]
        calls = [requests[start : start + 25] for start in range(0, RECORDS, 25)]

        def work() -> None:
            for call in calls:
                assert not dynamodb.batch_write_item(RequestItems={batch_table: call}).get("UnprocessedItems")

        return work

    seconds = alternate(ROUNDS, ours=ours, put_item=put_item, raw_batch_write=raw_batch_write)
    handler.calls.clear()
    ours()()

    assert rows(dynamodb, handler_table) == (ROUNDS + 2) * RECORDS
    assert rows(dynamodb, put_table) == rows(dynamodb, batch_table) == (ROUNDS + 1) * RECORDS
    rates = {side: RECORDS / each for side, each in seconds.items()}
    report = benchmarks.report
    report("click_handler_vs_put_item", rates["ours"], "records/s", baseline=rates["put_item"], must_be=">= 8")
    report(
        "click_handler_vs_raw_batch_write",
        rates["ours"],
        "records/s",
        baseline=rates["raw_batch_write"],
        must_be=">= 0.85",
    )
    report("click_handler_calls_per_1000", handler.calls.total(), "calls", must_be="<= 40")


def click_items(batches: list[Event]) -> list[dict[str, Any]]:
    """The rows that the click function makes of the batches."""
    made = []
    for event in batches:
        sorted_out = logic.sort_out(batch.records(event), TimeLimits())
        for click, envelope in sorted_out.accepted.values():
            ingested_at = times.to_canonical(datetime.now(UTC))
            made.append(logic.click_item(click, envelope, ingested_at=ingested_at, index_shards=1))
    return made


# --- Readings --------------------------------------------------------------------------------------------------------


@pytest.fixture
def truck_function(ministack: MiniStack, table: Callable[[str], str], bucket: str) -> Iterator[tuple[Function, str]]:
    """The function and the table of truck states."""
    states = table("TruckStateTable")
    with function(
        "truck_data",
        {
            **client_environment(ministack.port),
            "TRUCK_STATE_TABLE": states,
            "BUCKET": bucket,
            "LANDING_PREFIX": names.LANDING_PREFIX,
            "QUARANTINE_PREFIX": names.QUARANTINE_PREFIX,
            "POWERTOOLS_SERVICE_NAME": names.TRUCK_FUNCTION,
        },
    ) as handler:
        yield handler, states


def test_truck_handler(benchmarks: Benchmarks, ministack, truck_function):
    handler, states = truck_function
    s3, dynamodb = ministack.client("s3"), ministack.client("dynamodb")

    def of(source: Iterator[bytes]) -> Side:
        def prepare() -> Callable[[], object]:
            batches = events(names.TRUCK_STREAM, source)
            return lambda: handler(batches)

        return prepare

    plain_readings = traffic.readings(max(FLEETS))

    def object_per_record() -> Callable[[], object]:
        """One PutObject a reading, as it came."""
        batches = events(names.TRUCK_STREAM, plain_readings)

        def work() -> None:
            for event in batches:
                for record in event["Records"]:
                    data = b64decode(record["kinesis"]["data"])
                    s3.put_object(Bucket=BUCKET, Key=f"one-each/{record['kinesis']['sequenceNumber']}.json", Body=data)

        return work

    sides = {f"of_{trucks}": of(traffic.readings(trucks)) for trucks in FLEETS}
    seconds = alternate(ROUNDS, object_per_record=object_per_record, **sides)
    handler.calls.clear()
    of(traffic.readings(max(FLEETS)))()()

    assert landed(s3, "one-each/") == (ROUNDS + 1) * RECORDS
    assert landed(s3, names.LANDING_PREFIX) == (len(FLEETS) * (ROUNDS + 1) + 1) * RECORDS / BATCH
    assert rows(dynamodb, states) == max(FLEETS)
    rates = {side: RECORDS / each for side, each in seconds.items()}
    for trucks, at_least in zip(FLEETS, (30, 15, 3), strict=True):
        benchmarks.report(
            f"truck_handler_vs_object_per_record_{trucks}",
            rates[f"of_{trucks}"],
            "records/s",
            baseline=rates["object_per_record"],
            must_be=f">= {at_least}",
        )
    benchmarks.report("truck_handler_s3_puts_per_1000", handler.calls["s3.PutObject"], "calls", must_be="<= 2")


# --- Into the stream -------------------------------------------------------------------------------------------------


@pytest.fixture
def new_stream(ministack: MiniStack) -> Iterator[Callable[[], str]]:
    """Makes an empty stream: a call costs the emulator more the more its stream retains."""
    kinesis, made = ministack.client("kinesis"), []

    def make() -> str:
        name = f"stream-of-the-benchmarks-{len(made)}"
        kinesis.create_stream(StreamName=name, ShardCount=2)
        made.append(name)
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        return name

    yield make
    for name in made:
        kinesis.delete_stream(StreamName=name)


def test_producer(benchmarks: Benchmarks, ministack, clicks, new_stream, monkeypatch):
    for name, value in client_environment(ministack.port).items():
        monkeypatch.setenv(name, value)
    kinesis, producer = ministack.client("kinesis"), Producer(kinesis_client())
    sent_a_round = 10 * RECORDS
    accepted = {"ours": 0, "put_records": 0}

    def ours() -> Callable[[], object]:
        stream = new_stream()
        records = [
            TrafficRecord(stream, data, str(number), 0) for number, data in enumerate(islice(clicks, sent_a_round))
        ]

        def on_accepted(taken: list[AcceptedRecord]) -> None:
            accepted["ours"] += len(taken)

        return lambda: producer.send(stream, records, on_accepted)

    def put_records() -> Callable[[], object]:
        """Nothing but PutRecords: calls of 500 records, ready to be sent."""
        stream = new_stream()
        entries = [{"Data": data, "PartitionKey": str(n)} for n, data in enumerate(islice(clicks, sent_a_round))]
        calls = [entries[start : start + BATCH] for start in range(0, sent_a_round, BATCH)]

        def work() -> None:
            for call in calls:
                answer = kinesis.put_records(StreamName=stream, Records=call)
                accepted["put_records"] += len(call) - answer["FailedRecordCount"]

        return work

    seconds = alternate(ROUNDS, ours=ours, put_records=put_records)

    assert accepted == dict.fromkeys(accepted, (ROUNDS + 1) * sent_a_round)
    rates = {side: sent_a_round / each for side, each in seconds.items()}
    benchmarks.report(
        "producer_vs_raw_put_records", rates["ours"], "records/s", baseline=rates["put_records"], must_be=">= 0.8"
    )
