"""Widgets whose choice outlasts a refresh: it is kept while options come and go, a store fails or another page is open.

Streamlit forgets a widget's value once a run does not show the widget, and resets it where an option is gone.  Each
widget here remembers what a person chose, for as long as the browser's session lasts.

Tabs are left to the browser, which keeps the open one while a page is open.  Streamlit's own memory of tabs goes back
to the tab before if a person clicks two of them quickly on a slow connection.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st


def many(label: str, options: Sequence[str], default: Sequence[str], key: str) -> list[str]:
    """Ask for any number of ``options``, and return those of the choice that still exist.

    Until a person chooses, the choice is ``default``.  An option that comes back is chosen again.
    """
    remembered, existing = st.session_state.get(_memory(key), default), set(options)
    _show(key, [option for option in remembered if option in existing])
    return st.multiselect(label, options, key=key, on_change=_remember, args=[key])


def one(label: str, options: Sequence[str], key: str) -> str:
    """Ask for one of ``options``.  The first stands in for a choice that is gone."""
    remembered = st.session_state.get(_memory(key))
    _show(key, remembered if remembered in options else options[0])
    return st.selectbox(label, options, key=key, on_change=_remember, args=[key])


def text(label: str, default: str, key: str, meaning: str) -> str:
    """Ask for a text, which is the first ``default`` until a person types another."""
    _show(key, st.session_state.setdefault(_memory(key), default))
    return st.text_input(label, key=key, help=meaning, on_change=_remember, args=[key])


def _memory(key: str) -> str:
    return f"remembered_{key}"


def _remember(key: str) -> None:
    st.session_state[_memory(key)] = st.session_state[key]


def _show(key: str, value: object) -> None:
    if key not in st.session_state or st.session_state[key] != value:
        st.session_state[key] = value
