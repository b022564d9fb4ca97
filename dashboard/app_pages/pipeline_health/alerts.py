"""The part Alerts: what people were told about data, and what they have not been told yet."""

from __future__ import annotations

import json

import pandas as pd
import streamlit as st

from dashboard import airflow_links, as_sent, data, quantities, times, ui


def show(hours: int) -> None:
    """Show the alerts that wait, and those of the last ``hours``."""
    alerts = data.alerts(hours)
    waiting = alerts[alerts["sent_at"].isna()]
    if len(waiting):
        oldest = waiting["stored_at"].min()
        _warn(len(waiting), ui.age(oldest))
    if alerts.empty:
        st.success(f"No check had anything to report in the last {hours} h.", icon=":material/check_circle:")
    else:
        _table(alerts)
    st.caption(
        "What data_quality, reconcile and monitor_snowpipe found. Alerts about failed runs are in Airflow, and alarms "
        "of AWS in CloudWatch."
    )


def _warn(count: int, age: str) -> None:
    what = "1 alert has" if count == 1 else f"{count:,} alerts have"
    st.warning(
        f"**{what} not been sent yet**, the oldest for {age}. The DAG **{airflow_links.SEND_ALERTS}** sends them; if "
        "one waits for more than a few minutes, its runs say which channel does not accept it.",
        icon=":material/schedule_send:",
    )
    if address := airflow_links.dag(airflow_links.SEND_ALERTS):
        st.link_button("Open the DAG in Airflow", address, icon=":material/open_in_new:")


def _table(alerts: pd.DataFrame) -> None:
    took = (alerts["sent_at"] - alerts["stored_at"]).dt.total_seconds()
    st.dataframe(
        alerts.assign(
            sent=["not yet" if pd.isna(seconds) else f"after {quantities.duration(seconds)}" for seconds in took],
            channels=[", ".join(json.loads(sent_to)) for sent_to in alerts["sent_to"]],
            headline=[as_sent.visible(text) for text in alerts["headline"]],
        ),
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_order=["stored_at", "sent", "state", "severity", "headline", "channels", "message"],
        column_config={
            "stored_at": times.column("Stored"),
            "sent": "Sent",
            "state": "State",
            "severity": "Severity",
            "headline": st.column_config.TextColumn("What", width="large"),
            "channels": st.column_config.TextColumn("Sent to", help="The channels that have it."),
            "message": st.column_config.TextColumn("Message", help="Click a cell to read all of it."),
        },
    )
