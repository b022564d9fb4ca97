"""Numbers to take away: a table as CSV.  A chart has a toolbar of Streamlit's, which saves it as PNG."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st


def csv_button(name: str, content: Callable[[], bytes], *, meaning: str, key: str) -> None:
    """Show the button that saves a table; ``content`` is written when a person asks for it."""
    places = st.columns([1, 4], vertical_alignment="center")
    places[1].caption("The toolbar of a chart saves it as PNG.")
    places[0].download_button(
        "Save as CSV",
        content,
        f"{name}.csv",
        "text/csv",
        key=key,
        help=f"{meaning} Times are in UTC. A name that a spreadsheet would calculate has an apostrophe in front.",
        on_click="ignore",
        icon=":material/download:",
    )
