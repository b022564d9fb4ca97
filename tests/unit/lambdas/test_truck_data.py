"""TruckDataProcessor as a whole, on moto."""

from __future__ import annotations

import gzip
import json
import logging
from pathlib import Path

import pytest

from include import names
from include.contracts import METRICS, MetricPolicyError, read_metric_policy
from include.contracts.quarantine import decode
from tests.fixtures.aggregates import aggregate, broken_aggregates

pytestmark = pytest.mark.unit

EVENTS = Path(__file__).parents[2] / "events" / "telemetry"
DONE = {"batchItemFailures": []}


def reading(truck: str = "TRK001", time: str = "2026-11-22T14:29:00", **metrics: object) -> dict[str, object]:
    return {"truck_id": truck, "timestamp": time, "vehicle_speed": 55.5, "brake_status": "Good"} | metrics


def first_of(event: dict) -> dict:
    return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["kinesis"]["sequenceNumber"]}]}


def lines(body: bytes) -> list[dict]:
    return [json.loads(line) for line in gzip.decompress(body).splitlines()]


@pytest.fixture
def function(new_function):
    return new_function("truck_data")


@pytest.fixture
def truck_event(kinesis_event):
    return lambda payloads, **options: kinesis_event(payloads, stream=names.TRUCK_STREAM, **options)


def test_reading_is_landed_with_its_envelope_and_becomes_the_trucks_state(function, cloud, truck_event):
    assert function(truck_event([reading(fuel_level=1e-200)])) == DONE

    number = "49650000000000000000000000000000000000000000000000000000"
    ((key, body),) = cloud.objects("").items()
    name = key.removeprefix("telemetry-data/2026/11/22/14/")
    assert name.startswith(f"shardId-000000000000-{number}-{number}-")
    assert name.endswith(".json.gz")
    (line,) = lines(body)
    envelope = {
        "stream_name": "TruckTelemetry",
        "shard_id": "shardId-000000000000",
        "sequence_number": number,
        "arrival_time": "2026-11-22T14:30:00.250000",
        "partition_key": "key-0",
        "sub_sequence_number": None,
        "nulled_metrics": None,
    }
    metrics = dict.fromkeys(metric.name for metric in METRICS)
    metrics |= {"vehicle_speed": 55.5, "brake_status": "Good", "fuel_level": 1e-200}
    assert line == {"truck_id": "TRK001", "event_time": "2026-11-22T14:29:00.000000"} | metrics | envelope

    (state,) = cloud.rows(names.TRUCK_STATE_TABLE)
    assert state.pop("Ingested_At") > "2026"
    assert state.pop("Recency") == f"2026-11-22T14:29:00.000000#2026-11-22T14:30:00.250000#056{number}"
    assert state == {
        "Truck_ID": "TRK001",
        "Event_Time": "2026-11-22T14:29:00.000000",
        "Stream": "TruckTelemetry",
        "Shard_ID": "shardId-000000000000",
        "Sequence_Number": number,
        "Arrival_Time": "2026-11-22T14:30:00.250000",
        "vehicle_speed": 55.5,
        "brake_status": "Good",
        # Closer to zero than DynamoDB's numbers go.
        "fuel_level": 0,
    }


def test_readings_of_an_aggregate_land_apart_and_the_last_of_one_instant_is_the_state(function, cloud, truck_event):
    sent = [reading(fuel_level=1), reading("TRK002"), b"no json", reading(fuel_level=3)]
    payloads = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in sent]
    assert function(truck_event([reading(), aggregate(payloads, key="TRK001"), reading("TRK003")])) == DONE

    number = "49650000000000000000000000000000000000000000000000000001"
    ((key, body),) = cloud.objects("telemetry-data/").items()
    assert f"shardId-000000000000-{number[:-1]}0-{number[:-1]}2-" in key
    ordinary, first, second, last, _ = lines(body)
    assert (ordinary["sub_sequence_number"], first["sub_sequence_number"]) == (None, None)
    assert [each["sequence_number"] for each in (first, second, last)] == [number] * 3
    assert [(each["sub_sequence_number"], each["partition_key"]) for each in (second, last)] == [
        (1, "TRK001"),
        (3, "TRK001"),
    ]
    ((key, body),) = cloud.objects("quarantine/").items()
    assert key.endswith(f"/shardId-000000000000-{number}.2.json")
    assert (decode(body).payload, decode(body).envelope.number) == (b"no json", f"{number}.2")
    states = {state["Truck_ID"]: state for state in cloud.rows(names.TRUCK_STATE_TABLE)}
    assert (states["TRK001"]["fuel_level"], states["TRK001"]["Sub_Sequence_Number"]) == (3, 3)

    # An ordinary record of the next instant: nothing of the aggregate stays in the state.
    assert function(truck_event([reading(time="2026-11-22T14:29:01")], first=7)) == DONE
    states = {state["Truck_ID"]: state for state in cloud.rows(names.TRUCK_STATE_TABLE)}
    assert "Sub_Sequence_Number" not in states["TRK001"]
    assert states["TRK002"]["Sub_Sequence_Number"] == 1


def test_objects_of_different_records_of_one_aggregate_have_different_names(function, cloud, truck_event):
    event = truck_event([json.dumps(reading()).encode()])
    for number in range(3):
        event["Records"][0]["kinesis"]["subSequenceNumber"] = number
        assert function(event) == DONE
    assert len(cloud.objects("telemetry-data/")) == 3


def test_a_store_that_fails_has_the_aggregate_delivered_whole_again(function, cloud, truck_event, no_waiting):
    event = truck_event([aggregate([b"no json", json.dumps(reading()).encode()]), reading("TRK002")])
    function.on_wire("BatchExecuteStatement", lambda request: (500, {}) if b"#0000001" in request.body else None)
    assert function(event) == first_of(event)
    assert cloud.quarantined() == []
    function.on_wire("BatchExecuteStatement", lambda request: None)
    before = cloud.objects("telemetry-data/")
    assert function(event) == DONE
    assert cloud.objects("telemetry-data/") == before
    assert len(cloud.quarantined()) == 1


def test_a_broken_aggregate_is_quarantined_whole_and_its_neighbours_land(function, cloud, truck_event):
    payload = json.dumps(reading()).encode()
    broken = list(broken_aggregates(payload).values())
    assert function(truck_event([reading(), *broken, aggregate([aggregate([payload]), payload])])) == DONE

    held = cloud.quarantined()
    assert {each.reason for each in held} == {"broken_aggregate"}
    assert sorted(each.payload for each in held) == sorted([*broken, aggregate([payload])])
    (body,) = cloud.objects("telemetry-data/").values()
    assert [line["sub_sequence_number"] or 0 for line in lines(body)] == [0, 1]


def test_empty_batch_is_acknowledged_without_a_call(function, truck_event):
    assert function(truck_event([])) == DONE
    assert function.calls == []


def test_batch_of_only_invalid_records_lands_nothing_and_is_acknowledged(function, cloud, truck_event):
    assert function(truck_event([b"", b"{}", reading(fuel_level=101)])) == DONE

    assert cloud.objects("telemetry-data/") == {}
    assert cloud.rows(names.TRUCK_STATE_TABLE) == []
    assert [record.reason for record in cloud.quarantined()] == ["not_json", "missing", "out_of_range"]


def test_every_malformed_record_is_quarantined_and_every_valid_one_landed(function, cloud, truck_event):
    malformed = sorted((EVENTS / "malformed").iterdir())
    valid = sorted((EVENTS / "valid").iterdir())
    mixed = [file for pair in zip(malformed, valid * len(malformed), strict=False) for file in pair]

    assert function(truck_event([file.read_bytes() for file in mixed], arrival=4102444800.0 - 1)) == DONE

    assert [record.reason for record in cloud.quarantined()] == [file.name.split("--")[0] for file in malformed]
    (body,) = cloud.objects("telemetry-data/").values()
    assert len(lines(body)) == len(mixed) - len(malformed)


def test_both_shapes_of_one_reading_land_alike(function, cloud, truck_event):
    flat = reading(gps_latitude=1, tire_pressure_front_left=30)
    nested = {
        "truck_id": "TRK001",
        "timestamp": "2026-11-22T14:29:00Z",
        "gps_location": {"latitude": 1},
        "vehicle_speed": 55.5,
        "vehicle_health_and_maintenance": {"brake_status": "Good", "tire_pressure": {"front_left": 30}},
    }

    assert function(truck_event([flat, nested])) == DONE

    (body,) = cloud.objects("telemetry-data/").values()
    first, second = lines(body)
    own = {"sequence_number", "partition_key"}
    assert {k: v for k, v in first.items() if k not in own} == {k: v for k, v in second.items() if k not in own}


def test_same_batch_again_overwrites_its_own_objects(function, cloud, truck_event):
    event = truck_event([reading(), b"poison", reading(time="2026-11-22T14:29:01")])

    function(event)
    before = cloud.objects("")
    assert function(event) == DONE

    assert cloud.objects("") == before
    assert len(before) == 2


def test_batch_cut_otherwise_is_another_object(function, cloud, truck_event):
    payloads = [reading(time=f"2026-11-22T14:29:0{second}") for second in range(3)]

    function(truck_event(payloads))
    function(truck_event(payloads[:2]))
    # Same first and last record, but the one between is missing.
    gap = truck_event(payloads)
    del gap["Records"][1]
    function(gap)

    assert sorted(len(lines(body)) for body in cloud.objects("telemetry-data/").values()) == [2, 2, 3]


def test_older_reading_never_replaces_a_newer_state(function, cloud, truck_event, caplog):
    function(truck_event([reading(time="2026-11-22T14:29:10", vehicle_speed=10)]))

    with caplog.at_level(logging.INFO):
        assert function(truck_event([reading(time="2026-11-22T14:29:05", vehicle_speed=5)], first=1)) == DONE

    (state,) = cloud.rows(names.TRUCK_STATE_TABLE)
    assert state["vehicle_speed"] == 10
    assert len(cloud.objects("telemetry-data/")) == 2
    assert caplog.records[-1].states_older == 1


def test_newer_reading_replaces_the_state_with_all_its_metrics(function, cloud, truck_event):
    function(truck_event([reading(fuel_level=50)]))
    function(truck_event([reading(time="2026-11-22T14:29:01", vehicle_speed=1.25)], first=1))

    (state,) = cloud.rows(names.TRUCK_STATE_TABLE)
    assert state["vehicle_speed"] == 1.25
    assert state["Sequence_Number"].endswith("1")
    assert "fuel_level" not in state


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_tie_on_event_time_is_won_by_the_later_arrival(function, cloud, truck_event, order, in_one_batch):
    # The later arrival has the lower sequence number: arrival decides before it.
    early = truck_event([reading(vehicle_speed=1)], first=9, arrival=1795357800.0)
    late = truck_event([reading(vehicle_speed=2)], first=3, arrival=1795357800.5)
    events = [(early, late)[index] for index in order]
    if in_one_batch:
        events = [{"Records": [record for event in events for record in event["Records"]]}]

    for event in events:
        assert function(event) == DONE

    (state,) = cloud.rows(names.TRUCK_STATE_TABLE)
    assert state["vehicle_speed"] == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_tie_on_event_and_arrival_time_is_won_by_the_higher_sequence_number(function, cloud, truck_event, order):
    # As numbers: as text, the shorter one would win.
    events = [truck_event([reading(vehicle_speed=speed)]) for speed in (1, 2)]
    for event, number in zip(events, ("9", "10"), strict=True):
        event["Records"][0]["kinesis"]["sequenceNumber"] = number

    for index in order:
        assert function(events[index]) == DONE

    (state,) = cloud.rows(names.TRUCK_STATE_TABLE)
    assert state["vehicle_speed"] == 2


def test_five_hundred_trucks_need_twenty_calls_once_they_are_known(function, cloud, truck_event):
    trucks = [f"TRK{number:03}" for number in range(500)]
    assert function(truck_event([reading(truck) for truck in trucks])) == DONE
    function.calls.clear()

    later = [reading(truck, time="2026-11-22T14:29:30", vehicle_speed=99) for truck in trucks]
    assert function(truck_event(later, first=500)) == DONE

    assert sorted(function.calls) == ["BatchExecuteStatement"] * 20 + ["PutObject"]
    states = cloud.rows(names.TRUCK_STATE_TABLE)
    assert len(states) == 500
    assert {state["vehicle_speed"] for state in states} == {99}


def test_newer_state_written_between_the_two_steps_of_a_new_truck_stands(function, cloud, truck_event):
    def another_invocation_comes_first(request):
        newer = {"Truck_ID": {"S": "TRK001"}, "Recency": {"S": "2027"}, "vehicle_speed": {"N": "7"}}
        cloud.dynamodb.put_item(TableName=names.TRUCK_STATE_TABLE, Item=newer)

    function.on_wire("PutItem", another_invocation_comes_first)

    assert function(truck_event([reading()])) == DONE

    (state,) = cloud.rows(names.TRUCK_STATE_TABLE)
    assert state["vehicle_speed"] == 7


@pytest.mark.parametrize("status", [500, 503, 403])
def test_failing_landing_answers_the_first_reading_and_a_retry_loses_nothing(
    function, cloud, truck_event, no_waiting, status
):
    failing = True
    function.on_wire("PutObject", lambda request: (status, {}) if failing and "telemetry-data" in request.url else None)
    event = truck_event([b"poison", reading()], first=5)

    assert function(event) == first_of({"Records": event["Records"][1:]})
    assert cloud.objects("telemetry-data/") == {}
    assert cloud.rows(names.TRUCK_STATE_TABLE) == []

    failing = False
    assert function(event) == DONE
    assert len(cloud.objects("telemetry-data/")) == len(cloud.objects("quarantine/")) == 1
    assert len(cloud.rows(names.TRUCK_STATE_TABLE)) == 1


def test_failing_quarantine_answers_the_first_record_for_it(function, truck_event, no_waiting):
    function.on_wire("PutObject", lambda request: (500, {}) if "quarantine" in request.url else None)
    event = truck_event([reading(), b"poison"])

    assert function(event) == first_of({"Records": event["Records"][1:]})


def test_unreachable_store_answers_the_first_sequence_number(function, truck_event, no_waiting, monkeypatch):
    from botocore.exceptions import ConnectTimeoutError

    def time_out(request):
        raise ConnectTimeoutError(endpoint_url=request.url)

    function.on_wire("PutObject", time_out)
    event = truck_event([reading()])

    assert function(event) == first_of(event)


@pytest.mark.parametrize("operation", ["BatchExecuteStatement", "PutItem"])
def test_failing_state_table_answers_the_first_sequence_number_and_a_retry_overwrites_the_landing(
    function, cloud, truck_event, no_waiting, operation
):
    failing = True
    answer = (400, {"__type": "ProvisionedThroughputExceededException"})
    function.on_wire(operation, lambda _: answer if failing else None)
    event = truck_event([reading()])

    assert function(event) == first_of(event)
    landed = cloud.objects("")

    failing = False
    assert function(event) == DONE
    assert cloud.objects("") == landed
    assert len(cloud.rows(names.TRUCK_STATE_TABLE)) == 1


def test_throttled_statements_alone_are_sent_again(function, cloud, truck_event, no_waiting):
    function(truck_event([reading("TRK001"), reading("TRK002")]))
    sent = []

    def throttle_the_second(request):
        sent.append(len(json.loads(request.body)["Statements"]))
        if len(sent) > 1:
            return None
        # The first one is taken, though its row is not brought up to date here: only the answer matters.
        return 200, {"Responses": [{"TableName": "t"}, {"Error": {"Code": "ThrottlingError", "Message": "slower"}}]}

    function.on_wire("BatchExecuteStatement", throttle_the_second)
    later = [reading(truck, time="2026-11-22T14:29:30", vehicle_speed=9) for truck in ("TRK001", "TRK002")]

    assert function(truck_event(later, first=2)) == DONE
    assert sent == [2, 1]
    assert {row["Truck_ID"]: row["vehicle_speed"] for row in cloud.rows(names.TRUCK_STATE_TABLE)} == {
        "TRK001": 55.5,
        "TRK002": 9,
    }


def test_statement_that_can_never_succeed_answers_the_first_sequence_number(function, truck_event, caplog):
    refusal = {"Code": "AccessDenied", "Message": "not allowed"}
    function.on_wire("BatchExecuteStatement", lambda _: (200, {"Responses": [{"Error": refusal}]}))
    event = truck_event([reading()])

    assert function(event) == first_of(event)
    assert "AccessDenied: not allowed" in caplog.records[-1].error


def test_summary_line_has_counts_and_no_payload(function, truck_event, caplog):
    with caplog.at_level(logging.INFO):
        function(truck_event([reading(), reading("TRK002"), b"secret"]))

    (line,) = caplog.records
    assert (line.received, line.landed, line.trucks, line.states_older) == (3, 2, 2, 0)
    assert line.quarantined == {"not_json": 1}
    assert isinstance(line.oldest_lag_seconds, float)
    assert "secret" not in str(line.__dict__)


def test_summary_line_names_the_landing_object_and_the_records_of_the_batch(function, cloud, truck_event, caplog):
    event = truck_event([reading(), "no JSON", reading("TRK002")])
    with caplog.at_level(logging.INFO):
        function(event)
    (key,) = cloud.objects(names.LANDING_PREFIX)
    first, last = (event["Records"][each]["kinesis"]["sequenceNumber"] for each in (0, -1))
    line = caplog.records[-1]
    assert line.correlation_id == key
    assert (line.shard_id, line.first_sequence_number, line.last_sequence_number) == (
        "shardId-000000000000",
        first,
        last,
    )


def test_a_nulled_metric_lands_with_its_mark_and_is_null_in_the_state(
    new_function, cloud, truck_event, caplog, monkeypatch
):
    function = new_function("truck_data")
    monkeypatch.setattr(function.module, "metric_policy", read_metric_policy("gps_latitude, fuel_level", ""))
    function(truck_event([reading(gps_latitude=1)]))
    caplog.clear()

    payloads = [
        reading(time="2026-11-22T14:29:01", gps_latitude=-200),
        reading("TRK002"),
        reading("TRK003", gps_speed=-1),
    ]
    with caplog.at_level(logging.INFO):
        assert function(truck_event(payloads, first=1)) == DONE

    landed = [line for body in cloud.objects("telemetry-data/").values() for line in lines(body)]
    marks = {line["truck_id"]: line["nulled_metrics"] for line in landed if line["nulled_metrics"]}
    assert marks == {"TRK001": {"gps_latitude": "-200"}}
    assert [line["gps_latitude"] for line in landed] == [1.0, None, None]
    assert all("nulled" not in line for line in landed)
    states = {state["Truck_ID"]: state for state in cloud.rows(names.TRUCK_STATE_TABLE)}
    assert "gps_latitude" not in states["TRK001"]
    assert (states["TRK001"]["vehicle_speed"], states["TRK001"]["Event_Time"][-9:]) == (55.5, "01.000000")
    assert [record.field for record in cloud.quarantined()] == ["gps_speed"]
    assert caplog.records[-1].nulled == {"gps_latitude": 1}


def test_the_metric_policy_comes_from_the_environment(cloud, new_function, truck_event, monkeypatch):
    monkeypatch.setenv("NULL_OUT_OF_RANGE", "all")
    monkeypatch.setenv("METRIC_DECIMALS", "gps_latitude=2")

    assert new_function("truck_data")(truck_event([reading(gps_latitude=1.23456, fuel_level=101)])) == DONE

    (body,) = cloud.objects("").values()
    (line,) = lines(body)
    assert (line["gps_latitude"], line["fuel_level"], line["nulled_metrics"]) == (1.23, None, {"fuel_level": "101"})


def test_a_function_with_an_unusable_policy_does_not_start(new_function, monkeypatch):
    monkeypatch.setenv("NULL_OUT_OF_RANGE", "gps_latitud")

    with pytest.raises(MetricPolicyError, match="'gps_latitud' is not one of"):
        new_function("truck_data")


def test_a_replay_after_nulling_was_allowed_lands_what_was_quarantined(new_function, cloud, truck_event, monkeypatch):
    event = truck_event([reading(gps_latitude=-200)])
    assert new_function("truck_data")(event) == DONE
    assert (len(cloud.objects("quarantine/")), len(cloud.objects("telemetry-data/"))) == (1, 0)

    monkeypatch.setenv("NULL_OUT_OF_RANGE", "gps_latitude")
    answer = new_function("truck_data")(event | {"replay": {"by": "a test"}})

    assert answer == DONE | {"quarantined": []}
    (body,) = cloud.objects("telemetry-data/").values()
    assert lines(body)[0]["nulled_metrics"] == {"gps_latitude": "-200"}
