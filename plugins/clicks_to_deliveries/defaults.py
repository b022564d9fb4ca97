"""Defaults of every DAG of the pipeline: owner, retries, timeouts, alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from clicks_to_deliveries.airflow_releases import RETRY_BACKOFF
from clicks_to_deliveries.notifiers.failure_note import leave_note
from clicks_to_deliveries.release import check_dag_file
from include import names, sql

TAG = "clicks-to-deliveries"


def dag_arguments(
    file: str,
    *,
    tags: set[str],
    run_timeout: timedelta,
    task_timeout: timedelta,
    retries: int = 2,
) -> dict[str, Any]:
    """Return arguments for ``DAG(...)`` in ``file``.

    A run that fails is alerted by the listener (notifiers/run_notes.py); include/alerts/impact.py says how bad that is.
    A retry waits 10 s, doubled each time, up to 5 minutes.  Airflow adds jitter of up to the same time.

    Raises:
        MixedReleasesError: ``file`` is not of the release that is installed.
    """
    check_dag_file(file)
    return {
        "start_date": datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow's default time zone, UTC
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": run_timeout,
        "tags": {TAG, *tags},
        "template_searchpath": str(sql.SQL_DIRECTORY),
        "user_defined_macros": dict(sql.CONTEXT),
        "default_args": {
            "owner": names.OWNER,
            "retries": retries,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": RETRY_BACKOFF,
            "max_retry_delay": timedelta(minutes=5),
            "execution_timeout": task_timeout,
            "on_failure_callback": leave_note,
        },
    }
