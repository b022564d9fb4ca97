"""The script that Streamlit runs for each visitor: the pages and the filters that they share."""

from pathlib import Path

import streamlit as st

from dashboard import choices, ui

# The icon is a local file: browsers would fetch a Material icon or an emoji from the internet.
st.set_page_config(
    page_title="Clicks to Deliveries", page_icon=str(Path(__file__).with_name("icon.svg")), layout="wide"
)

# Streamlit leaves space above the title for a toolbar that this app hides, and cuts a long name in a chart's tooltip.
st.html(
    "<style>"
    "[data-testid='stMainBlockContainer'] {padding-top: 2.5rem; padding-bottom: 2rem}"
    "#vg-tooltip-element table tr td.value {-webkit-line-clamp: unset; line-clamp: unset; overflow-wrap: anywhere}"
    # Data in a card is code, so that nothing of it is formatting; it looks like the other cards.
    "[data-testid='stMetricValue'] code {font: inherit; color: inherit; background: none; padding: 0}"
    "</style>"
)

# By group, in the order in which the sidebar lists them.
page = st.navigation(
    {
        "": [
            st.Page("app_pages/live_clicks.py", title="Live clicks", icon=":material/ads_click:", default=True),
        ],
        "Trucks": [
            st.Page("app_pages/fleet.py", title="Fleet", icon=":material/local_shipping:"),
            st.Page("app_pages/truck_history.py", title="Truck history", icon=":material/history:"),
        ],
        "Pipeline": [
            st.Page(
                "app_pages/pipeline_health/page.py",
                title="Pipeline health",
                icon=":material/monitor_heart:",
                url_path="pipeline_health",
            ),
        ],
    }
)
choices.arrive(page.url_path, ui.SHARED)
ui.sidebar()
page.run()
