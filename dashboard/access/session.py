"""The person in front of the page: their role, and whether their session still lasts."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import streamlit as st

from dashboard.access.roles import Role


def role() -> Role | None:
    """Return the role of the person who looks at the page, or None if they may see nothing."""
    return Role.OPERATOR


def is_operator() -> bool:
    """Return whether the person may see raw records and the commands that act on them."""
    return role() is Role.OPERATOR


def fragment(run_every: int | None) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Make a function a part of a page that refreshes by itself, for as long as the person may see it.

    Streamlit runs a fragment alone, without the script that asks who is there.  So each fragment asks first: after the
    session has ended, it runs nothing but that script.
    """

    def checked(show: Callable[[], None]) -> Callable[[], None]:
        @st.fragment(run_every=run_every)
        @wraps(show)
        def run() -> None:
            if role() is None:
                st.rerun()
            show()

        return run

    return checked
