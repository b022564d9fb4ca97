"""The laptop's environment: the ports, connections and settings with which production code meets the stand-ins.

This is the whole difference between a laptop and an account (docs/architecture.md, "What differs on a laptop").  No
process asks where it runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import platform
import secrets
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import msgspec

from include import names
from include.local.snowflake import tls

ROOT = Path(__file__).resolve().parents[3]
REGION = "us-east-1"

_claims: list[TextIO] = []


class PortError(RuntimeError):
    """A port that was asked for is taken; the message names the variable and the port."""


class Ports(msgspec.Struct, frozen=True):
    """Each can be set as the environment variable ``DEMO_<NAME>_PORT``; the default is used only while it is free."""

    airflow: int = 8080
    dashboard: int = 8501
    aws: int = 4566
    snowflake: int = 4443


def choose_ports(environ: Mapping[str, str]) -> Ports:
    """The ports set in ``environ``, else the usual ones, else free ones.

    Raises:
        PortError: a port that was set is not a port number, or is taken.
    """
    chosen: dict[str, int] = {}
    for field in msgspec.structs.fields(Ports):
        variable = f"DEMO_{field.name.upper()}_PORT"
        if given := environ.get(variable):
            if not given.isdecimal() or not 0 < int(given) < 65536:
                raise PortError(f"{variable}={given} is not a port number (1 to 65535)")
            if not _claim(int(given)):
                raise PortError(f"{variable}={given} is already in use: free that port, or unset {variable}")
            chosen[field.name] = int(given)
        else:
            chosen[field.name] = field.default if _claim(field.default) else _claim_any()
    return Ports(**chosen)


def build(state: Path, ports: Ports, overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of every process of the demo; ``state`` is where all of them keep what must survive.

    ``overrides`` come last: settings (CTD_*) that a caller wants different.
    """
    certificates = tls.ensure(state / "tls")
    return {
        **_inherited(),
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT), str(ROOT / "plugins"), str(ROOT / "include/local/demo/airflow_config")]
        ),
        "PYTHONUNBUFFERED": "1",
        "DEMO_STATE": str(state),
        "DEMO_AIRFLOW_PORT": str(ports.airflow),
        "DEMO_DASHBOARD_PORT": str(ports.dashboard),
        "DEMO_AWS_PORT": str(ports.aws),
        "DEMO_SNOWFLAKE_PORT": str(ports.snowflake),
        "DEMO_CERTIFICATE": str(certificates.certificate),
        "DEMO_KEY": str(certificates.key),
        **aws(ports.aws),
        **snowflake(ports.snowflake, certificates.bundle),
        **_airflow(state, ports.airflow),
        **_settings(ports.aws),
        **(overrides or {}),
    }


def aws(port: int) -> dict[str, str]:
    """What boto3 and Airflow's AWS connection need to reach MiniStack on ``port``."""
    extra = {"region_name": REGION, "config_kwargs": {"connect_timeout": 5, "read_timeout": 60}}
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **dict.fromkeys(
            ("AIRFLOW_CONN_AWS_DEFAULT", "AIRFLOW_CONN_AWS_ERASURE"), json.dumps({"conn_type": "aws", "extra": extra})
        ),
    }


def snowflake(port: int, ca_bundle: Path) -> dict[str, str]:
    """What the connector, Airflow's Snowflake connection and the dashboard need to reach the local server on ``port``.

    No session_parameters in the connection: the connector would write AUTOCOMMIT into them and the hook would then
    skip its transaction, so a failed statement would leave half its rows.
    """
    login = {"user": "pipeline", "password": "local"}
    target = {
        "account": "local",
        "host": "localhost",
        "port": port,
        "database": names.DATABASE,
        "warehouse": names.WAREHOUSE,
        "role": "SYSADMIN",
    }
    connection = {
        "conn_type": "snowflake",
        "login": login["user"],
        "password": login["password"],
        "schema": names.SCHEMA,
        "extra": target,
    }
    return {
        "AIRFLOW_CONN_SNOWFLAKE_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_SNOWFLAKE_ERASURE": json.dumps(
            connection | {"extra": target | {"role": "TRUCK_TELEMETRY_ERASER"}}
        ),
        "REQUESTS_CA_BUNDLE": str(ca_bundle),
        **{f"SNOWFLAKE_{name.upper()}": str(value) for name, value in (login | target).items()},
        "SNOWFLAKE_SCHEMA": names.SCHEMA,
    }


def _inherited() -> dict[str, str]:
    """The caller's environment less what would lead a process to some other AWS, Airflow or Snowflake."""
    foreign = ("AWS_", "AIRFLOW", "SNOWFLAKE_", "CTD_", "DEMO_", "PYTHON", "STREAMLIT_", "CURL_CA_BUNDLE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    # The processes of the Procfile are found beside this interpreter.
    return kept | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])}


def _airflow(state: Path, port: int) -> dict[str, str]:
    home = state / "airflow"
    home.mkdir(parents=True, exist_ok=True)
    keys = _airflow_keys(home / "keys.json")
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "6",
        # Nothing runs before provision_resources has: the demo unpauses one DAG after the other.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        # Everybody who reaches the port is an administrator, which is why it is bound to the loopback address.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": keys["api"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        # The main lever on how soon a task starts (5 tasks: 5.5 s -> 1.3 to 2.4 s).
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        # A file that changes is parsed at once; the others every so often, each time for seconds of a processor.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }


def _airflow_keys(path: Path) -> dict[str, str]:
    """Secrets of this laptop's Airflow, made once: what they encrypted and signed must stay readable."""
    if not path.exists():
        from cryptography.fernet import Fernet

        keys = {"fernet": Fernet.generate_key().decode(), "api": secrets.token_hex(32), "jwt": secrets.token_hex(32)}
        path.touch(mode=0o600)
        path.write_text(json.dumps(keys))
    return json.loads(path.read_text())


def _settings(aws_port: int) -> dict[str, str]:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    architecture = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    machine = "aarch64" if architecture == "arm64" else "x86_64"
    return {
        "CTD_DEPLOYMENT_BUCKET": "clicks-to-deliveries-deployment",
        # MiniStack runs a Lambda with the interpreter of this machine.
        "CTD_LAMBDA_RUNTIME": f"python{version}",
        "CTD_LAMBDA_ARCHITECTURE": architecture,
        "CTD_BUNDLE_PLATFORM": f"{machine}-apple-darwin" if sys.platform == "darwin" else f"{machine}-manylinux_2_28",
        # include/local/aws/event_source_mapping drives the mappings instead of MiniStack.
        "CTD_EVENT_SOURCE_MAPPINGS_ENABLED": "false",
        "CTD_API_ENDPOINT": f"http://127.0.0.1:{aws_port}/_aws/execute-api",
        "CTD_ARCHIVE_INTERVAL_SECONDS": "1",
        "CTD_MERGE_MIN_INTERVAL_SECONDS": "5",
    }


def _claim(port: int) -> bool:
    """Whether ``port`` is free and now ours.

    Seconds pass until a process listens on it, in which another demo could choose it too; the lock on a file, which
    goes with this process, keeps it from that.
    """
    lock = (Path(tempfile.gettempdir()) / f"clicks-to-deliveries-{os.getuid()}-port-{port}").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    if not _is_free(port):
        lock.close()
        return False
    _claims.append(lock)
    return True


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _claim_any() -> int:
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if _claim(port):
            return port
