"""Failed runs become outages: one alert when the runs of a DAG start to fail, and one when they succeed again.

The outbox of failed runs is in Airflow's metadata database.  A :class:`RunNote` is written in the transaction that ends
the run.  :func:`judge` turns a DAG's notes into alerts, and keeps its :class:`Outage` while it lasts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace

from include.alerts.alert import Alert, Links, compose, duration, in_utc, short
from include.alerts.impact import IMPACTS, runbook_of

#: A failure that lasts is notified again after this time.
REMIND_AFTER = timedelta(hours=6)
LONGEST_ERROR = 2_000


class RunNote(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended, at ``ended_at`` (aware).

    A run that was started by hand is an outage of its own: the next one may do something else.  ``tasks`` are those
    that failed, ``error`` is what the first one of them said, and empty if it could not (it was killed).
    """

    dag_id: str
    run_id: str
    failed: bool
    ended_at: datetime
    is_manual: bool = False
    reason: str = ""
    tasks: tuple[str, ...] = ()
    error: str = ""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A DAG whose runs fail: since when, how many did, and when people were last notified."""

    since: datetime
    alerted_at: datetime
    failed_runs: int


def judge(
    notes: Iterable[RunNote], outage: Outage | None, links: Links, now: datetime
) -> tuple[list[Alert], Outage | None]:
    """Return the alerts that a DAG's ``notes`` make due, and its outage afterwards.

    Same notes and outage, same alerts, with the same ids: a crash before both are stored changes nothing.  An alert
    counts as stored when its run ended.
    """
    alerts: list[Alert] = []
    for note in sorted(notes, key=lambda note: note.ended_at):
        if note.is_manual:
            alerts += [_failure(note, "failed", [], links)] if note.failed else []
        elif note.failed and outage is None:
            outage = Outage(since=note.ended_at, alerted_at=now, failed_runs=1)
            lasts = [f"You get a reminder every {_hours()} hours while this lasts, and one message when it is over."]
            alerts.append(_failure(note, "failed", lasts, links))
        elif note.failed and outage is not None:
            outage = replace(outage, failed_runs=outage.failed_runs + 1)
            if now - outage.alerted_at >= REMIND_AFTER:
                outage = replace(outage, alerted_at=now)
                count = [f"{outage.failed_runs:,} runs failed since {in_utc(outage.since)}."]
                alerts.append(_failure(note, "still failing", count, links))
        elif outage is not None:
            alerts.append(_recovery(note, outage, links))
            outage = None
    return alerts, outage


def _failure(note: RunNote, state: Literal["failed", "still failing"], after: Sequence[str], links: Links) -> Alert:
    impact = IMPACTS[note.dag_id]
    what = ", ".join(note.tasks) if note.tasks else "the run"
    error = note.error or "none was reported: the process was probably killed, see the task's log"
    if note.reason == "timed_out":
        error = "the run took longer than its dagrun_timeout and was stopped"
    return compose(
        alert_id=f"{note.dag_id}/{note.run_id}/{note.ended_at.isoformat()}/{state}",
        incident=_incident(note),
        state=state,
        severity=impact.severity,
        dag_id=note.dag_id,
        concerned=[what],
        details="\n".join([f"{note.dag_id}: {what} failed", f"  error    {_cut(error)}", *after]),
        impact=impact.meaning,
        since=note.ended_at,
        run_id=note.run_id,
        links=links,
        stored_at=note.ended_at,
        runbook=runbook_of(note.dag_id),
    )


def _recovery(note: RunNote, outage: Outage, links: Links) -> Alert:
    runs = "run" if outage.failed_runs == 1 else "runs"
    lasted = duration(outage.since, note.ended_at)
    return compose(
        alert_id=f"{note.dag_id}/{note.run_id}/{note.ended_at.isoformat()}/recovered",
        incident=_incident(note),
        state="recovered",
        severity=IMPACTS[note.dag_id].severity,
        dag_id=note.dag_id,
        concerned=["its runs succeed again"],
        details=f"{note.dag_id} works again, after {lasted} and {outage.failed_runs:,} failed {runs}",
        impact="over",
        since=outage.since,
        run_id=note.run_id,
        links=links,
        stored_at=note.ended_at,
        is_over=True,
    )


def _incident(note: RunNote) -> str:
    """Other than that of the DAG's findings: its runs may work again while what they found lasts."""
    return f"{note.dag_id}/{note.run_id}" if note.is_manual else f"{note.dag_id}/runs"


def _cut(error: str) -> str:
    """The lines of an error, without those past the longest text that people read."""
    lines = [short(line) for line in error.strip().splitlines()]
    text = "\n           ".join(lines)
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]}…"


def _hours() -> int:
    return REMIND_AFTER // timedelta(hours=1)
