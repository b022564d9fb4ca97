"""A problem of the pipe is one alert while it lasts, and a file that failed to load is one alert, whatever crashes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.alerts import Alert, Links
from include.pipe_problems import REMIND_AFTER, OpenProblem, PipeAlerts, judge_pipe

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PAUSED = {"pipe": "pipe P is PAUSED"}


class Checks:
    """Runs of monitor_snowpipe; ``kept`` is what Airflow keeps between them."""

    def __init__(self) -> None:
        self.until = START
        self.kept: dict[str, OpenProblem] = {}
        self.stored: dict[str, Alert] = {}

    def check(self, problems: dict[str, str], *files: str, after: timedelta = MINUTE, crashes: bool = False) -> None:
        """One run; one that ``crashes`` after it stored its alerts keeps nothing, and the next run repeats it."""
        now = self.until + after
        found: PipeAlerts = judge_pipe(
            problems,
            {name: f"load error: {name}" for name in files},
            self.kept,
            since=self.until,
            now=now,
            run_id="run",
            links=Links(),
        )
        # As the table does: an id that is stored already stays as it is.
        self.stored = {alert.alert_id: alert for alert in found.alerts} | self.stored
        if not crashes:
            self.kept, self.until = found.open_problems, now

    @property
    def headlines(self) -> list[str]:
        return [alert.headline for alert in sorted(self.stored.values(), key=lambda alert: alert.stored_at)]


def test_a_problem_that_lasts_is_one_alert_and_its_end_one() -> None:
    checks = Checks()
    for problems in ({}, PAUSED, PAUSED, {"pipe": "pipe P is STOPPED"}, {}, {}):
        checks.check(problems)
    assert checks.headlines == ["[failed] monitor_snowpipe: pipe", "[recovered] monitor_snowpipe: pipe"]
    over = next(alert for alert in checks.stored.values() if alert.is_over)
    assert "pipe: over, after 3 min 0 s (since 2026-11-22 12:02:00 UTC)" in over.message


def test_a_second_problem_is_news_and_the_end_of_one_is_not_the_end() -> None:
    checks = Checks()
    checks.check(PAUSED)
    checks.check(PAUSED | {"stream": "stream S is stale"})
    checks.check({"stream": "stream S is stale"})
    assert checks.headlines == [
        "[failed] monitor_snowpipe: pipe",
        "[failed] monitor_snowpipe: stream",
        "[recovered] monitor_snowpipe: pipe",
    ]
    assert not any(alert.is_over for alert in checks.stored.values())


def test_a_stream_that_becomes_stale_as_foretold_is_news_and_no_recovery() -> None:
    checks = Checks()
    for problems in ({"stream at risk": "becomes stale"}, {"stream": "is stale"}, {}):
        checks.check(problems)
    assert checks.headlines == [
        "[failed] monitor_snowpipe: stream at risk",
        "[failed] monitor_snowpipe: stream",
        "[recovered] monitor_snowpipe: stream",
    ]


def test_people_are_reminded_after_some_hours() -> None:
    checks = Checks()
    for _ in range(3):
        checks.check(PAUSED, after=REMIND_AFTER)
    assert [headline.split("]")[0] for headline in checks.headlines] == ["[failed", "[still failing", "[still failing"]


def test_load_errors_are_news_also_while_a_problem_lasts() -> None:
    checks = Checks()
    checks.check(PAUSED)
    checks.check(PAUSED, "a.json.gz", "b.json.gz")
    checks.check(PAUSED, "c.json.gz")
    assert checks.headlines[1:] == [
        "[failed] monitor_snowpipe: a.json.gz and 1 more",
        "[failed] monitor_snowpipe: c.json.gz",
    ]


def test_a_file_that_failed_is_no_end_of_anything_and_an_incident_of_its_own() -> None:
    checks = Checks()
    checks.check({}, "a.json.gz")
    checks.check(PAUSED, "b.json.gz")
    checks.check({})
    a, paused, b, end = sorted(checks.stored.values(), key=lambda alert: alert.stored_at)
    assert [alert.is_over for alert in (a, paused, b, end)] == [False, False, False, True]
    assert a.incident.startswith("load-errors/")
    # Also beside a problem that begins in the same check: the end of the one is not the other's.
    assert b.incident.startswith("load-errors/")
    assert b.incident != a.incident
    assert paused.incident == end.incident == "monitor_snowpipe"


def test_a_check_that_is_repeated_after_a_crash_stores_nothing_twice_and_what_is_new_too() -> None:
    checks = Checks()
    checks.check(PAUSED, "a.json.gz", crashes=True)
    checks.check(PAUSED, "a.json.gz", after=2 * MINUTE, crashes=True)
    assert len(checks.stored) == 2
    checks.check(PAUSED, "a.json.gz", "b.json.gz", after=3 * MINUTE)
    assert len(checks.stored) == 3
    assert ["load error: b.json.gz" in alert.message for alert in checks.stored.values()].count(True) == 1
