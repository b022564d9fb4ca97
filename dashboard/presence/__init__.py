"""Whether anybody can see the page: a page behind another tab refreshes nothing, so it keeps no store busy.

A browser goes on refreshing a hidden page, if more slowly, and Streamlit has no word for it.  The browser's side is a
page of our own in this folder, because the content security policy allows no script in a page's text.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.components.v1 import declare_component

_KEY = "is_seen"


def watch() -> None:
    """Have the browser say when the page is hidden and when it is seen again.  Each runs the script once."""
    # Declared here and not with the module, because a server knows only what is declared while a script runs.
    component = declare_component("watch", path=Path(__file__).parent)
    component(default=True, key=_KEY, tab_index=-1)


def is_seen() -> bool:
    """Return whether the page can be seen; until the browser says otherwise, it can."""
    return st.session_state.get(_KEY) is not False
