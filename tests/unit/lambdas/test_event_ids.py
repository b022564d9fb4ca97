"""A thousand clicks per second on one item, by a clock that counts milliseconds: none is merged, none is doubled.

The function as a whole, on moto.  tests/unit/test_event_ids.py has the rules alone, in many more orders.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from include import names

pytestmark = [pytest.mark.unit, pytest.mark.verify]

CLICKS_PER_SECOND, SECONDS = 1000, 5
BEGIN = datetime(2026, 11, 22, 14, 29, tzinfo=UTC)


def clicks(rng: Random) -> list[bytes]:
    """Customers who click at random; the producer writes times as JavaScript does."""
    made = []
    for _ in range(CLICKS_PER_SECOND * SECONDS):
        at = BEGIN + timedelta(seconds=rng.random() * SECONDS)
        event = {"Item_ID": "MOB001", "Item_Name": "Mobile", "Timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:23] + "Z"}
        event |= {"Click_Counts": 1, "Event_ID": str(UUID(int=rng.getrandbits(128)))}
        made.append(json.dumps(event).encode())
    return made


def sent_again(events: list[bytes], rng: Random) -> list[bytes]:
    """All of them, a fifth once more, soon or much later."""
    order = [(float(place), event) for place, event in enumerate(events)]
    order += [(place + rng.choice((1, 10, 1000)) * rng.random(), events[place]) for place in range(0, len(events), 5)]
    return [event for _, event in sorted(order)]


def handle(function, kinesis_event, records: list[bytes], rng: Random) -> None:
    """In batches; one in four is delivered again, and cut otherwise."""
    start = 0
    while start < len(records):
        size = rng.randrange(1, 500)
        assert function(kinesis_event(records[start : start + size], first=start)) == {"batchItemFailures": []}
        start += size if rng.random() < 0.75 else size // 2


def test_a_thousand_clicks_per_second_with_event_ids_are_a_thousand_rows(new_function, cloud, kinesis_event, seed):
    print(f"seed {seed}")
    rng = Random(seed)
    events = clicks(rng)

    handle(new_function("kinesis_to_dynamodb"), kinesis_event, sent_again(events, rng), rng)

    rows = Counter(row["Event_ID"] for row in cloud.rows(names.CLICK_TABLE))
    assert rows.keys() == {json.loads(event)["Event_ID"] for event in events}, "merged"
    assert rows.total() == len(events), "doubled"
    assert cloud.objects("") == {}
