"""The history of a set of readings by its definition, in plain Python: what TRUCK_TELEMETRY_DATA must equal.

With the readings that :func:`assigned` returns, it is what TRUCK_HISTORY must equal.

The oracle shares no code and no SQL with the merge.  The demo, the tests of sql/ and the fault suite compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

# An instant: a canonical UTC text or a datetime.  The oracle only compares and sorts them.
Instant = Any
Attribute = float | str | None

# The attributes of a version, in the order of the tables' columns.
ATTRIBUTES = (
    "GPS_LATITUDE", "GPS_LONGITUDE", "GPS_ALTITUDE", "GPS_SPEED", "VEHICLE_SPEED", "ENGINE_RPM", "FUEL_LEVEL",
    "ENGINE_TEMPERATURE", "OIL_PRESSURE", "BATTERY_VOLTAGE", "ODOMETER_READING", "FUEL_CONSUMPTION", "BRAKE_STATUS",
    "TIRE_PRESSURE_FRONT_LEFT", "TIRE_PRESSURE_FRONT_RIGHT", "TIRE_PRESSURE_REAR_LEFT", "TIRE_PRESSURE_REAR_RIGHT",
    "TRANSMISSION_STATUS", "ENVIRONMENT_TEMPERATURE", "ENVIRONMENT_HUMIDITY", "ENVIRONMENT_PRESSURE",
)  # fmt: skip


class ArrivedReading(NamedTuple):
    """One reading as it arrived.  ``load_timestamp`` says when Snowpipe loaded it; None where that does not matter."""

    truck_id: str
    event_time: Instant
    arrival_time: Instant
    sequence_number: int
    attributes: tuple[Attribute, ...]
    load_timestamp: Instant | None = None
    # Position in an aggregated record.
    sub_sequence_number: int = 0


class HistoryVersion(NamedTuple):
    """A maximal run of readings with equal attributes, in event-time order.

    It is valid in [start, end); ``end`` is None while it is current.  ``load_timestamp`` is that of the reading that
    opens it, None where readings have none.
    """

    truck_id: str
    start: Instant
    end: Instant | None
    is_current: bool
    attributes: tuple[Attribute, ...]
    load_timestamp: Instant | None = None


class Assignment(NamedTuple):
    """The readings that ``reported_id`` sent for instants in [since, until) belong to ``truck_id``."""

    reported_id: str
    since: Instant
    until: Instant
    truck_id: str


def from_raw(row: Mapping[str, Any]) -> ArrivedReading:
    """Turn a row of TRUCK_TELEMETRY_RAW, by column name, into a reading; a missing attribute is NULL."""
    attributes = tuple(row.get(name) for name in ATTRIBUTES)
    sequence_number = int(row["SEQUENCE_NUMBER"])
    return ArrivedReading(
        row["TRUCK_ID"],
        row["EVENT_TIME"],
        row["ARRIVAL_TIME"],
        sequence_number,
        attributes,
        row["LOAD_TIMESTAMP"],
        row.get("SUB_SEQUENCE_NUMBER") or 0,
    )


def history(readings: Iterable[ArrivedReading]) -> list[HistoryVersion]:
    """Derive every version of every truck, ordered by truck and start."""
    winners: dict[tuple[str, Any], ArrivedReading] = {}
    for reading in readings:
        instant = (reading.truck_id, reading.event_time)
        if instant not in winners or _wins(reading, winners[instant]):
            winners[instant] = reading
    versions: list[HistoryVersion] = []
    ordered = [winners[instant] for instant in sorted(winners)]
    for truck_id, of_truck in groupby(ordered, key=lambda reading: reading.truck_id):
        openings = [next(run) for _, run in groupby(of_truck, key=lambda reading: reading.attributes)]
        ends = [opening.event_time for opening in openings[1:]] + [None]
        versions += [
            HistoryVersion(truck_id, opening.event_time, end, end is None, opening.attributes, opening.load_timestamp)
            for opening, end in zip(openings, ends, strict=True)
        ]
    return versions


def assigned(readings: Iterable[ArrivedReading], assignments: Iterable[Assignment]) -> list[ArrivedReading]:
    """Return the readings, each of the truck that it belongs to; assignments of one id don't overlap."""
    by_id: dict[str, list[Assignment]] = {}
    for assignment in assignments:
        by_id.setdefault(assignment.reported_id, []).append(assignment)
    return [
        next(
            (
                reading._replace(truck_id=assignment.truck_id)
                for assignment in by_id.get(reading.truck_id, ())
                if assignment.since <= reading.event_time < assignment.until
            ),
            reading,
        )
        for reading in readings
    ]


def latest(readings: Iterable[ArrivedReading]) -> dict[str, ArrivedReading]:
    """Find each truck's newest reading: the latest event time and, within one instant, the last arrival."""
    newest: dict[str, ArrivedReading] = {}
    for reading in readings:
        best = newest.get(reading.truck_id)
        if best is None or (reading.event_time, *_arrival(reading)) > (best.event_time, *_arrival(best)):
            newest[reading.truck_id] = reading
    return newest


def _wins(reading: ArrivedReading, other: ArrivedReading) -> bool:
    """Whether ``reading`` wins over another of the same instant.

    The later arrival wins.  Where one record landed twice, the first landing wins: both have the same content.
    """
    if _arrival(reading) != _arrival(other):
        return _arrival(reading) > _arrival(other)
    return reading.load_timestamp is not None and bool(reading.load_timestamp < other.load_timestamp)


def _arrival(reading: ArrivedReading) -> tuple[Any, int, int]:
    return reading.arrival_time, reading.sequence_number, reading.sub_sequence_number
