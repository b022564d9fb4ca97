"""The shared reader of ClickStreamData: partitions of the index, and keys read in batches."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest

from include import click_table, names

pytestmark = pytest.mark.unit


def test_an_hour_has_a_partition_an_item_and_shard_in_utc() -> None:
    hour = datetime(2026, 11, 22, 15, tzinfo=timezone(timedelta(hours=1)))
    assert click_table.partitions(["A", "B"], hour, 2) == [
        "A#2026-11-22T14#0",
        "A#2026-11-22T14#1",
        "B#2026-11-22T14#0",
        "B#2026-11-22T14#1",
    ]


def test_a_batch_has_what_one_request_may_name() -> None:
    keys = [{"Item_ID": {"S": str(number)}} for number in range(250)]
    batches = list(click_table.batches(iter(keys)))
    assert [len(batch) for batch in batches] == [100, 100, 50]
    assert [key for batch in batches for key in batch] == keys


def test_waits_double_up_to_a_limit_and_the_request_stays_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    slept: list[float] = []
    monkeypatch.setattr("random.uniform", lambda shortest, longest: longest)
    monkeypatch.setattr("time.sleep", slept.append)

    def throttling(RequestItems: dict[str, Any]) -> dict[str, Any]:
        asked.append(RequestItems)
        return {"Responses": {}, "UnprocessedKeys": RequestItems}

    with pytest.raises(TimeoutError, match="1 of 1 clicks stayed unprocessed 8 times: ClickStreamData is throttled"):
        click_table.batch_get(SimpleNamespace(batch_get_item=throttling), [{}], ConsistentRead=True)
    assert slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert asked == [{names.CLICK_TABLE: {"Keys": [{}], "ConsistentRead": True}}] * 8
