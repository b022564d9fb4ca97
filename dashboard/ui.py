"""What every page shares: filters, freshness, empty states and the message of a store that can't answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import pandas as pd
import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx, get_script_run_ctx

from dashboard import as_sent, choices, data, presence, times
from dashboard.quantities import duration
from include import naming
from include.contracts import METRICS

P = ParamSpec("P")
T = TypeVar("T")

WINDOWS = {"5 minutes": 5, "15 minutes": 15, "1 hour": 60, "6 hours": 360, "24 hours": 1440}
REFRESHES = {"2 seconds": 2, "5 seconds": 5, "15 seconds": 15, "1 minute": 60, "off": None}
DEFAULT_WINDOW, DEFAULT_REFRESH = "15 minutes", "15 seconds"

# The keys of the choices that all pages share.
SHARED = ("window", "refresh", times.ZONE)

PAGES = Path(__file__).with_name("app_pages")

# Data older than the first limit deserves attention; older than the second, something has stopped.
AGEING_SECONDS, STALE_SECONDS = 120, 900

# Shown where a value is not known.
UNKNOWN_VALUE = "–"

UNITS = {metric.name: metric.unit for metric in METRICS if metric.kind == "number"}


class Filters(NamedTuple):
    """The filters that all pages share.

    Attributes:
        minutes: the length of the time window.
        window: the time window as the user reads it.
        refresh: seconds between refreshes, or None if only the user refreshes, or nobody can see the page.
    """

    minutes: int
    window: str
    refresh: int | None


class FreshnessLevel(NamedTuple):
    """How fresh data is, as a badge shows it."""

    word: str
    colour: str
    icon: str

    def badge(self) -> str:
        """Return the badge in Streamlit's Markdown."""
        return f":{self.colour}-badge[{self.icon} {self.word}]"


UNKNOWN = FreshnessLevel("unknown", "gray", ":material/cloud_off:")


def sidebar() -> None:
    """Show the filters that all pages share."""
    with st.sidebar:
        if naming.ENVIRONMENT:
            st.badge(naming.ENVIRONMENT, icon=":material/dns:")
        choices.one("Time window", list(WINDOWS), "window", default=DEFAULT_WINDOW)
        refresh = choices.one("Refresh every", list(REFRESHES), "refresh", default=DEFAULT_REFRESH)
        if refresh == "off":
            st.button("Refresh now", icon=":material/refresh:", width="stretch")
        zone()
        st.caption("Light or dark: in the menu ⋮ at the top right.")
        presence.watch()


def zone() -> None:
    """Show the switch between UTC and the zone of the person's browser."""
    viewers = times.viewers_zone()
    if viewers is None:
        # There is nothing to switch, and an address that asks for the viewer's zone is right as it is.
        st.caption("All times are in UTC.")
        return
    words = {times.IN_UTC: "UTC", times.IN_VIEWERS_ZONE: f"{viewers.key} (yours)"}
    choices.one("Times in", list(words), times.ZONE, default=times.IN_UTC, words=words.__getitem__)


def link(
    label: str,
    page: str,
    *,
    icon: str | None = None,
    meaning: str | None = None,
    choose: Mapping[str, str | list[str]] | None = None,
    **chosen: str,
) -> None:
    """Show a link to another page with its choices set: ``ui.link("Trips", "trips", truck="TRK001")``.

    ``page`` is the name of the page's file or folder.  The choices that all pages share go with it, so that the link
    opens the same window in a tab of its own.  ``choose`` are more choices, of which each may be of several values.
    """
    file = f"app_pages/{page}/page.py" if (PAGES / page).is_dir() else f"app_pages/{page}.py"
    st.page_link(
        file,
        label=label,
        icon=icon,
        help=meaning,
        query_params={**choices.address(SHARED), **(choose or {}), **chosen},
    )


def filters() -> Filters:
    """Return the chosen filters, or their defaults where a page runs by itself."""
    window = st.session_state.get("window", DEFAULT_WINDOW)
    refresh = REFRESHES[st.session_state.get("refresh", DEFAULT_REFRESH)]
    return Filters(WINDOWS[window], window, refresh if presence.is_seen() else None)


def header(title: str, subtitle: str) -> None:
    """Show a page's title, and a sentence that says what the page shows."""
    st.title(title, anchor=False)
    st.caption(subtitle)


def level(age_seconds: float | None) -> FreshnessLevel:
    """Return the level for the age of the newest data; None means that there is no data."""
    if age_seconds is None:
        return FreshnessLevel("no data", "gray", ":material/circle:")
    if age_seconds <= AGEING_SECONDS:
        return FreshnessLevel("fresh", "blue", ":material/check_circle:")
    if age_seconds <= STALE_SECONDS:
        return FreshnessLevel("ageing", "orange", ":material/schedule:")
    return FreshnessLevel("stale", "red", ":material/warning:")


def age_seconds(newest: datetime | pd.Timestamp | None) -> float | None:
    """Return the seconds since ``newest``, or None if there is none.

    The result is never below 0, although a device's clock may run ahead.
    """
    if newest is None or pd.isna(newest):
        return None
    return max(0.0, (data.now() - newest).total_seconds())


def age(newest: datetime | pd.Timestamp | None) -> str:
    """Return the time since ``newest``, such as ``12 s`` or ``5 min``, or ``–`` if there is none."""
    seconds = age_seconds(newest)
    return UNKNOWN_VALUE if seconds is None else duration(seconds)


def freshness(what: str, newest: datetime | pd.Timestamp | None) -> None:
    """Show the line under a title that says how old the newest ``what`` is."""
    seconds = age_seconds(newest)
    badge = level(seconds).badge()
    if seconds is None:
        st.markdown(f"{badge} No {what} yet")
    else:
        st.markdown(f"{badge} Newest {what} **{duration(seconds)} ago** · {times.named(newest)}")


def empty(what: str, next_step: str) -> None:
    """Show an empty state: what is missing, and what to do about it."""
    st.info(f"**{what}**\n\n{next_step}", icon=":material/hourglass_empty:")


def no_history() -> None:
    """Show the empty state of a page about the history, before the first merge."""
    freshness("version", None)
    empty(
        "No history yet",
        "Snowpipe loads readings, and the DAG **scd2_merge** turns them into versions. **Pipeline health** "
        "shows the progress of both.",
    )


def ask(
    failures: dict[str, data.StoreUnavailableError],
    query: Callable[P, T],
    *arguments: P.args,
    **options: P.kwargs,
) -> T | None:
    """Return the answer of ``query``, or None if its store can't answer.

    For a page that reads several stores: ``failures`` keeps the first failure of each store.
    """
    try:
        return query(*arguments, **options)
    except data.StoreUnavailableError as error:
        failures.setdefault(error.store, error)
        return None


def ask_all(failures: dict[str, data.StoreUnavailableError], *queries: Callable[[], Any]) -> list[Any]:
    """Return the answers of the queries, as :func:`ask` does for one.

    They are asked side by side: a page opens after the slowest answer, not after the sum of all.
    """
    context = get_script_run_ctx(suppress_warning=True)
    with ThreadPoolExecutor(len(queries), initializer=lambda: add_script_run_ctx(ctx=context)) as pool:
        asked = [pool.submit(query) for query in queries]
    return [ask(failures, answer.result) for answer in asked]


@contextmanager
def store_section() -> Iterator[None]:
    """Show a store's failure in place of this part of a page; the rest of the page still works."""
    try:
        yield
    except data.StoreUnavailableError as error:
        unavailable(error)


def unavailable(error: data.StoreUnavailableError) -> None:
    """Show which store can't answer, what to check, and the error in the store's own words."""
    said = f"\n\n{as_sent.markdown(error.said)}" if error.said else ""
    st.error(f"**{error.store}** {error.problem}\n\n{error.check}{said}", icon=":material/cloud_off:")


def label(column: str) -> str:
    """Return a metric's column as a heading with its unit, such as ``Oil pressure, psi``."""
    words = column.removeprefix("gps_") if column in {"gps_latitude", "gps_longitude", "gps_altitude"} else column
    text = words.replace("_", " ").capitalize().replace("Gps", "GPS").replace("rpm", "RPM").replace("Tire", "Tyre")
    unit = UNITS.get(column)
    return f"{text}, {unit}" if unit else text
