"""Queries of Snowflake: the pipeline's own records.  Each runs one file of sql/dashboard."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard.data import lifetimes
from dashboard.data.snowflake_connection import query


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


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def quality_results() -> pd.DataFrame:
    """Return the result of every quality rule in the last run.

    Columns: rule, severity, status, failed_count, samples (JSON), message, checked_at, failing_since, run_id.

    Raises:
        StoreUnavailableError: Snowflake can't answer.
    """
    return query("quality_results.sql", {})


@st.cache_data(ttl=lifetimes.CHECKS, show_spinner=False)
def ledger(hours: int = 48) -> pd.DataFrame:
    """Return the newest ``hours`` of each stream in the conservation ledger, newest first.

    Columns: stream_name, arrival_hour, is_open, balanced, archived, landed, duplicates, quarantined, resolved, missing,
    unexpected, conflicts, covered, waiting, overdue, uncovered, details (JSON), checked_at.

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
