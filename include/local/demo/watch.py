"""Waits for conditions and DAG runs, prints what happens meanwhile, and notices a process that has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import snowflake.connector
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from include.local.demo.airflow_api import FINISHED, AirflowApi

POLL_SECONDS = 1.0
COUNTS_EVERY_SECONDS = 4
# Counting many records takes seconds of the processor that processes them: at most this share of the time.
COUNTS_SHARE = 0.05
ENDED_TASK_STATES = ("success", "failed", "skipped", "upstream_failed")

# A store that is down, or has just come back and knows no session any more.
STORE_ERRORS = (BotoCoreError, ClientError, snowflake.connector.errors.Error, OSError)

# Returns one line with the counts of the stores.
CountsLine = Callable[[], str]


class Services(Protocol):
    """What runs the pipeline: the demo's processes, or containers."""

    @property
    def log(self) -> Path: ...

    def check(self) -> list[str]:
        """Return a line for each that has ended since the last call, and starts again.

        Raises:
            ProcessError: one of them does not come up.
        """


class DemoError(RuntimeError):
    """The demo cannot continue; the message says what failed and where to look."""


class Watch:
    """What a person who started the demo sees of it; each line begins with the minutes and seconds since the start."""

    def __init__(self, console: Console, services: Services, airflow: AirflowApi, state: Path) -> None:
        self._console = console
        self._services = services
        self._airflow = airflow
        self._dag_logs = state / "airflow" / "logs"
        self._started = time.monotonic()
        self._next_counts = 0.0

    def print(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        self._console.print(f"[dim]{minutes}:{seconds:02}[/dim]  {escape(text)}")

    def wait_for(
        self,
        is_met: Callable[[], bool],
        timeout: float,
        subject: str,
        *,
        explain: Callable[[], str] | None = None,
        counts: CountsLine | None = None,
    ) -> None:
        """Wait until ``is_met``.

        Args:
            timeout: in seconds.
            subject: of the wait, for the error message.
            explain: returns what is missing, for the error message.
            counts: prints the stores' counts while it waits.

        Raises:
            DemoError: the time is up.
            ProcessError: one of the demo's processes has ended.
        """
        deadline = time.monotonic() + timeout
        while not is_met():
            if time.monotonic() > deadline:
                reason = explain() if explain else ""
                raise DemoError(
                    f"gave up waiting for {subject} after {timeout:.0f} s{reason and ': ' + reason}\n"
                    f"see {relative(self._services.log)}"
                )
            self.pause(counts)

    def follow(self, dag_id: str, run_id: str, timeout: float, *, counts: CountsLine | None = None) -> None:
        """Wait until a DAG run has succeeded, and print each task as it ends.

        Raises:
            DemoError: the run failed, or is not finished after ``timeout`` seconds.
            ProcessError: one of the demo's processes has ended.
        """
        printed: set[str] = set()
        deadline = time.monotonic() + timeout
        while True:
            state = self._airflow.run_state(dag_id, run_id)
            for task, task_state in self._airflow.task_states(dag_id, run_id).items():
                if task not in printed and task_state in ENDED_TASK_STATES:
                    printed.add(task)
                    self.print(f"  {dag_id}.{task}: {task_state}")
            if state == "success":
                return
            if state in FINISHED or time.monotonic() > deadline:
                outcome = state if state in FINISHED else f"is still {state} after {timeout:.0f} s"
                logs = relative(self._dag_logs / f"dag_id={dag_id}")
                raise DemoError(f"{dag_id} {outcome}; the logs of its tasks are in {logs}")
            self.pause(counts)

    def pause(self, counts: CountsLine | None = None) -> None:
        """Leave the pipeline time to work; print its ``counts`` every few seconds, or less often if counting is slow.

        Raises:
            ProcessError: one of the demo's processes has ended.
        """
        for line in self._services.check():
            self.print(line)
        if counts and (began := time.monotonic()) > self._next_counts:
            self.print("  " + self._count(counts))
            ended = time.monotonic()
            self._next_counts = ended + max(COUNTS_EVERY_SECONDS, (ended - began) / COUNTS_SHARE)
        time.sleep(POLL_SECONDS)

    def _count(self, counts: CountsLine) -> str:
        try:
            return counts()
        except STORE_ERRORS as error:
            # It may be starting again.  If it does not come up, check() says so.
            return f"no counts, a store does not answer: {str(error).partition(chr(10))[0][:120]}"


def relative(path: Path) -> str:
    """The path as a person in the current directory writes it."""
    return os.path.relpath(path)
