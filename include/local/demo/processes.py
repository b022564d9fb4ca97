"""Starts the Procfile's processes under honcho and makes sure that none of them outlives the demo."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

from include.local.demo.environment import ROOT

PROCFILE = ROOT / "include/local/demo/Procfile"
# honcho itself kills what does not stop within 5 s, except what saves its state (graceful_honcho.py).
STOP_TIMEOUT_SECONDS = 60
# Carried by every process of one demo, so that a straggler is known by it whatever session it moved to.
MARKER = "CLICKS_TO_DELIVERIES_DEMO"
LOCK_NAME = "lock"


class ProcessError(RuntimeError):
    """A process could not start or ended by itself; the message names it and shows its last lines."""


class Processes:
    """The processes of one demo, running between ``__enter__`` and ``__exit__``; all output goes to one log file."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self._environment = {**environment, MARKER: uuid.uuid4().hex}
        self._log = log
        self._honcho: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Processes:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        # -e: honcho would read a stray .env.  A session of its own: Ctrl-C is for the demo, which then stops honcho.
        honcho = [sys.executable, "-m", "include.local.demo.graceful_honcho"]
        command = [*honcho, "-f", str(PROCFILE), "-d", str(ROOT), "-e", os.devnull, "start"]
        with self._log.open("wb") as log:
            self._honcho = subprocess.Popen(
                [*command, "--no-colour"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self) -> None:
        """Raises:
        ProcessError: one of the processes has ended (honcho then stops the others).
        """
        if self._honcho is not None and self._honcho.poll() is not None:
            raise ProcessError(self._obituary())

    def stop(self) -> None:
        """Stops every process, at first politely, and returns when none is left."""
        if self._honcho is None:
            return
        family = _Family(self._honcho.pid)
        if self._honcho.poll() is None:
            self._honcho.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while self._honcho.poll() is None and time.monotonic() < deadline:
                with suppress(subprocess.TimeoutExpired):
                    self._honcho.wait(1)
                # honcho waits for the end of all output, and a task whose scheduler is gone may hold that open.
                _end(family.orphans())
            if self._honcho.poll() is None:
                self._honcho.kill()
                self._honcho.wait()
        _end([*self._stragglers(), *family.orphans()])
        self._honcho = None

    def _stragglers(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARKER) == self._environment[MARKER]:
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        return found

    def _obituary(self) -> str:
        """Who ended first, and what it said last."""
        lines = self._log.read_text(errors="replace").splitlines()
        stopped = re.compile(r"system\s+\|\s+([\w-]+)\.1 stopped \(rc=(-?\d+)\)")
        first = next((match for line in lines if (match := stopped.search(line))), None)
        if first is None:
            return f"the processes did not start; see {self._log}"
        name, code = first.groups()
        prefix = re.compile(rf"^\S+ {re.escape(name)}\.1\s+\| ?")
        said = [prefix.sub("", line) for line in lines if prefix.match(line)]
        return "\n".join([f"{name} ended with code {code}:", *(f"  {line}" for line in said[-8:]), f"see {self._log}"])


class _Family:
    """The descendants of a process at one moment, and later those of them whose parent has ended.

    An environment does not tell: a program that names its process anew, as Airflow's tasks do, overwrites it.
    """

    def __init__(self, pid: int) -> None:
        self._parents: dict[psutil.Process, int] = {}
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    self._parents[process] = process.ppid()

    def orphans(self) -> list[psutil.Process]:
        found = []
        for process, parent in self._parents.items():
            with suppress(psutil.NoSuchProcess):
                if process.is_running() and process.ppid() != parent:
                    found.append(process)
        return found


class StateLock:
    """Keeps two demos from sharing one state directory; the lock goes with the process, however it ends."""

    def __init__(self, state: Path) -> None:
        """Raises:
        ProcessError: another process holds the lock.
        """
        state.mkdir(parents=True, exist_ok=True)
        self._file = (state / LOCK_NAME).open("w")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ProcessError(f"another demo is running on {state}: stop it, or give --state another folder") from None

    def __enter__(self) -> StateLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _end(found: list[psutil.Process]) -> None:
    """Politely at first."""
    for process in found:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(found, timeout=3)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=3)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
