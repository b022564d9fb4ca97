"""ArchiveEnvelope: what Firehose is answered."""

import json
import logging
from base64 import b64decode, b64encode

import pytest

from include.contracts.archive import decode_line
from lambdas.archive_envelope import logic

pytestmark = pytest.mark.unit

# 2026-11-22T14:30:00.250 UTC.
ARRIVAL = 1795357800250


def firehose_event(*payloads: bytes) -> dict:
    """As Firehose sends it with a Kinesis stream as source."""
    return {
        "invocationId": "invocation",
        "sourceKinesisStreamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/TruckTelemetry",
        "deliveryStreamArn": "arn:aws:firehose:eu-west-1:123456789012:deliverystream/archive",
        "region": "eu-west-1",
        "records": [
            {
                "recordId": f"record-{number}",
                "approximateArrivalTimestamp": ARRIVAL + number,
                "data": b64encode(payload).decode(),
                "kinesisRecordMetadata": {
                    "sequenceNumber": str(100 + number),
                    "subsequenceNumber": 0,
                    "partitionKey": f"key-{number}",
                    "shardId": "shardId-000000000003",
                    "approximateArrivalTimestamp": ARRIVAL + number,
                },
            }
            for number, payload in enumerate(payloads)
        ],
    }


def test_each_record_becomes_one_line_with_its_envelope_whatever_it_holds():
    payloads = [b'{"truck_id": "TRK001"}', b"", b"\xff\x00\n", "naïve\n{".encode()]
    answer = logic.transform(firehose_event(*payloads))
    assert [(each["recordId"], each["result"]) for each in answer.records] == [
        (f"record-{number}", "Ok") for number in range(4)
    ]
    lines = [b64decode(each["data"]) for each in answer.records]
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    assert [decode_line(line).payload for line in lines] == payloads
    assert json.loads(lines[0]) == {
        "stream": "TruckTelemetry",
        "shard_id": "shardId-000000000003",
        "sequence_number": "100",
        "arrival_time": "2026-11-22T14:30:00.250000",
        "partition_key": "key-0",
        "payload_base64": b64encode(payloads[0]).decode(),
    }
    assert (answer.archived, answer.failed, answer.oldest_arrival) == (4, {}, ARRIVAL)


@pytest.mark.parametrize("zero", [0, "", None, "0"])
def test_records_of_one_aggregate_have_one_sequence_number_and_are_told_apart(zero):
    event = firehose_event(b"one", b"two", b"three")
    for record, number in zip(event["records"], (zero, 1, "2"), strict=True):
        record["kinesisRecordMetadata"] |= {"sequenceNumber": "100", "subsequenceNumber": number}
    records = [decode_line(b64decode(each["data"])) for each in logic.transform(event).records]
    assert [(each.envelope.number, each.payload) for each in records] == [
        ("100", b"one"),
        ("100.1", b"two"),
        ("100.2", b"three"),
    ]


def test_a_position_that_is_no_number_fails_alone():
    event = firehose_event(b"one", b"two")
    event["records"][0]["kinesisRecordMetadata"]["subsequenceNumber"] = "first"
    assert [each["result"] for each in logic.transform(event).records] == ["ProcessingFailed", "Ok"]


def test_a_record_without_metadata_fails_alone():
    event = firehose_event(b"one", b"two", b"three")
    del event["records"][1]["kinesisRecordMetadata"]
    answer = logic.transform(event)
    assert [each["result"] for each in answer.records] == ["Ok", "ProcessingFailed", "Ok"]
    assert answer.failed == {"record-1": "KeyError: 'kinesisRecordMetadata'"}


def test_a_partition_key_that_is_not_unicode_fails_alone():
    event = firehose_event(b"one", b"two")
    event["records"][0]["kinesisRecordMetadata"]["partitionKey"] = "\ud800"
    answer = logic.transform(event)
    assert [each["result"] for each in answer.records] == ["ProcessingFailed", "Ok"]


def test_without_a_source_stream_nothing_is_archived_under_no_name():
    event = firehose_event(b"one")
    del event["sourceKinesisStreamArn"]
    answer = logic.transform(event)
    assert [each["result"] for each in answer.records] == ["ProcessingFailed"]


def test_what_has_no_room_in_the_answer_fails_and_the_rest_is_archived():
    event = firehose_event(*[b"x" * 1000] * 10)
    whole = len(json.dumps({"records": logic.transform(event).records}, separators=(",", ":")))
    answer = logic.transform(event, max_answer_bytes=whole // 2)
    assert 3 <= answer.archived <= 5
    assert answer.archived + len(answer.failed) == len(answer.records) == 10
    assert len(json.dumps({"records": answer.records[: answer.archived]}, separators=(",", ":"))) <= whole // 2


@pytest.mark.parametrize(
    ("sizes", "fails"),
    [
        ([10, 5000, 10, 10], [1]),
        ([5000, 10, 10, 10], [0]),
        ([10, 10, 10, 5000], [3]),
        ([5000, 10, 5000, 10, 6000], [0, 2, 4]),
        ([10] * 6 + [5000], [6]),
        ([5000], [0]),
    ],
)
def test_a_record_that_is_too_big_fails_alone_wherever_it_is(sizes, fails):
    answer = logic.transform(firehose_event(*[b"x" * size for size in sizes]), max_answer_bytes=2000)
    assert list(answer.failed) == [f"record-{number}" for number in fails]
    assert [each["recordId"] for each in answer.records] == [f"record-{number}" for number in range(len(sizes))]
    assert len(json.dumps({"records": answer.records}, separators=(",", ":"))) <= 2000 + 48 * len(fails) + 16


@pytest.mark.parametrize("size", [0, 100, 900])
def test_half_a_megabyte_of_records_of_any_usual_size_fits_lambdas_limits(size):
    # Firehose's buffer counts payloads only; a shard takes 1,000 records a second, and both streams' are never empty.
    count = 500_000 // max(size, 100)
    event = firehose_event(*[b"x" * size] * count)
    answer = logic.transform(event)
    assert answer.failed == {}
    assert len(json.dumps(event)) < 6_000_000


def test_the_handler_answers_firehose_and_logs_one_line(new_function, caplog):
    function = new_function("archive_envelope")
    event = firehose_event(b"one", b"two")
    event["records"][1]["kinesisRecordMetadata"] = None
    with caplog.at_level(logging.INFO):
        assert [each["result"] for each in function(event)["records"]] == ["Ok", "ProcessingFailed"]
        assert function(firehose_event(b"one"))["records"][0]["result"] == "Ok"

    bad, good = caplog.records
    assert (bad.levelname, bad.received, bad.archived, bad.failed) == ("ERROR", 2, 1, 1)
    assert bad.delivery_stream == "archive"
    assert (good.levelname, good.archived, good.failed) == ("INFO", 1, 0)
