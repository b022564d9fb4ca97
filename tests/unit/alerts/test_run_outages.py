"""Failed runs of a DAG are one outage: one alert when it starts, one when it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.alerts import Alert, Links
from include.alerts.run_outages import Outage, RunNote, judge

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LINKS = Links(airflow_url="http://airflow", dashboard_url="http://dashboard", repository_url="http://files")


def note(outcome: str, minute: int = 0, **more: object) -> RunNote:
    values = {"dag_id": "scd2_merge", "run_id": f"run+{minute}", "failed": outcome == "failed", "tasks": ("merge",)}
    return RunNote(**values | {"ended_at": START + minute * MINUTE} | more)


def told(*notes: RunNote, outage: Outage | None = None, now: datetime = START) -> tuple[list[Alert], Outage | None]:
    return judge(notes, outage, LINKS, now)


def test_the_first_failure_says_what_where_since_when_how_bad_and_where_to_look() -> None:
    (alert,), outage = told(note("failed", error="stream is stale\nsecond line"))
    assert (alert.headline, alert.state, alert.severity) == ("[failed] scd2_merge: merge", "failed", "error")
    assert alert.message.splitlines() == [
        "scd2_merge: merge failed",
        "  error    stream is stale",
        "           second line",
        "You get a reminder every 6 hours while this lasts, and one message when it is over.",
        "",
        "since      2026-11-22 12:00:00 UTC",
        "severity   error: the truck history and the dashboard show old data",
        "run        http://airflow/dags/scd2_merge/runs/run%2B0",
        "dashboard  http://dashboard",
        "runbook    http://files/docs/runbooks/scd2_merge.md",
    ]
    assert outage == Outage(since=START, alerted_at=START, failed_runs=1)


def test_an_outage_of_a_day_is_one_message_a_reminder_every_six_hours_and_one_at_its_end() -> None:
    outage: Outage | None = None
    states = []
    for minute in range(0, 24 * 60, 5):
        alerts, outage = told(note("failed", minute), outage=outage, now=START + minute * MINUTE)
        states += [alert.state for alert in alerts]
    alerts, outage = told(note("succeeded", 24 * 60), outage=outage)
    assert states == ["failed", "still failing", "still failing", "still failing"]
    assert [alert.state for alert in alerts] == ["recovered"]
    assert "works again, after 24 h 0 min and 288 failed runs" in alerts[0].message
    assert (alerts[0].is_over, outage) == (True, None)


def test_what_happened_while_nothing_could_be_sent_is_told_in_order() -> None:
    notes = [note("succeeded", 10), note("failed", 5), note("failed", 0), note("failed", 20)]
    alerts, outage = told(*notes)
    assert [alert.state for alert in alerts] == ["failed", "recovered", "failed"]
    assert outage == Outage(since=START + 20 * MINUTE, alerted_at=START, failed_runs=1)


def test_the_same_notes_again_give_the_same_ids() -> None:
    notes = [note("failed"), note("succeeded", 5)]
    first, again = told(*notes)[0], told(*notes, now=START + MINUTE)[0]
    assert [alert.alert_id for alert in first] == [alert.alert_id for alert in again]


def test_every_failed_run_by_hand_is_told_and_is_no_outage() -> None:
    by_hand = [note("failed", minute, is_manual=True) for minute in (0, 1)]
    alerts, outage = told(*by_hand, note("succeeded", 2, is_manual=True))
    assert [alert.state for alert in alerts] == ["failed", "failed"]
    assert len({alert.incident for alert in alerts}) == 2
    assert outage is None


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "none was reported: the process was probably killed"),
        ({"reason": "timed_out", "tasks": ()}, "took longer than its dagrun_timeout"),
        ({"error": "x" * 5000}, "x…"),
    ],
    ids=["killed", "run timeout", "long"],
)
def test_an_error_that_is_missing_or_long(more: dict[str, object], words: str) -> None:
    ((alert,), _) = told(note("failed", **more))
    assert words in alert.message
    assert len(alert.message) < 3000
