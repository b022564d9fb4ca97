"""Deletes old rows of Airflow's metadata database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException, AirflowSkipException
from airflow.sdk import BaseHook, BaseOperator, Context

from clicks_to_deliveries.operators.killable import Killable
from include import names

# What grows with each run.  Never "trigger", which is among the command's defaults: a watcher's trigger is as old as
# its DAG, and a deleted one starts no run until its DAG is parsed again.
TABLES = (
    "asset_event",
    "callback",
    # With Celery, a row for each task that ran; where there is no Celery, the command says so and goes on.
    "celery_taskmeta",
    "celery_tasksetmeta",
    "dag_run",
    "import_error",
    "job",
    "log",
    "task_instance",
    "task_instance_history",
    "task_reschedule",
    "xcom",
)
# Rows of one transaction: others write meanwhile, and SQLite has one writer.
BATCH_ROWS = 1_000
# The field of the connection that has the database's address, and the variables that Airflow blocks in a task.
ADDRESS = "sql_alchemy_conn"
BLOCKED = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__SQL_ALCHEMY_CONN")
OUTPUT = re.compile(r"Checking table (\w+)\s+Found (\d+) rows")


class CleanMetadataOperator(Killable, BaseOperator):
    """Runs ``airflow db clean`` with the database's address from a connection of its own.

    Airflow 3 takes the address away from tasks, and from what they start; its REST API deletes runs, but neither asset
    events nor log entries.  So whoever wants this DAG gives it the address, as the extra field ``sql_alchemy_conn``.
    Without the connection the task is skipped (docs/adr/0069).

    :param keep: rows younger than this stay.

    Returns how many rows were deleted, by table; rows that go with a run (tasks, XComs) are not among them.
    """

    def __init__(self, *, keep: timedelta, metadata_conn_id: str = names.METADATA_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep = keep
        self.metadata_conn_id = metadata_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        address = self._address()
        before = datetime.now(UTC) - self.keep
        command = [
            sys.executable,
            "-m",
            "airflow",
            "db",
            "clean",
            "--yes",
            "--skip-archive",
            "--error-on-cleanup-failure",
        ]
        command += ["--clean-before-timestamp", before.isoformat(), "--batch-size", str(BATCH_ROWS)]
        command += ["--tables", ",".join(TABLES)]
        environment = {**os.environ, **dict.fromkeys(BLOCKED, address)}
        # A kill ends it too: run() kills what it waits for when an exception comes.
        cleaned = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if cleaned.returncode:
            said = (cleaned.stderr or cleaned.stdout)[-4_000:]
            raise AirflowException(f"airflow db clean failed ({cleaned.returncode}): {said}")
        found = {table: int(rows) for table, rows in OUTPUT.findall(cleaned.stdout)}
        deleted = {table: rows for table, rows in found.items() if rows}
        self.log.info("Deleted what is older than %s: %s", before, deleted or "nothing is")
        return deleted

    def _address(self) -> str:
        try:
            address = BaseHook.get_connection(self.metadata_conn_id).extra_dejson.get(ADDRESS)
        except AirflowNotFoundException as error:
            raise AirflowSkipException(f"There is no connection {self.metadata_conn_id}: {error}") from error
        if not address:
            raise AirflowException(f"The connection {self.metadata_conn_id} has no {ADDRESS} in its extra field")
        return str(address)
