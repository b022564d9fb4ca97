"""Which positions of trucks are doubtful: one at 0,0, where a device without a fix says it is, or one out of reach.

A map is fitted to what it draws, so one doubtful position would shrink every other truck to a dot.  The limits are
those of the quality rules (:mod:`include.plausibility`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from include.plausibility import EARTH_RADIUS_MILES, plausible


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
    for _, of_truck in known[~doubtful[known.index]].groupby("truck_id", sort=False):
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


def _is_nowhere(places: pd.DataFrame) -> pd.Series:
    latitude, longitude = places["gps_latitude"].abs(), places["gps_longitude"].abs()
    box = plausible["null_island"]
    return (latitude < box) & (longitude < box) | (latitude > plausible["pole"])


def _out_of_reach(places: pd.DataFrame) -> list[int]:
    """Return the index of each position of one truck that can't be reached from most of its others."""
    ordered = places.sort_values("time", kind="stable")
    hours = ((ordered["time"] - ordered["time"].iloc[0]).dt.total_seconds() / 3600).to_numpy()
    latitude, longitude = (np.radians(ordered[name].to_numpy()) for name in ("gps_latitude", "gps_longitude"))
    if (_miles(latitude[:-1], longitude[:-1], latitude[1:], longitude[1:]) <= _reach(np.diff(hours))).all():
        return []
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


def _reach(hours: np.ndarray | float) -> np.ndarray | float:
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
