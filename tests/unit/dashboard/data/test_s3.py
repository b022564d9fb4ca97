"""Landing objects, found by their hour of arrival."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID

from dashboard import data, verdicts
from dashboard.data import s3
from dashboard.data.s3 import list_hour

pytestmark = pytest.mark.unit


def test_newest_landing_object(aws: Any, now: datetime) -> None:
    assert data.newest_landing() is None
    data.newest_landing.clear()
    aws["s3"].put_object(Bucket=aws["bucket"], Key="telemetry-data/2026/11/22/13/shardId-0-1-1-x.json.gz", Body=b"")
    written = data.newest_landing()
    assert written is not None
    assert abs((written - datetime.now(UTC)).total_seconds()) < 60


def put_landing(aws: Any, hour: str, sequence: int, written: datetime) -> None:
    key = f"telemetry-data/{hour}/shardId-0-{sequence}-{sequence}-x.json.gz"
    aws["s3"].put_object(Bucket=aws["bucket"], Key=key, Body=b"")
    # Keys of a bucket in memory have the time at which the test runs.
    bucket = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].buckets[aws["bucket"]]
    bucket.keys[key].last_modified = written.replace(tzinfo=None, microsecond=0)


@pytest.mark.parametrize(
    ("limit", "objects", "newest"),
    [("MAX_KEYS_PER_HOUR", 2, 3), ("MAX_LANDING_KEYS", 3, 2)],
    ids=["more than other listings have is the last", "more than its own limit is not listed"],
)
def test_the_newest_landing_object_of_a_full_hour(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch, limit: str, objects: int, newest: int
) -> None:
    monkeypatch.setattr(s3, limit, objects)
    for minute in range(4):
        put_landing(aws, "2026/11/22/14", minute, now.replace(minute=minute, second=0))
    assert data.newest_landing() == now.replace(minute=newest, second=0)


@pytest.mark.parametrize(("hour", "is_found"), [("2026/11/21/11", True), ("2026/11/21/10", False)])
def test_a_landing_object_of_a_record_that_must_be_found_is_listed(
    aws: Any, now: datetime, hour: str, is_found: bool
) -> None:
    put_landing(aws, hour, 1, now)
    assert (data.newest_landing() is not None) is is_found
    # The batch of a record from 11:00 may have begun a day before, and its object has that hour.
    assert data.landing_asked_since(now) == datetime(2026, 11, 22, 11, tzinfo=UTC)


def test_the_older_hours_are_one_call_while_no_truck_reports(
    aws: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_landing(aws, "2026/11/20/14", 1, now)
    asked: list[str] = []
    monkeypatch.setattr(s3, "list_hour", lambda prefix, *a, **k: asked.append(prefix) or list_hour(prefix, *a, **k))
    assert data.newest_landing() is None
    assert [prefix.removeprefix("telemetry-data/2026/11/22/") for prefix in asked] == [
        "14/", "13/", "12/", "11/", "telemetry-data/",
    ]  # fmt: skip


def test_the_batch_after_a_pause_of_hours_is_found_under_the_hour_of_its_first_record(aws: Any, now: datetime) -> None:
    put_landing(aws, "2026/11/22/08", 1, now)
    # Its last record arrived just now.
    stages = [
        verdicts.Stage("truck states", now),
        verdicts.Stage("landing files", data.newest_landing(), data.landing_asked_since(now)),
    ]
    assert verdicts.of_stages(stages) == []
