"""What every page shares: filters, freshness, empty states and what to say when a store can't answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import pandas as pd
import streamlit as st

from dashboard import data
from dashboard.charts import duration
from include.contracts import METRICS

T = TypeVar("T")

WINDOWS = {"5 minutes": 5, "15 minutes": 15, "1 hour": 60, "6 hours": 360, "24 hours": 1440}
REFRESHES = {"2 seconds": 2, "5 seconds": 5, "15 seconds": 15, "1 minute": 60, "off": None}
DEFAULT_WINDOW, DEFAULT_REFRESH = "15 minutes", "5 seconds"

# Newest data older than this is worth a look; older than that, something has stopped.
AGEING_SECONDS, STALE_SECONDS = 120, 900

UNITS = {metric.name: metric.unit for metric in METRICS if metric.kind == "number"}


class Filters(NamedTuple):
    """The window in minutes, its name, and seconds between refreshes (None: only by hand)."""

    minutes: int
    window: str
    refresh: int | None


def sidebar() -> None:
    """The filters that all pages share."""
    with st.sidebar:
        st.selectbox("Time window", list(WINDOWS), index=list(WINDOWS).index(DEFAULT_WINDOW), key="window")
        st.selectbox("Refresh every", list(REFRESHES), index=list(REFRESHES).index(DEFAULT_REFRESH), key="refresh")
        if st.session_state["refresh"] == "off":
            st.button("Refresh now", icon=":material/refresh:", width="stretch")
        st.caption("All times are UTC.")


def filters() -> Filters:
    """The shared filters as chosen, or their defaults where a page runs by itself."""
    window = st.session_state.get("window", DEFAULT_WINDOW)
    return Filters(WINDOWS[window], window, REFRESHES[st.session_state.get("refresh", DEFAULT_REFRESH)])


def header(title: str, subtitle: str) -> None:
    """A page's title and the sentence that says what it shows."""
    st.title(title, anchor=False)
    st.caption(subtitle)


def level(age_seconds: float | None) -> tuple[str, str, str]:
    """(word, badge colour, icon) for the age of the newest data; None means there is none."""
    if age_seconds is None:
        return "no data", "gray", ":material/circle:"
    if age_seconds <= AGEING_SECONDS:
        return "fresh", "blue", ":material/check_circle:"
    if age_seconds <= STALE_SECONDS:
        return "ageing", "orange", ":material/schedule:"
    return "stale", "red", ":material/warning:"


def age_seconds(newest: datetime | pd.Timestamp | None) -> float | None:
    """Seconds since ``newest``, not below 0 (a device's clock may run ahead); None for none."""
    if newest is None or pd.isna(newest):
        return None
    return max(0.0, (data.now() - newest).total_seconds())


def age(newest: datetime | pd.Timestamp | None) -> str:
    """``12 s``, ``5 min``, or ``–``."""
    seconds = age_seconds(newest)
    return "–" if seconds is None else duration(seconds)


def freshness(what: str, newest: datetime | pd.Timestamp | None) -> None:
    """The line under a title: how old the newest ``what`` is."""
    seconds = age_seconds(newest)
    word, colour, icon = level(seconds)
    if seconds is None:
        st.markdown(f":{colour}-badge[{icon} {word}] no {what} yet")
    else:
        st.markdown(
            f":{colour}-badge[{icon} {word}] newest {what} **{duration(seconds)} ago** · {newest:%Y-%m-%d %H:%M:%S} UTC"
        )


def empty(what: str, next_step: str) -> None:
    """An empty state: what is missing and what to do about it."""
    st.info(f"**{what}**\n\n{next_step}", icon=":material/hourglass_empty:")


def ask(failures: dict[str, data.StoreUnavailableError], query: Callable[..., T], *arguments: Any) -> T | None:
    """The query's answer, or None with the failure noted once a store: for a page that several stores feed."""
    try:
        return query(*arguments)
    except data.StoreUnavailableError as error:
        failures.setdefault(error.store, error)
        return None


@contextmanager
def store_section() -> Iterator[None]:
    """A part of a page that needs a store: where it can't answer, its message stands there and the rest goes on."""
    try:
        yield
    except data.StoreUnavailableError as error:
        unavailable(error)


def unavailable(error: data.StoreUnavailableError) -> None:
    """Says which store can't answer and what to check."""
    st.error(f"**{error.store}** {error.problem}\n\n{error.check}", icon=":material/cloud_off:")


def label(column: str) -> str:
    """A metric's column as a heading with its unit: ``Oil pressure, psi``."""
    words = column.removeprefix("gps_") if column in {"gps_latitude", "gps_longitude", "gps_altitude"} else column
    text = words.replace("_", " ").capitalize().replace("Gps", "GPS").replace("rpm", "RPM").replace("Tire", "Tyre")
    unit = UNITS.get(column)
    return f"{text}, {unit}" if unit else text


def time_column(title: str, *, milliseconds: bool = False) -> object:
    """A column of instants in UTC, to the second or the millisecond."""
    fraction = ".SSS" if milliseconds else ""
    return st.column_config.DatetimeColumn(title, format=f"YYYY-MM-DD HH:mm:ss{fraction}", timezone="UTC")
