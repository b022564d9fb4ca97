"""What a task leaves, when its last try fails, for the alert about its run."""

from __future__ import annotations

from typing import Any, Protocol

from airflow.sdk import Context

from clicks_to_deliveries.failures import FormError, ReportedFailure

# XComs of the failed task: its error, and that a task stored alerts.  run_notes.py reads both.
FAILURE_KEY = "failure"
ALERTS_STORED_KEY = "alerts_stored"
LONGEST_ERROR = 4_000


class TaskInstance(Protocol):
    """The part of Airflow's task instance that is used here."""

    def xcom_push(self, key: str, value: Any) -> None: ...


def leave_note(context: Context) -> None:
    """``on_failure_callback`` of every task.

    The alert does not depend on it: a run whose task leaves no note (it was killed) alerts without the error's text.
    """
    error = context.get("exception")
    if error is None:
        # The task was killed, and Airflow's DAG processor calls.  An XCom pushed there is never answered: the processor
        # would wait until its time is over.
        return
    is_known = isinstance(error, ReportedFailure | FormError)
    note = {"error": str(error)[:LONGEST_ERROR], "is_known": is_known}
    context["ti"].xcom_push(key=FAILURE_KEY, value=note)


def announce_stored_alerts(ti: TaskInstance) -> None:
    """Say that the task stored alerts in Snowflake, so that they are sent as soon as its run ends."""
    ti.xcom_push(key=ALERTS_STORED_KEY, value=True)
