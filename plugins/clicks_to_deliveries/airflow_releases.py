"""Names and values that differ between the releases of Airflow that the pipeline can be installed in (3.1 to 3.3)."""

from __future__ import annotations

from typing import Any, Protocol

try:
    from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable

    RETRY_BACKOFF: float = 2
except ImportError:  # Airflow 3.1
    from airflow.timetables.assets import AssetOrTimeSchedule  # type: ignore[assignment] # The same class, elsewhere.
    from airflow.timetables.trigger import CronTriggerTimetable  # type: ignore[assignment] # The same class, elsewhere.

    # There it is a switch, and the factor is 2.
    RETRY_BACKOFF = True

__all__ = ["RETRY_BACKOFF", "AssetOrTimeSchedule", "CronTriggerTimetable", "TaskStats", "task_stats"]


class TaskStats(Protocol):
    """The part of Airflow's metrics that tasks use."""

    def incr(self, stat: str, count: int = 1) -> Any: ...

    def gauge(self, stat: str, value: float) -> Any: ...


def task_stats() -> TaskStats:
    """Return what sends a task's metrics to where Airflow's own go.  Imported late: a DAG file needs none."""
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # Airflow 3.1
        from airflow.stats import Stats
    stats: TaskStats = Stats
    return stats
