"""Checks Snowpipe: whether it runs and keeps up, which files failed to load, and whether its stream can be merged."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from airflow.sdk import Asset, Context
from airflow.triggers.base import BaseTrigger

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.failures import ReportedFailure
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.links import alert_links
from clicks_to_deliveries.notifiers.failure_note import announce_stored_alerts
from clicks_to_deliveries.operators.in_rounds import LEAST_PAUSE, InRounds, Progress, Round
from clicks_to_deliveries.telemetry import count, measure
from clicks_to_deliveries.triggers.pipe_settled import PipeSettledTrigger
from include import names, sql
from include.alerts.findings import store_alerts
from include.pipe_and_stream import (
    WILL_BE_STALE,
    PipeActivity,
    is_awake,
    is_settled,
    pipe_status,
    problem_of_stream,
)
from include.pipe_problems import STREAM, STREAM_AT_RISK, OpenProblem, judge_pipe
from include.snowflake_rows import NOW, execute, first_row

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

LOADS = "ops/loads_since.sql"
# The last window that was checked, which Airflow keeps with the RAW asset.
STATE_KEY = "load_history_look"
FIRST_WINDOW = timedelta(days=1)
# COPY_HISTORY answers for 14 days, and fails for earlier times.
LONGEST_WINDOW = timedelta(days=13)
# How long loads that look fine may wait until something else has resumed the warehouse.
LONGEST_WAIT = timedelta(minutes=14)
# How late COPY_HISTORY may show a load: failures are looked for this far back again.
SHOWN_LATE = timedelta(minutes=10)
# What it calls a load of which something is missing, in lower case, also where it counts no error.
FAILED_STATUS = ("load failed", "partially loaded", "load skipped")
FAILED_FILES_SHOWN = 10
FILES_LOGGED = 200


class Load(NamedTuple):
    """One file that Snowpipe loaded or tried to load; the columns of LOADS."""

    file_name: str
    status: str
    row_count: int | None
    error_count: int | None
    first_error_message: str | None
    first_error_line_number: int | None
    loaded_at: datetime

    @property
    def has_failed(self) -> bool:
        """Whether lines of it, or all, are in no table."""
        return bool(self.error_count) or self.status.lower() in FAILED_STATUS


class CheckedWindow(msgspec.Struct, frozen=True):
    """The loads that a run checked: after ``since``, up to and including ``until``; and what was wrong, by kind.

    A run that had no reason to ask for loads keeps the window of the run before, as an empty one at its end.
    ``activity`` is the pipe's when loads were last asked for; ``is_last``: it was the same one question before, so that
    also loads that COPY_HISTORY shows late were seen.  ``reported`` are the files that failed in the window or within
    SHOWN_LATE before it.  ``checked_from`` and ``checked_at`` are the times of the check before and of this one, asked
    for loads or not.
    """

    run_id: str
    since: datetime
    until: datetime
    problems: dict[str, OpenProblem] = {}
    activity: PipeActivity | None = None
    is_last: bool = False
    reported: list[str] = []
    checked_from: datetime | None = None
    checked_at: datetime | None = None

    def may_have_news(self, activity: PipeActivity) -> bool:
        """Whether COPY_HISTORY may have loads that were not checked."""
        return activity != self.activity or not self.is_last

    def looks_bad(self, activity: PipeActivity) -> bool:
        """Whether files were announced and none was loaded, or the pipe had an error."""
        if self.activity is None:
            return True
        unloaded = activity.announced != self.activity.announced and activity.loaded == self.activity.loaded
        return unloaded or activity.failed != self.activity.failed


class CheckPipeOperator(InRounds):
    """Waits (deferred) until the pipe has no file pending, then stores one alert about everything that is newly wrong.

    It fails while the pipe does not run, a file has been pending for longer than ``pending_limit``, a file loaded since
    the last check has errors, or the stream that the merge reads is stale or soon will be.  Each load is checked by one
    run: ``asset`` keeps the last window, and a retry checks the same window again.  Alerts are committed before the
    window is kept, so a crash in between repeats the check, which stores no alert twice.  The task succeeds, and so
    updates ``asset``, only if rows arrived; otherwise it is skipped.

    COPY_HISTORY needs a warehouse, and resuming one is billed with a minute.  So it is asked only if the pipe's status
    says that files came in: as soon as the warehouse runs anyway, after LONGEST_WAIT otherwise, and immediately if
    files were announced and none was loaded (docs/adr/0065-ask-what-is-free-before-a-warehouse.md).

    :param asset: the table that the pipe loads.
    :param schedule: with ``run_for``, the cron expression whose moments begin the rounds of a run.
    :param pending_limit: longest time that a file may be pending.
    :param stale_warning: report a stream that becomes stale in less than this.  Well under a day, because an account
        may keep old versions for one day only: its stream is never further from stale.
    :param settle: leave loads younger than this to the next check: COPY_HISTORY shows a load some time after its
        timestamp.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.LOADS, buttons.PIPE)

    def __init__(
        self,
        *,
        asset: Asset,
        pending_limit: timedelta,
        schedule: str = "*/5 * * * *",
        settle: timedelta = timedelta(seconds=10),
        stale_warning: timedelta = timedelta(hours=12),
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset
        self.schedule = schedule
        self.pending_limit = pending_limit
        self.settle = settle
        self.stale_warning = stale_warning
        self.snowflake_conn_id = snowflake_conn_id

    def work(self, context: Context, progress: Progress) -> Round:
        with closing(connect(self.snowflake_conn_id)) as connection:
            status = pipe_status(connection, names.PIPE)
        if not is_settled(status):
            self.log.info("Waiting for %d pending files", status["pendingFileCount"])
            limit = self.pending_limit.total_seconds()
            trigger = PipeSettledTrigger(names.PIPE, self.snowflake_conn_id, limit, datetime.now(UTC).timestamp())
            self.defer(
                trigger=trigger,
                method_name="report",
                kwargs=progress._asdict(),
                timeout=self.pending_limit + timedelta(minutes=1),
            )
        return self.check(context, status, progress)

    def report(
        self, context: Context, event: dict[str, Any], total: dict[str, int] | None = None, rounds: int = 0
    ) -> dict[str, int]:
        """Check, now that the files that were pending are loaded or the time is up."""
        progress = Progress(total or {}, rounds)
        return self.go_on(context, self.check(context, event["status"], progress), progress)

    def wait(self) -> tuple[BaseTrigger, timedelta]:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger
        from croniter import croniter

        now = datetime.now(UTC)
        moment: datetime = croniter(self.schedule, now + LEAST_PAUSE).get_next(datetime)
        return DateTimeTrigger(moment=moment), moment - now

    def check(self, context: Context, status: dict[str, Any], progress: Progress) -> Round:
        """Return the rows and files that arrived since the last check.

        Raises:
            ReportedFailure: something is wrong; the message lists all of it, and an alert is stored.
        """
        check_id = progress.name(context)
        with closing(connect(self.snowflake_conn_id)) as connection:
            (utc,) = first_row(connection, NOW)
            now = utc.replace(tzinfo=UTC)
            last = self._last_window(context)
            window = self._window(connection, last, PipeActivity.of(status), check_id, now)
            loads = _loads(connection, window) if window.until > window.since else []
            problems = _problems_of_pipe(status, now, self.pending_limit)
            if stream := problem_of_stream(connection, names.RAW_STREAM, near=self.stale_warning, now=now):
                # A stream that will be stale and one that is are two problems: the second is news.
                problems[STREAM_AT_RISK if WILL_BE_STALE in stream else STREAM] = stream
            known = last.reported if last else []
            failed_files = _failed_files([load for load in loads if load.file_name not in known])
            found = judge_pipe(
                problems,
                failed_files,
                last.problems if last else {},
                since=window.checked_from or window.since,
                now=now,
                run_id=check_id,
                links=alert_links(),
            )
            connection.autocommit(False)
            store_alerts(connection, check_id, found.alerts)
            connection.commit()
        reported = [load.file_name for load in loads if load.has_failed] if loads else window.reported
        window = msgspec.structs.replace(window, problems=found.open_problems, reported=reported)
        context["asset_state_store"][self.asset].set(STATE_KEY, msgspec.to_builtins(window))
        if found.alerts:
            announce_stored_alerts(context["ti"])
        new = [load for load in loads if load.loaded_at > window.since]
        for load in new[:FILES_LOGGED]:
            self.log.info("%s: %d rows, %s", load.file_name, load.row_count or 0, load.status.lower())
        rows = sum(load.row_count or 0 for load in new)
        count("raw", {"rows": rows, "files": len(new), "failed_files": len(failed_files)})
        measure("raw", {"pending_files": status.get("pendingFileCount", 0)})
        self.log.info("%d rows in %d files from %s to %s", rows, len(loads), window.since, window.until)
        if problems or failed_files:
            raise ReportedFailure("; ".join([*problems.values(), *failed_files.values()]))
        return Round({"rows": rows, "files": len(loads)} if rows else None, is_last=bool(found.alerts))

    def _window(
        self,
        connection: SnowflakeConnection,
        last: CheckedWindow | None,
        activity: PipeActivity,
        run_id: str,
        now: datetime,
    ) -> CheckedWindow:
        """Return the loads to check in this run; a retry repeats its window."""
        since = _window_start(last, run_id, now)
        if last is None:
            return CheckedWindow(
                run_id, since, now - self.settle, activity=activity, checked_from=since, checked_at=now
            )
        is_retry = last.run_id == run_id
        checked_from = last.checked_from if is_retry else last.checked_at
        if is_retry or _is_look_due(connection, last, activity, now):
            window = CheckedWindow(
                run_id, since, max(since, now - self.settle), activity=activity, is_last=activity == last.activity
            )
        else:
            window = msgspec.structs.replace(last, run_id=run_id, since=last.until)
        return msgspec.structs.replace(window, checked_from=checked_from, checked_at=now)

    def _last_window(self, context: Context) -> CheckedWindow | None:
        stored = context["asset_state_store"][self.asset].get(STATE_KEY)
        return None if stored is None else msgspec.convert(stored, CheckedWindow)


def _window_start(last: CheckedWindow | None, run_id: str, now: datetime) -> datetime:
    if last is None:
        return now - FIRST_WINDOW
    return max(last.since if last.run_id == run_id else last.until, now - LONGEST_WINDOW)


def _is_look_due(connection: SnowflakeConnection, last: CheckedWindow, activity: PipeActivity, now: datetime) -> bool:
    """Return whether to ask COPY_HISTORY now."""
    if last.looks_bad(activity):
        return True
    return last.may_have_news(activity) and (now - last.until >= LONGEST_WAIT or is_awake(connection))


def _loads(connection: SnowflakeConnection, window: CheckedWindow) -> list[Load]:
    values = {"since": (window.since - SHOWN_LATE).isoformat(), "until": window.until.isoformat()}
    with closing(connection.cursor()) as cursor:
        execute(cursor, sql.render(LOADS), values)
        return [Load(*row) for row in cursor.fetchall()]


def _problems_of_pipe(status: dict[str, Any], now: datetime, pending_limit: timedelta) -> dict[str, str]:
    """Kind -> text."""
    problems = {}
    if (state := status["executionState"]) != "RUNNING":
        reason = f": {status['error']}" if status.get("error") else ""
        problems["pipe"] = f"pipe {names.PIPE} is {state}{reason}"
    pending, oldest = status.get("pendingFileCount", 0), status.get("oldestFileTimestamp")
    if pending and oldest:
        waiting = now - datetime.fromisoformat(oldest)
        if waiting > pending_limit:
            problems["pending files"] = f"{_files(pending)} pending, the oldest for {waiting.total_seconds():.0f} s"
    return problems


def _failed_files(loads: list[Load]) -> dict[str, str]:
    """File -> what is wrong with it, of the first ones, and how many more there are."""
    failed = [load for load in loads if load.has_failed]
    files = {
        load.file_name: f"load error: {load.file_name} ({load.status}, {load.error_count} errors, first in line "
        f"{load.first_error_line_number}: {load.first_error_message})"
        for load in failed[:FAILED_FILES_SHOWN]
    }
    if hidden := len(failed[FAILED_FILES_SHOWN:]):
        files[f"{_files(hidden)} more"] = f"and {_files(hidden)} more with load errors, see COPY_HISTORY"
    return files


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"
