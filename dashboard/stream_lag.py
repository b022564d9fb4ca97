"""Pure rules: how far behind a stream's consumer is, and whether its event source mapping delivers.

The limits are those of the alarms TruckLagAlarm and TruckIteratorAgeAlarm in include/cloudformation/pipeline.yaml.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from dashboard import as_sent, data, ui
from dashboard.quantities import duration

LATE_SECONDS, VERY_LATE_SECONDS = 60, 300
# CloudWatch shows a minute up to three minutes later.  An older measurement says nothing about now.
CURRENT_SECONDS = 300


class StreamLag(NamedTuple):
    """The highest lag of one minute, in seconds."""

    minute: pd.Timestamp
    seconds: float


def newest(lags: pd.DataFrame | None, stream: str, kind: str) -> StreamLag | None:
    """Return the newest measurement of ``kind`` of a stream, or None if there is none."""
    if lags is None:
        return None
    found = lags[(lags["stream"] == stream) & (lags["kind"] == kind)]
    return None if found.empty else StreamLag(found["minute"].iloc[-1], float(found["seconds"].iloc[-1]))


def level(lag: StreamLag | None) -> ui.FreshnessLevel:
    """Return how far behind the consumer is, as a badge shows it.  No measurement is not a lag of zero."""
    age = None if lag is None else ui.age_seconds(lag.minute)
    if lag is None or age is None or age > CURRENT_SECONDS:
        return ui.FreshnessLevel("no measurement now", "gray", ":material/help:")
    if lag.seconds <= LATE_SECONDS:
        return ui.FreshnessLevel("keeps up", "blue", ":material/check_circle:")
    if lag.seconds <= VERY_LATE_SECONDS:
        return ui.FreshnessLevel("late", "orange", ":material/schedule:")
    return ui.FreshnessLevel("very late", "red", ":material/warning:")


def of_mapping(mapping: data.StreamMapping, expected: bool) -> ui.FreshnessLevel:
    """Return whether a mapping delivers, as a badge shows it.

    Args:
        mapping: the mapping.
        expected: whether the deployment wants it enabled (CTD_EVENT_SOURCE_MAPPINGS_ENABLED).
    """
    if mapping.state is None:
        return ui.FreshnessLevel("no mapping", "red", ":material/warning:")
    if mapping.last_result.startswith("PROBLEM"):
        return ui.FreshnessLevel("delivery fails", "red", ":material/warning:")
    if mapping.state == "Disabled" and not expected:
        return ui.FreshnessLevel("mapping disabled, as set", "gray", ":material/pause_circle:")
    stops = mapping.state in {"Disabled", "Disabling", "Deleting"}
    colour, icon = ("red", ":material/warning:") if stops else ("blue", ":material/check_circle:")
    return ui.FreshnessLevel(f"mapping {state_words(mapping.state)}", colour, icon)


def state_words(state: str) -> str:
    """Return a state in the words of AWS or Snowflake, such as STOPPED_MISSING_TABLE, for a badge to show."""
    words = state.replace("_", " ").lower()
    return words if words.replace(" ", "").isalpha() else as_sent.markdown(state)


def measured(lag: StreamLag | None) -> str:
    """Return a measurement for a person to read."""
    return "no measurement" if lag is None else f"{seconds(lag.seconds)}, measured {ui.age(lag.minute)} ago"


def seconds(length: float) -> str:
    """Return a length of time for a person to read, with a tenth of a second where it is short."""
    return f"{length:.1f} s" if length < 10 else duration(length)
