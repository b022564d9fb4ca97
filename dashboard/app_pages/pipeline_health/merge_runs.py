"""The part Merge runs: when the history was last merged, how long it took and what it wrote."""

import pandas as pd
import streamlit as st

from dashboard import airflow_links, data, times, ui
from dashboard.charts import pipeline_charts
from dashboard.charts.drawing import draw


def show() -> None:
    """Show the newest runs of the merge."""
    runs = data.merge_runs()
    if runs.empty:
        ui.empty(
            "No merge has run yet", "The DAG **scd2_merge** starts automatically once Snowpipe has loaded readings."
        )
        return
    runs = runs.assign(
        seconds=(runs["finished_at"] - runs["started_at"]).dt.total_seconds(),
        link=[airflow_links.merge(run) for run in runs["run_id"]],
    )
    last, seconds = runs["started_at"].iloc[0], runs["seconds"].iloc[0]
    cards = st.columns(4)
    cards[0].metric("Last merge started", f"{ui.age(last)} ago", border=True)
    cards[1].metric("Last duration", ui.UNKNOWN_VALUE if pd.isna(seconds) else f"{seconds:.1f} s", border=True)
    cards[2].metric("Runs shown", f"{len(runs)}", border=True)
    cards[3].metric("Versions opened in them", f"{runs['rows_inserted'].sum():,.0f}", border=True)
    with st.container(border=True):
        st.markdown("**Rows written by each run**")
        draw(
            pipeline_charts.merge_rows(runs),
            width="stretch",
            alt="Rows that each merge run wrote. The table below has the numbers.",
        )
    st.dataframe(
        runs,
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_order=[
            *("started_at", "seconds", "rows_inserted", "rows_updated", "rows_deleted", "run_id"),
            *(["link"] if runs["link"].notna().any() else []),
        ],
        column_config={
            "started_at": times.column("Started"),
            "seconds": st.column_config.NumberColumn("Duration, s", format="%.1f"),
            "rows_inserted": st.column_config.NumberColumn("Inserted", format="localized"),
            "rows_updated": st.column_config.NumberColumn("Updated", format="localized"),
            "rows_deleted": st.column_config.NumberColumn("Deleted", format="localized"),
            "run_id": st.column_config.TextColumn("Run", width="large"),
            "link": airflow_links.column("The run of scd2_merge, or of repair_history."),
        },
    )
