"""The part Loads: the files that Snowpipe loaded, and the first error of each."""

import streamlit as st

from dashboard import data, times, ui


def show(hours: int) -> None:
    """Show the newest files of the last ``hours``."""
    files = data.load_history(hours)
    if files.empty:
        ui.empty(
            f"No file was loaded in the last {hours} h",
            "Snowpipe loads the objects under telemetry-data/. Start traffic with the DAG **generate_traffic**, or "
            "check the DAG **monitor_snowpipe**.",
        )
        return
    with_errors = files["error_count"].fillna(0) > 0
    cards = st.columns(4)
    cards[0].metric(
        "Files",
        f"{len(files):,}",
        border=True,
        help="The newest 200 files at most. All figures here are of these files.",
    )
    cards[1].metric(
        "Rows loaded", f"{files['row_count'].sum():,.0f}", border=True, help="Of the newest 200 files at most."
    )
    cards[2].metric("Files with errors", f"{with_errors.sum()}", border=True)
    cards[3].metric("Last load", f"{ui.age(files['loaded_at'].max())} ago", border=True)
    st.dataframe(
        files,
        hide_index=True,
        placeholder=ui.UNKNOWN_VALUE,
        column_order=["loaded_at", "status", "row_count", "error_count", "first_error_message", "file_name"],
        column_config={
            "loaded_at": times.column("Loaded"),
            "status": st.column_config.TextColumn("Status", width="small"),
            "row_count": st.column_config.NumberColumn("Rows", format="localized", width="small"),
            "error_count": st.column_config.NumberColumn("Errors", format="localized", width="small"),
            "first_error_message": st.column_config.TextColumn("First error", width="medium"),
            "file_name": st.column_config.TextColumn("File", width="large"),
        },
    )
