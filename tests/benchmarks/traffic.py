"""What benchmarks send: clicks and readings without end, as the generator writes them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from include.contracts import times
from include.generator import payloads
from include.generator.catalogue import items
from include.generator.trucks import FleetSimulation


def clicks(start: datetime | None = None) -> Iterator[bytes]:
    """Clicks on three items, no two with the same key, from ``start`` on; by default an hour ago."""
    start, catalogue = start or an_hour_ago(), items(3)
    for number in count():
        timestamp = times.to_canonical(start + timedelta(microseconds=number))
        yield payloads.encode(payloads.click_document(catalogue[number % len(catalogue)], timestamp, number % 50))


def readings(trucks: int, start: datetime | None = None) -> Iterator[bytes]:
    """Readings of so many trucks in turn from ``start`` on, each truck's always newer than the one before.

    What a truck says depends on the time: the same ``start`` gives the same readings.
    """
    begin = int((start or an_hour_ago()).timestamp() * 1_000_000)
    simulation = FleetSimulation(seed=1, count=trucks, start=begin)
    for number in count():
        at = begin + number * 1000
        truck, values = simulation.reading(number % trucks, at)
        timestamp = times.to_canonical(datetime.fromtimestamp(at / 1_000_000, UTC))
        yield payloads.encode(payloads.flat_document(truck, timestamp, values, upper=True))


def an_hour_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)
