"""Registers the listener that stores an alert with each failed run.  Airflow loads this file as a plugin."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin
from clicks_to_deliveries.notifiers import run_notes


class ClicksToDeliveriesPlugin(AirflowPlugin):
    """The pipeline's part of Airflow's own processes."""

    name = "clicks_to_deliveries"
    listeners = [run_notes]  # noqa: RUF012 - Airflow's class has a list
