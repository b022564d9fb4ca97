"""The addresses that alerts contain."""

from __future__ import annotations

from airflow.configuration import conf

from include.alerts import Links
from include.settings import settings


def alert_links() -> Links:
    """Return the addresses of the settings; Airflow's own, if none is set, is the one that it knows."""
    return Links(
        airflow_url=settings().airflow_url or conf.get("api", "base_url", fallback=""),
        dashboard_url=settings().dashboard_url,
        repository_url=settings().repository_url,
    )
