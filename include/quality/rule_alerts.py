"""The alerts about quality rules: which rules fail, and which pass again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from include import names
from include.alerts import Alert, Links, Severity, State, compose
from include.alerts.alert import duration, in_utc, short
from include.quality.incidents import REMIND_AFTER, after_alert, after_recovery, alerts_due, recoveries_due
from include.quality.rule_results import RuleResult
from include.quality.rules import RUNBOOK, Rule

DAG_ID = names.dag("data_quality")
# The incident of warnings.
WARNINGS = f"{DAG_ID}/warnings"
SAMPLES_SHOWN = 5
COULD_NOT_RUN = "a-rule-could-not-run"


def with_alerts(
    results: Sequence[RuleResult],
    last: Mapping[str, RuleResult],
    rules: Mapping[str, Rule],
    run_id: str,
    links: Links,
    now: datetime,
) -> tuple[list[RuleResult], list[Alert]]:
    """Return the alerts that are due at ``now`` (naive UTC), and the results as they are once those are stored.

    New failures of a run are one alert and warnings another, and so are their ends.  The rules of severity "warn" are
    an incident of their own: one may find something for days, and a failure that comes meanwhile has to be a new
    incident.  It is theirs also while they can't run: a rule that can't run for once neither ends nor opens one.

    Args:
        last: the results of the last run, by rule.  They say in which incident people know of a rule.
    """
    moved = [result for result in results if result.alerted_at and result.is_notified and _has_moved(result, last)]
    # In the incident where they are now, nobody knows of them yet.
    results = [replace(result, alerted_at=None) if result in moved else result for result in results]
    failing, recovered = alerts_due(results, now), recoveries_due(results)
    notified = {result.rule: result for result in [*after_alert(failing, now), *after_recovery(recovered)]}
    afterwards = [notified.get(result.rule, result) for result in results]
    alerts = []
    for incident in (DAG_ID, WARNINGS):
        new = [result for result in failing if _incident(result) == incident]
        if failures := [result for result in new if result.fails_the_run]:
            alerts.append(_failure(failures, rules, run_id, links, now, incident=incident))
        if warnings := [result for result in new if not result.fails_the_run]:
            alerts.append(_warning(warnings, rules, run_id, links, now))
        if over := [each for each in [*recovered, *moved] if _incident(last.get(each.rule, each)) == incident]:
            left = [result for result in afterwards if result.alerted_at and _incident(result) == incident]
            alerts.append(_recovery(over, run_id, links, now, incident=incident, is_over=not left))
    return afterwards, alerts


def _incident(result: RuleResult) -> str:
    return WARNINGS if result.severity == "warn" else DAG_ID


def _has_moved(result: RuleResult, last: Mapping[str, RuleResult]) -> bool:
    """Return whether somebody changed the severity of the rule, and with it the incident."""
    return _incident(last.get(result.rule, result)) != _incident(result)


def _failure(
    results: Sequence[RuleResult],
    rules: Mapping[str, Rule],
    run_id: str,
    links: Links,
    now: datetime,
    *,
    incident: str,
) -> Alert:
    is_reminder = all(result.alerted_at for result in results)
    hours = REMIND_AFTER // timedelta(hours=1)
    what_next = f"You get a reminder every {hours} hours while this lasts, and one message when it is over."
    details = [*(_described(result, rules.get(result.rule), links) for result in results), what_next]
    state: State = "still failing" if is_reminder else "failed"
    impact = "data is wrong or late"
    return _alert(results, state, "error", impact, "\n".join(details), run_id, links, now, incident=incident)


def _warning(
    results: Sequence[RuleResult], rules: Mapping[str, Rule], run_id: str, links: Links, now: datetime
) -> Alert:
    hours = REMIND_AFTER // timedelta(hours=1)
    what_next = (
        f"This is a warning: the run does not fail. You get another message after {hours} hours if more trucks are "
        "concerned by then, and one when it is over."
    )
    details = [*(_described(result, rules.get(result.rule), links) for result in results), what_next]
    impact = "data is implausible"
    return _alert(results, "warning", "warning", impact, "\n".join(details), run_id, links, now, incident=WARNINGS)


def _recovery(
    results: Sequence[RuleResult], run_id: str, links: Links, now: datetime, *, incident: str, is_over: bool
) -> Alert:
    # Of severity "error", also for warnings: one that could not run was announced as an error, and whoever gets only
    # errors has to get its end.
    impact = "over" if is_over else "over for these rules, others still fail"
    details = "\n".join(map(_recovered, results))
    return _alert(
        results, "recovered", "error", impact, details, run_id, links, now, incident=incident, is_over=is_over
    )


def _alert(
    results: Sequence[RuleResult],
    state: State,
    severity: Severity,
    impact: str,
    details: str,
    run_id: str,
    links: Links,
    now: datetime,
    *,
    incident: str,
    is_over: bool = False,
) -> Alert:
    stored_at = now.replace(tzinfo=UTC)
    return compose(
        alert_id=f"{incident}/{run_id}/{stored_at.isoformat()}/{state}",
        state=state,
        severity=severity,
        dag_id=DAG_ID,
        concerned=[result.rule for result in results],
        details=details,
        impact=impact,
        run_id=run_id,
        links=links,
        stored_at=stored_at,
        incident=incident,
        is_over=is_over,
    )


def _described(result: RuleResult, rule: Rule | None, links: Links) -> str:
    since = f"since {in_utc(result.failing_since or result.checked_at)}"
    if result.status == "error":
        link = links.file(f"{RUNBOOK}#{COULD_NOT_RUN}")
        return f"{result.rule} can't run, {since}\n  error    {short(result.message)}\n  runbook  {link}\n"
    samples = ", ".join(map(short, result.samples[:SAMPLES_SHOWN]))
    keys = "key" if result.failed_count == 1 else "keys"
    lines = [f"{result.rule}: {result.failed_count:,} offending {keys}, {since}", f"  samples  {samples}"]
    if rule is not None:
        lines += [f"  meaning  {rule.meaning}", f"  action   {rule.action}", f"  runbook  {links.file(rule.link)}"]
    return "\n".join([*lines, ""])


def _recovered(result: RuleResult) -> str:
    still = "is only a warning now" if result.severity == "warn" else "is a warning no more"
    outcome = {
        "pass": "passes again",
        "removed": "was removed while it failed",
    }.get(result.status, f"still fails, but {still}")
    since = result.failing_since or result.checked_at
    return f"{result.rule} {outcome}, after {duration(since, result.checked_at)} (since {in_utc(since)})"
