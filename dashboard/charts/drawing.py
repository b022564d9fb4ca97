"""Shows a chart on a page."""

from __future__ import annotations

from typing import Any

import streamlit as st
from altair import Chart, LayerChart


class _Unchecked:
    """A chart that Streamlit does not compare with Vega-Lite's schema, which would take longer than to make it.

    The tests of the charts compare each with the schema.
    """

    def __init__(self, chart: Chart | LayerChart) -> None:
        self._chart = chart

    def to_dict(self) -> dict[str, Any]:
        """Return the chart's specification."""
        return self._chart.to_dict(validate=False)


def draw(chart: Chart | LayerChart, *, alt: str, **options: Any) -> Any:
    """Show ``chart`` as st.altair_chart does, with its ``options``; ``alt`` says to a screen reader what it shows."""
    return st.altair_chart(_Unchecked(chart), alt=alt, **options)  # type: ignore[call-overload]  # Only to_dict() is called.
