"""Form fields that several DAGs share."""

from __future__ import annotations

from airflow.sdk import Param


def optional_time(title: str, description: str = "UTC if without offset.") -> Param:
    """Return a field for a time, empty by default."""
    return Param(None, type=["null", "string"], format="date-time", title=title, description=description)
