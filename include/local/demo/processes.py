"""Starts the Procfile's processes under honcho, and makes sure that none of them outlives the demo."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import psutil

from include.local.demo import interrupts
from include.local.demo.environment import ROOT

HONCHO = "include.local.demo.graceful_honcho"
PROCFILE = ROOT / "include/local/demo/Procfile"
# honcho itself kills what does not stop within 5 s, except what saves its state (graceful_honcho.py).
STOP_TIMEOUT_SECONDS = 60
# For a process to end that was asked to, and for one to be gone that was killed.
PATIENCE_SECONDS = 3.0
# An environment variable of every process of one demo: it identifies a straggler, whatever session that moved to.
MARKER = "CLICKS_TO_DELIVERIES_DEMO"
LOCK_NAME = "lock"

# What graceful_honcho.py writes when a process has ended.
STARTS_AGAIN = "{name} ended with code {code}; it starts again in {pause} s"
GIVES_UP = "{name} ended with code {code}; everything stops"
_LINE = r"system\s+\|\s+"
_RESTART = re.compile(_LINE + STARTS_AGAIN.format(name=r"([\w-]+)\.1", code=r"(-?\d+)", pause=r"([\d.]+)"))
_GIVING_UP = re.compile(_LINE + GIVES_UP.format(name=r"([\w-]+)\.1", code=r"(-?\d+)"))


class ProcessError(RuntimeError):
    """A process could not start, or ended by itself; the message names it and shows its last lines."""


def run_to_end(command: Sequence[str], environment: Mapping[str, str], timeout: float) -> tuple[int, str]:
    """Run one command; return its exit code and output.  It is killed where the caller is interrupted.

    Raises:
        subprocess.TimeoutExpired: it took longer than ``timeout`` seconds.
    """
    process = None
    try:
        with interrupts.deferred():
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        output, _ = process.communicate(timeout=timeout)
    except BaseException:
        if process:
            process.kill()
            process.wait()
        raise
    return process.returncode, output


class Processes:
    """The processes of one demo: they run between ``__enter__`` and ``__exit__``, and write to one ``log`` file."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._read = 0  # bytes of the log
        self._environment = {**environment, MARKER: uuid.uuid4().hex}
        self._honcho: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Processes:
        try:
            with interrupts.deferred():
                self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def check(self) -> list[str]:
        """Return a line for each process that has ended since the last call, and starts again.

        Raises:
            ProcessError: one of the processes does not come up (honcho then stops the others).
        """
        if self._honcho is not None and self._honcho.poll() is not None:
            raise ProcessError(self._last_words())
        return [f"{name} {_ended(int(code))}; it starts again in {pause} s" for name, code, pause in self._restarts()]

    def stop(self) -> None:
        """Stop every process, gracefully at first; return when none is left."""
        with interrupts.deferred():
            self._stop()

    def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # -e: else honcho would read a stray .env.  Its own session: Ctrl-C reaches the demo only, which stops honcho.
        honcho = [sys.executable, "-m", HONCHO]
        command = [*honcho, "-f", str(PROCFILE), "-d", str(ROOT), "-e", os.devnull, "start"]
        with self.log.open("wb") as log:
            self._honcho = subprocess.Popen(
                [*command, "--no-colour"],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _stop(self) -> None:
        if self._honcho is None:
            return
        family = _Family(self._honcho.pid)
        if self._honcho.poll() is None:
            self._honcho.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while self._honcho.poll() is None and time.monotonic() < deadline:
                with suppress(subprocess.TimeoutExpired):
                    self._honcho.wait(1)
                # honcho waits for the end of all output; a task whose scheduler is gone may hold that open.
                end(family.orphans())
            if self._honcho.poll() is None:
                self._honcho.kill()
                self._honcho.wait()
        # A parent that ends here leaves new orphans: honcho starts each process from one of its own.
        for _ in range(2):
            end([*self._stragglers(), *family.orphans()])
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

    def _restarts(self) -> list[tuple[str, str, str]]:
        """Name, exit code and pause in seconds, from what honcho has written since the last call."""
        if not self.log.exists():
            return []
        with self.log.open("rb") as log:
            log.seek(self._read)
            written = log.read()
        whole = written[: written.rfind(b"\n") + 1]
        self._read += len(whole)
        return _RESTART.findall(whole.decode(errors="replace"))

    def _last_words(self) -> str:
        """Name the process that did not come up, with its last lines of output."""
        lines = self.log.read_text(errors="replace").splitlines()
        ended = next((match for line in lines if (match := _GIVING_UP.search(line))), None)
        if ended is None:
            return f"the processes did not start; see {self.log}"
        name, code = ended.groups()
        prefix = re.compile(rf"^\S+ {re.escape(name)}\.1\s+\| ?")
        output = [prefix.sub("", line) for line in lines if prefix.match(line)]
        last = [f"  {line}" for line in output[-8:]]
        return "\n".join([f"{name} ended with code {code}:", *last, f"see {self.log}"])


def _ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


class _Family:
    """The descendants of a process at one moment, and later those of them whose parent has ended.

    The marker does not find all of them: a program that renames its process, as Airflow's tasks do, overwrites its
    environment.
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
    """Keeps two demos from sharing one state directory; the system releases it with the process, however it ends."""

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
            raise ProcessError(
                f"another demo is running on {state}: stop it, or choose another directory with --state"
            ) from None

    def __enter__(self) -> StateLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def end(processes: list[psutil.Process], patience: float = PATIENCE_SECONDS) -> None:
    """End the processes, gracefully at first: what is left after ``patience`` seconds is killed."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, timeout=patience)
    for process in alive:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=PATIENCE_SECONDS)


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
