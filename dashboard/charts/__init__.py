"""Charts over time and by kind: pure functions from a frame to an Altair chart.

The theme sets the colours (.streamlit/config.toml).  Times are in the zone that :mod:`dashboard.times` names.  No chart
loads anything from the network.
"""
