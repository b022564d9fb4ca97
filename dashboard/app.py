"""Clicks to Deliveries, the dashboard.  From the repository root: streamlit run dashboard/app.py"""

import streamlit as st

from dashboard import ui

st.set_page_config(page_title="Clicks to Deliveries", page_icon=":material/local_shipping:", layout="wide")

# Streamlit leaves room above the title for a toolbar that is not shown.
st.html("<style>[data-testid='stMainBlockContainer'] {padding-top: 2.5rem; padding-bottom: 2rem}</style>")

page = st.navigation(
    [
        st.Page("app_pages/live_clicks.py", title="Live clicks", icon=":material/ads_click:", default=True),
        st.Page("app_pages/fleet.py", title="Fleet", icon=":material/local_shipping:"),
        st.Page("app_pages/truck_history.py", title="Truck history", icon=":material/history:"),
        st.Page("app_pages/pipeline_health.py", title="Pipeline health", icon=":material/monitor_heart:"),
    ]
)
ui.sidebar()
page.run()
