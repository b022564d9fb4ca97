"""TruckLatestState's conditional writes on a server that evaluates them: moto, under the unit tests, does not."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest

from include.contracts import Envelope, TelemetryReading
from lambdas.common.deadline import Deadline
from lambdas.truck_data.logic import AcceptedReading, newest, state_item
from lambdas.truck_data.truck_state_store import TruckStateStore

pytestmark = pytest.mark.integration

TABLE = "TruckLatestState-store"


@pytest.fixture
def dynamodb(ministack):
    client = ministack.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "Truck_ID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "Truck_ID", "KeyType": "HASH"}],
    )
    yield client
    client.delete_table(TableName=TABLE)


@pytest.fixture
def store(dynamodb):
    return TruckStateStore(dynamodb, TABLE)


@pytest.fixture
def states(dynamodb):
    """What the table holds, by truck."""

    def read() -> dict[str, dict[str, str]]:
        pages = dynamodb.get_paginator("scan").paginate(TableName=TABLE, ConsistentRead=True)
        return {item["Truck_ID"]["S"]: item for page in pages for item in page["Items"]}

    return read


def accepted(second=0, *, arrival=0, number=1, truck="TRK001", **metrics) -> AcceptedReading:
    return AcceptedReading(
        TelemetryReading(truck, f"2026-11-22T14:29:{second:02}.000000", **metrics),
        Envelope("TruckTelemetry", "shardId-000000000000", str(number), f"2026-11-22T14:30:{arrival:02}.000000", truck),
    )


def items(*readings: AcceptedReading) -> list[dict]:
    return [state_item(each, ingested_at="2026-11-22T14:31:00.000000") for each in newest(readings)]


def write(store: TruckStateStore, *readings: AcceptedReading) -> int:
    """How many states were left alone."""
    envelopes = (each.envelope for each in newest(readings))
    written = store.write(list(zip(items(*readings), envelopes, strict=True)), Deadline(60))
    assert (written.undone, written.refused, written.error) == ([], [], None)
    return written.older


def test_first_reading_of_a_truck_makes_its_row_and_a_newer_one_replaces_it_whole(store, states):
    assert write(store, accepted(1, fuel_level=50.5, brake_status="Good")) == 0
    newer = accepted(2, number=2, vehicle_speed=7.25, brake_status="Needs Inspection")
    assert write(store, newer) == 0

    assert states() == {"TRK001": items(newer)[0]}


def test_older_reading_and_the_same_one_again_leave_the_row_and_are_counted(store, states):
    newest_reading = accepted(5, number=2, vehicle_speed=5.5)
    write(store, newest_reading)

    assert write(store, accepted(4, number=3, arrival=9)) == 1
    assert write(store, newest_reading) == 1

    assert states() == {"TRK001": items(newest_reading)[0]}


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_event_time_then_arrival_then_sequence_number_decide_in_any_order(store, states, order):
    rising = [
        accepted(1, arrival=9, number=100),
        accepted(2, arrival=1, number=99),
        accepted(2, arrival=2, number=9),
        accepted(2, arrival=2, number=10),
    ]

    for index in order:
        write(store, rising[index])

    assert states() == {"TRK001": items(rising[-1])[0]}


def test_concurrent_invocations_in_any_order_end_with_the_newest_of_every_truck(store, states):
    chance = random.Random(7)
    readings = [
        accepted(second, number=1000 * second + truck, truck=f"TRK{truck:03}", vehicle_speed=second + 0.5)
        for truck in range(60)
        for second in range(12)
    ]
    newest_of_all = {item["Truck_ID"]["S"]: item for item in items(*readings)}
    chance.shuffle(readings)
    batches = [readings[start : start + 60] for start in range(0, len(readings), 60)]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda batch: write(store, *batch), batches))

    assert states() == newest_of_all


@pytest.mark.verify
def test_five_hundred_trucks_are_written_and_then_updated(store, states):
    trucks = [f"TRK{number:03}" for number in range(500)]
    write(store, *(accepted(1, truck=truck) for truck in trucks))

    assert write(store, *(accepted(2, number=2, truck=truck) for truck in trucks)) == 0

    assert {state["Event_Time"]["S"][17:19] for state in states().values()} == {"02"}
    assert len(states()) == 500
