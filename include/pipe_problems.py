"""What is wrong with Snowpipe becomes alerts: one when a problem starts, one when it ends, one about files that failed.

A problem is a text by its kind, such as "pipe".  The text may change (how long a file waits) while the problem lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from include import names
from include.alerts import Alert, Links, State, compose
from include.alerts.alert import duration, in_utc

DAG_ID = names.dag("monitor_snowpipe")
RUNBOOK = "docs/runbooks/monitor_snowpipe.md"
STREAM, STREAM_AT_RISK = "stream", "stream at risk"
# A problem that ends in a worse one is not over.
BECOMES = {STREAM_AT_RISK: STREAM}
#: A problem that lasts is notified again after this time.
REMIND_AFTER = timedelta(hours=6)
IMPACT = "readings reach RAW and the history late, or not at all"


class OpenProblem(msgspec.Struct, frozen=True):
    """Since when a problem lasts, and when the last alert about it was stored (both aware)."""

    since: datetime
    alerted_at: datetime


class PipeAlerts(msgspec.Struct, frozen=True):
    """The alerts that a check makes due, and the problems that are open once they are stored."""

    alerts: list[Alert]
    open_problems: dict[str, OpenProblem]


def judge_pipe(
    problems: Mapping[str, str],
    failed_files: Mapping[str, str],
    before: Mapping[str, OpenProblem],
    *,
    since: datetime,
    now: datetime,
    run_id: str,
    links: Links,
) -> PipeAlerts:
    """Compare a check with the problems that were open ``before``.

    The ids of alerts depend on ``since``, the time up to which the check before this one looked, and on what they
    report.  So a check that is repeated after a crash stores no alert twice, and one that finds more stores another.

    Args:
        problems: kind -> text of each problem that there is now.
        failed_files: name -> text of each file that failed to load since the last check.
    """
    new = [kind for kind in problems if kind not in before]
    again = [kind for kind in problems if kind in before and now - before[kind].alerted_at >= REMIND_AFTER]
    over = [kind for kind in before if kind not in problems and BECOMES.get(kind) not in problems]
    still_open = {kind: _continued(before.get(kind), now, is_alerted=kind in again) for kind in problems}
    reported = [*new, *again]

    def alert(state: State, about: Sequence[str], details: Sequence[str], impact: str, incident: str = "") -> Alert:
        return compose(
            alert_id=f"{DAG_ID}/{since.isoformat()}/{_digest(about)}/{state}",
            state=state,
            severity="error",
            dag_id=DAG_ID,
            concerned=about,
            details="\n".join(details),
            impact=impact,
            since=min((still_open[kind].since for kind in about if kind in still_open), default=now),
            run_id=run_id,
            links=links,
            stored_at=now,
            runbook=RUNBOOK,
            incident=incident,
            is_over=state == "recovered" and not still_open,
        )

    alerts = []
    if reported:
        texts = [problems[kind] for kind in reported]
        alerts.append(alert("failed" if new else "still failing", reported, texts, IMPACT))
    if failed_files:
        # They have no end of their own, so that of what stands still must not be theirs.
        incident = f"load-errors/{_digest(failed_files)}"
        alerts.append(alert("failed", [*failed_files], list(failed_files.values()), IMPACT, incident))
    if over:
        ended = [
            f"{kind}: over, after {duration(before[kind].since, now)} (since {in_utc(before[kind].since)})"
            for kind in over
        ]
        alerts.append(alert("recovered", over, ended, "others last" if still_open else "over"))
    return PipeAlerts(alerts, still_open)


def _digest(about: Iterable[str]) -> str:
    return sha256("\n".join(about).encode()).hexdigest()[:16]


def _continued(open_problem: OpenProblem | None, now: datetime, *, is_alerted: bool) -> OpenProblem:
    if open_problem is None:
        return OpenProblem(now, now)
    return replace(open_problem, alerted_at=now) if is_alerted else open_problem
