"""Widgets whose choice outlasts a refresh: it is kept while options come and go, a store fails or another page is open.

Streamlit forgets a widget's value once a run does not show the widget, and resets it where an option is gone.  Each
widget here remembers what a person chose, for as long as the browser's session lasts.

A page in parts asks with :func:`part` which of them is open, and runs only that one.  Streamlit's tabs run all of their
contents; if they are told not to, they go back to the tab before if a person clicks two of them quickly on a slow
connection.
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


def part(label: str, parts: Sequence[str], key: str) -> str:
    """Ask which of a page's ``parts`` is open, the first until a person chooses.  The label is for screen readers."""
    remembered = st.session_state.get(_memory(key))
    _show(key, remembered if remembered in parts else parts[0])
    chosen = st.segmented_control(
        label, parts, required=True, key=key, on_change=_remember, args=[key], label_visibility="collapsed"
    )
    return chosen or parts[0]


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
