"""Pipeline health: how fresh each store is, and what went wrong on the way to the history."""

import streamlit as st

from dashboard import ui
from dashboard.app_pages.pipeline_health import freshness, ledger, loads, merge_runs, quality, quarantine

chosen = ui.filters()
# Loaded files and quarantined records are found by the hour.
hours = max(1, chosen.minutes // 60)

ui.header("Pipeline health", "How far each store is behind, from the stream to the history, and what went wrong where.")


@st.fragment(run_every=chosen.refresh)
def live() -> None:
    # A container, so that a message does not move what follows: the browser would forget which tab is open.
    with st.container():
        freshness.show()
    tabs = st.tabs(["Merge runs", "Ledger", "Quality", "Loads", "Quarantine"])
    with tabs[0], ui.store_section():
        merge_runs.show()
    with tabs[1], ui.store_section():
        ledger.show()
    with tabs[2], ui.store_section():
        quality.show()
    with tabs[3], ui.store_section():
        loads.show(hours)
    with tabs[4], ui.store_section():
        quarantine.show(hours)


live()
