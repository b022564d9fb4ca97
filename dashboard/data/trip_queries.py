"""Queries of Snowflake: what one truck did on a day.  Each runs one file of sql/dashboard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import streamlit as st

from dashboard.data import lifetimes
from dashboard.data.clock import now
from dashboard.data.snowflake_connection import Values, query
from include.contracts.times import to_canonical

# The limits of one answer.  A trip and the stop after it take at least six minutes.
MAX_PERIODS = 500
MAX_PLACES = 1_000
# What the statements read on either side of a day, to judge a trip over midnight as a whole.
MARGIN = timedelta(hours=1)

_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_FLOATS = (
    "miles", "odometer_miles", "idle_seconds", "gallons", "fuel_before", "fuel_after", "refuelled", "first_latitude",
    "first_longitude", "last_latitude", "last_longitude", "seconds", "mean_speed", "top_speed", "gps_latitude",
    "gps_longitude", "speed",
)  # fmt: skip


def periods_of_day(truck_id: str, begins: datetime, ends: datetime) -> pd.DataFrame:
    """Return the trips, stops and silences of a truck from ``begins`` to ``ends`` (UTC), oldest first.

    Columns: kind (trip, stop or silent), begins_at, ends_at, began_earlier, goes_on and is_last (whether the truck's
    current version is part of it), miles, odometer_miles, idle_seconds, gallons, fuel_before, fuel_after and refuelled
    (% of the tank), first_latitude, first_longitude, last_latitude, last_longitude, seconds, mean_speed and top_speed
    (mph).  What is not known is NaN.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return _answer("trips.sql", truck_id, begins, ends, {"limit": MAX_PERIODS})


def track_of_day(truck_id: str, begins: datetime, ends: datetime) -> pd.DataFrame:
    """Return the places of a truck from ``begins`` to ``ends`` (UTC), oldest first, at most :data:`MAX_PLACES`.

    Columns: last_time, gps_latitude, gps_longitude, speed (mph) and kind, as in :func:`periods_of_day`.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    slice_seconds = max(1, -(-int((ends - begins).total_seconds()) // (MAX_PLACES - 1)))
    return _answer("track_of_day.sql", truck_id, begins, ends, {"limit": MAX_PLACES, "slice_seconds": slice_seconds})


def _answer(path: str, truck_id: str, begins: datetime, ends: datetime, values: Values) -> pd.DataFrame:
    return (_past if ends < now() - MARGIN else _today)(path, truck_id, begins, ends, values)


def _ask(path: str, truck_id: str, begins: datetime, ends: datetime, values: Values) -> pd.DataFrame:
    instants = {
        "begins": begins,
        "ends": ends,
        "since": begins - MARGIN if begins > _FIRST + MARGIN else _FIRST,
        "until": ends + MARGIN if ends < _LAST - MARGIN else _LAST,
        "instant": now(),
    }
    bound = {"truck_id": truck_id, **values, **{name: to_canonical(instant) for name, instant in instants.items()}}
    frame = query(path, bound)
    return frame.astype({column: "float64" for column in _FLOATS if column in frame})


_past = st.cache_data(ttl=lifetimes.PAST, max_entries=500, show_spinner=False)(_ask)
_today = st.cache_data(ttl=lifetimes.HISTORY, max_entries=500, show_spinner=False)(_ask)
