"""Which positions of trucks are doubtful: one at 0,0, where a device without a fix says it is, or one out of reach.

A map is fitted to what it draws, so one doubtful position would shrink every other truck to a dot.  The limits are
those of the quality rules (:mod:`include.plausibility`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

from include.plausibility import EARTH_RADIUS_MILES, plausible

T = TypeVar("T", np.ndarray, pd.Series, float)

# A truck that has moved less may only seem to: the error of GPS.
MOVED_MILES = 0.03


class Positions(NamedTuple):
    """The positions to draw.

    Attributes:
        states: the given states, each at the last position that is not doubtful (NaN if it has none), and
            doubtful_position: the newest position if it is doubtful, as text, or "".
        track: the given track without doubtful positions.
    """

    states: pd.DataFrame
    track: pd.DataFrame


def checked(states: pd.DataFrame, track: pd.DataFrame) -> Positions:
    """Sort out doubtful positions.

    Args:
        states: truck_id, event_time, gps_latitude, gps_longitude (degrees) and more; one row per truck.
        track: truck_id, last_time, gps_latitude, gps_longitude and more.
    """
    # The newest position of a truck is the last one of its track.
    places = pd.concat(
        [
            track[["truck_id", "last_time", "gps_latitude", "gps_longitude"]].rename(columns={"last_time": "time"}),
            states[["truck_id", "event_time", "gps_latitude", "gps_longitude"]].rename(columns={"event_time": "time"}),
        ],
        ignore_index=True,
    ).astype({"gps_latitude": "float64", "gps_longitude": "float64"})
    # An empty part has no types of its own, and takes those of the other away.
    places["time"] = pd.to_datetime(places["time"], utc=True)
    known = places.dropna(subset=["gps_latitude", "gps_longitude"])
    doubtful = _is_nowhere(places)
    for of_truck in _with_a_jump(known[~doubtful[known.index]]):
        doubtful[_out_of_reach(of_truck)] = True

    good = known[~doubtful[known.index]].sort_values("time", kind="stable").drop_duplicates("truck_id", keep="last")
    here, moved = places[len(track) :].set_index(states.index), doubtful[len(track) :].to_numpy()
    texts = [
        f"{latitude:.5f}, {longitude:.5f}" for latitude, longitude in here[["gps_latitude", "gps_longitude"]].to_numpy()
    ]
    shown = states.assign(doubtful_position=[text if odd else "" for text, odd in zip(texts, moved, strict=True)])
    for column in ("gps_latitude", "gps_longitude"):
        shown[column] = here[column].mask(moved, states["truck_id"].map(good.set_index("truck_id")[column]))
    return Positions(shown, track[~doubtful[: len(track)].to_numpy()])


def headings(states: pd.DataFrame, track: pd.DataFrame) -> pd.Series:
    """Return where each truck drives, in degrees clockwise from north; NaN if it has not moved :data:`MOVED_MILES`.

    Args:
        states: truck_id, event_time, gps_latitude, gps_longitude of each truck's last position that is not doubtful.
        track: truck_id, last_time, gps_latitude, gps_longitude, without doubtful positions.
    """
    here = states[["truck_id", "event_time", "gps_latitude", "gps_longitude"]].reset_index(names="state")
    pairs = here.merge(track[["truck_id", "last_time", "gps_latitude", "gps_longitude"]], on="truck_id")
    there, before = (
        [np.radians(pairs[f"{name}_{side}"].to_numpy(dtype="float64")) for name in ("gps_latitude", "gps_longitude")]
        for side in ("x", "y")
    )
    pairs["bearing"] = _bearing(*before, *there)
    came = pairs[(pairs["last_time"] < pairs["event_time"]) & (_miles(*before, *there) >= MOVED_MILES)]
    last = came.sort_values("last_time", kind="stable").drop_duplicates("state", keep="last").set_index("state")
    return last["bearing"].reindex(states.index)


def _with_a_jump(places: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the positions of each truck that can't have come from each position to the next, by time."""
    ordered = places.sort_values(["truck_id", "time"], kind="stable")
    before = ordered.shift()
    hours = (ordered["time"] - before["time"]).dt.total_seconds() / 3600
    radians = [
        np.radians(side[name].to_numpy()) for side in (before, ordered) for name in ("gps_latitude", "gps_longitude")
    ]
    jumps = (ordered["truck_id"] == before["truck_id"]) & ~(_miles(*radians) <= _reach(hours))
    for _, of_truck in ordered[ordered["truck_id"].isin(ordered["truck_id"][jumps])].groupby("truck_id", sort=False):
        yield of_truck


def _is_nowhere(places: pd.DataFrame) -> pd.Series:
    latitude, longitude = places["gps_latitude"].abs(), places["gps_longitude"].abs()
    box = plausible["null_island"]
    return (latitude < box) & (longitude < box) | (latitude > plausible["pole"])


def _out_of_reach(ordered: pd.DataFrame) -> list[int]:
    """Return the index of each position of one truck, by time, that can't be reached from most of its others."""
    hours = ((ordered["time"] - ordered["time"].iloc[0]).dt.total_seconds() / 3600).to_numpy()
    latitude, longitude = (np.radians(ordered[name].to_numpy()) for name in ("gps_latitude", "gps_longitude"))
    # Each place joins the first trail from whose end the truck can have come, else it begins a trail.  A truck was on
    # its longest trail; a device that lost its fix was elsewhere.
    trails: list[list[int]] = []
    for place in range(len(ordered)):
        for trail in trails:
            end = trail[-1]
            miles = _miles(latitude[end], longitude[end], latitude[place], longitude[place])
            if miles <= _reach(hours[place] - hours[end]):
                trail.append(place)
                break
        else:
            trails.append([place])
    longest = max(trails, key=lambda trail: len({hours[place] for place in trail}))
    return [ordered.index[place] for trail in trails if trail is not longest for place in trail]


def _reach(hours: T) -> T:
    return plausible["position_error"] + plausible["top_speed"] * hours


def _miles(
    latitude: np.ndarray | float,
    longitude: np.ndarray | float,
    to_latitude: np.ndarray | float,
    to_longitude: np.ndarray | float,
) -> np.ndarray:
    """Return the miles along a great circle (haversine) between places in radians, across the date line too."""
    half = np.sin((to_latitude - latitude) / 2) ** 2 + np.cos(latitude) * np.cos(to_latitude) * (
        np.sin((to_longitude - longitude) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_MILES * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def _bearing(
    latitude: np.ndarray, longitude: np.ndarray, to_latitude: np.ndarray, to_longitude: np.ndarray
) -> np.ndarray:
    """Return the direction in which a great circle begins, in degrees clockwise from north."""
    east = np.sin(to_longitude - longitude) * np.cos(to_latitude)
    north = np.cos(latitude) * np.sin(to_latitude) - np.sin(latitude) * np.cos(to_latitude) * np.cos(
        to_longitude - longitude
    )
    return np.asarray(np.degrees(np.arctan2(east, north)) % 360)
