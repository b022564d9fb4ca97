"""An alert, and the text that people get."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

import msgspec

State = Literal["failed", "still failing", "warning", "recovered"]
# The severities of PagerDuty, most severe first.
Severity = Literal["critical", "error", "warning"]

# SNS takes a subject of up to 100 characters of ASCII.
LONGEST_HEADLINE = 100


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One message to people.

    ``alert_id`` is the same whenever the same alert is stored or sent again.  ``incident`` is the same for the start,
    the reminders and the end of one failure.  ``is_over`` says that nothing of the incident is failing any more.
    ``sent_to`` names the channels that have the alert.  ``stored_at`` is aware.
    """

    alert_id: str
    incident: str
    state: State
    severity: Severity
    headline: str
    message: str
    stored_at: datetime
    is_over: bool = False
    sent_to: tuple[str, ...] = ()


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of Airflow, the dashboard, and the repository's files; an empty one gives no link."""

    airflow_url: str = ""
    dashboard_url: str = ""
    repository_url: str = ""

    def run(self, dag_id: str, run_id: str) -> str:
        """Return the address of a run in Airflow's web pages, or only its id.

        A run that works in rounds has " #2" and so on behind its id, from the second round on.
        """
        if not self.airflow_url:
            return run_id
        return f"{self.dag(dag_id)}/runs/{quote(run_id.partition(' #')[0], safe='')}"

    def dag(self, dag_id: str) -> str:
        """Return the address of a DAG in Airflow's web pages, or only its id."""
        return f"{self.airflow_url.rstrip('/')}/dags/{quote(dag_id, safe='')}" if self.airflow_url else dag_id

    def file(self, path: str) -> str:
        """Return the address of a file of the repository, or only its path."""
        return f"{self.repository_url.rstrip('/')}/{path}" if self.repository_url else path


def compose(
    *,
    alert_id: str,
    state: State,
    severity: Severity,
    dag_id: str,
    concerned: Sequence[str],
    details: str,
    impact: str,
    run_id: str,
    links: Links,
    stored_at: datetime,
    since: datetime | None = None,
    runbook: str = "",
    incident: str = "",
    is_over: bool = False,
) -> Alert:
    """Return an alert whose message says what, where, since when, how bad it is, and where to look.

    ``concerned`` names what the headline says, the first one in full.  ``details`` are lines that say what happened.
    The incident is that of the DAG's findings unless another is given.
    """
    lines = [details.rstrip("\n"), ""]
    if since is not None:
        lines.append(f"since      {in_utc(since)}")
    lines += [f"severity   {severity}: {impact}", f"run        {links.run(dag_id, run_id)}"]
    if links.dashboard_url:
        lines.append(f"dashboard  {links.dashboard_url}")
    if runbook:
        lines.append(f"runbook    {links.file(runbook)}")
    return Alert(
        alert_id=alert_id,
        incident=incident or dag_id,
        state=state,
        severity=severity,
        headline=headline_of(state, dag_id, concerned),
        message="\n".join(lines) + "\n",
        stored_at=stored_at,
        is_over=is_over,
    )


def headline_of(state: str, dag_id: str, concerned: Sequence[str]) -> str:
    """Return a headline such as ``[failed] data_quality: trucks_report and 2 more``, as SNS takes it."""
    more = f" and {len(concerned) - 1} more" if len(concerned) > 1 else ""
    headline = f"[{state}] {dag_id}: {concerned[0]}{more}"
    return headline.encode("ascii", "replace").decode()[:LONGEST_HEADLINE]


def in_utc(time: datetime) -> str:
    """Return a time, naive UTC or aware, as people read it."""
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return f"{aware.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def short(text: str, longest: int = 500) -> str:
    """Return the text in one line of at most ``longest`` characters."""
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= longest else f"{one_line[:longest]}…"


def duration(start: datetime, end: datetime) -> str:
    """Return how long something lasted, such as ``1 h 2 min``."""
    minutes, seconds = divmod(int((end - start).total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s"
