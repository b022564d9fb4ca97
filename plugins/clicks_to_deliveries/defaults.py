"""Defaults of every DAG of the pipeline: owner, retries, timeouts, alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from clicks_to_deliveries.airflow_releases import RETRY_BACKOFF
from clicks_to_deliveries.notifiers.failure_note import leave_note
from clicks_to_deliveries.release import check_dag_file
from include import names, sql
from include.alerts.impact import IMPACTS
from include.settings import settings

TAG = "clicks-to-deliveries"


def dag_arguments(
    file: str,
    *,
    title: str,
    tags: set[str],
    run_timeout: timedelta,
    task_timeout: timedelta,
    retries: int = 2,
    is_dangerous: bool = False,
) -> dict[str, Any]:
    """Return arguments for ``DAG(...)`` in ``file``.

    A run that fails is alerted by the listener (notifiers/run_notes.py).  include/alerts/impact.py says how bad it is,
    and so does a tag such as ``on-call: error``.  Airflow's list of DAGs shows and searches ``title`` and the id.
    A retry waits 10 s, doubled each time, up to 5 minutes.  Airflow adds jitter of up to the same time.

    A dangerous DAG deletes what nobody can bring back: the roles of CTD_AIRFLOW_DANGER_ROLES get the rights to it.

    Raises:
        MixedReleasesError: ``file`` is not of the release that is installed.
    """
    check_dag_file(file)
    dag_id = names.dag(Path(file).stem)
    impact = {f"on-call: {IMPACTS[dag_id].severity}"} if dag_id in IMPACTS else set()
    return {
        "dag_display_name": f"{title} · {dag_id}",
        "start_date": datetime(2026, 1, 1),  # noqa: DTZ001 - Airflow's default time zone, UTC
        "catchup": False,
        "max_active_runs": 1,
        "dagrun_timeout": run_timeout,
        "tags": {TAG, *impact, *tags},
        "access_control": danger_access(settings().airflow_danger_roles) if is_dangerous else None,
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


def danger_access(roles: str) -> dict[str, dict[str, set[str]]] | None:
    """Return the rights of roles, named with commas in between, to see, start and stop a DAG; None if none is named."""
    named = [role.strip() for role in roles.split(",") if role.strip()]
    rights = {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}
    return dict.fromkeys(named, rights) or None
