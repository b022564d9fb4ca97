"""Looks after Snowpipe: does it run, does it keep up, what did it load and what not, can it still be merged."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from airflow.sdk import Asset, BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from clicks_to_deliveries.hooks.snowflake_hook import NOW, PipelineSnowflakeHook
from clicks_to_deliveries.triggers.pipe_settled import PipeSettledTrigger
from include import names, sql
from include.pipe_and_stream import PIPE_STATUS, is_settled, problem_of_stream

LOADS = "ops/loads_since.sql"
# Where the last look ended, kept by Airflow with the RAW asset: {"run_id", "since", "until"}, times in UTC.
STATE_KEY = "load_history_look"
FIRST_LOOK = timedelta(days=1)
# COPY_HISTORY answers for 14 days, and fails beyond them.
HISTORY_REACH = timedelta(days=13)
FAILED_FILES_SHOWN = 10


class Load(NamedTuple):
    """One file that Snowpipe loaded or tried to; the columns of LOADS."""

    file_name: str
    status: str
    row_count: int | None
    error_count: int | None
    first_error_message: str | None
    first_error_line_number: int | None


class CheckPipeOperator(BaseOperator):
    """Waits (deferred) until the pipe has worked off its files, then reports everything wrong at once.

    Wrong is: the pipe does not run, a file has been pending for longer than ``pending_limit``, a file loaded since the
    last look has errors, or the stream that the merge reads is stale or soon will be.  Each load is looked at once:
    where a look begins is kept with ``asset``, and the same run tried again looks at the same loads.  Succeeds, and so
    updates ``asset``, only when rows arrived; skips otherwise.

    :param stale_warning: a stream that is stale in so long is told of.  Well under a day, for accounts that keep old
        versions for one: there it is never further away.
    :param settle: loads this young are left to the next look; COPY_HISTORY shows a load some time after its time stamp.
    """

    def __init__(
        self,
        *,
        asset: Asset,
        pending_limit: timedelta,
        settle: timedelta = timedelta(seconds=10),
        stale_warning: timedelta = timedelta(hours=12),
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset
        self.pending_limit = pending_limit
        self.settle = settle
        self.stale_warning = stale_warning
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> int:
        (answer,) = PipelineSnowflakeHook(self.snowflake_conn_id).get_first(PIPE_STATUS, {"pipe": names.PIPE})
        status = json.loads(answer)
        if not is_settled(status):
            self.log.info("Waiting for %d pending files", status["pendingFileCount"])
            trigger = PipeSettledTrigger(names.PIPE, self.snowflake_conn_id, self.pending_limit.total_seconds())
            self.defer(trigger=trigger, method_name="report", timeout=self.pending_limit + timedelta(minutes=1))
        return self.report(context, {"status": status})

    def report(self, context: Context, event: dict[str, Any]) -> int:
        """Number of rows that arrived since the last look.

        Raises:
            AirflowFailException: something is wrong; the message has all of it.
            AirflowSkipException: all is well and no row arrived.
        """
        with closing(PipelineSnowflakeHook(self.snowflake_conn_id).get_conn()) as connection:
            (utc,) = connection.cursor().execute(NOW).fetchone()
            now = utc.replace(tzinfo=UTC)
            since = self._begin_look(context, now)
            until = max(since, now - self.settle)
            window = {"since": since.isoformat(), "until": until.isoformat()}
            loads = [Load(*row) for row in connection.cursor().execute(sql.render(LOADS), window).fetchall()]
            stream = problem_of_stream(connection, names.RAW_STREAM, near=self.stale_warning, now=now)
        rows = sum(load.row_count or 0 for load in loads)
        problems = _problems_of_pipe(event["status"], now, self.pending_limit) + _problems_of_loads(loads)
        problems += [stream] if stream else []
        context["asset_state_store"][self.asset].set(STATE_KEY, {"run_id": context["run_id"], **window})
        self.log.info("%d rows in %d files from %s to %s", rows, len(loads), since, until)
        if problems:
            raise AirflowFailException("; ".join(problems))
        if not rows:
            raise AirflowSkipException("No row arrived since the last look")
        return rows

    def _begin_look(self, context: Context, now: datetime) -> datetime:
        last = context["asset_state_store"][self.asset].get(STATE_KEY)
        if last is None:
            return now - FIRST_LOOK
        since = last["since"] if last["run_id"] == context["run_id"] else last["until"]
        return max(datetime.fromisoformat(since), now - HISTORY_REACH)


def _problems_of_pipe(status: dict[str, Any], now: datetime, pending_limit: timedelta) -> list[str]:
    problems = []
    if (state := status["executionState"]) != "RUNNING":
        problems.append(f"pipe {names.PIPE} is {state}" + (f": {status['error']}" if status.get("error") else ""))
    pending, oldest = status.get("pendingFileCount", 0), status.get("oldestFileTimestamp")
    if pending and oldest:
        waiting = now - datetime.fromisoformat(oldest)
        if waiting > pending_limit:
            problems.append(f"{pending} files pending, the oldest for {waiting.total_seconds():.0f} s")
    return problems


def _problems_of_loads(loads: list[Load]) -> list[str]:
    failed = [load for load in loads if load.error_count]
    if not failed:
        return []
    files = [
        f"{load.file_name} ({load.status}, {load.error_count} errors, first in line "
        f"{load.first_error_line_number}: {load.first_error_message})"
        for load in failed[:FAILED_FILES_SHOWN]
    ]
    more = f" and {len(failed) - FAILED_FILES_SHOWN} more" if len(failed) > FAILED_FILES_SHOWN else ""
    return [f"{len(failed)} files with load errors: {', '.join(files)}{more}"]
