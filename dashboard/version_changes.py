"""What changed from one version of a truck to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from dashboard import data, quantities, ui


class FieldChange(NamedTuple):
    """A metric of two versions.

    Attributes:
        metric: its column.
        before: its value, or None if it is not known.
        after: the same of the other version.
        difference: after - before, or None where there is none: for a text, and where a value is not known.
    """

    metric: str
    before: float | str | None
    after: float | str | None
    difference: float | None

    @property
    def changed(self) -> bool:
        """Whether the values differ; two unknown ones don't."""
        return self.before != self.after


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FieldChange]:
    """Return the 21 metrics of two versions, in the order of the history's columns."""
    return [_change(metric, _value(before[metric]), _value(after[metric])) for metric in data.METRIC_NAMES]


def changed_metrics(versions: pd.DataFrame) -> pd.DataFrame:
    """Return for each version (newest first) which of the 21 metrics differ from the version in the row after it.

    The last row has nothing to be compared with, so nothing of it changed.
    """
    metrics = versions[list(data.METRIC_NAMES)]
    before = metrics.shift(-1)
    differs = (metrics != before) & ~(metrics.isna() & before.isna())
    if len(differs):
        differs.iloc[-1] = False
    return differs


def named(changed: Sequence[bool], most: int) -> str:
    """Return the names of the changed metrics (of all 21, in order), of which the first ``most`` are written out."""
    names = [
        ui.label(metric).split(",")[0] for metric, is_one in zip(data.METRIC_NAMES, changed, strict=True) if is_one
    ]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) + more) or ui.UNKNOWN_VALUE


def lasted(seconds: float) -> str:
    """Return how long a version lasted, or nothing for the current one.

    A version lasts milliseconds where a truck sends several readings per second.
    """
    if pd.isna(seconds):
        return ""
    return quantities.duration(seconds) if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _change(metric: str, before: float | str | None, after: float | str | None) -> FieldChange:
    difference = after - before if isinstance(before, float) and isinstance(after, float) else None
    return FieldChange(metric, before, after, difference)


def _value(stored: Any) -> float | str | None:
    if stored is None or pd.isna(stored):
        return None
    return stored if isinstance(stored, str) else float(stored)
