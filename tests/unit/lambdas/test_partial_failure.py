"""A store that takes a part of a batch: what it took is done, and only the rest is delivered again."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from include import names
from tests.fixtures.aggregates import aggregate

pytestmark = pytest.mark.unit

TIMES = [f"2026-11-22T14:29:{number:02}.000000" for number in range(60)]
FAILED = (400, {"__type": "ProvisionedThroughputExceededException"})


def click(number: int, **changes: object) -> dict[str, object]:
    sent = {"Item_ID": "MOB001", "Item_Name": "Mobile", "Timestamp": TIMES[number], "Click_Counts": 3}
    return sent | changes


def reading(number: int, **metrics: object) -> dict[str, object]:
    return {"truck_id": f"TRK{number:03}", "timestamp": TIMES[0], "vehicle_speed": 50} | metrics


def left_from(event: dict[str, Any], record: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][record]["kinesis"]["sequenceNumber"]}]}


def refuse_rows_with(text: str) -> Any:
    return lambda request: FAILED if text.encode() in request.body else None


@pytest.fixture
def clicks(new_function, kinesis_event, no_waiting):
    """The function, once it knows the item."""
    function = new_function("kinesis_to_dynamodb")
    function(kinesis_event([click(59)], first=900))
    function.calls.clear()
    return function


def test_clicks_before_the_first_that_is_not_written_are_done(clicks, cloud, kinesis_event, caplog):
    event = kinesis_event([click(number) for number in range(55)])
    # In the second of three calls.
    clicks.on_wire("BatchWriteItem", refuse_rows_with(TIMES[30]))

    assert clicks(event) == left_from(event, 25)

    (line,) = [record for record in caplog.records if record.message == "batch acknowledged in part"]
    assert (line.received, line.delivered_again, line.written) == (25, 30, 25)
    assert {row["Timestamp"] for row in cloud.rows(names.CLICK_TABLE)} >= set(TIMES[:25])


def test_unprocessed_items_name_the_first_of_them(clicks, kinesis_event):
    def leave_two(request):
        wanted = json.loads(request.body)["RequestItems"][names.CLICK_TABLE]
        left = [each for each in wanted if each["PutRequest"]["Item"]["Timestamp"]["S"] in (TIMES[3], TIMES[7])]
        return 200, {"UnprocessedItems": {names.CLICK_TABLE: left}}

    clicks.on_wire("BatchWriteItem", leave_two)
    event = kinesis_event([click(number) for number in range(10)])
    assert clicks(event) == left_from(event, 3)


def test_an_item_that_is_not_written_has_its_first_click_delivered_again(clicks, kinesis_event):
    clicks.on_wire("BatchWriteItem", refuse_rows_with("Phone"))
    event = kinesis_event([click(n) for n in range(25)] + [click(n, Item_ID="P", Item_Name="Phone") for n in (30, 31)])
    assert clicks(event) == left_from(event, 25)


def test_invalid_records_after_the_first_failure_wait_for_the_next_delivery(clicks, cloud, kinesis_event):
    payloads = [b"no json", *(click(number) for number in range(50)), b"nor this"]
    event = kinesis_event(payloads)
    clicks.on_wire("BatchWriteItem", refuse_rows_with(TIMES[30]))
    assert clicks(event) == left_from(event, 26)
    assert [record.payload for record in cloud.quarantined()] == [b"no json"]

    clicks.on_wire("BatchWriteItem", lambda request: None)
    assert clicks({"Records": event["Records"][26:]}) == {"batchItemFailures": []}
    # One envelope, one object, wherever the batch was cut.
    assert [record.payload for record in cloud.quarantined()] == [b"no json", b"nor this"]


def test_a_key_conflict_is_judged_again_with_the_click_that_was_kept(clicks, cloud, kinesis_event):
    kept, other = click(5), click(5, Click_Counts=9)
    filler = [click(number) for number in range(10, 40)]
    event = kinesis_event([click(0), kept, *filler, other])
    # The filler's last click: both clicks of the key are delivered again with it, or the other would be accepted.
    clicks.on_wire("BatchWriteItem", refuse_rows_with(TIMES[39]))
    assert clicks(event) == left_from(event, 1)

    clicks.on_wire("BatchWriteItem", lambda request: None)
    clicks({"Records": event["Records"][1:]})
    assert [record.reason for record in cloud.quarantined()] == ["key_conflict"]
    assert [row["Click_Counts"] for row in cloud.rows(names.CLICK_TABLE) if row["Timestamp"] == TIMES[5]] == [3]


def test_an_aggregate_is_done_whole_or_delivered_whole(clicks, kinesis_event):
    packed = aggregate([json.dumps(click(number)).encode() for number in range(20, 50)])
    event = kinesis_event([click(0), packed])
    clicks.on_wire("BatchWriteItem", refuse_rows_with(TIMES[49]))
    assert clicks(event) == left_from(event, 1)


def test_a_replay_is_told_that_nothing_is_done(clicks, kinesis_event, caplog):
    event = kinesis_event([click(number) for number in range(55)]) | {"replay": {"by": "a test"}}
    clicks.on_wire("BatchWriteItem", refuse_rows_with(TIMES[30]))
    assert clicks(event) == left_from(event, 0)
    assert "batch not acknowledged" in caplog.messages


@pytest.fixture
def trucks(new_function, kinesis_event, no_waiting):
    """The function, once the trucks have their rows."""
    function = new_function("truck_data")
    function(kinesis_event([reading(number) for number in range(55)], stream=names.TRUCK_STREAM, first=900))
    function.calls.clear()
    return function


def later(event_of, count: int) -> dict[str, Any]:
    return event_of([reading(n) | {"timestamp": TIMES[30]} for n in range(count)], stream=names.TRUCK_STREAM)


def test_readings_before_the_first_state_that_is_not_written_are_done(trucks, cloud, kinesis_event, caplog):
    event = later(kinesis_event, 55)
    trucks.on_wire("BatchExecuteStatement", refuse_rows_with("TRK030"))

    assert trucks(event) == left_from(event, 25)

    (line,) = [record for record in caplog.records if record.message == "batch acknowledged in part"]
    assert (line.received, line.landed, line.delivered_again) == (25, 25, 30)


def test_what_has_landed_is_not_landed_again_by_the_same_container(trucks, cloud, kinesis_event, caplog):
    caplog.set_level(logging.INFO)
    event = later(kinesis_event, 55)
    trucks.on_wire("BatchExecuteStatement", refuse_rows_with("TRK030"))
    trucks(event)
    landed = cloud.objects(names.LANDING_PREFIX)
    trucks.on_wire("BatchExecuteStatement", lambda request: None)
    trucks.calls.clear()

    assert trucks({"Records": event["Records"][25:]}) == {"batchItemFailures": []}

    assert caplog.records[-1].correlation_id is None
    assert cloud.objects(names.LANDING_PREFIX) == landed
    assert trucks.calls == ["BatchExecuteStatement"] * 2
    assert {row["Event_Time"] for row in cloud.rows(names.TRUCK_STATE_TABLE)} == {TIMES[30]}
    # Once acknowledged, a repetition writes its object again.
    trucks(event)
    assert "PutObject" in trucks.calls


def test_a_landing_that_fails_leaves_the_readings_and_takes_the_invalid_ones_before(trucks, cloud, kinesis_event):
    trucks.on_wire("PutObject", lambda request: (503, {}) if "telemetry-data" in request.url else None)
    event = kinesis_event([b"no json", reading(1), b"nor this"], stream=names.TRUCK_STREAM)
    assert trucks(event) == left_from(event, 1)
    assert [record.payload for record in cloud.quarantined()] == [b"no json"]
