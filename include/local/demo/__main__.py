"""``make demo``: the whole pipeline on this machine, from generated traffic to dashboard.

    python -m include.local.demo          starts everything, provisions, streams, and stays up until Ctrl-C
    python -m include.local.demo --once   one full cycle on a fresh state; prints the table of truth and stops

Exit code: 0 when all went well (with --once: every promise held), 1 when not, 130 when interrupted before it was up.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import msgspec
import requests
import snowflake.connector
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape

from include import names
from include.local.aws import event_source_mapping, firehose_delivery
from include.local.demo import acceptance_report, console_report, environment, freshness, live_counts
from include.local.demo.airflow_api import FINISHED, AirflowApi
from include.local.demo.environment import ROOT, PortError
from include.local.demo.processes import LOCK_NAME, ProcessError, Processes, StateLock
from include.settings import SettingsError, read_settings

DAGS = {path.stem for path in (ROOT / "dags").glob("*.py")}
TRAFFIC_DAG = "generate_traffic"
# In the order of the flow.
MERGE_DAG = "scd2_merge"
DATA_DRIVEN_DAGS = ("monitor_snowpipe", MERGE_DAG, "data_quality")
LEDGER_DAG = "reconcile"

START_TIMEOUT_SECONDS = 120
PROVISION_TIMEOUT_SECONDS = 180
SETTLE_TIMEOUT_SECONDS = 180
POLL_SECONDS = 0.5
COUNTS_EVERY_SECONDS = 4
# By itself it counts an hour when that has closed: so that there is something to see, the open one is counted once.
FIRST_LEDGER_AFTER_SECONDS = 90


ENDED_TASK_STATES = ("success", "failed", "skipped", "upstream_failed")
CONNECTION_PARAMETERS = ("account", "user", "password", "host", "port", "database", "schema", "warehouse", "role")

STAGES_OF_THE_WAREHOUSE = f"""
    SELECT
        (SELECT COUNT(DISTINCT FILE_NAME) FROM {names.RAW_TABLE}),
        SYSTEM$STREAM_HAS_DATA('{names.RAW_STREAM}'),
        (SELECT MAX(CHECKED_AT) FROM {names.QUALITY_RESULTS_TABLE})
        > (SELECT MAX(FINISHED_AT) FROM {names.MERGE_RUNS_TABLE})
"""


class DemoError(RuntimeError):
    """The demo cannot go on; the message says what failed and where to look."""


# What can go wrong without being a defect of the demo; anything else shows its traceback.
EXPECTED_ERRORS = (
    DemoError,
    PortError,
    ProcessError,
    SettingsError,
    requests.RequestException,
    snowflake.connector.errors.Error,
    BotoCoreError,
    ClientError,
    subprocess.TimeoutExpired,
    OSError,
)


class Demo:
    """One demo: its state directory, its processes and what it has to tell."""

    def __init__(self, arguments: argparse.Namespace, state: Path, console: Console) -> None:
        self.arguments = arguments
        self.state = state
        self.console = console
        self.manifest = state / "manifest.jsonl"
        self.log = state / "log" / "processes.log"
        self.ports = environment.choose_ports(os.environ)
        settings = {} if arguments.once else {"CTD_TRAFFIC_SCHEDULE": "* * * * *"}
        self.environment = environment.build(state, self.ports, settings)
        # boto3, the connector and our settings read them in this process too.
        os.environ.update(self.environment)
        self.bucket = read_settings(self.environment).telemetry_bucket
        self.airflow_url = f"http://127.0.0.1:{self.ports.airflow}"
        self.dashboard_url = f"http://127.0.0.1:{self.ports.dashboard}"
        self.airflow = AirflowApi(self.airflow_url)
        self.processes = Processes(self.environment, self.log)
        self.is_up = False
        self._started = time.monotonic()
        self._began = datetime.now(UTC)
        self._counts_told = 0.0
        self._all_sent = 0.0

    def run(self) -> bool:
        """Whether every promise held.  Without --once it goes on until KeyboardInterrupt."""
        self._say("Preparing Airflow's database")
        self._prepare_airflow()
        with self.processes:
            self._say(f"Starting MiniStack, Snowflake, Airflow and the dashboard (output: {_relative(self.log)})")
            self._wait_until_up()
            self._provision()
            if self.arguments.once:
                found = self._one_cycle()
                console_report.show(found, self.console)
                if self.arguments.report:
                    self.arguments.report.write_bytes(msgspec.json.encode(found))
                self._say("Stopping everything")
            else:
                try:
                    self._stay_up()
                except KeyboardInterrupt:
                    self._say("Stopping everything")
                    raise
        holds = found.holds
        self._say("Every promise holds." if holds else f"A promise is broken; state and logs: {_relative(self.state)}")
        return holds

    # --- The steps, in order -----------------------------------------------------------------------------------------

    def _prepare_airflow(self) -> None:
        """Creates or migrates Airflow's database before any component opens it."""
        pool = [names.HISTORY_WRITER_POOL, "1", "Merge, repair, rebuild and erasure: one at a time"]
        for command in (["db", "migrate"], ["pools", "set", *pool]):
            done = subprocess.run(
                ["airflow", *command],
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=START_TIMEOUT_SECONDS,
                check=False,
            )
            if done.returncode:
                raise DemoError(f"airflow {' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")

    def _wait_until_up(self) -> None:
        for what, port in (("MiniStack", self.ports.aws), ("Snowflake", self.ports.snowflake)):
            self._wait_for(lambda port=port: _listens(port), START_TIMEOUT_SECONDS, f"{what} to start")
        self._wait_for(self.airflow.is_healthy, START_TIMEOUT_SECONDS, "Airflow to start")
        self.airflow.log_in()
        self._wait_for(lambda: self.airflow.dag_ids() >= DAGS, START_TIMEOUT_SECONDS, "the DAGs", self._import_errors)
        self._wait_for(lambda: _listens(self.ports.dashboard), START_TIMEOUT_SECONDS, "the dashboard to start")
        self._say(f"All up.  Airflow {self.airflow_url}   dashboard {self.dashboard_url}")

    def _provision(self) -> None:
        self._say("Provisioning AWS and Snowflake: DAG provision_resources")
        self.airflow.unpause("provision_resources")
        self._follow("provision_resources", self.airflow.trigger("provision_resources"), PROVISION_TIMEOUT_SECONDS)

    def _one_cycle(self) -> acceptance_report.Truth:
        asked = self.arguments
        self._start_dags(TRAFFIC_DAG, *DATA_DRIVEN_DAGS)
        self._say(
            f"Sending {asked.clicks:,} clicks and {asked.readings:,} readings at {asked.rate}/s each: DAG {TRAFFIC_DAG}"
        )
        clicks, states = freshness.ClickSampler(self.manifest), freshness.TruckStateSampler()
        with clicks, states, _snowflake() as connection:
            run = self.airflow.trigger(TRAFFIC_DAG, self._traffic())
            seconds = max(asked.clicks, asked.readings) / asked.rate
            self._follow(TRAFFIC_DAG, run, 3 * seconds + 120, connection)
            self._all_sent = time.time()
            self._say("All sent; waiting until the last record is through")
            self._wait_for(
                lambda: not self._unsettled(connection),
                SETTLE_TIMEOUT_SECONDS,
                "the pipeline to settle",
                lambda: self._unsettled(connection),
                connection,
            )
            self._say(f"Counting the hours of this run, the open one too, into the ledger: DAG {LEDGER_DAG}")
            self.airflow.unpause(LEDGER_DAG)
            self._follow(LEDGER_DAG, self._count_hours(), SETTLE_TIMEOUT_SECONDS)
            self._say("Comparing every store with the generator's manifest")
            return acceptance_report.establish(
                self.manifest, self.bucket, connection, clicks.latencies, states.latencies
            )

    def _stay_up(self) -> NoReturn:
        self._start_dags(TRAFFIC_DAG, *DATA_DRIVEN_DAGS, LEDGER_DAG)
        # Before it is said: whoever reads it may press Ctrl-C at once.
        self.is_up = True
        self._say(f"Running: {TRAFFIC_DAG} sends every minute.  Press Ctrl-C to stop.")
        up_since, is_counted = time.monotonic(), False
        with _snowflake() as connection:
            while True:
                self._pause(connection)
                if not is_counted and time.monotonic() - up_since > FIRST_LEDGER_AFTER_SECONDS:
                    self._count_hours()
                    is_counted = True

    def _start_dags(self, *dag_ids: str) -> None:
        for dag_id in dag_ids:
            self.airflow.unpause(dag_id, has_watchers=dag_id == MERGE_DAG)

    def _count_hours(self) -> str:
        """Has everything that arrived since this demo began counted; returns the run's id."""
        return self.airflow.trigger(LEDGER_DAG, {"since": self._began.isoformat()})

    def _traffic(self) -> dict[str, Any]:
        asked = self.arguments
        return {
            "clicks": asked.clicks,
            "readings": asked.readings,
            "clicks_per_second": asked.rate,
            "readings_per_second": asked.rate,
            "malformed": asked.malformed,
            "duplicated": asked.duplicated,
            "late": asked.late / 2,
            "out_of_order": asked.late / 2,
            "nested": asked.nested,
            "seed": asked.seed,
            "manifest": str(self.manifest),
        }

    def _unsettled(self, connection: Any) -> str:
        """The first stage, in the order of the flow, that still has something to do; empty when none has."""
        mappings = event_source_mapping.read_status(self.state / "event-source-mapping")
        done = {each.stream_arn.rpartition("/")[2] for each in mappings if each.caught_up(self._all_sent)}
        for stream in (names.CLICK_STREAM, names.TRUCK_STREAM):
            if stream not in done:
                return f"the event source mapping of {stream} has not reached the tip"
        deliveries = firehose_delivery.read_status(self.state / "firehose-delivery")
        archived = {each.stream_arn.rpartition("/")[2] for each in deliveries if each.caught_up(self._all_sent)}
        for stream in (names.CLICK_STREAM, names.TRUCK_STREAM):
            if stream not in archived:
                return f"Firehose has not archived all of {stream}"
        landed = live_counts.objects(self.bucket, names.LANDING_PREFIX)
        loaded, has_data, is_checked = acceptance_report.select(connection, STAGES_OF_THE_WAREHOUSE)[0]
        if loaded < landed:
            return f"Snowpipe has loaded {loaded} of {landed} landing files"
        if has_data:
            return f"the stream {names.RAW_STREAM} has rows to merge"
        return "" if is_checked else "data_quality has not checked the last merge"

    # --- Waiting and telling -----------------------------------------------------------------------------------------

    def _wait_for(
        self,
        is_met: Callable[[], bool],
        timeout: float,
        what: str,
        explain: Callable[[], str] = str,
        connection: Any = None,
    ) -> None:
        deadline = time.monotonic() + timeout
        while not is_met():
            if time.monotonic() > deadline:
                why = f": {explain()}" if explain() else ""
                raise DemoError(f"gave up waiting for {what} after {timeout:.0f} s{why}\nsee {_relative(self.log)}")
            self._pause(connection)

    def _follow(self, dag_id: str, run_id: str, timeout: float, connection: Any = None) -> None:
        """Waits for a run to succeed, telling each task as it ends."""
        told: set[str] = set()
        deadline = time.monotonic() + timeout
        while True:
            state = self.airflow.run_state(dag_id, run_id)
            for task, task_state in self.airflow.task_states(dag_id, run_id).items():
                if task not in told and task_state in ENDED_TASK_STATES:
                    told.add(task)
                    self._say(f"  {dag_id}.{task}: {task_state}")
            if state == "success":
                return
            if state in FINISHED or time.monotonic() > deadline:
                outcome = state if state in FINISHED else f"is still {state} after {timeout:.0f} s"
                logs = self.state / "airflow" / "logs" / f"dag_id={dag_id}"
                raise DemoError(f"{dag_id} {outcome}; the logs of its tasks: {_relative(logs)}")
            self._pause(connection)

    def _pause(self, connection: Any = None) -> None:
        """Gives the pipeline time, notices a process that ended and, given a connection, tells the counts."""
        self.processes.check()
        if connection is not None and time.monotonic() - self._counts_told > COUNTS_EVERY_SECONDS:
            self._say("  " + live_counts.line(self.manifest, self.bucket, connection))
            self._counts_told = time.monotonic()
        time.sleep(POLL_SECONDS)

    def _import_errors(self) -> str:
        return "\n".join(self.airflow.import_errors())

    def _say(self, text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        self.console.print(f"[dim]{minutes}:{seconds:02}[/dim]  {escape(text)}")


def main() -> int:
    """Runs the demo; the exit code is as the module says."""
    arguments = _arguments()
    console = Console(highlight=False, soft_wrap=True)
    # SIGINT too: a shell starts what runs in its background with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    state = arguments.state or ROOT / ".local" / ("once" if arguments.once else "demo")
    demo = None
    try:
        lock = StateLock(state)
        if arguments.once:
            _empty(state)
        with lock:
            demo = Demo(arguments, state, console)
            return 0 if demo.run() else 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        # Ctrl-C is how a demo that is up is meant to end.
        return 0 if demo is not None and demo.is_up else 130
    except EXPECTED_ERRORS as error:
        console.print(f"[red]The demo failed:[/red] {escape(str(error))}")
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description="Run the whole pipeline on this machine.")
    parser.add_argument("--once", action="store_true", help="one full cycle on a fresh state, then check and stop")
    parser.add_argument("--state", type=Path, help="where everything is kept (default: .local/demo or .local/once)")
    once = parser.add_argument_group("with --once")
    once.add_argument("--clicks", type=_positive, default=10_000, help="to send (default: %(default)s)")
    once.add_argument("--readings", type=_positive, default=10_000, help="to send (default: %(default)s)")
    once.add_argument("--rate", type=_positive, default=250, help="of each, a second (default: %(default)s)")
    once.add_argument("--malformed", type=_share, default=0.01, help="share (default: %(default)s)")
    once.add_argument("--duplicated", type=_share, default=0.05, help="share (default: %(default)s)")
    once.add_argument("--late", type=_share, default=0.10, help="share late or out of order (default: %(default)s)")
    once.add_argument("--nested", type=_share, default=0.20, help="share of readings (default: %(default)s)")
    once.add_argument("--seed", type=int, default=1, help="of the traffic (default: %(default)s)")
    once.add_argument("--report", type=Path, metavar="FILE", help="writes the table of truth there too, as JSON")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share between 0 and 1")
    return share


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _snowflake() -> Any:
    """A connection to the local server, by the SNOWFLAKE_* environment that the dashboard uses."""
    given = {name: os.environ[f"SNOWFLAKE_{name.upper()}"] for name in CONNECTION_PARAMETERS}
    return snowflake.connector.connect(**given, login_timeout=20, network_timeout=60)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _empty(state: Path) -> None:
    """A fresh state: everything but the lock that is held on it."""
    for entry in state.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != LOCK_NAME:
            entry.unlink()


def _relative(path: Path) -> str:
    return os.path.relpath(path)


if __name__ == "__main__":
    sys.exit(main())
