"""The proof that the cluster holds: kills each service under traffic, stops and starts all, compares every store."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.local.cluster.cluster import HEALTHY_TIMEOUT_SECONDS, Cluster, of_service
from include.local.cluster.engine import ROOT, Container, EngineError

WORKERS = 2
# The first is the worker that sends.
VICTIMS = (
    "worker",
    "scheduler",
    "dag-processor",
    "triggerer",
    "api-server",
    "redis",
    "postgres",
    "ministack",
    "snowflake",
    "event-source-mapping",
    "firehose-delivery",
    "dashboard",
)
RECORDS, RATE = 900, 20
MAX_START_SECONDS = 120
MAX_RETRY_SECONDS = 60
MAX_TIMES_THE_DEMO = 1.5
# It waits until Firehose has archived, for an interval that is five seconds here and one in the demo.
WAITING_TASK = "probe_archive"
# Airflow's databases of `make demo` and `make demo ARGS=--once`, which say how long a task takes there.
DEMOS = (ROOT / ".local/once/airflow/airflow.db", ROOT / ".local/demo/airflow/airflow.db")


class Drill:
    """Everything that docs/cluster.md says of the cluster, tried on this machine.

    It needs a cluster without data of its own: the manifest has to know of every record.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._engine = cluster.engine
        self._broken: list[str] = []
        self._seed = 0

    def run(self, only: Sequence[str] | None = None) -> bool:
        """Try everything; return whether all of it held."""
        self._refuse_data()
        self._engine.compose("config", "--quiet")
        seconds = self._cluster.up(WORKERS)
        self._expect(seconds <= MAX_START_SECONDS, f"healthy after {seconds:.0f} s (limit {MAX_START_SECONDS} s)")
        self._compare_with_demo(self._cluster.provision())
        for service in only or VICTIMS:
            self._lose(service)
        self._report("after every service was killed")
        self._tell_memory()
        self._restart()
        self._cluster.say(f"{len(self._broken)} problems: {self._broken}" if self._broken else "Everything held.")
        return not self._broken

    def _refuse_data(self) -> None:
        volumes = self._engine.output("volume", "ls", "--quiet").split()
        if "clicks-to-deliveries_manifests" in volumes:
            raise EngineError(
                "the drill needs a cluster without data: make cluster ARGS='down --forget' deletes what this one stored"
            )

    def _compare_with_demo(self, durations: dict[str, float]) -> None:
        demo = demo_durations(DEMOS, durations)
        for task, seconds in durations.items():
            beside = f"   demo {demo[task]:5.1f} s" if task in demo else ""
            print(f"{'':10}{seconds:6.1f} s{beside}   {task}")
        if not demo:
            self._cluster.say("No demo ran here to compare the tasks with: make demo ARGS=--once")
            return
        compared = demo.keys() - {WAITING_TASK}
        here, there = (sum(times[task] for task in compared) for times in (durations, demo))
        ratio = here / there
        self._expect(
            ratio <= MAX_TIMES_THE_DEMO,
            f"provision_resources' tasks but {WAITING_TASK} take {here:.1f} s, {ratio:.2f} times the demo's "
            f"(limit {MAX_TIMES_THE_DEMO})",
        )

    def _lose(self, service: str) -> None:
        """Kill a service while traffic is sent; all is sent nevertheless, and the service is back."""
        self._seed += 1
        sent = self._cluster.send(RECORDS, RATE, seed=self._seed)
        victim = self._victim(service, sent["host"])
        killed_at, began, restarts = datetime.now(UTC), time.monotonic(), self._engine.restarts(victim)
        self._engine.kill(victim)
        self._cluster.say(f"Killed {victim.name}")
        self._wait(lambda: self._engine.restarts(victim) > restarts, f"{victim.name} to start again")
        self._cluster.show_health(lambda: True)
        self._cluster.say(f"{victim.name} is back after {time.monotonic() - began:.0f} s")
        tries = self._cluster.follow(sent["run"])
        if len(tries) > 1:
            seconds = (datetime.fromisoformat(tries[1]["start_date"]) - killed_at).total_seconds()
            self._expect(
                seconds <= MAX_RETRY_SECONDS,
                f"the task was tried again {seconds:.0f} s after the kill (limit {MAX_RETRY_SECONDS} s)",
            )
        elif service == "worker":
            self._expect(False, "the task of the killed worker was not tried again")

    def _victim(self, service: str, host: str) -> Container:
        found = of_service(self._engine.containers(), service)
        if not found:
            raise EngineError(f"no service {service}")
        # A container's host name is the beginning of its id.
        return next((each for each in found if each.id.startswith(host)), found[0])

    def _wait(self, is_met: Callable[[], bool], subject: str) -> None:
        deadline = time.monotonic() + HEALTHY_TIMEOUT_SECONDS
        while not is_met():
            if time.monotonic() > deadline:
                raise EngineError(f"gave up waiting for {subject}")
            time.sleep(0.5)

    def _restart(self) -> None:
        """Down and up: nothing is lost, and everything goes on."""
        self._cluster.say("Down, and up again")
        self._cluster.down(forget=False)
        seconds = self._cluster.up(WORKERS)
        self._expect(seconds <= MAX_START_SECONDS, f"healthy again after {seconds:.0f} s")
        self._seed += 1
        self._cluster.follow(self._cluster.send(RECORDS, RATE, seed=self._seed)["run"])
        self._report("after down and up")

    def _report(self, when: str) -> None:
        self._expect(self._cluster.report(), f"the acceptance report {when}")

    def _tell_memory(self) -> None:
        for name, used in sorted(self._engine.memory().items()):
            print(f"{'':10}{used:>10}   {name}")

    def _expect(self, holds: bool, text: str) -> None:
        self._cluster.say(f"{'holds ' if holds else 'BROKEN'}  {text}")
        if not holds:
            self._broken.append(text)


def demo_durations(databases: Sequence[Path], tasks: dict[str, Any]) -> dict[str, float]:
    """How long these tasks of provision_resources took in the first of the demos that ran them."""
    query = "SELECT task_id, duration FROM task_instance WHERE dag_id = 'provision_resources' AND state = 'success'"
    for database in databases:
        if database.exists():
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
                found = {task: seconds for task, seconds in connection.execute(query) if task in tasks}
            if found:
                return found
    return {}
