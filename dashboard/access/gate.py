"""What a person sees who may not see the dashboard, and the button that ends a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from dashboard import as_sent
from dashboard.access.session import Standing, end, fragment, role, seconds_left, standing, user
from dashboard.access.settings import SignInError, sign_in

# How often an open page asks whether its session still lasts, in seconds, if nothing on it refreshes more often.
WATCH_SECONDS = 60


class Notice(NamedTuple):
    """A page with one button."""

    title: str
    text: str
    button: str
    act: Callable[[], None]


def is_open() -> bool:
    """Return whether the person may see the dashboard.  Nothing is queried for anybody else."""
    try:
        return standing() is Standing.ADMITTED
    except SignInError:
        return False


def show_closed() -> None:
    """Show why the person sees nothing, and what they can do about it."""
    try:
        notice = _notice(standing())
    except SignInError as error:
        st.error("The dashboard is closed.", icon=":material/lock:")
        st.text(str(error))
        return
    with st.container(horizontal_alignment="center"), st.container(width=560):
        st.title(notice.title, anchor=False)
        st.markdown(notice.text)
        st.button(notice.button, on_click=notice.act, type="primary")


def show_session() -> None:
    """Show in the sidebar who is signed in and in which role, and the button that ends the session."""
    if sign_in() is None:
        return
    with st.sidebar:
        st.caption(f"Signed in as {_name()}, {role()}.")
        st.button("Sign out", on_click=end, icon=":material/logout:", width="stretch")

        @fragment(run_every=min(WATCH_SECONDS, seconds_left()))
        def watch() -> None:
            """Close a page that nobody touches when its session ends."""

        watch()


def _notice(now: Standing) -> Notice:
    if now is Standing.ENDED:
        return Notice("Your session has ended", "Sign in again to go on where you were.", "Sign in again", st.login)
    if now is Standing.WITHOUT_ROLE:
        return Notice(
            "You don’t have access yet",
            f"You are signed in as {_name()}, without a role in this dashboard.\n\nAsk the people who run it for the "
            "role *reader*, or *operator* if you repair the pipeline. Give them this name. Then sign out and in again.",
            "Sign out",
            end,
        )
    return Notice("Clicks to Deliveries", "Sign in to see clicks, trucks and the pipeline.", "Sign in", st.login)


def _name() -> str:
    """Return how the provider names the person, as text that is no formatting."""
    claims = user()
    return as_sent.markdown(str(claims.get("email") or claims.get("preferred_username") or claims.get("sub")))
