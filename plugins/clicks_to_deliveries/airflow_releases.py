"""Names and values that differ between the releases of Airflow that the pipeline runs on (3.1 to 3.3)."""

from __future__ import annotations

try:
    from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable

    RETRY_BACKOFF: float = 2
except ImportError:  # Airflow 3.1
    from airflow.timetables.assets import AssetOrTimeSchedule  # type: ignore[assignment] # The same class, elsewhere.
    from airflow.timetables.trigger import CronTriggerTimetable  # type: ignore[assignment] # The same class, elsewhere.

    # There it is a switch, and the factor is 2.
    RETRY_BACKOFF = True

__all__ = ["RETRY_BACKOFF", "AssetOrTimeSchedule", "CronTriggerTimetable"]
