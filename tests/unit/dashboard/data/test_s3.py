"""Landing objects, found by their hour of arrival."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard import data

pytestmark = pytest.mark.unit


def test_newest_landing_object(aws: Any, now: datetime) -> None:
    assert data.newest_landing() is None
    data.newest_landing.clear()
    aws["s3"].put_object(Bucket=aws["bucket"], Key="telemetry-data/2026/11/22/13/shardId-0-1-1-x.json.gz", Body=b"")
    written = data.newest_landing()
    assert written is not None
    assert abs((written - datetime.now(UTC)).total_seconds()) < 60
