"""What charts share: heights, titles and the axis of time."""

from __future__ import annotations

import altair as alt

from dashboard import times

HEIGHT = 290
# With so few points, a line alone might not be visible.
FEW_POINTS = 20


def time_axis(field: str, title: str | None = None, *, binned: bool = False) -> alt.X:
    """Return a horizontal axis of the instants in ``field``; ``binned`` if bars span from it to an end.

    Its title is ``title`` and the zone, or the zone alone.
    """
    clock = {"seconds": "%H:%M:%S", "minutes": "%H:%M", "hours": "%H:%M", "date": "%b %d"}
    axis = alt.Axis(grid=False, labelFlush=True, tickCount=6, labelOverlap=True, format=clock)
    # Vega-Lite stacks bars that span from a start to an end only if it knows that the field is binned.
    return alt.X(
        f"{field}:T",
        title=times.zone_name() if title is None else times.titled(title),
        # Vega's other scale of time is in the zone of the browser, which is the viewer's.
        scale=alt.Scale(type="utc" if times.is_utc() else "time"),
        axis=axis,
        bin="binned" if binned else alt.Undefined,
    )


def when(field: str, title: str = "time") -> alt.Tooltip:
    """Return a tooltip's line for the instant in ``field``; its title is ``title`` and the zone."""
    zone = "utc" if times.is_utc() else ""
    return alt.Tooltip(
        f"{zone}yearmonthdatehoursminutesseconds({field}):T", title=times.titled(title), format="%Y-%m-%d %H:%M:%S"
    )


def quiet_title(text: str) -> alt.TitleParams:
    """Return ``text`` as a remark above the right end of a chart."""
    return alt.TitleParams(text, anchor="end", fontSize=11, fontWeight="normal", color="gray")
