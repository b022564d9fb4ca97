"""A truck's day as the page Trips shows it: its periods with names, its totals, and where it was at an instant.

``sql/dashboard/trips.sql`` says what a trip, a stop and a silence is; the rows come from :mod:`dashboard.data`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd

from dashboard import spreadsheet

TRIP, STOP, SILENT = "trip", "stop", "silent"

# The time line has at most so many steps, each one of these lengths.
MAX_STEPS = 240
STEP_SECONDS = (5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)

# The odometer and the positions differ if they do so by more than both.
ODOMETER_MILES, ODOMETER_SHARE = 1.0, 0.1


class Totals(NamedTuple):
    """The sums of a day.  Miles, gallons and speed are None if nothing is known."""

    trips: int
    miles: float | None
    odometer_miles: float | None
    unseen_miles: float
    driving_seconds: float
    standing_seconds: float
    silent_seconds: float
    idle_seconds: float
    gallons: float | None
    top_speed: float | None

    @property
    def odometer_differs(self) -> bool:
        """Return whether the odometer says something else than the positions."""
        if self.miles is None or self.odometer_miles is None:
            return False
        return abs(self.miles - self.odometer_miles) > max(ODOMETER_MILES, ODOMETER_SHARE * self.odometer_miles)


def named(periods: pd.DataFrame) -> pd.DataFrame:
    """Return periods with a name: ``Trip 1``, ``Stop 2``, ``No readings``."""
    numbers = periods.groupby("kind").cumcount() + 1
    words = {TRIP: "Trip", STOP: "Stop"}
    names = [
        f"{words[kind]} {number}" if kind in words else "No readings"
        for kind, number in zip(periods["kind"], numbers, strict=True)
    ]
    return periods.assign(name=names)


def totals(periods: pd.DataFrame) -> Totals:
    """Return the sums of the given periods."""

    def known(sum_of: pd.Series) -> float | None:
        return None if sum_of.isna().all() else float(sum_of.sum())

    by_kind = {kind: periods[periods["kind"] == kind] for kind in (TRIP, STOP, SILENT)}
    trips, stops, silences = by_kind.values()
    top = trips["top_speed"].max()
    return Totals(
        trips=len(trips),
        # Without a trip there are no miles, whatever else is not known.
        miles=0.0 if trips.empty else known(trips["miles"]),
        odometer_miles=0.0 if trips.empty else known(trips["odometer_miles"]),
        unseen_miles=float(silences["miles"].sum()),
        driving_seconds=float(trips["seconds"].sum()),
        standing_seconds=float(stops["seconds"].sum()),
        silent_seconds=float(silences["seconds"].sum()),
        idle_seconds=float(periods["idle_seconds"].sum()),
        gallons=known(periods["gallons"]),
        top_speed=None if pd.isna(top) else float(top),
    )


def places(periods: pd.DataFrame, track: pd.DataFrame) -> pd.DataFrame:
    """Return where the truck was, in the order of time: period (its number in ``periods``), time, latitude, longitude.

    Each period has its first and its last place, and a trip those of ``track`` between.  A longitude may be beyond
    180, so that neighbours are near each other at the date line.
    """
    parts = []
    for number, row in enumerate(periods.to_dict("records")):
        ends = [
            (row["begins_at"], row["first_latitude"], row["first_longitude"]),
            (row["ends_at"], row["last_latitude"], row["last_longitude"]),
        ]
        part = pd.DataFrame(ends, columns=["time", "latitude", "longitude"])
        if row["kind"] == TRIP:
            inside = track[(track["last_time"] > row["begins_at"]) & (track["last_time"] < row["ends_at"])]
            inside = inside.rename(
                columns={"last_time": "time", "gps_latitude": "latitude", "gps_longitude": "longitude"}
            )
            part = pd.concat([part[:1], inside[["time", "latitude", "longitude"]], part[1:]])
        parts.append(part.assign(period=number))
    if not parts:
        return pd.DataFrame(columns=["time", "latitude", "longitude", "period"])
    known = pd.concat(parts, ignore_index=True).dropna(subset=["latitude", "longitude"])
    # An empty track has no types of its own, and takes those of the others away.
    return known.assign(
        time=pd.to_datetime(known["time"], utc=True),
        longitude=np.unwrap(known["longitude"].to_numpy(dtype=float), period=360),
    )


def place_at(places: pd.DataFrame, instant: datetime) -> tuple[float, float] | None:
    """Return latitude and longitude at an instant, on the line between two places; None if no place is known."""
    if places.empty:
        return None
    since = (places["time"] - places["time"].iloc[0]).dt.total_seconds().to_numpy()
    at = (pd.Timestamp(instant) - places["time"].iloc[0]).total_seconds()
    return tuple(float(np.interp(at, since, places[name].to_numpy(dtype=float))) for name in ("latitude", "longitude"))  # type: ignore[return-value]  # Two of them.


def period_at(periods: pd.DataFrame, instant: datetime) -> pd.Series:
    """Return the period that an instant is in.  The last one has its end too."""
    begun = periods[periods["begins_at"] <= instant]
    return periods.iloc[0] if begun.empty else begun.iloc[-1]


def steps(begins: datetime, ends: datetime) -> Sequence[datetime]:
    """Return the instants of a time line from ``begins`` to ``ends``, both included."""
    seconds = (ends - begins).total_seconds()
    step = next((size for size in STEP_SECONDS if seconds / size <= MAX_STEPS), STEP_SECONDS[-1])
    between = [begins + timedelta(seconds=number * step) for number in range(int(-(-seconds // step)))]
    return [*between, ends]


def csv(periods: pd.DataFrame) -> bytes:
    """Return periods as a CSV file: instants in UTC, numbers with their units in the heading."""
    headings = {
        "name": "name", "begins_at": "begins", "ends_at": "ends", "seconds": "seconds", "miles": "distance_mi",
        "odometer_miles": "odometer_mi", "mean_speed": "mean_speed_mph", "top_speed": "top_speed_mph",
        "idle_seconds": "idle_seconds", "gallons": "fuel_used_gal", "fuel_before": "fuel_level_before_percent",
        "fuel_after": "fuel_level_after_percent", "refuelled": "refuelled_percent", "first_latitude": "from_latitude",
        "first_longitude": "from_longitude", "last_latitude": "to_latitude", "last_longitude": "to_longitude",
    }  # fmt: skip
    numbers = list(periods[list(headings)].select_dtypes("number"))
    return spreadsheet.csv(periods[list(headings)].round(dict.fromkeys(numbers, 6)).rename(columns=headings))
