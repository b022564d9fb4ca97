"""The SCD2 MERGE over random histories, against the oracle after every batch.

Each seed is one world: trucks whose readings come late, out of order, twice, corrected, for the same instant, with
NULLs and in long equal runs, cut into batches of any size.  Others with ``SCD2_SEEDS=123,124 pytest <this file>``.
"""

import os
import random
from datetime import datetime, timedelta

import pytest

from include import names
from include.local.history_oracle import ATTRIBUTES, from_raw, history

pytestmark = pytest.mark.sql

START = datetime(2026, 11, 22, 10)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
TRUCKS = 30
BATCHES = 8
SEEDS = [int(seed) for seed in os.environ.get("SCD2_SEEDS", "1,2,3").split(",")]


class World:
    """Readings as RAW would get them, batch by batch."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.name = f"random-{seed}"
        self.landed: list[dict] = []
        # Sequence numbers cross a power of ten, so comparing them as text would fail.
        self.sequence_number = 10**20 - 200

    def reading(self, truck: int, batch: int) -> dict:
        """A truck with few instants and fewer states, so that they meet often."""
        self.sequence_number += self.random.randint(1, 3)
        arrival = START + timedelta(minutes=batch, seconds=self.random.choice([0, 0, 1, 2]))
        instant = self.random.randint(0, 4 + 2 * (truck % 6)) if self.random.random() < 0.6 else batch * 3
        reading = dict.fromkeys(ATTRIBUTES) | {
            "TRUCK_ID": f"{self.name}/{truck:02}",
            "EVENT_TIME": START + timedelta(seconds=5 * instant, microseconds=truck),
            "ARRIVAL_TIME": arrival,
            "SEQUENCE_NUMBER": str(self.sequence_number),
        }
        # Mostly one state, so runs are long; a state is one attribute away from it.
        if self.random.random() < 0.6:
            attribute = self.random.choice([*ATTRIBUTES[:2], "BRAKE_STATUS", ATTRIBUTES[-1]])
            values = ["Good", "", None] if attribute == "BRAKE_STATUS" else [0.0, 1.5, None]
            reading[attribute] = self.random.choice(values)
        return reading

    def batch(self, number: int) -> list[dict]:
        size = self.random.choice([1, 2, 20, 60, 120])
        rows = [self.reading(self.random.randrange(TRUCKS), number) for _ in range(size)]
        again = self.random.sample(self.landed, min(len(self.landed), self.random.choice([0, 0, 3, 10])))
        rows += [dict(row) for row in again] + [dict(row) for row in rows if self.random.random() < 0.05]
        self.random.shuffle(rows)
        for line, row in enumerate(rows, start=1):
            row["FILE_NAME"] = f"telemetry-data/{self.name}/{number}.json.gz"
            row["FILE_ROW_NUMBER"] = line
            row["LOAD_TIMESTAMP"] = START + timedelta(hours=1, minutes=number)
        self.landed += rows
        return rows


@pytest.mark.parametrize("seed", SEEDS)
def test_table_equals_the_oracle_after_every_batch(warehouse, seed):
    world = World(seed)
    for number in range(BATCHES):
        warehouse.land(world.batch(number))
        warehouse.merge()
        assert warehouse.history(f"{world.name}/%") == history(map(from_raw, world.landed)), (
            f"seed {seed}, batch {number}"
        )
    # Nothing is new to a second merge, nor to one that looks at every row again.
    assert warehouse.merge() == 0
    assert warehouse.merge(driver=f"(select * from {names.RAW_TABLE} where TRUCK_ID like '{world.name}/%')") == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_the_stream_shows_later_end_in_the_same_history(warehouse, seed):
    """Snowpipe may commit between the stream's snapshot and the MERGE's: RAW is then ahead of the stream."""
    world = World(seed + 1000)
    batches = [world.batch(number) for number in range(BATCHES)]
    for batch in batches:
        warehouse.land(batch)
    order = random.Random(seed).sample(range(BATCHES), BATCHES)
    for number in order:
        shown = f"(select * from {names.RAW_TABLE} where FILE_NAME = 'telemetry-data/{world.name}/{number}.json.gz')"
        warehouse.merge(driver=shown)
    assert warehouse.history(f"{world.name}/%") == history(map(from_raw, world.landed)), f"seed {seed}, order {order}"
    assert warehouse.merge() == 0
