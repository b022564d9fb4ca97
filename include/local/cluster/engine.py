"""The container engine of this machine, docker or podman, by its command line."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

ROOT = Path(__file__).resolve().parents[3]
PROJECT = "clicks-to-deliveries"
PROGRAMS = ("docker", "podman")
# docker-compose.yaml has the content of a file in it (configs.content).
OLDEST_COMPOSE = (2, 23, 1)
POLL_SECONDS = 1.0
# Service, id and name, what it is doing, and for how long.
FIELDS = '{{.Label "com.docker.compose.service"}}\t{{.ID}}\t{{.Names}}\t{{.State}}\t{{.Status}}'


class EngineError(RuntimeError):
    """The engine is not there, or a command of it failed; the message says which, and what to do."""


class Container(NamedTuple):
    """A container of the project, as `docker ps` lists it."""

    service: str
    id: str
    name: str
    state: str
    status: str

    @property
    def health(self) -> str:
        """In one word: starting, healthy, unhealthy, running (without a health check), ended, or Docker's own."""
        if self.state == "running":
            told = re.search(r"\((?:health: )?(starting|healthy|unhealthy)\)", self.status)
            return told[1] if told else "running"
        if self.state == "exited" and "(0)" in self.status:
            return "ended"
        return self.status or self.state

    @property
    def is_settled(self) -> bool:
        """Whether it needs no more waiting for."""
        return self.health in ("healthy", "running", "ended")


class Engine:
    """Runs ``docker compose`` or ``podman compose`` on the project.

    Attributes:
        program: docker or podman.
    """

    def __init__(self, program: str) -> None:
        self.program = program

    def compose(self, *arguments: str) -> None:
        """Run a command of Compose on this terminal.

        Raises:
            EngineError: it failed.
        """
        if subprocess.run([self.program, "compose", *arguments], cwd=ROOT, check=False).returncode:
            raise EngineError(f"{self.program} compose {' '.join(arguments)} failed")

    def start(self, *arguments: str, log: IO[str]) -> subprocess.Popen[str]:
        """Begin a command of Compose, whose output goes to ``log``."""
        command = [self.program, "compose", *arguments]
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, text=True)

    def output(self, *arguments: str, says_what_it_does: bool = False) -> str:
        """Run a command of the engine, and return what it prints.

        One that ``says_what_it_does`` on its error output does so on this terminal.

        Raises:
            EngineError: it failed.
        """
        stderr = None if says_what_it_does else subprocess.PIPE
        done = subprocess.run(
            [self.program, *arguments], cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        if done.returncode:
            said = f": {done.stderr.strip()}" if done.stderr else " failed"
            raise EngineError(f"{self.program} {' '.join(arguments)}{said}")
        return done.stdout

    def containers(self) -> list[Container]:
        """Every container of the project's services, also those that have ended."""
        listed = self.output(
            "ps", "--all", "--no-trunc", "--filter", f"label=com.docker.compose.project={PROJECT}", "--format", FIELDS
        )
        found = (Container(*line.split("\t")) for line in listed.splitlines())
        return sorted(container for container in found if container.service != "acceptance")

    def kill(self, container: Container) -> None:
        """Send SIGKILL to all processes of a container at once, as the kernel does when memory runs out.

        From within: `docker kill` counts as a stop by the user, after which no restart policy applies.
        """
        command = ["exec", "--user", "root", container.id, "sh", "-c", "kill -9 -1"]
        # Its own exit code is that of the killed container.
        subprocess.run([self.program, *command], check=False, capture_output=True)

    def restarts(self, container: Container) -> int:
        return int(self.output("inspect", "--format", "{{.RestartCount}}", container.id))

    def memory(self) -> dict[str, str]:
        """Container's name -> the memory that it uses, such as ``253MiB``."""
        listed = self.output("stats", "--no-stream", "--format", "{{.Name}}\t{{.MemUsage}}")
        rows = (line.split("\t") for line in listed.splitlines())
        ours = {container.name for container in self.containers()}
        return {name: usage.split("/")[0].strip() for name, usage in rows if name in ours}


def find_engine() -> Engine:
    """The first of docker and podman that answers and has a Compose that is new enough.

    Raises:
        EngineError: there is none; the message says of each why not.
    """
    reasons = []
    for program in PROGRAMS:
        reason = _unfit(program)
        if reason is None:
            return Engine(program)
        reasons.append(f"  {program}: {reason}")
    raise EngineError("make cluster needs Docker or Podman, with Compose.\n" + "\n".join(reasons))


def _unfit(program: str) -> str | None:
    """Why ``program`` can't be used, or None."""
    if shutil.which(program) is None:
        return "is not installed"
    engine = Engine(program)
    try:
        engine.output("ps", "--quiet")
    except EngineError as error:
        return f"does not answer ({_last_line(str(error))}): is it started, and may you use it?"
    try:
        told = engine.output("compose", "version", "--short")
    except EngineError as error:
        return f"has no Compose ({_last_line(str(error))}): install its plugin"
    version = re.search(r"(\d+)\.(\d+)\.(\d+)", told)
    if version is None or tuple(map(int, version.groups())) < OLDEST_COMPOSE:
        oldest = ".".join(map(str, OLDEST_COMPOSE))
        return f"has Compose {told.strip() or 'of an unknown version'}, and {oldest} or later is needed"
    return None


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2]


def health_changes(engine: Engine, is_done: Callable[[], bool], timeout: float) -> Iterator[tuple[float, str, str]]:
    """Wait until every container is healthy or has done its work; yield (seconds, container, health) of each change.

    Args:
        is_done: whether all containers are there.

    Raises:
        EngineError: they are not healthy after ``timeout`` seconds, or one has failed that does not start again.
    """
    began, told = time.monotonic(), dict[str, str]()
    while True:
        complete = is_done()
        containers = engine.containers()
        seconds = time.monotonic() - began
        for each in containers:
            if told.get(each.name) != each.health:
                told[each.name] = each.health
                yield seconds, each.name, each.health
        if complete and containers and all(each.is_settled for each in containers):
            return
        if seconds > timeout:
            waiting = ", ".join(f"{each.name} ({each.health})" for each in containers if not each.is_settled)
            raise EngineError(f"not healthy after {timeout:.0f} s: {waiting or 'no container'}")
        time.sleep(POLL_SECONDS)
