"""Addresses of DAGs and their runs in Airflow's web pages, where the setting CTD_AIRFLOW_URL says where these are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import data
from include import names
from include.alerts import Links

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

DATA_QUALITY, RECONCILE, REPAIR, REPLAY, SCD2_MERGE, SEND_ALERTS = map(
    names.dag, ("data_quality", "reconcile", "repair_history", "replay", "scd2_merge", "send_alerts")
)


def dag(dag_id: str) -> str | None:
    """Return the address of a DAG, or None if there are no links."""
    base = data.airflow_url(os.environ)
    return Links(airflow_url=base).dag(dag_id) if base else None


def run(dag_id: str, run_id: str) -> str | None:
    """Return the address of a run of a DAG, or None if there are no links."""
    base = data.airflow_url(os.environ)
    return Links(airflow_url=base).run(dag_id, run_id) if base else None


def merge(recorded: str) -> str | None:
    """Return the address of a run in HISTORY_MERGE_RUNS.

    repair_history puts its action before the run.
    """
    _action, separator, run_id = recorded.partition(": ")
    return run(REPAIR, run_id) if separator else run(SCD2_MERGE, recorded)


def column(meaning: str) -> ColumnConfig:
    """Return a table column of such addresses.  A row without one has an empty cell."""
    return st.column_config.LinkColumn("Airflow", display_text="open the run", width="small", help=meaning)
