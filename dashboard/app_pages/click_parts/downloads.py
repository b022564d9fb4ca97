"""Numbers to take away: a table as CSV, a chart as PNG or SVG."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

# Streamlit's own download of a table would write a name such as "=1+1" as a formula.
_NO_OTHER_CSV = (
    "<style>[data-testid='stElementToolbarButton']:has([aria-label='Download as CSV']) {display: none}</style>"
)


def csv_button(name: str, content: Callable[[], bytes], *, meaning: str, key: str) -> None:
    """Show the button that saves a table; ``content`` is written when a person asks for it."""
    st.html(_NO_OTHER_CSV)
    st.download_button(
        "Save as CSV",
        content,
        f"{name}.csv",
        "text/csv",
        key=key,
        help=f"{meaning} Times are in UTC. A name that a spreadsheet would calculate has an apostrophe in front.",
        on_click="ignore",
        icon=":material/download:",
    )
