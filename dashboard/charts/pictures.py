"""Charts that a person can keep: links under a chart save it as PNG or SVG, drawn by the browser, sent nowhere."""

from __future__ import annotations

from typing import Any, TypeVar

import altair as alt

C = TypeVar("C", alt.Chart, alt.LayerChart)


def savable(chart: C, file_name: str) -> C:
    """Return ``chart`` with the links that save it under ``file_name``.

    They are Vega's own.  Its links to the source and to an editor on the internet stay out.
    """
    options: dict[str, Any] = {
        "actions": {"export": {"png": True, "svg": True}, "source": False, "compiled": False, "editor": False},
        "downloadFileName": file_name,
        "scaleFactor": {"png": 2},
        "i18n": {"PNG_ACTION": "Save as PNG", "SVG_ACTION": "Save as SVG"},
    }
    return chart.properties(usermeta={"embedOptions": options})
