"""One verdict per record in every place that decodes it: function, ledger, rebuild, API and erasure."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode

import pytest

from include import names
from include.contracts import TimeLimits, quarantine
from include.contracts.archive import ArchivedRecord, decode_line
from include.contracts.kinesis_event import kinesis_event as event_of_envelopes
from include.erasure.attribution import attribution
from include.ledger.click_balance import archived_click, click_key
from lambdas.archive_envelope.logic import transform
from lambdas.common import batch
from lambdas.common.object_store import Bucket
from lambdas.truck_telemetry_api import logic as api
from tests.fixtures.contract_corpus import ARRIVAL, ARRIVED, CASES, CLICK, READING, Case

pytestmark = pytest.mark.unit

STREAMS = {CLICK: names.CLICK_STREAM, READING: names.TRUCK_STREAM}
CLICKS = [case for case in CASES if case.contract == CLICK]
READINGS = [case for case in CASES if case.contract == READING]


@pytest.fixture
def event_of(kinesis_event):
    """The function's event with the records of cases."""
    return lambda cases: kinesis_event(
        [case.payload for case in cases], stream=STREAMS[cases[0].contract], arrival=ARRIVAL
    )


@pytest.fixture
def written(monkeypatch) -> dict[str, bytes]:
    """The objects that a function writes.  Much faster than moto's bucket."""
    found: dict[str, bytes] = {}
    for method in ("put", "put_new"):
        monkeypatch.setattr(Bucket, method, lambda bucket, key, body, content_type: found.update({key: body}))
    return found


def archived(sent) -> list[ArchivedRecord]:
    """The archive's records of an event."""
    answer = transform(
        {
            "sourceKinesisStreamArn": sent["Records"][0]["eventSourceARN"],
            "records": [
                {
                    "recordId": record["eventID"],
                    "data": record["kinesis"]["data"],
                    "kinesisRecordMetadata": {
                        "shardId": record["eventID"].split(":")[0],
                        "partitionKey": record["kinesis"]["partitionKey"],
                        "sequenceNumber": record["kinesis"]["sequenceNumber"],
                        "approximateArrivalTimestamp": int(ARRIVAL * 1000),
                    },
                }
                for record in sent["Records"]
            ],
        }
    )
    assert answer.failed == {}
    return [decode_line(b64decode(record["data"])) for record in answer.records]


def rejected(written: dict[str, bytes], event, cases: list[Case]) -> dict[str, tuple[str, str | None]]:
    """The verdicts in quarantine by the case's name; each record is there whole, and its rule says what to do."""
    places = {record["kinesis"]["sequenceNumber"]: case for record, case in zip(event["Records"], cases, strict=True)}
    found = {}
    for key, body in written.items():
        if key.startswith(names.QUARANTINE_PREFIX):
            for record in quarantine.decode_all(body):
                case = places[record.envelope.sequence_number]
                assert record.payload == case.payload
                assert record.rule
                found[case.name] = (record.reason, record.field)
    return found


def invalid(cases: list[Case]) -> dict[str, tuple[str, str | None]]:
    return {case.name: case.verdict for case in cases if not case.is_valid}


def test_the_truck_function_lands_the_valid_and_quarantines_the_others(new_function, cloud, written, event_of):
    event = event_of(READINGS)

    assert new_function("truck_data")(event) == {"batchItemFailures": []}

    assert rejected(written, event, READINGS) == invalid(READINGS)
    (body,) = (body for key, body in written.items() if key.startswith(names.LANDING_PREFIX))
    lines = [json.loads(line) for line in gzip.decompress(body).splitlines()]
    landed = {line["sequence_number"]: (line["truck_id"], line["event_time"]) for line in lines}
    numbers = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
    expected = {number: case.verdict for number, case in zip(numbers, READINGS, strict=True) if case.is_valid}
    assert landed == expected
    assert {row["Truck_ID"] for row in cloud.rows(names.TRUCK_STATE_TABLE)} == {truck for truck, _ in expected.values()}


def test_the_click_function_stores_the_valid_and_quarantines_the_others(new_function, cloud, written, event_of):
    event = event_of(CLICKS)

    assert new_function("kinesis_to_dynamodb")(event) == {"batchItemFailures": []}

    assert rejected(written, event, CLICKS) == invalid(CLICKS)
    rows = {(row["Item_ID"], row["Timestamp"]) for row in cloud.rows(names.CLICK_TABLE)}
    assert rows == {case.verdict for case in CLICKS if case.is_valid}


@pytest.mark.parametrize("cases", [READINGS, CLICKS], ids=STREAMS.values())
def test_a_rebuild_sends_the_function_what_the_stream_sent(event_of, cases):
    sent = event_of(cases)
    rebuilt = event_of_envelopes((record.envelope, record.payload_base64) for record in archived(sent))
    assert batch.records(rebuilt) == batch.records(sent)


def test_the_ledger_expects_the_rows_that_the_function_writes(event_of):
    for case, record in zip(CLICKS, archived(event_of(CLICKS)), strict=True):
        *_, is_valid, key, _ = archived_click(record)
        item_id, timestamp = case.verdict
        assert (is_valid, key) == (case.is_valid, click_key(timestamp, item_id) if case.is_valid else None), case.name


def test_the_api_accepts_what_the_function_accepts_and_says_why_not():
    readings, refused = api.sort_out([case.payload for case in READINGS], now=ARRIVED, limits=TimeLimits())
    assert {reading.index: reading.truck_id for reading in readings} == {
        index: case.verdict[0] for index, case in enumerate(READINGS) if case.is_valid
    }
    assert {READINGS[outcome.index].name: (outcome.reason, outcome.field) for outcome in refused} == invalid(READINGS)
    assert all(outcome.rule for outcome in refused)


def test_an_erasure_attributes_a_valid_reading_to_the_truck_of_its_verdict():
    for case in READINGS:
        if case.is_valid:
            assert attribution(case.verdict[0])(case.payload, None) is True, case.name
            assert attribution("another truck")(case.payload, "another truck") is False, case.name
