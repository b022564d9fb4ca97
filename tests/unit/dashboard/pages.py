"""Rows as the dashboard's queries return them, and a page as Streamlit runs it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from streamlit.testing.v1 import AppTest

from dashboard import data
from dashboard.data import trucks

APP = str(Path(__file__).parents[3] / "dashboard/navigation.py")
# The files of pages that are packages.
PATHS = {name: f"{name}/page.py" for name in ("fleet", "pipeline_health", "truck_history")}
DOWN = data.StoreUnavailableError("Snowflake", "is unreachable", "Check that it runs.")


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def run(name: str, **address: str) -> AppTest:
    """The page as it is after its first run; ``address`` are choices that its address names."""
    app = AppTest.from_file(APP, default_timeout=120)
    if name in PATHS:
        # Streamlit knows such a page by the address that the first run gives it.
        app.run()
    app.switch_page(f"app_pages/{PATHS.get(name, f'{name}.py')}")
    for key, value in address.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def history_answers(versions: pd.DataFrame) -> dict[str, Callable[..., Any]]:
    """The queries of one truck's history, answered from its versions (newest first).  No field changes in a slice."""
    starts, ends = versions["effective_start_date"], versions["effective_end_date"]

    def valid(truck: str, since: datetime, until: datetime) -> pd.DataFrame:
        return versions[(starts <= until) & ~(ends < since)].copy()

    def slices(truck: str, since: datetime, until: datetime, width: timedelta) -> pd.DataFrame:
        begun = starts[(starts >= since) & (starts <= until)]
        rows = pd.DataFrame({"slice": [(start - since) // width for start in begun], "versions": 1})
        counts = rows.groupby("slice", as_index=False).sum()
        return counts.assign(**dict.fromkeys(data.METRIC_NAMES, 0))

    def as_of(truck: str, instant: datetime) -> pd.DataFrame:
        return versions[(starts <= instant) & ~(ends <= instant)].head(1)

    span = (
        (len(versions), starts.min().to_pydatetime(), starts.max().to_pydatetime())
        if len(versions)
        else (0, None, None)
    )
    return {
        "truck_ids": lambda: sorted(set(versions["truck_id"])),
        "history_span": lambda truck: span,
        "versions": valid,
        "version_slices": slices,
        "as_of": as_of,
    }


def raising(error: Exception) -> Any:
    def query(*_: Any) -> Any:
        raise error

    return query


def reading(truck: str, when: datetime, **values: Any) -> dict[str, Any]:
    row = dict.fromkeys(data.METRIC_NAMES) | {"vehicle_speed": 50.0, "fuel_level": 40.0}
    row |= {"gps_latitude": 40.0, "gps_longitude": -83.0} | values
    return {"truck_id": truck, "event_time": pd.Timestamp(when), "arrival_time": pd.Timestamp(when), **row}


def typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(trucks.NUMERIC_METRICS, "float64"))


def version(now: datetime, seconds_ago: float, until: float | None, **values: Any) -> dict[str, Any]:
    start = pd.Timestamp(now - timedelta(seconds=seconds_ago))
    end = pd.NaT if until is None else pd.Timestamp(now - timedelta(seconds=until))
    own = {
        "load_timestamp": start,
        "effective_start_date": start,
        "effective_end_date": end,
        "is_current": until is None,
        "reported_id": "TRK001",
    }
    return reading("TRK001", now, **values) | own


def period(day: datetime, hour: int, kind: str, **values: Any) -> dict[str, Any]:
    """A trip, a stop or a silence of an hour, as ``data.periods_of_day`` returns it."""
    begins = pd.Timestamp(day + timedelta(hours=hour))
    is_stop = kind == "stop"
    row = {
        "kind": kind, "begins_at": begins, "ends_at": begins + pd.Timedelta(hours=1), "began_earlier": False,
        "goes_on": False, "is_last": False, "miles": None if is_stop else 10.0,
        "odometer_miles": None if is_stop else 10.0, "idle_seconds": 60.0, "gallons": 2.0, "fuel_before": 60.0,
        "fuel_after": 58.0, "refuelled": 0.0, "first_latitude": 40.0, "first_longitude": -83.0,
        "last_latitude": 40.0, "last_longitude": -83.0, "seconds": 3600.0, "mean_speed": 10.0, "top_speed": 60.0,
    }  # fmt: skip
    return row | values


def periods_of(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    texts_and_times = ("kind", "begins_at", "ends_at", "began_earlier", "goes_on", "is_last")
    return frame.astype({column: "float64" for column in frame if column not in texts_and_times})
