"""Charts over time and by kind: pure functions from a frame to an Altair chart.

The theme sets the colours (.streamlit/config.toml).  Times are in UTC, whatever the browser's time zone.  No chart
loads anything from the network.
"""
