"""The cluster of docker-compose.yaml on this machine: up, provisioned, checked, down."""

from __future__ import annotations

import json
import tempfile
import time
from typing import Any

from include.local.cluster import env_file
from include.local.cluster.engine import ROOT, Container, Engine, EngineError, health_changes

HEALTHY_TIMEOUT_SECONDS = 600
# As `make demo ARGS=--once` sends them.
MIX = {
    "malformed": 0.01,
    "duplicated": 0.05,
    "late": 0.05,
    "out_of_order": 0.05,
    "nested": 0.20,
    "event_ids": 0.25,
    "field": 0.005,
    "field_cases": "all",
}


class Cluster:
    """The services of docker-compose.yaml under one engine; what it does is printed with the seconds since it began."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {text}", flush=True)

    def up(self, workers: int) -> float:
        """Build the images and start every service; return the seconds from the start until all were healthy."""
        self.say(f"Building the images with {self.engine.program} (minutes, the first time)")
        self.engine.compose("build")
        self.say("Starting every service")
        began = time.monotonic()
        with tempfile.TemporaryFile("w+") as log:
            starting = self.engine.start("up", "--detach", "--scale", f"worker={workers}", log=log)
            try:
                self.show_health(lambda: _has_ended(starting))
            except BaseException:
                starting.terminate()
                log.seek(0)
                print(log.read()[-3000:])
                raise
        seconds = time.monotonic() - began
        self.say(f"All healthy after {seconds:.0f} s")
        return seconds

    def show_health(self, is_done: Any) -> None:
        for seconds, name, health in health_changes(self.engine, is_done, HEALTHY_TIMEOUT_SECONDS):
            print(f"{'':10}{seconds:4.0f} s  {name}: {health}", flush=True)

    def tell_addresses(self) -> None:
        values = {"AIRFLOW_PORT": "8080", "DASHBOARD_PORT": "8501", **env_file.read(ROOT / ".env")}
        print(f"""
Airflow    http://localhost:{values["AIRFLOW_PORT"]}   user admin, password {values["AIRFLOW_ADMIN_PASSWORD"]}
Dashboard  http://localhost:{values["DASHBOARD_PORT"]}

Next: make cluster ARGS=check provisions, sends traffic and compares every store with it (docs/cluster.md).""")

    def down(self, *, forget: bool) -> None:
        """Stop and remove all containers; with ``forget`` also the volumes."""
        self.engine.compose("--profile", "acceptance", "down", "--remove-orphans", *(["--volumes"] if forget else []))

    def check(self, records: int, rate: int) -> bool:
        """Provision, send traffic, compare; return whether every guarantee holds."""
        self.provision()
        sent = self.send(records, rate, seed=1)
        self.follow(sent["run"])
        return self.report()

    # --- What runs in the cluster's network: include/local/cluster/inside.py ------------------------------------------

    def provision(self) -> dict[str, float]:
        """Deploy everything and let every DAG run; return how many seconds each task took."""
        durations: dict[str, float] = json.loads(self._inside("provision"))
        return durations

    def send(self, records: int, rate: int, *, seed: int) -> dict[str, str]:
        """Start to send as many clicks and readings; return the ``run``, and the ``host`` that sends."""
        conf = {
            **MIX,
            **dict.fromkeys(("clicks", "readings"), records),
            **dict.fromkeys(("clicks_per_second", "readings_per_second"), rate),
            "seed": seed,
        }
        self.say(f"Sending {records:,} clicks and {records:,} readings, {rate} of each per second")
        sent: dict[str, str] = json.loads(self._inside("send", json.dumps(conf)))
        return sent

    def follow(self, run: str) -> list[dict[str, Any]]:
        """Wait until all is sent; return the tries of the task that sent it."""
        tries: list[dict[str, Any]] = json.loads(self._inside("follow", run))
        return tries

    def report(self) -> bool:
        """Wait until every store has the last record; print the acceptance report, and return whether it holds."""
        try:
            self._inside("report")
        except EngineError:
            return False
        return True

    def _inside(self, *arguments: str) -> str:
        """Run a command there; what it says goes to this terminal, what it answers is returned."""
        command = ("compose", "run", "--rm", "--no-deps", "-T", "acceptance")
        return self.engine.output(*command, *arguments, says_what_it_does=True)


def _has_ended(starting: Any) -> bool:
    code = starting.poll()
    if code:
        raise EngineError("docker-compose.yaml did not start")
    return code is not None


def of_service(containers: list[Container], service: str) -> list[Container]:
    return [each for each in containers if each.service == service]
