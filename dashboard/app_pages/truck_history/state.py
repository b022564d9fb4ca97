"""The state of a truck at an instant, beside another of its versions: what differs first, and the rest folded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd
import streamlit as st

from dashboard import as_sent, choices, data, times, ui, version_changes
from dashboard.app_pages.truck_history.instants import explain
from dashboard.app_pages.truck_history.timeline import Shown
from dashboard.charts import truck_charts
from dashboard.charts.drawing import draw
from dashboard.spans import LATEST, Span, moved
from dashboard.version_changes import FieldChange

# The part of the page that this is.
PART = "State and changes"
BEFORE, NEWEST, OTHER = "the version before", "the newest version", "another instant"
NOW_WORDS = ("", "now")
MOST_DECIMALS = 9


class AsOf(NamedTuple):
    """The instant that a person asks about.

    Attributes:
        instant: UTC; None is the newest version.
        problem: Markdown that says why what was typed is no instant, or "".
    """

    instant: datetime | None
    problem: str = ""


def ask_instant(label: str, truck: str, key: str) -> AsOf:
    """Ask for an instant of a truck, and return it.  Each truck has its own."""
    text = choices.text(
        times.titled(label),
        "",
        key=key,
        meaning=f"A date and time in {times.zone_name()}, such as 2026-11-22 14:05:30, or one with an offset. "
        "Empty: the newest version.",
        of=truck,
    )
    if text.strip().lower() in NOW_WORDS:
        return AsOf(None)
    instant = times.typed(text)
    return AsOf(instant, "" if instant else explain(text))


def show(truck: str, asked: AsOf, span: Span, shown: Shown) -> None:
    """Show the truck's version at the instant, what differs from another one, and which fields change when."""
    if not asked.problem:
        _show_version(truck, asked)
    shares = shares_of(shown.changes)
    if not shares.empty:
        with st.container(border=True):
            st.markdown("**Which fields change when** · the darker, the more of the versions change it")
            draw(
                truck_charts.change_matrix(shares, span),
                width="stretch",
                alt="Share of the versions that change each field, over time.",
            )


def _show_version(truck: str, asked: AsOf) -> None:
    version = _version(truck, asked.instant)
    if version is None:
        st.info(
            f"{as_sent.markdown(truck)} has no version at that instant: its history starts later.",
            icon=":material/history:",
        )
        return
    with st.container(border=True):
        columns = st.columns(2)
        with columns[0]:
            other = choices.one("Compare with", [BEFORE, NEWEST, OTHER], key="with")
        compared = None
        if other == OTHER:
            with columns[1]:
                instant = ask_instant("Other instant", truck, key="other")
            if instant.problem:
                st.warning(instant.problem)
                return
            compared = _version(truck, instant.instant)
        elif other == NEWEST:
            compared = _version(truck, None)
        else:
            compared = _version(truck, moved(version["effective_start_date"], timedelta(microseconds=-1)))
        if compared is not None and compared["effective_start_date"] == version["effective_start_date"]:
            compared = None
        _compared(compared, version, other)


def _version(truck: str, instant: datetime | None) -> Mapping[str, Any] | None:
    """Return the version that is valid at an instant, the newest one for None; None if there is none."""
    found = data.as_of(truck, LATEST if instant is None else instant)
    return None if found.empty else found.to_dict("records")[0]


def _compared(other: Mapping[str, Any] | None, version: Mapping[str, Any], how: str) -> None:
    if other is None:
        st.markdown(f"**The version {valid(version)}**")
        if how == BEFORE:
            st.caption("It is the first version of this truck: there is none before it.")
        else:
            st.caption("The other instant is in the same version, or before the first one.")
        _fields(version_changes.changes(version, version), "value", None)
        return
    before, after = sorted((other, version), key=lambda each: each["effective_start_date"])
    compared = version_changes.changes(before, after)
    changed = [change for change in compared if change.changed]
    st.markdown(
        f"**{len(changed)} of {len(compared)} fields differ** · before: valid {valid(before)} · after: valid "
        f"{valid(after)}"
    )
    if changed:
        _fields(changed, "after", "before")
    same = [change for change in compared if not change.changed]
    if same:
        with st.expander(f"{len(same)} fields are the same"):
            _fields(same, "value", None)


def valid(version: Mapping[str, Any]) -> str:
    """Return from when until when a version is valid, for a person to read."""
    end = version["effective_end_date"]
    until = "now (current)" if pd.isna(end) else times.named(end)
    return f"from {times.named(version['effective_start_date'])} until {until}"


def _fields(changes: list[FieldChange], title: str, before: str | None) -> None:
    """Show fields one below the other.  A table shows text as it is."""
    rows = {"field": [ui.label(change.metric).split(",")[0] for change in changes]}
    if before is not None:
        rows[before] = [written(change.before, change.metric, _decimals(change)) for change in changes]
    rows[title] = [written(change.after, change.metric, _decimals(change)) for change in changes]
    if before is not None:
        rows["difference"] = [difference(change) for change in changes]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="content",
        column_config={name: st.column_config.TextColumn(name.capitalize()) for name in rows},
    )


def shares_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return for each slice and field that changed in it how many of its versions changed it, and their share.

    ``frame`` has start, end, versions, and by its name for each of the 21 metrics the number of versions that changed
    it.
    """
    about = ["start", "end", "versions"]
    long = frame[[*about, *data.METRIC_NAMES]].melt(about, None, "metric", "changed")
    long = long[long["changed"] > 0]
    names = {metric: ui.label(metric).split(",")[0] for metric in data.METRIC_NAMES}
    return long.assign(field=long["metric"].map(names), share=long["changed"] / long["versions"])[
        ["start", "end", "field", "changed", "versions", "share"]
    ]


def written(value: float | str | None, metric: str, decimals: int) -> str:
    """Return a metric's value with its unit."""
    if value is None:
        return ui.UNKNOWN_VALUE
    if isinstance(value, str):
        return as_sent.visible(value)
    return f"{value:,.{decimals}f} {ui.UNITS[metric]}"


def difference(change: FieldChange) -> str:
    """Return by how much a number changed, with a sign and its unit; nothing for a text."""
    if change.difference is None:
        return ""
    mark = "▲" if change.difference > 0 else "▼"
    return f"{mark} {change.difference:+,.{_decimals(change)}f} {ui.UNITS[change.metric]}"


def _decimals(change: FieldChange) -> int:
    """Return how many decimals a field needs: as many as its difference has in front of its first digit."""
    decimals = 5 if change.metric in {"gps_latitude", "gps_longitude"} else 1
    while change.difference and not round(change.difference, decimals) and decimals < MOST_DECIMALS:
        decimals += 1
    return decimals
