"""Quarantine as the functions write it: once, never over what replay has added; and what they tell a replay."""

import pytest

from include import names
from include.contracts import probe
from include.contracts.quarantine import Attempt, decode, encode, records_in

pytestmark = pytest.mark.unit

# As kinesis_event has it: 2026-11-22T14:30:00.250 UTC.
ARRIVAL = 1795357800.25

FUNCTIONS = [
    pytest.param("kinesis_to_dynamodb", names.CLICK_STREAM, id="clicks"),
    pytest.param("truck_data", names.TRUCK_STREAM, id="telemetry"),
]
VALID = {
    names.CLICK_STREAM: {
        "Item_ID": "MOB001",
        "Item_Name": "Mobile",
        "Timestamp": "2026-11-22T14:29:00.000000",
        "Click_Counts": 3,
    },
    names.TRUCK_STREAM: {"truck_id": "TRK001", "timestamp": "2026-11-22T14:29:00.000000"},
}


@pytest.mark.parametrize(("package", "stream"), FUNCTIONS)
def test_a_batch_delivered_again_leaves_the_history_that_replay_added(
    new_function, cloud, environment, kinesis_event, package, stream
):
    function = new_function(package)
    event = kinesis_event([b"no json"], stream=stream)
    assert function(event) == {"batchItemFailures": []}
    ((key, body),) = cloud.objects(names.QUARANTINE_PREFIX).items()
    replayed = encode(decode(body).tried(Attempt("2026-11-23T00:00:00.000000", "a test", "still_invalid")))
    cloud.s3.put_object(Bucket=environment["BUCKET"], Key=key, Body=replayed)

    assert function(event) == {"batchItemFailures": []}

    assert cloud.objects(names.QUARANTINE_PREFIX) == {key: replayed}


@pytest.mark.parametrize(("package", "stream"), FUNCTIONS)
def test_a_replay_is_told_what_is_still_invalid_and_a_mapping_only_what_it_asks(
    new_function, cloud, kinesis_event, package, stream
):
    function = new_function(package)
    event = kinesis_event([VALID[stream], b"no json", {}], stream=stream)

    answer = function(event | {"replay": {"by": "a test"}})

    assert answer["batchItemFailures"] == []
    told = [
        (each["shard_id"], each["sequence_number"][-1], each["reason"], each["field"]) for each in answer["quarantined"]
    ]
    shard = "shardId-000000000000"
    assert told[0] == (shard, "1", "not_json", None)
    assert told[1][:3] == (shard, "2", "missing")
    assert len(told) == 2
    assert [(d.reason, d.rule) for d in cloud.quarantined()] == [
        (verdict["reason"], verdict["rule"]) for verdict in answer["quarantined"]
    ]
    assert function(event) == {"batchItemFailures": []}


@pytest.mark.parametrize(("package", "stream"), FUNCTIONS)
def test_a_replay_whose_store_fails_is_told_that_nothing_is_done(
    new_function, cloud, kinesis_event, no_waiting, package, stream
):
    function = new_function(package)
    function.on_wire("BatchWriteItem", lambda request: (500, {}))
    function.on_wire("BatchExecuteStatement", lambda request: (500, {}))
    event = kinesis_event([VALID[stream]], stream=stream)
    number = event["Records"][0]["kinesis"]["sequenceNumber"]
    answer = function(event | {"replay": {"by": "a test"}})
    assert answer == {"batchItemFailures": [{"itemIdentifier": number}]}


def test_a_refusal_by_s3_other_than_that_it_is_there_is_a_failure(new_function, cloud, kinesis_event, no_waiting):
    function = new_function("kinesis_to_dynamodb")
    function.on_wire("PutObject", lambda request: (409, {}))
    event = kinesis_event([b"no json"])
    assert function(event)["batchItemFailures"] != []
    assert cloud.objects("") == {}


@pytest.mark.parametrize(("package", "stream"), FUNCTIONS)
def test_a_flood_of_invalid_records_is_one_object_for_each_hour_of_its_batch(
    new_function, cloud, kinesis_event, package, stream
):
    function = new_function(package)
    early, late = (
        kinesis_event([b"no json"] * 250, stream=stream, first=first, arrival=ARRIVAL + seconds)["Records"]
        for first, seconds in ((0, 0), (250, 3600))
    )

    assert function({"Records": early + late}) == {"batchItemFailures": []}

    first, second = cloud.objects(names.QUARANTINE_PREFIX)
    assert first.startswith(f"quarantine/{stream}/2026/11/22/14/shardId-000000000000-4965")
    assert second.startswith(f"quarantine/{stream}/2026/11/22/15/shardId-000000000000-4965")
    assert (records_in(first), records_in(second)) == (250, 250)
    assert [record.envelope.sequence_number[-3:] for record in cloud.quarantined()] == [f"{n:03}" for n in range(500)]


@pytest.mark.parametrize(("package", "stream"), FUNCTIONS)
def test_records_from_a_store_have_an_object_each_as_they_had_before(
    new_function, cloud, kinesis_event, package, stream
):
    event = kinesis_event([b"no json", b"nor this"], stream=stream)
    new_function(package)(event | {"is_stored": True})
    keys = list(cloud.objects(names.QUARANTINE_PREFIX))
    assert [key[-7:] for key in keys] == ["00.json", "01.json"]


@pytest.mark.parametrize(("package", "stream"), FUNCTIONS)
def test_a_probe_is_quarantined_and_in_no_metric(new_function, cloud, kinesis_event, package, stream, capsys):
    event = kinesis_event([probe.payload("a test")], stream=stream)
    event["Records"][0]["kinesis"]["partitionKey"] = probe.PARTITION_KEY
    new_function(package)(event)
    assert [record.reason for record in cloud.quarantined()] == ["missing"]
    assert '"Quarantined":[0.0]' in capsys.readouterr().out
