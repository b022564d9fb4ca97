"""The time line: how many versions start when, and which fields they change.  It is for finding and zooming."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard import data, times, version_changes
from dashboard.app_pages.truck_history.span_choice import choose
from dashboard.charts import truck_charts
from dashboard.charts.drawing import draw
from dashboard.spans import Span, between, moved

# So many slices fill a wide screen, and a slice is some pixels wide.
SLICES = 120
# So many versions can be told apart as bands, and drawn as single steps.
SINGLE_VERSIONS = 300
NAMED_CHANGES = 4
_EPOCH = pd.Timestamp(0, tz="UTC").to_pydatetime()


class Shown(NamedTuple):
    """What the time line shows.

    Attributes:
        total: how many versions start in the span.
        width: of a slice.
        versions: the versions that are valid in the span, newest first, if they are few; otherwise None.  Of each,
            changed says what it changed.
        changes: start, end, versions, and by its name for each of the 21 metrics how many of the versions that start
            then changed it.
    """

    total: int
    width: timedelta
    versions: pd.DataFrame | None
    changes: pd.DataFrame


def show(truck: str, span: Span, first: datetime, instant: datetime | None) -> Shown:
    """Show the time line of a truck, and return what it shows.

    ``first`` is the start of its first version, and ``instant`` the chosen one, if there is one.
    """
    width = span.slice_width(SLICES)
    slices = data.version_slices(truck, span.since, span.until, width)
    count = int(slices["versions"].sum())
    visible = instant if instant is not None and span.since <= instant <= span.until else None
    versions = None
    if count <= SINGLE_VERSIONS:
        versions = versions_of(data.versions(truck, span.since, span.until), span.since)
    with st.container(border=True):
        st.markdown(summary(count, span, width, versions))
        if versions is None:
            changes = slices.assign(**_edges(slices["slice"], span, width))
            chart = truck_charts.version_bars(changes, span, visible)
        elif versions.empty:
            st.caption("No version of this truck is valid in this time: its history starts later.")
            changes = slices.assign(start=[], end=[])
            return Shown(count, width, versions, changes)
        else:
            bands = _bands(versions, span)
            chart = truck_charts.version_bands(bands, span, visible)
            # A change is an instant; the version may last for long.
            changes = bands.assign(end=bands["start"] + width)
        # A chart of another span has nothing selected, so it is another element.  Its place keeps the height meanwhile
        # (style.css).
        with st.container(key="time_line_of_bars" if versions is None else "time_line_of_bands"):
            event = draw(
                chart,
                width="stretch",
                on_select="rerun",
                selection_mode=[truck_charts.BRUSH],
                key=key_of("time_line", truck, *span),
                alt="Versions of the truck over time. The table below lists them.",
            )
        zoom(span, brushed(event), first)
    return Shown(count, width, versions, changes)


def key_of(element: str, *about: object) -> str:
    """Return a key for an element that begins anew for each thing it is about.

    A key is in the page's HTML, so it has nothing in it that a device sent.
    """
    return f"{element}_{blake2s(repr(about).encode(), digest_size=8).hexdigest()}"


def summary(count: int, span: Span, width: timedelta, versions: pd.DataFrame | None) -> str:
    """Return the sentence above the time line."""
    of = f"from {times.named(span.since)} until {times.named(span.until)}"
    if versions is not None:
        return f"**{count:,} {'version starts' if count == 1 else 'versions start'}** {of} · a band is a version"
    return f"**{count:,} versions start** {of} · one bar per {width_in_words(width)}"


def width_in_words(width: timedelta) -> str:
    """Return the width of a slice for a person to read."""
    return version_changes.lasted(width.total_seconds())


def versions_of(found: pd.DataFrame, since: datetime) -> pd.DataFrame:
    """Return the versions that are valid from ``since`` on, newest first, with what each changed.

    The version before them is in ``found`` too, if there is one.  Adds changed (text), and changed_<metric> (bool).
    """
    differs = version_changes.changed_metrics(found)
    texts = [version_changes.named(row, NAMED_CHANGES) for row in differs.to_numpy()]
    told = pd.concat([found.assign(changed=texts), differs.add_prefix("changed_")], axis=1)
    return told[~(told["effective_end_date"] <= since)].head(data.MAX_VERSIONS)


def zoom(span: Span, selected: Span | None, first: datetime) -> None:
    """Show the buttons that move the time line.  They do the same as dragging, for a keyboard and a phone."""
    end = moved(data.now(), timedelta(seconds=1))
    moves = {
        "Zoom in": (":material/zoom_in:", selected or span.zoomed_in(), False),
        "Zoom out": (":material/zoom_out:", span.zoomed_out(), span.since <= first and span.until >= end),
        "Earlier": (":material/chevron_left:", span.earlier(), span.since <= first),
        "Later": (":material/chevron_right:", span.later(), span.until >= end),
    }
    row = st.container(horizontal=True, vertical_alignment="center")
    for label, (icon, target, is_off) in moves.items():
        row.button(
            label if label != "Zoom in" or selected is None else "Zoom into the selection",
            icon=icon,
            on_click=choose,
            args=[target],
            disabled=is_off,
            key=f"move_{label}",
        )
    row.caption("Drag over the time line to select a part of it.")


def brushed(event: Mapping[str, Any]) -> Span | None:
    """Return the span that a person selected by dragging over the time line, if there is one."""
    ends = event.get("selection", {}).get(truck_charts.BRUSH, {}).get("start")
    if not ends:
        return None
    since, until = (moved(_EPOCH, timedelta(milliseconds=float(end))) for end in (ends[0], ends[-1]))
    return between(since, until)


def _edges(slices: pd.Series, span: Span, width: timedelta) -> dict[str, list[datetime]]:
    numbers = [int(number) for number in slices]
    return {
        "start": [moved(span.since, width * number) for number in numbers],
        "end": [min(moved(span.since, width * (number + 1)), span.until) for number in numbers],
    }


def _bands(versions: pd.DataFrame, span: Span) -> pd.DataFrame:
    starts, ends = versions["effective_start_date"], versions["effective_end_date"]
    since, until = pd.Timestamp(span.since), pd.Timestamp(span.until)
    bands = pd.DataFrame(
        {
            "start": starts.where(starts > since, since),
            "end": ends.where(ends < until, until),
            "state": versions["is_current"].map({True: "current", False: "past"}),
            "changed": versions["changed"],
            "versions": 1,
        }
    )
    return pd.concat([bands, pd.DataFrame({name: versions[f"changed_{name}"] for name in data.METRIC_NAMES})], axis=1)
