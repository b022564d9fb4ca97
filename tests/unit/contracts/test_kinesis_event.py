import pytest

from include.contracts import Envelope
from include.contracts.kinesis_event import envelope_of, kinesis_event

pytestmark = pytest.mark.unit


def _record(arn: str) -> dict:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "TRK001",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": "e30=",
            "approximateArrivalTimestamp": 1742225754.597,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000006:49590338271490256608559692538361571095921575989136588898",
        "eventName": "aws:kinesis:record",
        "eventSourceARN": arn,
    }


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:kinesis:eu-central-1:123456789012:stream/TruckTelemetry",
        "arn:aws-cn:kinesis:cn-north-1:123456789012:stream/TruckTelemetry",
        "arn:aws:kinesis:eu-central-1:123456789012:stream/TruckTelemetry/consumer/fan-out:1612271212",
    ],
)
def test_envelope_of_a_kinesis_record(arn):
    assert envelope_of(_record(arn)) == Envelope(
        stream="TruckTelemetry",
        shard_id="shardId-000000000006",
        sequence_number="49590338271490256608559692538361571095921575989136588898",
        arrival_time="2025-03-17T15:35:54.597000",
        partition_key="TRK001",
    )


def test_whole_second_arrival_keeps_its_six_decimals():
    record = _record("arn:aws:kinesis:eu-central-1:123456789012:stream/TruckTelemetry")
    record["kinesis"]["approximateArrivalTimestamp"] = 1742225754
    assert envelope_of(record).arrival_time == "2025-03-17T15:35:54.000000"


def test_a_built_event_has_the_envelopes_and_payloads_it_was_built_from():
    envelopes = [
        Envelope("TruckTelemetry", "shardId-000000000006", number, "2025-03-17T15:35:54.597252", "TRK001")
        for number in ("7", "49590338271490256608559692538361571095921575989136588898")
    ]
    event = kinesis_event(zip(envelopes, ["e30=", ""], strict=True))
    assert [envelope_of(record) for record in event["Records"]] == envelopes
    assert [record["kinesis"]["data"] for record in event["Records"]] == ["e30=", ""]
