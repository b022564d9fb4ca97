"""Records and settings that the driver's unit tests share."""

from datetime import UTC, datetime, timedelta

import pytest

from include.local.aws.event_source_mapping.batcher import EventRecord, to_event_record
from include.local.aws.event_source_mapping.settings import MappingSettings, read_mapping
from include.local.aws.shard_reader import StreamRecord

START = datetime(2026, 11, 22, 14, 0, 0, 250_000, tzinfo=UTC)
STREAM_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/ClickDataStream"


@pytest.fixture
def start() -> datetime:
    """When the first record of make_records arrived; each next one a second later."""
    return START


@pytest.fixture
def make_records():
    """make_records(count, data=b"x"): records with the sequence numbers 100, 101, …"""

    def make(count: int, data: bytes = b"x") -> list[EventRecord]:
        return [
            to_event_record(
                StreamRecord(str(100 + n), f"key-{n}", data, START + timedelta(seconds=n)),
                shard_id="shardId-000000000000",
                stream_arn=STREAM_ARN,
                region="eu-west-1",
                role_arn="arn:aws:iam::123456789012:role/processor",
            )
            for n in range(count)
        ]

    return make


@pytest.fixture
def make_settings():
    """make_settings(**fields of the API's answer)"""

    def make(**fields) -> MappingSettings:
        response = {
            "UUID": "11111111-2222-3333-4444-555555555555",
            "EventSourceArn": STREAM_ARN,
            "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:KinesisToDynamoDBProcessor",
            "StartingPosition": "TRIM_HORIZON",
        }
        return read_mapping({**response, **fields})

    return make
