"""A metric over time as steps: a value holds from its version's start to its end, and nothing is drawn where none is.

A step is a row with start, end, mean, lowest and highest.  A step with an unknown mean (NaN) is a gap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import pandas as pd

from dashboard import as_sent
from dashboard.spans import Span, moved

# So many bands fit a chart.
MOST_STATUSES = 12

STEP_COLUMNS = ("start", "end", "mean", "lowest", "highest")


class Step(NamedTuple):
    """A value, or the range and mean of some values, and the time for which it holds."""

    start: pd.Timestamp
    end: pd.Timestamp
    mean: float
    lowest: float
    highest: float


def of_versions(versions: pd.DataFrame, metric: str, span: Span) -> pd.DataFrame:
    """Return one step per version, from effective_start_date, effective_end_date and ``metric``, within the span."""
    since, until = pd.Timestamp(span.since), pd.Timestamp(span.until)
    starts, ends = versions["effective_start_date"], versions["effective_end_date"]
    values = versions[metric].astype("float64")
    steps = pd.DataFrame(
        {
            "start": starts.where(starts > since, since),
            # The current version has no end, and holds until the end of the span.
            "end": ends.where(ends < until, until),
            "mean": values,
            "lowest": values,
            "highest": values,
        }
    )
    return steps.sort_values("start", ignore_index=True)


def of_slices(slices: pd.DataFrame, span: Span, width: timedelta) -> pd.DataFrame:
    """Return one step per slice in which a version starts, and one for each time between them.

    Args:
        slices: the answer of ``data.metric_slices``.
        span: the whole span.
        width: of a slice.
    """
    return pd.DataFrame(_steps(slices, span, width), columns=list(STEP_COLUMNS))


def of_statuses(runs: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Return start, end and status of each run of a known status, from the answer of ``data.status_runs``.

    Beyond :data:`MOST_STATUSES` different texts, which only a broken device sends, the others are named together.
    """
    ends = runs["status_end"].fillna(pd.Timestamp(span.until))
    bands = pd.DataFrame({"start": runs["status_start"], "end": ends, "status": runs["status"]}).dropna()
    frequent = bands["status"].value_counts().index[:MOST_STATUSES]
    bands["status"] = bands["status"].where(bands["status"].isin(frequent), "other values").map(as_sent.visible)
    return bands.sort_values("start", ignore_index=True)


def _steps(slices: pd.DataFrame, span: Span, width: timedelta) -> Iterator[Step]:
    # The value that holds at the end of the last step, and where that is.
    held, reached = math.nan, None
    for row in slices.to_dict("records"):
        start = pd.Timestamp(moved(span.since, width * int(row["slice"])))
        end = pd.Timestamp(min(moved(span.since, width * (int(row["slice"]) + 1)), span.until))
        if reached is not None and reached < start:
            yield Step(reached, start, held, held, held)
        # Until the slice's first version starts, the value before it still holds.
        microseconds = 0 if math.isnan(held) else (row["first_start"] - start) // pd.Timedelta(microseconds=1)
        area, lasted = _known(row["area"]), _known(row["lasted"]) + microseconds
        lowest, highest = row["lowest"], row["highest"]
        if microseconds:
            area += held * microseconds
            lowest, highest = min(held, _else(lowest, held)), max(held, _else(highest, held))
        # Versions that last no time at all have no mean of their own.
        yield Step(start, end, area / lasted if lasted else lowest, lowest, highest)
        held, reached = row["last_value"], end
    if reached is not None and reached < pd.Timestamp(span.until):
        yield Step(reached, pd.Timestamp(span.until), held, held, held)


def _known(value: float) -> float:
    return _else(value, 0.0)


def _else(value: float, other: float) -> float:
    return other if math.isnan(value) else value
