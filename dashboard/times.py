"""Instants for a person to read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig


def to_the_second(instant: datetime | pd.Timestamp) -> str:
    """Return an instant in UTC for a person to read, and to type in again: ``2026-11-22 14:05:30``.

    Unlike strftime, it writes every year with four digits: a device's clock may say year 1.
    """
    return instant.replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def column(title: str, *, milliseconds: bool = False) -> ColumnConfig:
    """Return a table column of instants in UTC, to the second or to the millisecond."""
    fraction = ".SSS" if milliseconds else ""
    return st.column_config.DatetimeColumn(title, format=f"YYYY-MM-DD HH:mm:ss{fraction}", timezone="UTC")
