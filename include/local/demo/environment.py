"""The laptop's environment: the connections and settings with which production code meets the stand-ins.

This is the whole difference between a laptop and an account (docs/architecture.md, "What differs on a laptop").  No
process asks where it runs.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from include import names, naming, snowflake_identities
from include.local.aws import ministack
from include.local.demo.aws_administrator import ROOT_PROFILE, boundary_arn, role_arn, write_config
from include.local.demo.ports import Ports
from include.local.snowflake import tls
from include.settings import read_settings

ROOT = Path(__file__).resolve().parents[3]
TELEMETRY_SETTINGS = ("AIRFLOW__METRICS__", "AIRFLOW__TRACES__", "AIRFLOW__OPENLINEAGE__")
# Whatever only makes Airflow quicker: tests/benchmarks/test_dag_runs.py measures the demo without these two.
TASKS_START_SOONER = ROOT / "include/local/demo/airflow_config"
AIRFLOW_TUNING = {
    # This decides how soon a task starts (5 tasks: 1.3 to 2.4 s instead of 5.5 s).
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
    # A changed file is parsed immediately.  Parsing the others costs seconds of processor time each time.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
}
# Airflow's connection -> the job that it is for.
SNOWFLAKE_CONNECTIONS = {
    names.SNOWFLAKE_CONNECTION: "transformer",
    names.DEPLOYER_SNOWFLAKE_CONNECTION: "deployer",
    names.REPAIRER_SNOWFLAKE_CONNECTION: "repairer",
    names.ERASURE_SNOWFLAKE_CONNECTION: "eraser",
}
AWS_CONNECTIONS = {
    names.AWS_CONNECTION: "run",
    names.DEPLOYER_AWS_CONNECTION: "deploy",
    names.REPLAY_AWS_CONNECTION: "replay",
    names.TRAFFIC_AWS_CONNECTION: "traffic",
    names.ERASURE_AWS_CONNECTION: "erase",
}


def build(state: Path, ports: Ports, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """Build the environment of every process of the demo.

    Args:
        state: directory in which all of them keep what must survive.
        overrides: settings (CTD_*) that replace the demo's own.
    """
    certificates = tls.ensure(state / "tls")
    keys = state / "snowflake-keys"
    snowflake_identities.ensure_keys(keys)
    aws_tls = ministack.Tls(certificates.certificate, certificates.key, certificates.ca)
    settings = {**_settings(ports), **(overrides or {})}
    return {
        **_inherited(),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins"), str(TASKS_START_SOONER)]),
        "PYTHONUNBUFFERED": "1",
        "DEMO_STATE": str(state),
        "DEMO_AIRFLOW_PORT": str(ports.airflow),
        "DEMO_DASHBOARD_PORT": str(ports.dashboard),
        "DEMO_AWS_PORT": str(ports.aws),
        "DEMO_SNOWFLAKE_PORT": str(ports.snowflake),
        "DEMO_CERTIFICATE": str(certificates.certificate),
        "DEMO_KEY": str(certificates.key),
        "DEMO_CA": str(certificates.ca),
        **_aws(state, ports.aws, aws_tls, read_settings(settings).stack_name),
        "DEMO_SNOWFLAKE_KEYS": str(keys),
        # The port of a proxy that shows or disturbs the calls to Snowflake.
        **_snowflake(int(os.environ.get("DEMO_SNOWFLAKE_PROXY_PORT", ports.snowflake)), keys, certificates.bundle),
        **_airflow(state, ports.airflow),
        **settings,
    }


def write_shell(file: Path, environment: Mapping[str, str]) -> None:
    """Write a script that a shell reads (``. file``) to reach the demo as the administrator of its accounts."""
    # Also what the caller has already, such as DEMO_AIRFLOW_PORT: another shell reads this.
    kept = _inherited()
    ours = {name: value for name, value in environment.items() if name == "PATH" or kept.get(name) != value}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in sorted(ours.items())]
    file.touch(mode=0o600)
    file.write_text("\n".join([*lines, f"export AWS_PROFILE={ROOT_PROFILE}", f"cd {shlex.quote(str(ROOT))}", ""]))


def snowflake_login(port: int, keys: Path, job: str) -> dict[str, str | int]:
    """Return the connector's parameters with which a job's user reaches the pipeline's schema.

    Args:
        port: where the local Snowflake listens.
        keys: directory of the users' private keys.
        job: one of ``include.snowflake_identities.JOBS``.
    """
    return {
        "account": "local",
        "host": "localhost",
        "port": port,
        "user": snowflake_identities.JOBS[job],
        "private_key_file": str(snowflake_identities.key_file(keys, job)),
        "role": snowflake_identities.JOBS[job],
        "database": names.DATABASE,
        "schema": names.SCHEMA,
        "warehouse": snowflake_identities.warehouse_of(job),
    }


def snowflake_connections(port: int, keys: Path) -> dict[str, str]:
    """Return Airflow's connections to the local Snowflake: variable -> JSON."""
    return {
        f"AIRFLOW_CONN_{connection.upper()}": _connection(snowflake_login(port, keys, job))
        for connection, job in SNOWFLAKE_CONNECTIONS.items()
    }


def _connection(login: dict[str, str | int]) -> str:
    """Return an Airflow connection as JSON.

    It has no session_parameters: the connector would write AUTOCOMMIT into them, and Airflow's hook would then skip its
    transaction.
    """
    extra = dict(login)
    user, schema = extra.pop("user"), extra.pop("schema")
    return json.dumps({"conn_type": "snowflake", "login": user, "schema": schema, "extra": extra})


def _inherited() -> dict[str, str]:
    """Return the caller's environment without whatever would lead a process to another AWS, Airflow or Snowflake.

    Where Airflow sends its telemetry is the caller's choice (docs/telemetry.md).
    """
    foreign = ("AWS_", "AIRFLOW", "SNOWFLAKE_", "CTD_", "DEMO_", "PYTHON", "STREAMLIT_", "CURL_CA_BUNDLE")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(TELEMETRY_SETTINGS) or not name.startswith(foreign)
    }
    # The programs of the Procfile are beside this interpreter.
    return kept | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])}


def _aws(state: Path, port: int, tls: ministack.Tls, stack: str) -> dict[str, str]:
    """Return what boto3 and Airflow's AWS connections need to reach MiniStack on ``port``.

    Every process runs as the machine of Airflow, which has no right but to become the identities.  The key of the
    machine is in the credentials file once the administrator has written it.
    """
    directory = state / "aws"
    directory.mkdir(parents=True, exist_ok=True)
    write_config(directory / "config", stack)
    client = ministack.client_environment(port, tls=tls)
    del client["AWS_ACCESS_KEY_ID"], client["AWS_SECRET_ACCESS_KEY"]
    return {
        **client,
        "AWS_CONFIG_FILE": str(directory / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(directory / "credentials"),
        **aws_connections(stack),
        "CTD_STACK_ROLE_ARN": role_arn(stack, "stack"),
        "CTD_PERMISSIONS_BOUNDARY_ARN": boundary_arn(stack),
    }


def aws_connections(stack_name: str) -> dict[str, str]:
    """Return Airflow's connections to the local AWS: variable -> JSON.  Each becomes the role of its job."""
    timeouts = {"connect_timeout": 5, "read_timeout": 60}
    return {
        f"AIRFLOW_CONN_{connection.upper()}": json.dumps(
            {
                "conn_type": "aws",
                "extra": {
                    "region_name": ministack.REGION,
                    "role_arn": role_arn(stack_name, job),
                    "config_kwargs": timeouts,
                },
            }
        )
        for connection, job in AWS_CONNECTIONS.items()
    }


def _snowflake(port: int, keys: Path, ca_bundle: Path) -> dict[str, str]:
    """Return what Airflow's Snowflake connections and the dashboard, the reader, need to reach the local server."""
    return {
        **snowflake_connections(port, keys),
        "REQUESTS_CA_BUNDLE": str(ca_bundle),
        **{f"SNOWFLAKE_{name.upper()}": str(value) for name, value in snowflake_login(port, keys, "reader").items()},
    }


def _airflow(state: Path, port: int) -> dict[str, str]:
    home = state / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    keys = _airflow_keys(home / "keys.json")
    # A process waits so many seconds for its turn to write.  After SQLite's five, a busy machine ended the scheduler; a
    # call of the API gives up after thirty, and two calls of one server can wait for each other.
    database = f"sqlite:///{home / 'airflow.db'}?timeout=15"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "6",
        # Nothing runs before provision_resources has run: the demo unpauses one DAG after the other.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        # Whoever reaches the port is an administrator; therefore it is bound to the loopback address.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": keys["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        f"AIRFLOW_CONN_{names.METADATA_CONNECTION.upper()}": json.dumps(
            {"conn_type": "generic", "extra": {"sql_alchemy_conn": database}}
        ),
        **AIRFLOW_TUNING,
        # After a scheduler was killed, the next one runs its tasks again within 90 s, not after five minutes.  It
        # counts as dead after a minute: on SQLite, a busy machine can keep a living one from writing for half of that,
        # and then it would run its own tasks twice.  A task whose process is gone is tried again after 90 s.
        "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "60",
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "90",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        # A task says what it did, also if all went well.
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow.task=INFO include=INFO clicks_to_deliveries=INFO",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


def _airflow_keys(path: Path) -> dict[str, str]:
    """Return the secrets of this laptop's Airflow.  They are made once: what they encrypt must stay readable."""
    if not path.exists():
        from cryptography.fernet import Fernet

        keys = {"fernet": Fernet.generate_key().decode(), "api": secrets.token_hex(32), "jwt": secrets.token_hex(32)}
        path.touch(mode=0o600)
        path.write_text(json.dumps(keys))
    return msgspec.json.decode(path.read_bytes(), type=dict[str, str])


def _settings(ports: Ports) -> dict[str, str]:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    machine = "aarch64" if architecture == "arm64" else "x86_64"
    return {
        # The names in this process carry it too.
        **({naming.VARIABLE: naming.ENVIRONMENT} if naming.ENVIRONMENT else {}),
        "CTD_DEPLOYMENT_BUCKET": "clicks-to-deliveries-deployment",
        # MiniStack runs a Lambda with the interpreter of this machine.
        "CTD_LAMBDA_RUNTIME": f"python{version}",
        "CTD_LAMBDA_ARCHITECTURE": architecture,
        "CTD_BUNDLE_PLATFORM": f"{machine}-apple-darwin" if sys.platform == "darwin" else f"{machine}-manylinux_2_28",
        # include/local/aws/event_source_mapping drives the mappings instead of MiniStack.
        "CTD_EVENT_SOURCE_MAPPINGS_ENABLED": "false",
        # MiniStack sends no e-mail and counts the address as confirmed, which verify asks for.
        "CTD_ALERT_EMAIL": "on-call@example.com",
        "CTD_API_ENDPOINT": f"https://127.0.0.1:{ports.aws}/_aws/execute-api",
        "CTD_AIRFLOW_URL": f"http://127.0.0.1:{ports.airflow}",
        "CTD_DASHBOARD_URL": f"http://127.0.0.1:{ports.dashboard}",
        "CTD_ARCHIVE_INTERVAL_SECONDS": "1",
        "CTD_TRUCK_BATCHING_WINDOW_SECONDS": "1",
        "CTD_SNOWFLAKE_ACCOUNT": "local",
        "CTD_AWS_ACCOUNT": "000000000000",
        "CTD_MERGE_MIN_INTERVAL_SECONDS": "5",
        "CTD_QUALITY_MIN_INTERVAL_SECONDS": "0",
        # Whoever sits here is alone.
        "CTD_APPROVAL": "anyone",
    }
