"""Which trucks need attention, why, since when and in what order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from dashboard import health, ui
from dashboard.fleet_states import RETIRED
from dashboard.health import WATCH, Urgency


class Finding(NamedTuple):
    """One reason why a truck needs attention.

    Attributes:
        metric: its column.
        text: a short phrase with value and unit.
        urgency: how soon somebody has to act.
        since: when it began (UTC), or None for what gets worse slowly.
        is_longer: whether it may have begun earlier: nobody looked further back.
    """

    metric: str
    text: str
    urgency: Urgency
    since: pd.Timestamp | None = None
    is_longer: bool = False


class Case(NamedTuple):
    """A truck that needs attention.

    Attributes:
        truck_id: its id.
        state: of :mod:`dashboard.fleet_states`.
        heard_at: when its newest reading arrived (UTC).
        findings: why it needs attention, the most urgent first.
    """

    truck_id: str
    state: str
    heard_at: pd.Timestamp
    findings: tuple[Finding, ...]

    @property
    def urgency(self) -> Urgency:
        """That of its most urgent finding."""
        return self.findings[0].urgency

    @property
    def since(self) -> pd.Timestamp | None:
        """When the first of its findings began, of those of which that is known."""
        return min((each.since for each in self.findings if each.since is not None), default=None)


def cases(trucks: pd.DataFrame, since: pd.DataFrame, trends: pd.DataFrame) -> list[Case]:
    """Return the trucks that need attention, the worst first.

    What is most urgent in a truck decides: the urgency, and within one the order of :data:`health.REASONS`; what gets
    worse slowly comes last.  Then come more findings before fewer, and what began earlier before what began later.
    Retired trucks are not among them.

    Args:
        trucks: of :func:`dashboard.fleet_states.fleet`.
        since: the answer of ``data.attention_since``.
        trends: the answer of ``data.trends``.
    """
    begun = {(row["truck_id"], row["metric"]): row for row in since.to_dict("records")}
    worse: dict[str, list[Finding]] = {}
    for row in trends.to_dict("records"):
        if row["verdict"] == "worse":
            worse.setdefault(row["truck_id"], []).append(Finding(row["metric_name"], trend_in_words(row), WATCH))
    found = []
    for row in trucks[trucks["state"] != RETIRED].to_dict("records"):
        now = [_finding(reason, begun.get((row["truck_id"], reason.metric)), row) for reason in health.reasons(row)]
        known = {finding.metric for finding in now}
        slowly = [each for each in worse.get(row["truck_id"], []) if each.metric not in known]
        if now or slowly:
            found.append(Case(row["truck_id"], row["state"], row["heard_at"], (*now, *slowly)))
    return sorted(found, key=_worst_first)


def trend_in_words(row: Mapping[str, Any]) -> str:
    """Return what a metric did in the last day, from a row of ``data.trends``."""
    metric, unit = row["metric_name"], ui.UNITS[row["metric_name"]]
    name = metric_in_words(metric)
    if row["verdict"] == "too few":
        if not pd.isna(row["repaired_days_ago"]):
            return f"{name}: better since {_days_ago(row['repaired_days_ago'])}, too few days to compare since then"
        return f"{name}: too few readings to compare"
    change = row["today"] - row["past_value"]
    decimals = 1 if metric == "battery_voltage" else 0
    value = f"{name} {row['today']:.{decimals}f} {unit}"
    if row["verdict"] == "steady":
        return f"{value}, as usual"
    side = "above" if change > 0 else "below"
    return f"{value}, {abs(change):.{decimals}f} {unit} {side} its past"


def metric_in_words(metric: str) -> str:
    """Return the name of a metric in a phrase: ``rear left tyre``."""
    if metric in health.TYRES:
        return f"{health.TYRES[metric]} tyre"
    return {"battery_voltage": "battery", "engine_temperature": "engine"}[metric]


def _finding(reason: health.Reason, begun: Mapping[str, Any] | None, reading: Mapping[str, Any]) -> Finding:
    if begun is None:
        # The history does not have it yet: it began with the newest reading.
        return Finding(reason.metric, reason.text, reason.urgency, reading["event_time"])
    return Finding(reason.metric, reason.text, reason.urgency, begun["since"], begun["is_longer"])


def _worst_first(case: Case) -> tuple[int, bool, int, int, pd.Timestamp, str]:
    worst, since = case.findings[0], case.since
    place = health.REASONS.index(worst.metric)
    # A finding without a beginning is of what gets worse slowly.
    order = (worst.urgency.rank, worst.since is None, place, -len(case.findings))
    return *order, since or pd.Timestamp.max.tz_localize("UTC"), case.truck_id


def _days_ago(days: float) -> str:
    return {0: "today", 1: "yesterday"}.get(int(days), f"{int(days)} days ago")
