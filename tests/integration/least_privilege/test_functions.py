"""The deployed functions, their real bundles, do their work with their own roles and nothing more."""

from __future__ import annotations

import json
import time
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from include import names

pytestmark = pytest.mark.integration

BUCKET = "telemetry-of-this-test"
READING = (Path(__file__).parents[2] / "events" / "telemetry" / "valid" / "nested.json").read_bytes()
CLICK = {"Item_ID": "LAP002", "Item_Name": "Laptop", "Timestamp": "2026-11-22T14:29:00Z", "Click_Counts": 3}
DONE = {"batchItemFailures": []}


def kinesis_event(stream: str, *payloads: bytes) -> dict[str, Any]:
    # A record's identity of its own each time.
    first = time.time_ns()
    records = [
        {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "key",
                "sequenceNumber": str(first + number),
                "data": b64encode(payload).decode(),
                "approximateArrivalTimestamp": first / 1e9,
            },
            "eventID": f"shardId-000000000000:{first + number}",
            "eventSourceARN": f"arn:aws:kinesis:us-east-1:000000000000:stream/{stream}",
        }
        for number, payload in enumerate(payloads)
    ]
    return {"Records": records}


def invoke(account, function: str, event: Any) -> Any:
    answer = account.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
    said = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, said
    return said


def keys(account, prefix: str) -> set[str]:
    bucket = names.abandoned_bucket(BUCKET) if prefix == names.ON_FAILURE_PREFIX else BUCKET
    listed = account.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return {each["Key"] for each in listed.get("Contents", [])}


def test_clicks_reach_their_table_and_quarantine(account):
    before = keys(account, f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/")

    event = kinesis_event(names.CLICK_STREAM, json.dumps(CLICK).encode(), b"not json")
    assert invoke(account, names.CLICK_FUNCTION, event) == DONE

    dynamodb = account.client("dynamodb")
    row = {"Timestamp": {"S": "2026-11-22T14:29:00.000000"}, "Item_ID": {"S": "LAP002"}}
    assert dynamodb.get_item(TableName=names.CLICK_TABLE, Key=row)["Item"]["Click_Counts"] == {"N": "3"}
    assert dynamodb.get_item(TableName=names.CLICK_ITEM_TABLE, Key={"Item_ID": {"S": "LAP002"}})["Item"]
    assert len(keys(account, f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/") - before) == 1


def test_readings_are_landed_and_become_the_state_of_a_new_truck_and_of_a_known_one(account):
    landed = keys(account, names.LANDING_PREFIX)
    sent = json.loads(READING) | {"truck_id": "TRK777"}
    table = {"TableName": names.TRUCK_STATE_TABLE, "Key": {"Truck_ID": {"S": "TRK777"}}}

    # The first is a PutItem, the second an UPDATE, the third an UPDATE that is refused and hands back the row.
    for minute, stands in ((1, 1), (2, 2), (0, 2)):
        payload = json.dumps(sent | {"timestamp": f"2026-11-22T14:0{minute}:00Z"}).encode()
        assert invoke(account, names.TRUCK_FUNCTION, kinesis_event(names.TRUCK_STREAM, payload)) == DONE
        item = account.client("dynamodb").get_item(**table)["Item"]
        assert item["Event_Time"]["S"] == f"2026-11-22T14:0{stands}:00.000000"
    assert len(keys(account, names.LANDING_PREFIX) - landed) == 3


def test_api_sends_readings_and_shows_states(account):
    def request(method: str, route: str, **given: Any) -> dict[str, Any]:
        event = {
            "httpMethod": method,
            "resource": route,
            "path": route,
            "headers": {"content-type": "application/json"},
            "requestContext": {
                "requestId": "b7e1a1c4-6f0e-4b61-9d4e-0a2f5c1d9e11",
                "identity": {"apiKeyId": account.ids["ApiKey"]},
            },
            **given,
        }
        return invoke(account, names.API_FUNCTION, event)

    # What the roles' own test may have left there is a key without a state.
    bare = {"Truck_ID": {"S": "TRK001"}}
    account.client("dynamodb").delete_item(TableName=names.TRUCK_STATE_TABLE, Key=bare)
    sent = request("POST", "/telemetry", body=b64encode(READING).decode(), isBase64Encoded=True)
    assert sent["statusCode"] == 202, sent
    assert request("GET", "/trucks")["statusCode"] == 200
    assert request("GET", "/trucks/{truck_id}", pathParameters={"truck_id": "nobody"})["statusCode"] == 404


def test_archive_gives_a_record_its_envelope_and_touches_nothing(account):
    event = {
        "deliveryStreamArn": "arn:aws:firehose:us-east-1:000000000000:deliverystream/archive",
        "sourceKinesisStreamArn": f"arn:aws:kinesis:us-east-1:000000000000:stream/{names.CLICK_STREAM}",
        "records": [
            {
                "recordId": "1",
                "data": b64encode(b"payload").decode(),
                "kinesisRecordMetadata": {
                    "shardId": "shardId-000000000000",
                    "partitionKey": "key",
                    "sequenceNumber": "1",
                    "approximateArrivalTimestamp": 1795357800250,
                },
            }
        ],
    }
    (record,) = invoke(account, names.ARCHIVE_FUNCTION, event)["records"]
    assert record["result"] == "Ok"
    assert b64encode(b"payload") in b64decode(record["data"])


def test_intake_moves_an_abandoned_batch_into_quarantine(account):
    key = f"{names.ON_FAILURE_PREFIX}mapping/shardId-000000000000/abandoned"
    abandoned = {
        "requestContext": {
            "functionArn": f"arn:aws:lambda:us-east-1:000000000000:function:{names.TRUCK_FUNCTION}",
            "condition": "RecordAgeExceeded",
            "approximateInvokeCount": 7,
        },
        "payload": kinesis_event(names.TRUCK_STREAM, READING, READING),
    }
    prefix = f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/"
    before = keys(account, prefix)
    # The bucket's own notification may take it in first; asking again then changes nothing.
    bucket = names.abandoned_bucket(BUCKET)
    account.client("s3").put_object(Bucket=bucket, Key=key, Body=json.dumps(abandoned).encode())

    invoke(account, names.INTAKE_FUNCTION, {"Records": [{"s3": {"object": {"key": key}}}]})

    assert len(keys(account, prefix) - before) == 2
    assert key not in keys(account, names.ON_FAILURE_PREFIX)


@pytest.mark.parametrize(
    ("function", "stream", "payload", "astray"),
    [
        (
            names.CLICK_FUNCTION,
            names.CLICK_STREAM,
            json.dumps(CLICK).encode(),
            {"CLICK_TABLE": names.TRUCK_STATE_TABLE},
        ),
        (names.CLICK_FUNCTION, names.CLICK_STREAM, b"not json", {"QUARANTINE_PREFIX": names.ARCHIVE_PREFIX}),
        (names.TRUCK_FUNCTION, names.TRUCK_STREAM, READING, {"TRUCK_STATE_TABLE": names.CLICK_ITEM_TABLE}),
        (names.TRUCK_FUNCTION, names.TRUCK_STREAM, READING, {"LANDING_PREFIX": names.ARCHIVE_PREFIX}),
    ],
    ids=["another table", "another prefix of quarantine", "another table of states", "another landing zone"],
)
def test_function_led_astray_is_stopped_by_its_role_and_loses_nothing(account, function, stream, payload, astray):
    client = account.client("lambda")
    environment = client.get_function_configuration(FunctionName=function)["Environment"]
    client.update_function_configuration(
        FunctionName=function, Environment={"Variables": environment["Variables"] | astray}
    )
    try:
        event = kinesis_event(stream, payload)
        # Not acknowledged: the mapping delivers it again.
        first = event["Records"][0]["kinesis"]["sequenceNumber"]
        assert invoke(account, function, event) == {"batchItemFailures": [{"itemIdentifier": first}]}
    finally:
        client.update_function_configuration(FunctionName=function, Environment=environment)
