"""The runbooks of the DAGs, walked as in test_runbooks.py.  Tearing down is last."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from include import names
from include.contracts.archive import ArchivedRecord, encode_line
from include.contracts.times import to_canonical
from include.settings import settings
from tests.fixtures.stream_path.records import Records
from tests.runbooks.on_call import OnCall, wait_until
from tests.runbooks.stack import Mail

pytestmark = [pytest.mark.e2e, pytest.mark.verify, pytest.mark.timeout(1200)]

POLICY = "incident-4711"
HOUR = timedelta(hours=1)


def deny(role: str, actions: str) -> None:
    """Somebody adds a policy to an identity."""
    statement = {"Effect": "Deny", "Action": actions, "Resource": "*"}
    boto3.client("iam").put_role_policy(
        RoleName=f"{settings().stack_name}-{role}",
        PolicyName=POLICY,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def put_object(key: str, body: bytes) -> None:
    boto3.client("s3").put_object(Bucket=settings().telemetry_bucket, Key=key, Body=body)


def start_scheduled(on_call: OnCall, dag_id: str) -> None:
    """Start a run that nobody started by hand: the newest one once more, unless it met the fault already.

    Airflow starts one when the DAG is unpaused.  No backfill: after one, the API server on SQLite answered from an old
    state of the database for minutes (a transaction stayed open), and tasks failed because it did not know their runs.
    """
    on_call.airflow.step(f"unpause {dag_id}")
    run = wait_until(lambda: on_call.airflow.newest_run(dag_id, "success", "failed"), 300, f"a run of {dag_id}")
    if run["state"] == "success":
        body = {"dry_run": False, "only_failed": False, "dag_run_id": run["dag_run_id"]}
        on_call.airflow.call("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body)


@contextmanager
def no_traffic(on_call: OnCall) -> Iterator[None]:
    on_call.airflow.step("pause generate_traffic")
    try:
        yield
    finally:
        on_call.airflow.step("unpause generate_traffic")


def new_truck(on_call: OnCall) -> str:
    """A truck that sends one reading, and is in the history."""
    truck = f"TRK{time.time_ns()}"
    reading = Records(truck).reading(truck_id=truck)
    boto3.client("kinesis").put_record(StreamName=names.TRUCK_STREAM, Data=reading, PartitionKey=truck)
    wait_until(lambda: versions(on_call, truck) == 1, 300, f"{truck} is in the history")
    return truck


def versions(on_call: OnCall, truck: str) -> int:
    asked = (
        f"use role TRUCK_TELEMETRY_TRANSFORMER; select count(*) from {names.HISTORY_TABLE} where TRUCK_ID = '{truck}';"
    )
    return int(on_call.sql(asked).split()[-1])


def test_monitor_snowpipe_and_provision_resources(on_call: OnCall, mail: Mail) -> None:
    on_call.sql("use role TRUCK_TELEMETRY_LOADER; alter pipe TRUCK_TELEMETRY_PIPE set pipe_execution_paused = true;")
    mail.expect("[failed] monitor_snowpipe: pipe")
    on_call.airflow.step("trigger provision_resources")
    on_call.airflow.wait_for("provision_resources", "failed")
    assert "PAUSED" in on_call.airflow.log("provision_resources", "verify")
    mail.expect("[failed] provision_resources: verify")

    assert "PAUSED" in on_call.follow("monitor_snowpipe", "Check")
    on_call.follow("monitor_snowpipe", "The pipe is paused")
    mail.expect("[recovered] monitor_snowpipe", "pipe: over")
    on_call.follow("provision_resources", "Fix")


def test_monitor_snowpipe_load_errors(on_call: OnCall, mail: Mail) -> None:
    file = f"{names.LANDING_PREFIX}{datetime.now(UTC):%Y/%m/%d/%H}/foreign-{time.time_ns()}.json.gz"
    put_object(file, gzip.compress(b"no reading\n"))
    mail.expect("[failed] monitor_snowpipe", file.rpartition("/")[2])
    assert "no reading" in on_call.follow("monitor_snowpipe", "Files have load errors", file=file)


def test_scd2_merge(on_call: OnCall, mail: Mail) -> None:
    on_call.sql(
        "use role TRUCK_TELEMETRY_DEPLOYER;"
        f"revoke insert, update, delete on table {names.HISTORY_TABLE} from role TRUCK_TELEMETRY_TRANSFORMER;"
    )
    mail.expect("[failed] scd2_merge: merge")
    on_call.follow("scd2_merge", "Check")
    on_call.follow("scd2_merge", "A right is missing")
    mail.expect("[recovered] scd2_merge")


def test_data_quality_and_repair_history(on_call: OnCall, mail: Mail) -> None:
    truck = new_truck(on_call)
    on_call.sql(
        f"use role TRUCK_TELEMETRY_DEPLOYER; insert into {names.HISTORY_TABLE} "
        f"select * from {names.HISTORY_TABLE} where TRUCK_ID = '{truck}';"
    )
    mail.expect("[failed] data_quality", "one_current_version_per_truck", truck)
    assert "one_current_version_per_truck" in on_call.follow("data_quality", "Check")
    assert truck in on_call.follow("repair_history", "Check")
    on_call.follow("data_quality", "The history is wrong", truck=truck)
    on_call.follow("repair_history", "How you know it is over")
    on_call.follow("data_quality", "How you know it is over")
    mail.expect("[recovered] data_quality", "one_current_version_per_truck")
    assert versions(on_call, truck) == 1
    # The other ways of the page do as much.
    on_call.follow("repair_history", "Repair one truck", truck=truck)
    on_call.follow("repair_history", "Rebuild everything")
    assert names.LANDING_PREFIX in on_call.follow("data_quality", "RAW holds what it should not", truck=truck)
    on_call.follow("data_quality", "A reading is implausible")


def test_a_rule_that_could_not_run(on_call: OnCall, mail: Mail) -> None:
    on_call.sql(f"use role TRUCK_TELEMETRY_DEPLOYER; drop stream {names.PLAUSIBILITY_STREAM};")
    mail.expect("[failed] data_quality", "TRUCK_PLAUSIBILITY_STREAM")
    on_call.follow("data_quality", "A rule could not run")
    on_call.follow("data_quality", "How you know it is over")
    mail.expect("[recovered] data_quality")


def test_repair_history_of_a_stale_stream(on_call: OnCall, mail: Mail) -> None:
    on_call.sql(
        f"use role TRUCK_TELEMETRY_DEPLOYER; alter table {names.RAW_TABLE} "
        "set DATA_RETENTION_TIME_IN_DAYS = 0 MAX_DATA_EXTENSION_TIME_IN_DAYS = 0;"
    )
    mail.expect("[failed] monitor_snowpipe: stream")
    on_call.follow("repair_history", "The stream is stale")
    mail.expect("[recovered] monitor_snowpipe", "stream: over")
    # The other stream on the table, too.
    mail.expect("[failed] data_quality", names.PLAUSIBILITY_STREAM)
    on_call.follow("data_quality", "A rule could not run")
    on_call.follow("data_quality", "How you know it is over")
    mail.expect("[recovered] data_quality")


def test_send_alerts_and_fleet_register(on_call: OnCall, mail: Mail) -> None:
    truck = f"TRK{time.time_ns()}"
    form = f"fleet_register: Do = register a truck, Truck = {truck}, Dry run = off"
    deny("run", "sns:Publish")
    on_call.sql(
        "use role TRUCK_TELEMETRY_DEPLOYER;"
        f"revoke insert, update on table {names.KNOWN_TRUCKS_TABLE} from role TRUCK_TELEMETRY_TRANSFORMER;"
    )
    on_call.airflow.step(f"trigger {form}")
    on_call.airflow.wait_for("fleet_register", "failed")
    # A run that ended before this alert was stored may be red for another one, of a check.
    wait_until(
        lambda: "Authorization" in on_call.airflow.log("send_alerts", "send_run_alerts"),
        300,
        "send_alerts is red",
    )
    assert on_call.airflow.newest_run("send_alerts", "success", "failed")["state"] == "failed"
    assert "unsent_alert" in on_call.follow("send_alerts", "Check")
    on_call.follow("send_alerts", "The connection may not publish", policy=POLICY)
    mail.expect("[failed] fleet_register: change")
    mail.expect("[failed] send_alerts")
    mail.expect("[recovered] send_alerts")

    on_call.follow("fleet_register", "A right is missing", truck=truck)


def test_generate_traffic(on_call: OnCall, mail: Mail) -> None:
    deny("traffic", "kinesis:PutRecords")
    mail.expect("[failed] generate_traffic: generate")
    on_call.follow("generate_traffic", "Somebody changed the role", policy=POLICY)
    mail.expect("[recovered] generate_traffic")


def test_replay(on_call: OnCall, mail: Mail) -> None:
    file = f"{names.QUARANTINE_PREFIX}{names.CLICK_STREAM}/{datetime.now(UTC):%Y/%m/%d/%H}/notes.txt"
    put_object(file, b"not ours")
    on_call.airflow.step("trigger replay: Reasons = missing, Only count = off")
    on_call.airflow.wait_for("replay", "failed")
    mail.expect("[failed] replay: replay", file)
    on_call.follow("replay", "Move a foreign file away", file=file)
    on_call.follow("erase_truck", "Delete all versions of an object", file=file)
    on_call.follow("replay", "Check")
    on_call.follow("replay", "Replay after a fix", reason="missing")


def test_reconcile(on_call: OnCall, mail: Mail) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 5 * HOUR
    words = {"hour": f"{hour:%Y-%m-%dT%H:00:00Z}", "end": f"{hour + HOUR:%Y-%m-%dT%H:00:00Z}"}
    # Records that were accepted, archived, and lost.
    records = [
        ArchivedRecord(
            names.CLICK_STREAM,
            "shardId-000000000000",
            str(time.time_ns() + number),
            to_canonical(hour + timedelta(seconds=number)),
            "key",
            b64encode(Records(str(number)).click(Timestamp=to_canonical(hour + timedelta(seconds=number)))).decode(),
        )
        for number in range(5)
    ]
    key = f"{names.ARCHIVE_PREFIX}{names.CLICK_STREAM}/{hour:%Y/%m/%d/%H}/{records[0].sequence_number}.gz"
    put_object(key, gzip.compress(b"".join(map(encode_line, records))))
    on_call.airflow.step(f"trigger reconcile: Since = {words['hour']}, Until = {words['end']}")
    on_call.airflow.wait_for("reconcile", "failed")
    mail.expect(f"[failed] reconcile: {names.CLICK_STREAM}")
    assert names.CLICK_STREAM in on_call.follow("reconcile", "Check")
    on_call.follow("reconcile", "Rebuild the hour", **words)
    on_call.follow("reconcile", "How you know it is over", **words)
    mail.expect("[recovered] reconcile")


def test_clean_metadata(on_call: OnCall, mail: Mail) -> None:
    old = (datetime.now(UTC) - timedelta(days=90)).isoformat(" ")
    database = Path(os.environ["AIRFLOW_HOME"]) / "airflow.db"
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute("insert into log (dttm, event) values (?, 'test')", [old])
        connection.execute(
            "create trigger keeps_the_log before delete on log begin select raise(abort, 'the log is kept'); end"
        )
    start_scheduled(on_call, "clean_metadata")
    mail.expect("[failed] clean_metadata: clean", "log")
    on_call.follow("clean_metadata", "Check")
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        connection.execute("drop trigger keeps_the_log")
    on_call.follow("clean_metadata", "Fix")
    mail.expect("[recovered] clean_metadata")


def test_erase_truck_and_check_erasures(on_call: OnCall, mail: Mail) -> None:
    truck = new_truck(on_call)
    damaged = f"{names.ARCHIVE_PREFIX}{names.TRUCK_STREAM}/{datetime.now(UTC):%Y/%m/%d/%H}/damaged-{time.time_ns()}.gz"
    put_object(damaged, gzip.compress(b"a line that was cut off\n")[:-10])
    on_call.airflow.step(f"trigger erase_truck: Truck = {truck}, The truck's id once more = {truck}, Only count = off")
    on_call.airflow.wait_for("erase_truck", "failed")
    mail.expect("[failed] erase_truck", damaged)
    on_call.follow("erase_truck", "Delete all versions of an object", file=damaged)
    on_call.follow("erase_truck", "Fix", truck=truck)
    assert versions(on_call, truck) == 0

    variable = f"{names.ERASURE_PREFIX}manual__2026-01-01T00:00:00+00:00"
    on_call.run(f"airflow variables set '{variable}' 'no JSON'")
    start_scheduled(on_call, "check_erasures")
    mail.expect("[failed] check_erasures: check")
    on_call.follow("check_erasures", "A Variable was changed", variable=variable)
    on_call.follow("check_erasures", "Fix")
    mail.expect("[recovered] check_erasures")


def test_teardown_resources(on_call: OnCall, mail: Mail) -> None:
    on_call.airflow.step(f"trigger teardown_resources: Name of the stack = {settings().stack_name}")
    on_call.airflow.wait_for("teardown_resources", "failed")
    mail.expect("[failed] teardown_resources")
    with no_traffic(on_call):
        on_call.follow("teardown_resources", "Fix")
        on_call.follow("teardown_resources", "How you know it is over")
