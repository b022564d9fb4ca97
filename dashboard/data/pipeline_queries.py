"""Queries of Snowflake: the pipeline's own records.  Each runs one file of sql/dashboard."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard.data import lifetimes
from dashboard.data.clock import now
from dashboard.data.snowflake_connection import Values, query
from dashboard.data.stores import SNOWFLAKE_STORE, StoreUnavailableError
from include.contracts.times import to_canonical

# The limits of one answer.
MAX_SLICES = 100
MAX_RULES = 200
MAX_ALERTS = 200
# How many runs of data_quality the strip of a rule shows.
RUNS_PER_RULE = 30

# A slice of time is the first of these (seconds) that makes at most MAX_SLICES of a window.
SLICES = (60, 300, 900, 3600)


class PipeStatus(NamedTuple):
    """The state of Snowpipe's pipe, as SYSTEM$PIPE_STATUS describes it.

    Attributes:
        state: RUNNING, PAUSED, STOPPED_…, STALLED_… and others.
        pending: the number of files that wait to be loaded.
        oldest_pending: when the oldest of them was noticed, if Snowflake says so.
        last_message: when the pipe last received a notification of the bucket.
        last_load: when it last loaded a file.
        error: what stops the pipe, in Snowflake's words; empty if nothing does.
    """

    state: str
    pending: int
    oldest_pending: datetime | None
    last_message: datetime | None
    last_load: datetime | None
    error: str


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def table_freshness() -> pd.DataFrame:
    """Return table_name, table_rows and newest (UTC) of RAW (by arrival) and of the history (by event time).

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("table_freshness.sql", {})


@st.cache_data(ttl=lifetimes.HISTORY, show_spinner=False)
def merge_runs(limit: int = 50) -> pd.DataFrame:
    """Return the newest merge runs: run_id, started_at, finished_at, rows_inserted, rows_updated, rows_deleted.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("merge_runs.sql", {"limit": limit})


@st.cache_data(ttl=lifetimes.HISTORY, max_entries=20, show_spinner=False)
def alerts(hours: int) -> pd.DataFrame:
    """Return the alerts about data that wait to be sent, the oldest first, and then those of the last ``hours``.

    Columns: stored_at, state, severity, headline, message, sent_to (a JSON array of channels) and sent_at, NaT while
    it waits.  At most :data:`MAX_ALERTS`.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("recent_alerts.sql", {"hours": hours, "limit": MAX_ALERTS})


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def quality_results() -> pd.DataFrame:
    """Return the result of every quality rule in the last run.

    Columns: rule, severity, status, failed_count, samples (JSON), message, checked_at, failing_since, run_id.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("quality_results.sql", {"last_check": _last_check()})


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def ledger(hours: int = 48) -> pd.DataFrame:
    """Return the newest ``hours`` of each stream in the conservation ledger, newest first.

    Columns: stream_name, arrival_hour, is_open, balanced, archived, landed, duplicates, quarantined, resolved, missing,
    unexpected, conflicts, covered, waiting, overdue, uncovered, nulled, details (JSON), checked_at, run_id.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("ledger.sql", {"hours": hours})


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def load_history(hours: int, limit: int = 200) -> pd.DataFrame:
    """Return the newest files that the pipe loaded in the last ``hours``.

    Columns: file_name, loaded_at, status, row_count, row_parsed, error_count, first_error_message.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("load_history.sql", {"hours": hours, "limit": limit})


@st.cache_data(ttl=lifetimes.PROGRESS, show_spinner=False)
def pipe_status() -> PipeStatus:
    """Return the state of the pipe.  No warehouse has to run for the answer.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    text = str(query("pipe_status.sql", {})["status"].iloc[0])
    try:
        status = json.loads(text)
        return PipeStatus(
            str(status["executionState"]),
            int(status.get("pendingFileCount", 0)),
            _instant(status.get("oldestFileTimestamp")),
            _instant(status.get("lastReceivedMessageTimestamp")),
            _instant(status.get("lastIngestedTimestamp")),
            str(status.get("error") or ""),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StoreUnavailableError(
            SNOWFLAKE_STORE, "describes the pipe in an unknown form", "Check the pipe in Snowflake.", text[:300]
        ) from error


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def delays(minutes: int) -> pd.DataFrame:
    """Return how long each step took for the readings that arrived in the last ``minutes``, by slice of arrival time.

    Columns: slice_start (UTC), readings, merged_readings (those that the history has), and p50 and p95 in seconds of
    each step: sent_p50 and sent_p95 (event to arrival in the stream), loaded_… (arrival to RAW), merged_… (RAW to the
    history) and total_… (arrival to the history); NaN where no reading of the slice has taken the step yet.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    slice_seconds = slice_of(minutes)
    # Whole slices: half of one would have other figures at each refresh.
    begins = (now() - timedelta(minutes=minutes)).timestamp() // slice_seconds * slice_seconds
    values: Values = {
        "since": to_canonical(datetime.fromtimestamp(begins, UTC)),
        "hours": minutes // 60 + 2,
        "slice_seconds": slice_seconds,
        "limit": MAX_SLICES + 2,
    }
    frame = query("delays.sql", values)
    figures = [column for column in frame.columns if column.endswith(("_p50", "_p95"))]
    return frame.astype(dict.fromkeys(figures, "float64"))


def slice_of(minutes: int) -> int:
    """Return the seconds of a slice of a window of ``minutes``."""
    return next((seconds for seconds in SLICES if minutes * 60 / seconds <= MAX_SLICES), SLICES[-1])


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def quality_history() -> pd.DataFrame:
    """Return the newest :data:`RUNS_PER_RULE` results of each quality rule, newest first.

    Columns: rule, severity, status, failed_count, checked_at, run_id.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    limits = {"runs": RUNS_PER_RULE, "limit": MAX_RULES * RUNS_PER_RULE}
    return query("quality_history.sql", {"last_check": _last_check(), **limits})


def _last_check() -> str:
    """When a quality rule last ran, as a bound that has no effect before the first run."""
    (checked_at,) = query("last_check.sql", {})["checked_at"]
    return to_canonical(datetime.min.replace(tzinfo=UTC) + timedelta(days=7) if pd.isna(checked_at) else checked_at)


@st.cache_data(ttl=lifetimes.CHECKS, max_entries=50, show_spinner=False)
def rule_results(rule: str) -> pd.DataFrame:
    """Return the newest :data:`RUNS_PER_RULE` results of one quality rule, newest first.

    Columns: run_id, severity, status, failed_count, samples (JSON), message, checked_at, failing_since.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("rule_results.sql", {"rule": rule, "limit": RUNS_PER_RULE})


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
