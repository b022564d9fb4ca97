"""The history of a set of readings by its definition, in plain Python: what TRUCK_TELEMETRY_DATA must equal.

It shares no code and no SQL with the merge; demo and tests compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple


class Reading(NamedTuple):
    """One reading as it arrived.  Times are canonical UTC texts, which sort as the instants do."""

    truck_id: str
    event_time: str
    arrival_time: str
    sequence_number: int
    attributes: tuple[Any, ...]


class Version(NamedTuple):
    """A maximal run of readings with the same attributes, in event-time order: [start, end), end None while current."""

    truck_id: str
    start: str
    end: str | None
    attributes: tuple[Any, ...]

    @property
    def is_current(self) -> bool:
        return self.end is None


def history(readings: Iterable[Reading]) -> list[Version]:
    """Every version of every truck, ordered by truck and start."""
    winners: dict[tuple[str, str], Reading] = {}
    for reading in readings:
        instant = (reading.truck_id, reading.event_time)
        if instant not in winners or _arrival(reading) > _arrival(winners[instant]):
            winners[instant] = reading
    versions: list[Version] = []
    ordered = [winners[instant] for instant in sorted(winners)]
    for truck_id, of_truck in groupby(ordered, key=lambda reading: reading.truck_id):
        runs = [(next(run).event_time, attributes) for attributes, run in _runs(of_truck)]
        ends: Sequence[str | None] = [start for start, _ in runs[1:]] + [None]
        versions += [
            Version(truck_id, start, end, attributes) for (start, attributes), end in zip(runs, ends, strict=True)
        ]
    return versions


def latest(readings: Iterable[Reading]) -> dict[str, Reading]:
    """The newest reading of each truck: the latest event time, of one instant the one that arrived last."""
    newest: dict[str, Reading] = {}
    for reading in readings:
        best = newest.get(reading.truck_id)
        if best is None or (reading.event_time, *_arrival(reading)) > (best.event_time, *_arrival(best)):
            newest[reading.truck_id] = reading
    return newest


def _arrival(reading: Reading) -> tuple[str, int]:
    return reading.arrival_time, reading.sequence_number


def _runs(readings: Iterable[Reading]) -> Iterator[tuple[tuple[Any, ...], Iterator[Reading]]]:
    return groupby(readings, key=lambda reading: reading.attributes)
