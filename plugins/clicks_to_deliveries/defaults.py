"""Defaults of every DAG of the pipeline: owner, retries, timeouts, alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from clicks_to_deliveries.notifiers.failure_alert import FailureAlert, RunTimeoutAlert
from include import names, sql

TAG = "clicks-to-deliveries"


def dag_arguments(
    *,
    runbook: str,
    tags: set[str],
    run_timeout: timedelta,
    task_timeout: timedelta,
    retries: int = 2,
    alerts: bool = True,
) -> dict[str, Any]:
    """Return arguments for ``DAG(...)``; ``runbook`` is the path in the repository that an alert names.

    Without ``alerts``, something outside Airflow notifies people of a failure.

    A retry waits 10 s, doubled each time, up to 5 minutes.  Airflow adds jitter of up to the same time.
    """
    return {
        "start_date": datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow's default time zone, UTC
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": run_timeout,
        "tags": {TAG, *tags},
        "template_searchpath": str(sql.SQL_DIRECTORY),
        "user_defined_macros": dict(sql.CONTEXT),
        "on_failure_callback": RunTimeoutAlert(runbook) if alerts else None,
        "default_args": {
            "owner": names.OWNER,
            "retries": retries,
            "retry_delay": timedelta(seconds=10),
            "retry_exponential_backoff": 2,
            "max_retry_delay": timedelta(minutes=5),
            "execution_timeout": task_timeout,
            "on_failure_callback": FailureAlert(runbook) if alerts else None,
        },
    }
