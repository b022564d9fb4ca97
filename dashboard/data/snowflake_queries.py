"""Queries of Snowflake: the trucks' history and the pipeline's own records.  Each runs one file of sql/dashboard."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from dashboard.data.clock import now
from dashboard.data.register import FleetRegister
from dashboard.data.snowflake_connection import Values, query
from dashboard.data.trucks import MAX_TRUCKS
from include.contracts.times import to_canonical

# The limits of one answer.  A page says when it shows less than there is.
MAX_TRACK_POINTS = 20_000
TRACK_SLICES = 240
MAX_VERSIONS = 500
MAX_ASSIGNMENTS = 1_000


# --- The history of the trucks ---------------------------------------------------------------------------------------
@st.cache_data(ttl=3, show_spinner=False)
def current_rows() -> pd.DataFrame:
    """Return the current version of every truck.

    Columns: truck_id, load_timestamp, effective_start_date, effective_end_date, is_current and the 21 metrics.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("current_rows.sql", {"limit": MAX_TRUCKS})


@st.cache_data(ttl=3, show_spinner=False)
def tracks(minutes: int) -> pd.DataFrame:
    """Return the routes of the trucks in the last ``minutes``, at most :data:`TRACK_SLICES` points per truck.

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
    return query("tracks.sql", values)


@st.cache_data(ttl=15, show_spinner=False)
def fleet_register() -> FleetRegister:
    """Return which trucks left the fleet, and which readings were assigned to another truck.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    retired = query("retired_trucks.sql", {"limit": MAX_TRUCKS})
    left = {truck: at.to_pydatetime() for truck, at in zip(retired["truck_id"], retired["retired_at"], strict=True)}
    return FleetRegister(left, query("assignments.sql", {"limit": MAX_ASSIGNMENTS}))


@st.cache_data(ttl=3, show_spinner=False)
def versions(truck_id: str) -> pd.DataFrame:
    """Return the newest :data:`MAX_VERSIONS` versions of a truck, with its assigned readings, newest first.

    Columns: those of :func:`current_rows`, and reported_id, which sent the reading that opens the version.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("versions.sql", {"truck_id": truck_id, "limit": MAX_VERSIONS})


@st.cache_data(ttl=3, show_spinner=False)
def history_span(truck_id: str) -> tuple[int, datetime | None, datetime | None]:
    """Return how many versions a truck has, and when the first and the last of them start (UTC).

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    row = query("history_span.sql", {"truck_id": truck_id}).iloc[0]
    if not row["versions"]:
        return 0, None, None
    return int(row["versions"]), row["first_start"].to_pydatetime(), row["last_start"].to_pydatetime()


@st.cache_data(ttl=3, show_spinner=False)
def as_of(truck_id: str, instant: datetime) -> pd.DataFrame:
    """Return the version of a truck that was valid at ``instant``, in the columns of :func:`current_rows`.

    The frame has one row, or none if the truck had no version then.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("as_of.sql", {"truck_id": truck_id, "instant": to_canonical(instant)})


# --- The pipeline's own records --------------------------------------------------------------------------------------
@st.cache_data(ttl=5, show_spinner=False)
def table_freshness() -> pd.DataFrame:
    """Return table_name, table_rows and newest (UTC) of RAW (by arrival) and of the history (by event time).

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("table_freshness.sql", {})


@st.cache_data(ttl=5, show_spinner=False)
def merge_runs(limit: int = 50) -> pd.DataFrame:
    """Return the newest merge runs: run_id, started_at, finished_at, rows_inserted, rows_updated, rows_deleted.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("merge_runs.sql", {"limit": limit})


@st.cache_data(ttl=5, show_spinner=False)
def quality_results() -> pd.DataFrame:
    """Return the result of every quality rule in the last run.

    Columns: rule, severity, status, failed_count, samples (JSON), message, checked_at, failing_since, run_id.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("quality_results.sql", {})


@st.cache_data(ttl=5, show_spinner=False)
def ledger(hours: int = 48) -> pd.DataFrame:
    """Return the newest ``hours`` of each stream in the conservation ledger, newest first.

    Columns: stream_name, arrival_hour, is_open, balanced, archived, landed, duplicates, quarantined, resolved, missing,
    unexpected, conflicts, covered, waiting, overdue, uncovered, details (JSON), checked_at.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("ledger.sql", {"hours": hours})


@st.cache_data(ttl=5, show_spinner=False)
def load_history(hours: int, limit: int = 200) -> pd.DataFrame:
    """Return the newest files that the pipe loaded in the last ``hours``.

    Columns: file_name, loaded_at, status, row_count, row_parsed, error_count, first_error_message.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("load_history.sql", {"hours": hours, "limit": limit})
