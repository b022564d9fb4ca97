"""The person in front of the page: whether they are signed in, until when, and their role."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from enum import Enum
from functools import wraps
from hashlib import sha256

import streamlit as st

from dashboard.access.roles import Role, role_by_claims
from dashboard.access.settings import SignIn, sign_in

# Sign-ins that a person ended, and when each would have ended by itself: another tab may still be open on one.
_signed_out: dict[str, float] = {}
_lock = threading.Lock()


class Standing(Enum):
    """Whether a person may see the dashboard, and if not, why."""

    ADMITTED = "admitted"
    SIGNED_OUT = "signed out"
    ENDED = "the session has ended"
    WITHOUT_ROLE = "without a role"


def standing() -> Standing:
    """Return whether the person who looks at the page may see it."""
    configured = sign_in()
    if configured is None:
        return Standing.ADMITTED
    claims = user()
    if claims.get("is_logged_in") is not True or _sign_in_of(claims) in _signed_out:
        return Standing.SIGNED_OUT
    if ends_at(claims, configured) <= time.time():
        return Standing.ENDED
    return Standing.WITHOUT_ROLE if _role(claims, configured) is None else Standing.ADMITTED


def role() -> Role | None:
    """Return the role of the person who looks at the page, or None if they may see nothing."""
    if standing() is not Standing.ADMITTED:
        return None
    configured = sign_in()
    return Role.OPERATOR if configured is None else _role(user(), configured)


def is_operator() -> bool:
    """Return whether the person may see raw records and the commands that act on them."""
    return role() is Role.OPERATOR


def seconds_left() -> int:
    """Return how long the session of a person who is signed in still lasts, in whole seconds, rounded up."""
    configured = sign_in()
    return 0 if configured is None else max(0, math.ceil(ends_at(user(), configured) - time.time()))


def fragment(run_every: float | None) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Make a function a part of a page that refreshes by itself, for as long as the person may see it.

    Streamlit runs a fragment alone, without the script that asks who is there.  So each fragment asks first: after the
    session has ended, it runs nothing but that script.
    """

    def checked(show: Callable[[], None]) -> Callable[[], None]:
        @st.fragment(run_every=run_every)
        @wraps(show)
        def run() -> None:
            if standing() is not Standing.ADMITTED:
                st.rerun()
            show()

        return run

    return checked


def end() -> None:
    """End the session, in every tab of this sign-in, and leave for the provider to end it there too."""
    configured, claims = sign_in(), user()
    if configured is not None and claims.get("is_logged_in") is True:
        with _lock:
            now = time.time()
            for over in [each for each, until in _signed_out.items() if until <= now]:
                del _signed_out[over]
            _signed_out[_sign_in_of(claims)] = ends_at(claims, configured)
    st.logout()


def user() -> Mapping[str, object]:
    """Return the claims of the person's identity token, and ``is_logged_in``."""
    return st.user.to_dict()


def ends_at(claims: Mapping[str, object], configured: SignIn) -> float:
    """Return when the session ends, in seconds since 1970: with the identity token, or after the longest time allowed.

    Streamlit checks neither: its cookie lasts 30 days.  A token that does not say when it was issued or ends has ended.
    """
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        return 0
    return min(expires, issued + configured.session_seconds)


def _role(claims: Mapping[str, object], configured: SignIn) -> Role | None:
    return role_by_claims(claims, configured.operators, configured.readers)


def _sign_in_of(claims: Mapping[str, object]) -> str:
    """Return what tells this sign-in from every other, also from the same person's next one."""
    parts = [str(claims.get(claim)) for claim in ("iss", "sub", "iat", "nonce")]
    return sha256("\n".join(parts).encode()).hexdigest()
