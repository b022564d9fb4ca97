"""The script that Streamlit runs for each visitor: the pages and the filters that they share."""

from pathlib import Path

import streamlit as st

from dashboard import access, choices, ui
from include import naming

ABOUT = """**Clicks to Deliveries**: customers' clicks, delivery trucks, and the pipeline that brings them here.

The address of a page includes your choices: share it, and others see the same view."""

FOLDER = Path(__file__).parent

st.set_page_config(
    # A local file: browsers would fetch a Material icon or an emoji from the internet.
    page_icon=str(FOLDER / "icon.svg"),
    layout="wide",
    # Streamlit's menu at the top right, where a person chooses light or dark, is there only if it has an item.
    menu_items={"About": ABOUT},
)

is_open = access.is_open()
# Those of the trucks together.  Streamlit's groups with headings are lists that a screen reader can't count.
page = st.navigation(
    [
        st.Page("app_pages/overview.py", title="Overview", icon=":material/dashboard:", default=True),
        st.Page("app_pages/live_clicks.py", title="Live clicks", icon=":material/ads_click:"),
        st.Page("app_pages/fleet/page.py", title="Fleet", icon=":material/local_shipping:", url_path="fleet"),
        st.Page("app_pages/trips.py", title="Trips", icon=":material/route:"),
        st.Page(
            "app_pages/truck_history/page.py",
            title="Truck history",
            icon=":material/history:",
            url_path="truck_history",
        ),
        st.Page("app_pages/maintenance.py", title="Maintenance", icon=":material/build:"),
        st.Page(
            "app_pages/pipeline_health/page.py",
            title="Pipeline health",
            icon=":material/monitor_heart:",
            url_path="pipeline_health",
        ),
    ],
    # A page's address stays while a person signs in, so the pages are known before.
    position="sidebar" if is_open else "hidden",
)
deployed = f"Clicks to Deliveries, {naming.ENVIRONMENT}" if naming.ENVIRONMENT else "Clicks to Deliveries"
st.set_page_config(page_title=f"{page.title} · {deployed}")
st.html(FOLDER / "style.css")
if is_open:
    choices.arrive(page.url_path, ui.SHARED)
    ui.sidebar()
    access.show_session()
    # While a page is opened or a filter changes; a refresh replaces what is there without a word.
    with st.spinner("Asking the stores…"):
        page.run()
else:
    access.show_closed()
