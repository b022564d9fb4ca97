"""Incidents: one notification when a rule starts to fail, one when it stops, and a reminder while it lasts.

The incident of a rule is in its last row of DATA_QUALITY_RESULTS, in two columns:

- FAILING_SINCE: when the failure began.  NULL if the rule passes.
- ALERTED_AT: when the last alert that the rule fails was stored.  NULL if none was, or if one says that it is over.

A run stores its results, the incidents that they continue, and the alerts about them in one transaction, so no crash
separates them.  From then on the DAG send_alerts is responsible.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from include.quality.rule_results import RuleResult

#: A failure that lasts is notified again after this time.
REMIND_AFTER = timedelta(hours=6)


def continued(found: Iterable[RuleResult], last: Mapping[str, RuleResult], now: datetime) -> list[RuleResult]:
    """Return what a run found, with the incidents of the ``last`` results by rule.

    A rule that was removed while people believe that it fails gets a result too: they have to be notified.
    """
    results = [_continue(result, last.get(result.rule)) for result in found]
    gone = last.keys() - {result.rule for result in results}
    return results + [
        replace(last[rule], status="removed", failed_count=None, samples=[], message="Rule removed", checked_at=now)
        for rule in sorted(gone)
        if last[rule].alerted_at
    ]


def alerts_due(results: Iterable[RuleResult], now: datetime) -> list[RuleResult]:
    """Return the failures and warnings to notify people of: new ones, and those whose last notification was long ago.

    A warning is not repeated.  Only if another truck has joined it since, it is notified again, after the same time.
    """
    return [
        result
        for result in results
        if result.is_notified
        and (result.alerted_at is None or (now - result.alerted_at >= REMIND_AFTER and _is_repeated(result)))
    ]


def recoveries_due(results: Iterable[RuleResult]) -> list[RuleResult]:
    """Return the results reported as failing that no longer fail."""
    return [result for result in results if result.alerted_at is not None and not result.is_notified]


def after_alert(results: Iterable[RuleResult], now: datetime) -> list[RuleResult]:
    """Return the results as they are once people were notified that they fail."""
    return [replace(result, alerted_at=now) for result in results]


def after_recovery(results: Iterable[RuleResult]) -> list[RuleResult]:
    """Return the results as they are once people were notified of their recovery.

    A rule that still finds something, but is only a warning now, keeps the time since when it fails.
    """
    return [
        replace(result, alerted_at=None, failing_since=result.failing_since if result.status == "fail" else None)
        for result in results
    ]


def _is_repeated(result: RuleResult) -> bool:
    if result.fails_the_run or result.alerted_at is None:
        return True
    return result.newest_offender_at is not None and result.newest_offender_at > result.alerted_at


def _continue(result: RuleResult, last: RuleResult | None) -> RuleResult:
    alerted_at = last.alerted_at if last is not None else None
    if result.status == "pass" and alerted_at is None:
        return result
    failing_since = last.failing_since if last is not None else None
    return replace(result, failing_since=failing_since or result.checked_at, alerted_at=alerted_at)
