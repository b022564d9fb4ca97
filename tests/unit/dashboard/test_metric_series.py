"""Metrics as steps: each value holds until the next one, and nothing is drawn where none is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from dashboard import metric_series
from dashboard.spans import Span

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNKNOWN = float("nan")
WIDTH = timedelta(seconds=10)


def span(seconds: int) -> Span:
    return Span(START, START + timedelta(seconds=seconds))


def seen(steps: pd.DataFrame) -> list[tuple[float, ...]]:
    """Start and end in seconds, mean, lowest, highest; -1 for an unknown value."""
    if steps.empty:
        return []
    edges = [(steps[name] - pd.Timestamp(START)).dt.total_seconds() for name in ("start", "end")]
    values = [steps[name].fillna(-1) for name in ("mean", "lowest", "highest")]
    return list(zip(*edges, *values, strict=True))


def sliced(
    number: int, first: float, low: float, high: float, mean: float, known: float, last: float
) -> dict[str, Any]:
    """A row of metric_slices, whose versions with a known value last ``known`` seconds in the slice."""
    return {
        "slice": number, "first_start": pd.Timestamp(START + timedelta(seconds=first)), "lowest": low, "highest": high,
        "area": mean * known * 1e6 if known else UNKNOWN, "lasted": known * 1e6, "last_value": last,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "steps"),
    [
        ([], []),
        # It holds until the end.
        ([sliced(0, 0, 5, 5, 5, 10, 5)], [(0, 10, 5, 5, 5), (10, 40, 5, 5, 5)]),
        # Its history begins in the slice: before that, nothing is known.
        ([sliced(3, 36, 5, 7, 6, 4, 7)], [(30, 40, 6, 5, 7)]),
        # 2 s of the 5 before, then 8 s of 10: the mean is by time, and the range has both.
        (
            [sliced(0, 0, 5, 5, 5, 10, 5), sliced(1, 12, 10, 10, 10, 8, 10)],
            [(0, 10, 5, 5, 5), (10, 20, 9, 5, 10), (20, 40, 10, 10, 10)],
        ),
        # A parked truck: one value for two slices in which no version starts.
        (
            [sliced(0, 0, 5, 5, 5, 10, 5), sliced(3, 30, 9, 9, 9, 10, 9)],
            [(0, 10, 5, 5, 5), (10, 30, 5, 5, 5), (30, 40, 9, 9, 9)],
        ),
        # The metric was not sent any more, and came back.
        (
            [sliced(0, 0, 5, 5, 5, 4, UNKNOWN), sliced(2, 25, 8, 8, 8, 5, 8)],
            [(0, 10, 5, 5, 5), (10, 20, -1, -1, -1), (20, 30, 8, 8, 8), (30, 40, 8, 8, 8)],
        ),
        # Only the value from before is known in the slice.
        (
            [sliced(0, 0, 5, 5, 5, 10, 5), sliced(1, 14, UNKNOWN, UNKNOWN, 0, 0, UNKNOWN)],
            [(0, 10, 5, 5, 5), (10, 20, 5, 5, 5), (20, 40, -1, -1, -1)],
        ),
    ],
)
def test_slices_become_steps(rows: list[dict[str, Any]], steps: list[tuple[float, ...]]) -> None:
    columns = ["slice", "first_start", "lowest", "highest", "area", "lasted", "last_value"]
    assert seen(metric_series.of_slices(pd.DataFrame(rows, columns=columns), span(40), WIDTH)) == steps


def test_versions_become_steps_within_the_span() -> None:
    at = [pd.Timestamp(START + timedelta(seconds=second)) for second in (-5, 10, 20)]
    versions = pd.DataFrame(
        {
            "effective_start_date": at[::-1],
            "effective_end_date": [pd.NaT, at[2], at[1]],
            "vehicle_speed": [3.0, UNKNOWN, 1.0],
        }
    )
    steps = metric_series.of_versions(versions, "vehicle_speed", span(40))
    assert seen(steps) == [(0, 10, 1, 1, 1), (10, 20, -1, -1, -1), (20, 40, 3, 3, 3)]


def test_statuses_become_bands_as_they_can_be_read_and_many_different_ones_are_named_together() -> None:
    span = Span(START, START + timedelta(minutes=40))
    starts = [START + timedelta(minutes=minute) for minute in range(30)]
    texts: list[str | None] = [None, "Good\u202e", "Good\u202e", *(f"broken {number}" for number in range(27))]
    runs = pd.DataFrame({"status_start": starts, "status_end": [*starts[1:], pd.NaT], "status": texts})
    bands = metric_series.of_statuses(runs.iloc[::-1], span)
    assert len(bands) == 29
    assert bands["start"].is_monotonic_increasing
    assert bands["end"].iloc[-1] == pd.Timestamp(span.until)
    assert list(bands["status"][:2]) == ["Good<U+202E>"] * 2
    assert bands["status"].nunique() == metric_series.MOST_STATUSES + 1
    assert (bands["status"] == "other values").sum() == 16
