"""Queries of Snowflake: the trucks' history.  Each runs one file of sql/dashboard."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from dashboard.data import lifetimes
from dashboard.data.clock import now
from dashboard.data.register import FleetRegister
from dashboard.data.snowflake_connection import Values, query
from dashboard.data.trucks import MAX_TRUCKS
from include.contracts.times import to_canonical

# The limits of one answer.  A page says when it shows less than there is.
MAX_TRACK_POINTS = 20_000
TRACK_SLICES = 240
MAX_VERSIONS = 500
MAX_STATUS_RUNS = 500
MAX_ASSIGNMENTS = 1_000
MAX_NEEDY = 500
# How far back the beginning of a problem is looked for.
ATTENTION_DAYS = 14


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def current_rows() -> pd.DataFrame:
    """Return the current version of every truck.

    Columns: truck_id, load_timestamp, effective_start_date, effective_end_date, is_current and the 21 metrics.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("current_rows.sql", {"limit": MAX_TRUCKS})


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def tracks(minutes: int) -> pd.DataFrame:
    """Return the routes of the trucks in the last ``minutes``, at most :data:`TRACK_SLICES` points per truck.

    A fleet with more than :data:`MAX_TRACK_POINTS` points has the newest of them: shorter routes, but of every truck.
    They are sorted by truck and time.

    Columns: truck_id, slice_start, last_time, gps_latitude and gps_longitude (degrees), vehicle_speed (mph), fuel_level
    (%), fuel_consumption (gal/h) and engine_temperature (°C).

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    since = now() - timedelta(minutes=minutes)
    values: Values = {
        "since": to_canonical(since),
        "slice_seconds": max(1, round(minutes * 60 / TRACK_SLICES)),
        "limit": MAX_TRACK_POINTS,
    }
    return query("tracks.sql", values).sort_values(["truck_id", "slice_start"], ignore_index=True)


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def fleet_register() -> FleetRegister:
    """Return which trucks left the fleet, and which readings were assigned to another truck.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    retired = query("retired_trucks.sql", {"limit": MAX_TRUCKS})
    left = {truck: at.to_pydatetime() for truck, at in zip(retired["truck_id"], retired["retired_at"], strict=True)}
    return FleetRegister(left, query("assignments.sql", {"limit": MAX_ASSIGNMENTS}))


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def truck_ids() -> list[str]:
    """Return the ids of all trucks that have a current version.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return list(query("truck_ids.sql", {"limit": MAX_TRUCKS})["truck_id"])


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def versions(truck_id: str, since: datetime, until: datetime) -> pd.DataFrame:
    """Return the newest versions of a truck, with its assigned readings, that are valid in [since, until].

    There are at most :data:`MAX_VERSIONS` and one more, newest first: the last one may have ended at ``since``, and
    says what the one after it changed.  Columns: those of :func:`current_rows`, and reported_id, which sent the reading
    that opens the version.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("versions.sql", _span(truck_id, since, until) | {"limit": MAX_VERSIONS + 1})


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def version_slices(truck_id: str, since: datetime, until: datetime, width: timedelta) -> pd.DataFrame:
    """Return how many versions of a truck start in each slice of [since, until], for slices that have one.

    Columns: slice (0 begins at ``since``), versions, and by its name for each of the 21 metrics the number of versions
    that changed it.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    own: dict[str, str | int] = {"slice_microseconds": width // timedelta(microseconds=1)}
    return query("version_slices.sql", _span(truck_id, since, until) | own)


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def metric_slices(truck_id: str, metric: str, since: datetime, until: datetime, width: timedelta) -> pd.DataFrame:
    """Return a numeric metric of a truck in each slice of [since, until], for slices in which a version starts.

    Columns: slice, first_start, lowest, highest, area, lasted (microseconds) and last_value; see
    sql/dashboard/metric_slices.sql.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    own: dict[str, str | int] = {"metric": metric, "slice_microseconds": width // timedelta(microseconds=1)}
    return query("metric_slices.sql", _span(truck_id, since, until) | own)


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def status_runs(truck_id: str, metric: str, since: datetime, until: datetime) -> pd.DataFrame:
    """Return the newest :data:`MAX_STATUS_RUNS` runs of one status of a truck in [since, until], newest first.

    Columns: status_start, status_end (NaT: it holds until the end of the span) and status (None: not known).

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("status_runs.sql", _span(truck_id, since, until) | {"metric": metric, "limit": MAX_STATUS_RUNS})


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def history_span(truck_id: str) -> tuple[int, datetime | None, datetime | None]:
    """Return how many versions a truck has, and when the first and the last of them start (UTC).

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    row = query("history_span.sql", {"truck_id": truck_id}).iloc[0]
    if not row["versions"]:
        return 0, None, None
    return int(row["versions"]), row["first_start"].to_pydatetime(), row["last_start"].to_pydatetime()


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def as_of(truck_id: str, instant: datetime) -> pd.DataFrame:
    """Return the version of a truck that was valid at ``instant``, in the columns of :func:`current_rows`.

    The frame has one row, or none if the truck had no version then.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("as_of.sql", {"truck_id": truck_id, "instant": to_canonical(instant)})


@st.cache_data(ttl=lifetimes.SLOW, show_spinner=False)
def attention_since(limits: Mapping[str, float]) -> pd.DataFrame:
    """Return since when the trucks whose current version gives a reason need attention.

    Args:
        limits: of :mod:`dashboard.health`.

    Columns: truck_id, metric (the reason), since (UTC) and is_longer, which says that it may have begun earlier: only
    the last :data:`ATTENTION_DAYS` are read.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    since = _hour(now()) - timedelta(days=ATTENTION_DAYS)
    values: Values = {**limits, "since": to_canonical(since), "limit": MAX_NEEDY}
    rows = query("attention_since.sql", values)
    reasons = [column.removeprefix("since_") for column in rows.columns if column.startswith("since_")]
    found = [
        (row["truck_id"], metric, row[f"since_{metric}"], bool(row[f"is_longer_{metric}"]))
        for row in rows.to_dict("records")
        for metric in reasons
        if not pd.isna(row[f"since_{metric}"])
    ]
    frame = pd.DataFrame(found, columns=["truck_id", "metric", "since", "is_longer"])
    return frame.assign(since=pd.to_datetime(frame["since"], utc=True))


@st.cache_data(ttl=lifetimes.SLOW, show_spinner=False)
def trends(limits: Mapping[str, float], days: int, truck_id: str = "") -> pd.DataFrame:
    """Return which metrics got worse in the last day against the ``days`` before, or all of one truck.

    Args:
        limits: of :mod:`dashboard.health`.
        days: how long a truck's past is.
        truck_id: the truck of which every metric is returned; without it, what got worse of any truck.

    Columns: truck_id, metric_name, verdict (worse, steady or too few), today, past_value and usual (in the metric's
    unit), past_days and repaired_days_ago; see sql/dashboard/trends.sql.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    hour = _hour(now())
    values: Values = {
        **limits,
        "hour": to_canonical(hour),
        # Day 0 includes the hour that has begun.
        "since": to_canonical(hour - timedelta(days=days + 1) + timedelta(hours=1)),
        "truck_id": truck_id,
        "limit": MAX_NEEDY,
    }
    return query("trends.sql", values)


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def open_findings(hours: int) -> pd.DataFrame:
    """Return which trucks sent implausible readings in the last ``hours``, by rule.

    Columns: rule, truck_id, readings, first_found_at, event_time and detail.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("open_findings.sql", {"hours": hours, "limit": MAX_NEEDY})


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _span(truck_id: str, since: datetime, until: datetime) -> dict[str, str | int]:
    return {"truck_id": truck_id, "since": to_canonical(since), "until": to_canonical(until)}
