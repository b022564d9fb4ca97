"""The dashboard of Clicks to Deliveries.  Run it from the repository root: ``streamlit run dashboard/app.py``

This is the server; ``navigation.py`` is the script that Streamlit runs for each visitor.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import streamlit as st
from starlette.middleware import Middleware

from dashboard import access
from dashboard.content_security import ContentSecurityPolicy


@asynccontextmanager
async def warm(_app: st.App) -> AsyncGenerator[None, None]:
    """Spare the first visitor the seconds that imports and connections take."""
    # Not before Streamlit's runtime runs, for which the caches of dashboard.data ask.
    from dashboard import warm_up

    warm_up.import_modules()
    warm_up.connect_in_background()
    yield


def changed_answers() -> list[Middleware]:
    """What changes Streamlit's answers.  The server does not start with a sign-in that is not usable."""
    try:
        sign_in = access.sign_in()
    except access.SignInError as error:
        raise SystemExit(str(error)) from None
    if sign_in is not None:
        return [Middleware(ContentSecurityPolicy), Middleware(access.SignInAnswers, sign_in=sign_in)]
    address = st.get_option("server.address")
    if address not in access.LOOPBACK:
        logging.getLogger("dashboard").warning(
            "Sign-in is not configured: whoever reaches %s can see everything (docs/dashboard.md).", address or "this"
        )
    return [Middleware(ContentSecurityPolicy)]


app = st.App("navigation.py", lifespan=warm, middleware=changed_answers())
