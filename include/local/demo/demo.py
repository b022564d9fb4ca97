"""The demo's steps: prepare, start, provision, send traffic, wait until every store has it, compare, stop."""

from __future__ import annotations

import os
import socket
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import requests
from rich.console import Console

from include import names
from include.local.demo import acceptance_report, environment, freshness, live_counts
from include.local.demo.acceptance_report import AcceptanceReport
from include.local.demo.airflow_api import AirflowApi
from include.local.demo.aws_administrator import (
    ROOT_PROFILE,
    identity_parameters,
    root_client,
)
from include.local.demo.aws_administrator import create_identities as create_aws_identities
from include.local.demo.connections import connect_to_snowflake
from include.local.demo.environment import ROOT
from include.local.demo.ports import choose_ports
from include.local.demo.processes import Processes, run_to_end
from include.local.demo.settling import unsettled_stage
from include.local.demo.snowflake_administrator import create_identities as create_snowflake_identities
from include.local.demo.watch import DemoError, Watch, relative
from include.settings import read_settings

PROVISION_DAG = names.dag("provision_resources")
TRAFFIC_DAG = names.dag("generate_traffic")
MERGE_DAG = names.dag("scd2_merge")
# In the order of the flow.
DATA_DRIVEN_DAGS = (names.dag("monitor_snowpipe"), MERGE_DAG, names.dag("data_quality"))
LEDGER_DAG = names.dag("reconcile")
ALERTS_DAG = names.dag("send_alerts")
MAINTENANCE_DAG = names.dag("clean_metadata")

# A process that fails is noticed immediately; these only end a wait for one that hangs.
START_TIMEOUT_SECONDS = 300
PROVISION_TIMEOUT_SECONDS = 600
SETTLE_TIMEOUT_SECONDS = 600
# A slow machine that is busy with other work processes more than this.
SLOWEST_RECORDS_PER_SECOND = 50
# A cycle of more records takes minutes.  Merges every few seconds, with Airflow's part of each, would take most of it.
MANY_RECORDS = 200_000
# The ledger counts an hour when it has closed.  A demo that stays up has the open hour counted once, so that there is
# something to see.
FIRST_LEDGER_AFTER_SECONDS = 90


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a person can choose; see the command line's help."""

    once: bool
    state: Path | None
    clicks: int
    readings: int
    rate: int
    malformed: float
    duplicated: float
    late: float
    nested: float
    event_ids: float
    field: float
    settings: list[tuple[str, str]]
    seed: int
    report: Path | None
    traffic: bool = True


class Demo:
    """One run of the demo on the directory ``state``.

    Attributes:
        is_up: whether a demo that stays up has started everything.
    """

    def __init__(self, options: Options, state: Path, console: Console) -> None:
        self.is_up = False
        self._options = options
        self._state = state
        self._console = console
        self._manifest = state / "manifest.jsonl"
        ports = choose_ports(os.environ)
        settings = {"CTD_TRAFFIC_FIELD_SHARE": str(options.field)}
        if options.once and options.clicks + options.readings > MANY_RECORDS:
            settings["CTD_MERGE_MIN_INTERVAL_SECONDS"] = "60"
        if not options.once and options.traffic:
            settings["CTD_TRAFFIC_SCHEDULE"] = "* * * * *"
        settings.update(options.settings)
        self._environment = environment.build(state, ports, settings)
        environment.write_shell(state / "shell.sh", self._environment)
        # boto3, the connector and the settings read it in this process too, which compares every store at the end.
        os.environ.update(self._environment | {"AWS_PROFILE": ROOT_PROFILE})
        self._ports = ports
        self._bucket = read_settings(self._environment).telemetry_bucket
        self._airflow_url = f"http://127.0.0.1:{ports.airflow}"
        self._airflow = AirflowApi(self._airflow_url)
        self._processes = Processes(self._environment, state / "log" / "processes.log")
        self._watch = Watch(console, self._processes, self._airflow, state)
        self._began = datetime.now(UTC)

    def run(self) -> bool:
        """Run the demo; return whether every guarantee holds.  Without --once it runs until KeyboardInterrupt."""
        self._watch.print("Preparing Airflow's database")
        self._prepare_airflow()
        with self._processes:
            try:
                self._watch.print(
                    "Starting MiniStack, Snowflake, Airflow and the dashboard "
                    f"(their output: {relative(self._processes.log)})"
                )
                self._wait_until_up()
                self._provision()
                if not self._options.once:
                    self._stay_up()
                report = self._one_cycle()
                acceptance_report.print_report(report, self._console)
                if self._options.report:
                    self._options.report.write_bytes(msgspec.json.encode(report))
            finally:
                self._watch.print("Stopping everything")
        self._watch.print(
            "Every guarantee holds."
            if report.holds
            else f"A guarantee is broken; state and logs are in {relative(self._state)}"
        )
        return report.holds

    def _prepare_airflow(self) -> None:
        """Create or migrate Airflow's database before any component opens it."""
        pool = [names.HISTORY_WRITER_POOL, "1", "Merge, repair, rebuild and erasure: one at a time"]
        for command in (["airflow", "db", "migrate"], ["airflow", "pools", "set", *pool]):
            code, output = run_to_end(command, self._environment, START_TIMEOUT_SECONDS)
            if code:
                raise DemoError(f"{' '.join(command)} failed:\n{output[-2000:]}")

    def _wait_until_up(self) -> None:
        wait_for = partial(self._watch.wait_for, timeout=START_TIMEOUT_SECONDS)
        for name, port in (("MiniStack", self._ports.aws), ("Snowflake", self._ports.snowflake)):
            wait_for(partial(_listens, port), subject=f"{name} to start")
        self._create_identities()
        wait_for(self._airflow.is_healthy, subject="Airflow to start")
        self._airflow.log_in()
        dag_ids = {names.dag(path.stem) for path in (ROOT / "dags").glob("*.py")}
        wait_for(lambda: self._airflow.dag_ids() >= dag_ids, subject="the DAGs", explain=self._import_errors)
        wait_for(partial(_listens, self._ports.dashboard), subject="the dashboard to start")
        dashboard_url = f"http://127.0.0.1:{self._ports.dashboard}"
        self._watch.print(f"All up.  Airflow {self._airflow_url}   dashboard {dashboard_url}")

    def _create_identities(self) -> None:
        """Do what the administrators of an AWS and a Snowflake account do once."""
        create_aws_identities(
            root_client, Path(self._environment["AWS_SHARED_CREDENTIALS_FILE"]), identity_parameters()
        )
        keys = Path(self._environment["DEMO_SNOWFLAKE_KEYS"])
        create_snowflake_identities("localhost", self._ports.snowflake, keys)

    def _import_errors(self) -> str:
        return "\n".join(self._airflow.import_errors())

    def _provision(self) -> None:
        self._watch.print(f"Provisioning AWS and Snowflake: DAG {PROVISION_DAG}")
        self._airflow.unpause(PROVISION_DAG)
        self._watch.follow(PROVISION_DAG, self._airflow.trigger(PROVISION_DAG), PROVISION_TIMEOUT_SECONDS)
        self._unpause(ALERTS_DAG)

    def _stay_up(self) -> NoReturn:
        self._unpause(TRAFFIC_DAG, *DATA_DRIVEN_DAGS, LEDGER_DAG, MAINTENANCE_DAG)
        # Before the line is printed: its reader may press Ctrl-C immediately.
        self.is_up = True
        sends = f"{TRAFFIC_DAG} sends every minute" if self._options.traffic else "it waits for your records"
        self._watch.print(f"Running: {sends}.  Press Ctrl-C to stop.")
        up_since, is_counted = time.monotonic(), False
        with live_counts.LiveCounts(self._manifest, self._bucket) as counts:
            while True:
                self._watch.pause(counts.line)
                if not is_counted and time.monotonic() - up_since > FIRST_LEDGER_AFTER_SECONDS:
                    is_counted = self._has_counted_hours()

    def _one_cycle(self) -> AcceptanceReport:
        options = self._options
        self._unpause(TRAFFIC_DAG, *DATA_DRIVEN_DAGS)
        self._watch.print(
            f"Sending {options.clicks:,} clicks and {options.readings:,} readings, {options.rate} of each per second: "
            f"DAG {TRAFFIC_DAG}"
        )
        clicks, states = freshness.ClickSampler(self._manifest), freshness.TruckStateSampler()
        with (
            clicks,
            states,
            connect_to_snowflake() as connection,
            live_counts.LiveCounts(self._manifest, self._bucket) as live,
        ):
            counts = live.line
            run = self._airflow.trigger(TRAFFIC_DAG, self._traffic())
            seconds = max(options.clicks, options.readings) / options.rate
            timeout = SETTLE_TIMEOUT_SECONDS + (options.clicks + options.readings) / SLOWEST_RECORDS_PER_SECOND
            self._watch.follow(TRAFFIC_DAG, run, 3 * seconds + timeout, counts=counts)
            unsettled = partial(unsettled_stage, self._state, self._bucket, connection, time.time())
            self._watch.print("All sent; waiting until every store has the last record")
            self._watch.wait_for(
                lambda: not unsettled(),
                timeout,
                "the pipeline to settle",
                explain=unsettled,
                counts=counts,
            )
            self._watch.print(f"Counting the hours of this run into the ledger, the open one too: DAG {LEDGER_DAG}")
            self._unpause(LEDGER_DAG)
            self._watch.follow(LEDGER_DAG, self._count_hours(), timeout)
            self._watch.print("Comparing every store with the generator's manifest")
            snapshot = acceptance_report.take_snapshot(
                self._manifest, self._bucket, connection, clicks.latencies, states.latencies
            )
        return acceptance_report.judge(snapshot)

    def _unpause(self, *dag_ids: str) -> None:
        for dag_id in dag_ids:
            self._airflow.unpause(dag_id, has_watchers=dag_id in (MERGE_DAG, ALERTS_DAG))

    def _count_hours(self) -> str:
        """Start counting everything that has arrived since this demo began; return the run's id."""
        return self._airflow.trigger(LEDGER_DAG, {"since": self._began.isoformat()})

    def _has_counted_hours(self) -> bool:
        """Start counting; False if the API server does not answer: it may be starting again."""
        try:
            self._count_hours()
        except requests.RequestException as error:
            self._watch.print(f"{LEDGER_DAG} is started later, the API server does not answer: {error!s:.100}")
            return False
        return True

    def _traffic(self) -> dict[str, Any]:
        options = self._options
        return {
            "clicks": options.clicks,
            "readings": options.readings,
            "clicks_per_second": options.rate,
            "readings_per_second": options.rate,
            "malformed": options.malformed,
            "duplicated": options.duplicated,
            "late": options.late / 2,
            "out_of_order": options.late / 2,
            "nested": options.nested,
            "event_ids": options.event_ids,
            "field_cases": "all",
            "seed": options.seed,
            "manifest": str(self._manifest),
        }


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
