"""honcho that keeps its processes up: ``python -m include.local.demo.graceful_honcho …``.

honcho stops every process when one ends.  Here a process that had been up is started again; only one that does not come
up stops the others.

honcho kills every process that has not stopped after 5 s.  MiniStack writes the state of all its services when it is
asked to stop.  After a long demo this takes longer; killed then, its next start would have to read a long journal.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Process
from typing import Any

import psutil
from honcho import command, manager
from honcho import process as honcho_process
from honcho.printer import Printer

from include.local.demo.processes import GIVES_UP, STARTS_AGAIN, end

# As honcho numbers the processes of its Procfile.
SAVES_ITS_STATE = frozenset({"ministack.1"})
# A process that has run for so long has come up.
UP_SECONDS = 20.0
# A process that ends more often than this in a row, each time before it was up, stops everything.
STARTS_IN_A_ROW = 5
LONGEST_PAUSE_SECONDS = 16.0
# What a process that has ended leaves behind may end by itself.
LEFT_BEHIND_SECONDS = 5.0


@dataclass
class Life:
    """When a process was started, and how it has fared since.

    Attributes:
        short: how many of its last lives ended before it was up.
        start_at: when it is to start again; None while it lives.
    """

    started: float
    was_up: bool = False
    short: int = 0
    start_at: float | None = None


class GracefulManager(manager.Manager):  # type: ignore[misc]  # honcho has no types
    """Starts again what ends by itself, kills no process of SAVES_ITS_STATE, and can be stopped while it starts.

    How long saving may take is decided by whoever started honcho.
    """

    def __init__(self, printer: Printer | None = None) -> None:
        super().__init__(printer)
        self._process_ctor = SessionProcess
        self._is_stopping = False
        self._lives: dict[str, Life] = {}

    def terminate(self) -> None:
        """Ask every process to stop.  If some have not started yet, honcho's loop calls this again when all have."""
        self._is_stopping = True
        if self._all_started():
            super().terminate()

    def kill(self) -> None:
        """Kill what has not stopped.  honcho's loop calls this repeatedly, from 5 s after the stop began."""
        for name, process in self._processes.items():
            if "returncode" not in process and name not in SAVES_ITS_STATE and not process.get("killed"):
                process["killed"] = True
                self._system_print(f"killing {name}: it has not stopped within {manager.KILL_WAIT} s\n")
                self._procmgr.kill(process["pid"])

    def _any_stopped(self) -> bool:
        # honcho's loop begins to stop all processes when this is true.
        have_failed = [name for name in self._processes if not self._is_stopping and not self._keeps_up(name)]
        return self._is_stopping or bool(have_failed)

    def _all_stopped(self) -> bool:
        # honcho's loop ends when this is true.
        return self._terminating and bool(super()._all_stopped())

    def _keeps_up(self, name: str) -> bool:
        """Start the process again if it has ended and its pause is over; False if it does not come up."""
        process, now = self._processes[name], time.monotonic()
        life = self._lives.setdefault(name, Life(now))
        if "returncode" not in process:
            return True
        if life.start_at is None:
            lived_long = now - life.started >= UP_SECONDS
            life.was_up, life.short = life.was_up or lived_long, 0 if lived_long else life.short + 1
            if not life.was_up or life.short >= STARTS_IN_A_ROW:
                self._system_print(GIVES_UP.format(name=name, code=process["returncode"]) + "\n")
                return False
            pause = min(2.0**life.short, LONGEST_PAUSE_SECONDS)
            life.start_at = now + pause
            self._system_print(STARTS_AGAIN.format(name=name, code=process["returncode"], pause=f"{pause:g}") + "\n")
        if now >= life.start_at:
            life.started, life.start_at = now, None
            self._start_again(process)
        return True

    def _start_again(self, process: dict[str, Any]) -> None:
        # The exit code of honcho is that of the first process to end; this one did not end it.
        self.returncode = None
        del process["returncode"], process["pid"]
        process["process"] = Process(target=process["obj"].run, args=(self.events, True))
        process["process"].start()


class SessionProcess(honcho_process.Process):  # type: ignore[misc]  # honcho has no types
    """A process that has ended when its first process has: what that leaves behind is stopped.

    honcho waits for the end of the output, which children of a killed process would hold open.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._child_ctor = SessionPopen


class SessionPopen(honcho_process.Popen):  # type: ignore[misc]  # honcho has no types
    """Leads a session, whose other processes it does not survive by more than LEFT_BEHIND_SECONDS.

    Its process group would not do: each of Airflow's tasks leads one of its own.
    """

    def __init__(self, cmd: str, **options: Any) -> None:
        super().__init__(cmd, **options)
        threading.Thread(target=self._end_session, daemon=True).start()

    def _end_session(self) -> None:
        self.wait()
        # What ends may have started another one meanwhile.
        for _ in range(2):
            end(list(self._left()), LEFT_BEHIND_SECONDS)

    def _left(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(process.pid) == self.pid:
                    yield process


if __name__ == "__main__":
    command.Manager = GracefulManager
    command.main()
