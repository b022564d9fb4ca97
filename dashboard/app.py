"""The dashboard of Clicks to Deliveries.  Run it from the repository root: ``streamlit run dashboard/app.py``

This is the server; ``navigation.py`` is the script that Streamlit runs for each visitor.
"""

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
    await warm_up.connect_for_a_while()
    yield


middleware = [Middleware(ContentSecurityPolicy), *access.middleware()]
app = st.App("navigation.py", lifespan=warm, middleware=middleware)
