from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto import mock_aws

from include import names
from include.contracts import times
from include.generator.manifest import ManifestRecord, ManifestWriter
from include.local.demo.freshness import CLICKS_PER_SAMPLE, ClickSampler

pytestmark = pytest.mark.unit


@pytest.fixture
def table(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.resource("dynamodb").create_table(
            TableName=names.CLICK_TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("Timestamp", "Item_ID")],
            KeySchema=[
                {"AttributeName": "Timestamp", "KeyType": "HASH"},
                {"AttributeName": "Item_ID", "KeyType": "RANGE"},
            ],
        )


def sent(number: int) -> ManifestRecord:
    return ManifestRecord(
        stream=names.CLICK_STREAM,
        kind="valid",
        malformed_kind=None,
        shape="flat",
        late=False,
        out_of_order=False,
        key=(f"2026-11-22T14:30:00.{number:06}", "MOB001"),
        payload=b"{}",
        shard_id="shardId-000000000000",
        sequence_number=str(number),
        sent_at="2026-11-22T14:30:00.000000",
    )


def test_a_click_is_looked_for_until_its_row_is_there_and_counted_once(table, tmp_path):
    started = time.monotonic()
    manifest = ManifestWriter(tmp_path / "manifest.jsonl")
    clicks = [sent(number) for number in range(3 * CLICKS_PER_SAMPLE)]
    looked_for = clicks[CLICKS_PER_SAMPLE - 1 :: CLICKS_PER_SAMPLE]
    arrived = times.to_canonical(datetime.now(UTC) - timedelta(seconds=100))
    manifest.append(clicks[: CLICKS_PER_SAMPLE + 5])

    with ClickSampler(tmp_path / "manifest.jsonl") as sampler:
        for number, click in enumerate(looked_for, start=1):
            table.put_item(Item={"Timestamp": click.key[0], "Item_ID": click.key[1], "Arrival_Time": arrived})
            if number == 1:
                manifest.append(clicks[CLICKS_PER_SAMPLE + 5 :])
            deadline = time.monotonic() + 60
            while len(sampler.latencies) < number:
                assert time.monotonic() < deadline, "the row was not seen"
                time.sleep(0.01)
    manifest.close()

    assert len(sampler.latencies) == len(looked_for)
    took = time.monotonic() - started
    assert all(100 <= seconds <= 101 + took for seconds in sampler.latencies)
