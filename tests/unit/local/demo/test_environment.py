"""The environment of the demo's processes."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys

import pytest

from include import names
from include.local.demo import environment
from include.local.demo.ports import Ports
from include.settings import read_settings

pytestmark = pytest.mark.unit


def test_the_environment_holds_usable_settings_and_connections(tmp_path):
    built = environment.build(tmp_path, Ports())

    assert read_settings(built).event_source_mappings_enabled is False
    assert read_settings(built).api_endpoint.startswith(built["AWS_ENDPOINT_URL"])
    connection = json.loads(built["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    assert connection["extra"]["database"] == names.DATABASE
    assert "session_parameters" not in connection["extra"]
    assert built["AWS_ENDPOINT_URL"].startswith("https://127.0.0.1:")


def test_the_callers_own_aws_and_airflow_never_leak_in_except_where_telemetry_goes(tmp_path, monkeypatch):
    telemetry = {
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "AIRFLOW__TRACES__OTEL_ON": "True",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": '{"type": "console"}',
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
    }
    for name, value in telemetry.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "/elsewhere")
    monkeypatch.setenv("CTD_STACK_NAME", "somebody-elses")
    monkeypatch.setenv("LANG", "C.UTF-8")

    built = environment.build(tmp_path, Ports())

    assert "AWS_PROFILE" not in built
    assert built["AIRFLOW__CORE__DAGS_FOLDER"] == str(environment.ROOT / "dags")
    assert "CTD_STACK_NAME" not in built
    assert built["LANG"] == "C.UTF-8"
    assert {name: built.get(name) for name in telemetry} == telemetry


def test_the_schedulers_clock_in_sqlite_has_milliseconds_so_that_no_run_waits_for_the_next_second(tmp_path):
    # Airflow starts a queued run whose time is no later than this.
    now = (
        "from airflow import settings; from sqlalchemy import String, func, select; "
        "print(settings.Session().scalar(select(func.now().cast(String))))"
    )
    asked = subprocess.run(
        [sys.executable, "-c", now, "scheduler"],
        env=environment.build(tmp_path, Ports()), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert re.fullmatch(r"[0-9-]{10} [0-9:]{8}\.[0-9]{3}", asked.stdout.strip())


def test_keys_are_made_once_and_readable_by_their_owner_alone(tmp_path):
    first = environment.build(tmp_path, Ports())["AIRFLOW__CORE__FERNET_KEY"]
    second = environment.build(tmp_path, Ports())["AIRFLOW__CORE__FERNET_KEY"]

    assert first == second
    assert stat.S_IMODE((tmp_path / "airflow" / "keys.json").stat().st_mode) == 0o600


def test_a_shell_that_reads_the_script_has_the_environment_as_the_administrator(tmp_path, monkeypatch):
    monkeypatch.setenv("DEMO_SNOWFLAKE_PORT", str(Ports().snowflake))
    built = environment.build(tmp_path, Ports())
    script = tmp_path / "shell.sh"
    environment.write_shell(script, built)

    printed = subprocess.run(
        ["sh", "-c", f". {script} && env -0 && printf 'cwd=' && pwd"],
        check=True,
        capture_output=True,
        text=True,
        env={},
    ).stdout
    found = dict(line.partition("=")[::2] for line in printed.split("\0"))

    ours = {
        name: value for name, value in built.items() if name.startswith(("AWS_", "AIRFLOW", "CTD_", "DEMO_", "PATH"))
    }
    assert {name: found.get(name) for name in ours} == ours
    assert found["AWS_PROFILE"] == "administrator"
    assert found["cwd"].strip() == str(environment.ROOT)
    assert stat.S_IMODE(script.stat().st_mode) == 0o600
