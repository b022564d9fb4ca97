"""The history of a set of readings by its definition, in plain Python: what TRUCK_TELEMETRY_DATA must equal.

It shares no code and no SQL with the merge; the demo, the tests of sql/ and the fault suite compare the two.  Times may
be canonical UTC texts or datetimes: all that is asked of them is to sort as the instants do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, NamedTuple

#: The attributes of a version, in the order of the tables' columns.
ATTRIBUTES = (
    "GPS_LATITUDE", "GPS_LONGITUDE", "GPS_ALTITUDE", "GPS_SPEED", "VEHICLE_SPEED", "ENGINE_RPM", "FUEL_LEVEL",
    "ENGINE_TEMPERATURE", "OIL_PRESSURE", "BATTERY_VOLTAGE", "ODOMETER_READING", "FUEL_CONSUMPTION", "BRAKE_STATUS",
    "TIRE_PRESSURE_FRONT_LEFT", "TIRE_PRESSURE_FRONT_RIGHT", "TIRE_PRESSURE_REAR_LEFT", "TIRE_PRESSURE_REAR_RIGHT",
    "TRANSMISSION_STATUS", "ENVIRONMENT_TEMPERATURE", "ENVIRONMENT_HUMIDITY", "ENVIRONMENT_PRESSURE",
)  # fmt: skip


class Reading(NamedTuple):
    """One reading as it arrived, and when Snowpipe loaded it where that matters."""

    truck_id: str
    event_time: Any
    arrival_time: Any
    sequence_number: int
    attributes: tuple[Any, ...]
    load_timestamp: Any = None


class Version(NamedTuple):
    """A maximal run of readings with the same attributes, in event-time order: [start, end), end None while current.

    ``load_timestamp`` is that of the reading which opens it, None where readings have none.
    """

    truck_id: str
    start: Any
    end: Any
    is_current: bool
    attributes: tuple[Any, ...]
    load_timestamp: Any = None


def from_raw(row: Mapping[str, Any]) -> Reading:
    """The reading of a row of TRUCK_TELEMETRY_RAW, by column name; an attribute that is not there is NULL."""
    attributes = tuple(row.get(name) for name in ATTRIBUTES)
    sequence_number = int(row["SEQUENCE_NUMBER"])
    return Reading(
        row["TRUCK_ID"], row["EVENT_TIME"], row["ARRIVAL_TIME"], sequence_number, attributes, row["LOAD_TIMESTAMP"]
    )


def history(readings: Iterable[Reading]) -> list[Version]:
    """Every version of every truck, ordered by truck and start."""
    winners: dict[tuple[str, Any], Reading] = {}
    for reading in readings:
        instant = (reading.truck_id, reading.event_time)
        if instant not in winners or _counts_before(reading, winners[instant]):
            winners[instant] = reading
    versions: list[Version] = []
    ordered = [winners[instant] for instant in sorted(winners)]
    for truck_id, of_truck in groupby(ordered, key=lambda reading: reading.truck_id):
        openings = [next(run) for _, run in groupby(of_truck, key=lambda reading: reading.attributes)]
        ends = [opening.event_time for opening in openings[1:]] + [None]
        versions += [
            Version(truck_id, opening.event_time, end, end is None, opening.attributes, opening.load_timestamp)
            for opening, end in zip(openings, ends, strict=True)
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


def _counts_before(reading: Reading, other: Reading) -> bool:
    """Of one instant the later arrival counts; of two landings of one record, the first (they say the same)."""
    if _arrival(reading) != _arrival(other):
        return _arrival(reading) > _arrival(other)
    return reading.load_timestamp is not None and reading.load_timestamp < other.load_timestamp


def _arrival(reading: Reading) -> tuple[Any, int]:
    return reading.arrival_time, reading.sequence_number
