"""The state of each truck: moving, parked, silent or retired, whether it needs attention, and where it last was.

The one place that decides it, for every page.  A truck that nobody has heard from is silent, whatever it last said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import pandas as pd

from dashboard import health, positions
from dashboard.data.register import FleetRegister
from include.plausibility import SENTINELS
from include.trip_detection import trip_limits

MOVING, PARKED, SILENT, RETIRED = "moving", "parked", "silent", "retired"
ATTENTION, DOUBTFUL = "needs attention", "doubtful position"
# A truck is in one of the first four, and may be of the other two as well.
KINDS = (MOVING, PARKED, SILENT, RETIRED, ATTENTION, DOUBTFUL)

# The same limits as for trips.
SILENT_SECONDS = int(60 * trip_limits["silent_minutes"])
MOVING_MPH = trip_limits["moving"]


# What is read of a track.
TRACK_COLUMNS = ("truck_id", "slice_start", "last_time", "gps_latitude", "gps_longitude", "vehicle_speed")


class Fleet(NamedTuple):
    """The trucks of the fleet.

    Attributes:
        trucks: one row per truck, retired trucks last.  The columns of its newest reading, with its last position
            that is not doubtful (NaN if it has none), and:
            state: :data:`MOVING`, :data:`PARKED`, :data:`SILENT` or :data:`RETIRED`;
            heard_at: when its newest reading arrived (UTC), by our clock;
            reasons: a tuple of short phrases that say why it needs attention, most urgent first, () if it does not;
            doubtful_position: the position of its newest reading if that is doubtful, as text, or "".
        track: the given track by truck, without doubtful positions.
    """

    trucks: pd.DataFrame
    track: pd.DataFrame

    def only(self, trucks: Collection[str] = (), kinds: Collection[str] = ()) -> Fleet:
        """Return the trucks with these ids and of one of these :data:`KINDS`; nothing given leaves out nothing."""
        kept = pd.Series(data=True, index=self.trucks.index)
        if trucks:
            kept &= self.trucks["truck_id"].isin(trucks)
        if kinds:
            of_kind = self.trucks["state"].isin(kinds)
            of_kind |= (ATTENTION in kinds) & self._needs_attention
            of_kind |= (DOUBTFUL in kinds) & (self.trucks["doubtful_position"] != "")
            kept &= of_kind
        left = self.trucks[kept].reset_index(drop=True)
        return Fleet(left, self.track[self.track["truck_id"].isin(left["truck_id"])])

    def count(self, state: str) -> int:
        """Return the number of trucks in a state."""
        return int((self.trucks["state"] == state).sum())

    @property
    def needing_attention(self) -> pd.DataFrame:
        """The trucks that need attention: a silent one too, if its last reading gave a reason."""
        return self.trucks[self._needs_attention]

    @property
    def _needs_attention(self) -> pd.Series:
        return self.trucks["reasons"].map(bool).astype(bool)

    @property
    def doubtful(self) -> pd.DataFrame:
        """The trucks whose newest position is doubtful."""
        return self.trucks[self.trucks["doubtful_position"] != ""]


def fleet(readings: pd.DataFrame, register: FleetRegister, now: datetime, track: pd.DataFrame | None = None) -> Fleet:
    """Return the state of each truck at ``now`` (UTC).

    Args:
        readings: truck_id as reported, event_time, arrival_time and the 21 metrics; one row per tracker.
        register: which trucks left, and which readings belong to another truck.
        now: the current time.
        track: truck_id as reported and the other :data:`TRACK_COLUMNS`, or more.  Without it, a jump is not noticed;
            a position at 0,0 is.
    """
    if track is None:
        track = pd.DataFrame(columns=TRACK_COLUMNS)
    by_truck = register.newest_by_truck(readings, "event_time")
    trucks, driven = positions.checked(by_truck, register.by_truck(track, "last_time"))
    is_retired = trucks["truck_id"].isin(list(register.retired))
    reasons = [
        # Nobody has to act on the last reading of a truck that left.
        () if left else tuple(health.warnings(row))
        for row, left in zip(trucks.to_dict("records"), is_retired, strict=True)
    ]
    judged = trucks.assign(
        state=_states(trucks, is_retired, now),
        heard_at=trucks["arrival_time"],
        reasons=pd.Series(reasons, index=trucks.index, dtype=object),
    )
    return Fleet(judged, driven)


def since(row: Mapping[Any, Any], track: pd.DataFrame) -> tuple[datetime | None, bool]:
    """Return since when a truck has been moving or parked, and whether its track shows the moment when that began.

    Args:
        row: the truck, of :attr:`Fleet.trucks`.
        track: truck_id, slice_start, vehicle_speed (mph); what is before it is not known.
    """
    of_truck = track[track["truck_id"] == row["truck_id"]].dropna(subset=["vehicle_speed"]).sort_values("slice_start")
    if row["state"] not in {MOVING, PARKED} or of_truck.empty:
        return None, False
    differs = (of_truck["vehicle_speed"] >= MOVING_MPH) != (row["state"] == MOVING)
    alike = of_truck["slice_start"][~differs[::-1].cummax()[::-1]]
    began = row["event_time"] if alike.empty else alike.iloc[0]
    return began.to_pydatetime(), bool(differs.any())


def readings_of_history(current: pd.DataFrame) -> pd.DataFrame:
    """Return the history's current rows as readings, for the time when the newest readings can't be read."""
    return current.rename(columns={"effective_start_date": "event_time", "load_timestamp": "arrival_time"})


def _states(trucks: pd.DataFrame, is_retired: pd.Series, now: datetime) -> pd.Series:
    # By arrival: a device's clock can be in year 1, or ahead of ours.
    silence = (pd.Timestamp(now) - trucks["arrival_time"]).dt.total_seconds()
    states = pd.Series(PARKED, index=trucks.index, dtype=object)
    states[_speeds(trucks) >= MOVING_MPH] = MOVING
    # A truck of which no arrival is known is silent too.
    states[~(silence <= SILENT_SECONDS)] = SILENT
    states[is_retired] = RETIRED
    return states


def _speeds(trucks: pd.DataFrame) -> pd.Series:
    """Return the vehicle's speed, or that of GPS where the vehicle's is not known, in mph."""
    vehicle, gps = (_measured(trucks[name].astype("float64")) for name in ("vehicle_speed", "gps_speed"))
    return vehicle.fillna(gps)


def _measured(metric: pd.Series) -> pd.Series:
    """Return a metric without the values that stand for "not available"."""
    for sentinel in SENTINELS:
        if sentinel.metric == metric.name:
            metric = metric.mask(metric.between(sentinel.low, sentinel.high))
    return metric
