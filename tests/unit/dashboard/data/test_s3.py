"""Landing objects and quarantined records, counted by hour of arrival."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from dashboard import data
from dashboard.data import quarantined
from include import names

pytestmark = pytest.mark.unit


def put_quarantined(aws: Any, stream: str, hour: str, sequence: int, reason: str) -> None:
    aws["s3"].put_object(
        Bucket=aws["bucket"],
        Key=f"quarantine/{stream}/{hour}/shardId-0-{sequence}.json",
        Body=json.dumps({"reason": reason}).encode(),
    )


def test_quarantine_counts_by_stream_hour_and_reason(aws: Any, now: datetime) -> None:
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 1, "not_json")
    put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", 2, "not_json")
    put_quarantined(aws, names.TRUCK_STREAM, "2026/11/22/13", 3, "missing")
    put_quarantined(aws, names.TRUCK_STREAM, "2026/11/22/10", 4, "missing")  # Before the hours asked for.
    answer = data.quarantine(2)
    assert (answer.listed, answer.unread) == (3, 0)
    assert answer.frame.to_dict("records") == [
        {"stream": "ClickDataStream", "hour": pd.Timestamp("2026-11-22T14Z"), "reason": "not_json", "records": 2},
        {"stream": "TruckTelemetry", "hour": pd.Timestamp("2026-11-22T13Z"), "reason": "missing", "records": 1},
    ]


def test_quarantine_reads_no_more_objects_than_its_limit_and_says_so(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quarantined, "MAX_QUARANTINE_READS", 2)
    for sequence in range(5):
        put_quarantined(aws, names.CLICK_STREAM, "2026/11/22/14", sequence, "not_json")
    answer = data.quarantine(1)
    assert (answer.listed, answer.unread) == (5, 3)
    assert dict(zip(answer.frame["reason"], answer.frame["records"], strict=True)) == {"not read": 3, "not_json": 2}


def test_nothing_quarantined_is_an_empty_frame(aws: Any, now: datetime) -> None:
    answer = data.quarantine(24)
    assert answer.listed == 0
    assert list(answer.frame.columns) == ["stream", "hour", "reason", "records"]


def test_newest_landing_object(aws: Any, now: datetime) -> None:
    assert data.newest_landing() is None
    data.newest_landing.clear()
    aws["s3"].put_object(Bucket=aws["bucket"], Key="telemetry-data/2026/11/22/13/shardId-0-1-1-x.json.gz", Body=b"")
    written = data.newest_landing()
    assert written is not None
    assert abs((written - datetime.now(UTC)).total_seconds()) < 60
