"""What this project puts in place of MiniStack's expiry of records, without a MiniStack."""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from include.local.aws import ministack

pytestmark = pytest.mark.unit

PART = Path(ministack.__file__).parent / "ministack_program" / "stream_retention.py"


@pytest.fixture
def expire(monkeypatch: pytest.MonkeyPatch):
    services = ModuleType("ministack.services")
    services.kinesis = SimpleNamespace()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ministack", ModuleType("ministack"))
    monkeypatch.setitem(sys.modules, "ministack.services", services)
    return runpy.run_path(str(PART))["expire_records"]


def stream(*ages: float) -> dict:
    now = time.time()
    records = [{"ApproximateArrivalTimestamp": now - age} for age in ages]
    return {"RetentionPeriodHours": 24, "shards": {"shardId-0": {"records": records}}}


@pytest.mark.parametrize(
    ("ages", "kept"),
    [((), 0), ((90_000, 86_500), 0), ((90_000, 86_500, 86_300, 1), 2), ((86_300, 1), 2)],
    ids=["empty", "all_expired", "some_expired", "none_expired"],
)
def test_records_beyond_the_retention_go(expire, ages, kept):
    given = stream(*ages)
    expire(given)
    assert len(given["shards"]["shardId-0"]["records"]) == kept


def test_records_that_stay_are_not_copied(expire):
    given = stream(86_300, 1)
    before = given["shards"]["shardId-0"]["records"]
    expire(given)
    assert given["shards"]["shardId-0"]["records"] is before
