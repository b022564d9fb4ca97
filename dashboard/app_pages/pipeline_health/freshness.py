"""The age of the newest record in each store, from the stream to the history."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import pandas as pd
import streamlit as st

from dashboard import data, times, ui
from include import names


class StoreAge(NamedTuple):
    """One card: a store, and the time of its newest record.

    Attributes:
        title: the card's title.
        place: the table, or the prefix of the bucket.
        store: the service that holds it.
        is_down: whether the store could not be asked.
        newest: None if the store is empty or down.
    """

    title: str
    place: str
    store: str
    is_down: bool
    newest: datetime | None


def show() -> set[str]:
    """Show one card per store, and return the names of those that could not answer."""
    failures: dict[str, data.StoreUnavailableError] = {}
    stores = _ask_stores(failures)
    known = [store.newest for store in stores if store.newest is not None]
    if known or not failures:
        ui.freshness("record in any store", max(known, default=None))
    for failure in failures.values():
        ui.unavailable(failure)
    for column, store in zip(st.columns(len(stores)), stores, strict=True):
        with column.container(border=True):
            _card(store)
    if not known and not failures:
        ui.empty("Every store is empty", "Start traffic with the DAG **generate_traffic** in Airflow.")
    return set(failures)


def _ask_stores(failures: dict[str, data.StoreUnavailableError]) -> list[StoreAge]:
    click, states, landing, tables = ui.ask_all(
        failures, data.newest_click, data.truck_states, data.newest_landing, data.table_freshness
    )
    reading = None if states is None or states.empty else states["event_time"].max()
    # Without the settings, neither the click index nor the bucket can be found.
    unset = data.SETTINGS in failures
    return [
        StoreAge("Clicks", names.CLICK_TABLE, "DynamoDB", unset or data.CLICK_STORE in failures, click),
        StoreAge("Truck state", names.TRUCK_STATE_TABLE, "DynamoDB", data.STATE_STORE in failures, reading),
        StoreAge("Landing", names.LANDING_PREFIX, "S3", unset or data.BUCKET_STORE in failures, landing),
        StoreAge("Raw readings", names.RAW_TABLE, "Snowflake", tables is None, _newest_of(tables, names.RAW_TABLE)),
        StoreAge("History", names.HISTORY_TABLE, "Snowflake", tables is None, _newest_of(tables, names.HISTORY_TABLE)),
    ]


def _newest_of(tables: pd.DataFrame | None, name: str) -> datetime | None:
    if tables is None:
        return None
    newest: pd.Timestamp = tables.set_index("table_name")["newest"][name]
    return None if pd.isna(newest) else newest.to_pydatetime()


def _card(store: StoreAge) -> None:
    level = ui.UNKNOWN if store.is_down else ui.level(ui.age_seconds(store.newest))
    st.metric(store.title, ui.age(store.newest), help=f"Age of the newest record in {store.place} ({store.store}).")
    st.markdown(level.badge())
    st.caption(f"in {store.store}  \n{ui.UNKNOWN_VALUE if store.newest is None else times.named(store.newest)}")
