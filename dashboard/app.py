"""The dashboard of Clicks to Deliveries.  Run it from the repository root: ``streamlit run dashboard/app.py``

This is the server; ``navigation.py`` is the script that Streamlit runs for each visitor.
"""

import streamlit as st
from starlette.middleware import Middleware

from dashboard.content_security import ContentSecurityPolicy

app = st.App("navigation.py", middleware=[Middleware(ContentSecurityPolicy)])
