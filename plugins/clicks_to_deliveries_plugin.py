"""What Airflow loads as a plugin: the listener that stores an alert with each failed run, and the dashboard's links."""

from __future__ import annotations

import os
from typing import Any

from airflow.plugins_manager import AirflowPlugin
from clicks_to_deliveries.notifiers import run_notes

# Page of the dashboard -> what Airflow's menu calls it: the state of the pipeline first.
PAGES = {"": "Pipeline state", "pipeline_health": "Pipeline health", "fleet": "Fleet"}


def external_views(dashboard_url: str) -> list[dict[str, Any]]:
    """Return the links in Airflow's menu; none without a dashboard.

    They open in a tab of their own: no page may frame the dashboard (dashboard/content_security.py).
    """
    address = dashboard_url.rstrip("/")
    views = [
        {"name": name, "href": f"{address}/{page}", "destination": "nav", "category": "Clicks to Deliveries"}
        for page, name in PAGES.items()
    ]
    return views if address else []


class ClicksToDeliveriesPlugin(AirflowPlugin):
    """The pipeline's part of Airflow's own processes."""

    name = "clicks_to_deliveries"
    listeners = [run_notes]  # noqa: RUF012 - Airflow's class has a list
    # Not by include.settings: a setting that is missing must not take the listener away.
    external_views = external_views(os.environ.get("CTD_DASHBOARD_URL", ""))
