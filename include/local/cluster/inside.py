"""What is done from within the cluster's network: provision, send traffic, compare every store with the manifest.

The service ``acceptance`` of docker-compose.yaml runs it, for ``make cluster``:

    provision          deploys everything, lets every DAG run; prints how long each task took, as JSON
    send               starts the DAG generate_traffic; returns when it sends, and prints run and worker, as JSON
    follow RUN         waits until it has sent everything; prints its tries, as JSON
    report             waits until every store has the last record, and prints the acceptance report
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import snowflake.connector
from rich.console import Console
from snowflake.connector import SnowflakeConnection

from include import names
from include.local.demo import acceptance_report
from include.local.demo.airflow_api import AirflowApi
from include.local.demo.demo import (
    ALERTS_DAG,
    DATA_DRIVEN_DAGS,
    LEDGER_DAG,
    MAINTENANCE_DAG,
    MERGE_DAG,
    PROVISION_DAG,
    PROVISION_TIMEOUT_SECONDS,
    SETTLE_TIMEOUT_SECONDS,
    START_TIMEOUT_SECONDS,
    TRAFFIC_DAG,
)
from include.local.demo.environment import ROOT, snowflake_login
from include.local.demo.settling import unsettled_stage
from include.local.demo.watch import DemoError, Watch
from include.settings import settings

AIRFLOW_URL = "http://api-server:8080"
# Volumes of docker-compose.yaml.
MANIFESTS = Path("/manifests")
MANIFEST = MANIFESTS / "manifest.jsonl"
BEGAN = MANIFESTS / "began"
DRIVERS = Path("/state")
TRAFFIC_TASK = "generate"


class Containers:
    """They start again by themselves: none ends a wait."""

    log = Path("/opt/airflow/logs")

    def check(self) -> list[str]:
        return []


class Cluster:
    """The cluster, as somebody who is signed in to Airflow sees it."""

    def __init__(self) -> None:
        self.airflow = AirflowApi(AIRFLOW_URL)
        console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
        self.watch = Watch(console, Containers(), self.airflow, Path("/opt"))
        self.console = console
        self.airflow.log_in("admin", os.environ["AIRFLOW_ADMIN_PASSWORD"])

    def provision(self) -> dict[str, float]:
        """Deploy everything, and let every DAG run that the data or the clock starts; return each task's seconds."""
        dag_ids = {names.dag(path.stem) for path in (ROOT / "dags").glob("*.py")}
        self.watch.wait_for(
            lambda: self.airflow.dag_ids() >= dag_ids, START_TIMEOUT_SECONDS, "the DAGs", explain=self._import_errors
        )
        # The ledger is counted from here on.
        BEGAN.write_text(BEGAN.read_text() if BEGAN.exists() else datetime.now(UTC).isoformat())
        self.airflow.unpause(PROVISION_DAG)
        run = self.airflow.trigger(PROVISION_DAG)
        self.watch.follow(PROVISION_DAG, run, PROVISION_TIMEOUT_SECONDS)
        for dag_id in (ALERTS_DAG, TRAFFIC_DAG, *DATA_DRIVEN_DAGS, LEDGER_DAG, MAINTENANCE_DAG):
            self.airflow.unpause(dag_id, has_watchers=dag_id in (MERGE_DAG, ALERTS_DAG))
        return {task["task_id"]: task["duration"] for task in self.airflow.tasks(PROVISION_DAG, run)}

    def send(self, traffic: dict[str, Any]) -> dict[str, str]:
        """Start to send; return the run's id and the worker's host name, once records are accepted."""
        before = _size(MANIFEST)
        run = self.airflow.trigger(TRAFFIC_DAG, {**traffic, "manifest": str(MANIFEST)})
        self.watch.wait_for(
            lambda: _size(MANIFEST) > before,
            START_TIMEOUT_SECONDS,
            "the first record",
            explain=partial(self._told, run),
        )
        (task,) = self.airflow.tasks(TRAFFIC_DAG, run)
        return {"run": run, "host": task["hostname"]}

    def follow(self, run: str) -> list[dict[str, Any]]:
        """Wait until a run of ``send`` has sent everything; return when each of its tries began and ended."""
        self.watch.follow(TRAFFIC_DAG, run, SETTLE_TIMEOUT_SECONDS)
        fields = ("try_number", "state", "start_date", "end_date", "hostname")
        tries = self.airflow.tries(TRAFFIC_DAG, run, TRAFFIC_TASK)
        return [{field: each[field] for field in fields} for each in tries]

    def report(self) -> bool:
        """Compare every store with the manifest of all that ``send`` has sent; return whether every guarantee holds."""
        bucket = settings().telemetry_bucket
        with connect_to_snowflake() as connection:
            unsettled = partial(unsettled_stage, DRIVERS, bucket, connection, time.time())
            self.watch.wait_for(
                lambda: not unsettled(), SETTLE_TIMEOUT_SECONDS, "the pipeline to settle", explain=unsettled
            )
            run = self.airflow.trigger(LEDGER_DAG, {"since": BEGAN.read_text()})
            self.watch.follow(LEDGER_DAG, run, SETTLE_TIMEOUT_SECONDS)
            # The samplers of the demo read beside the traffic, which a store that is killed does not allow.
            snapshot = acceptance_report.take_snapshot(MANIFEST, bucket, connection)
        report = acceptance_report.judge(snapshot)
        acceptance_report.print_report(report, self.console)
        if errors := self._import_errors():
            self.console.print(f"DAG files that can't be loaded:\n{errors}")
        return report.holds and not errors

    def _import_errors(self) -> str:
        return "\n".join(self.airflow.import_errors())

    def _told(self, run: str) -> str:
        return str(self.airflow.task_states(TRAFFIC_DAG, run))


def connect_to_snowflake() -> SnowflakeConnection:
    """Connect as the transformer, who may read every table and ask about the stream and the pipe."""
    login = {**snowflake_login(4443, Path("/keys"), "transformer"), "host": "snowflake"}
    return snowflake.connector.connect(**login, login_timeout=20, network_timeout=60)


def main() -> int:
    options = _options()
    cluster = Cluster()
    commands: dict[str, Callable[[], object]] = {
        "provision": cluster.provision,
        "send": lambda: cluster.send(json.loads(options.traffic)),
        "follow": lambda: cluster.follow(options.run),
    }
    try:
        if options.command == "report":
            return 0 if cluster.report() else 1
        print(json.dumps(commands[options.command]()))
    except DemoError as error:
        cluster.console.print(f"[red]{error}[/red]")
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="inside", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("provision")
    commands.add_parser("send").add_argument("traffic", help="conf of generate_traffic, as JSON")
    commands.add_parser("follow").add_argument("run")
    commands.add_parser("report")
    return parser.parse_args()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
