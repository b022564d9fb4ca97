"""Quarantine as the functions write it: once, never over what replay has added; and what they tell a replay."""

import json

import pytest

from include import names
from include.contracts.quarantine import Attempt, decode, encode

pytestmark = pytest.mark.unit

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
    documents = [json.loads(body) for _, body in sorted(cloud.objects(names.QUARANTINE_PREFIX).items())]
    assert [(d["reason"], d["rule"]) for d in documents] == [(v["reason"], v["rule"]) for v in answer["quarantined"]]
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
