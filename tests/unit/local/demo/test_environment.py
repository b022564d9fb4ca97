"""Ports and environment of the demo."""

from __future__ import annotations

import json
import socket
import stat

import pytest

from include import names
from include.local.demo import environment
from include.settings import read_settings

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def claims(monkeypatch):
    """Ports claimed by a test are given back after it."""
    taken = []
    monkeypatch.setattr(environment, "_claims", taken)
    yield
    for claim in taken:
        claim.close()


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_ports_nobody_set_are_free_and_differ(taken_port):
    ports = environment.choose_ports({})

    chosen = [ports.airflow, ports.dashboard, ports.aws, ports.snowflake]
    assert taken_port not in chosen
    assert len(set(chosen)) == 4


def test_a_usual_port_that_is_taken_is_replaced_by_a_free_one(taken_port, monkeypatch):
    monkeypatch.setattr(environment, "_is_free", lambda port: port != environment.Ports().aws)

    assert environment.choose_ports({}).aws != environment.Ports().aws


def test_a_port_that_was_set_is_used():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free = listener.getsockname()[1]

    assert environment.choose_ports({"DEMO_AIRFLOW_PORT": str(free)}).airflow == free


def test_a_port_that_was_set_and_is_taken_is_an_error_that_names_it(taken_port):
    with pytest.raises(environment.PortError, match=f"DEMO_AIRFLOW_PORT={taken_port} is already in use"):
        environment.choose_ports({"DEMO_AIRFLOW_PORT": str(taken_port)})


@pytest.mark.parametrize("given", ["http", "0", "70000", "-1"])
def test_what_is_no_port_number_is_an_error_that_names_it(given):
    with pytest.raises(environment.PortError, match=f"DEMO_AWS_PORT={given} is not a port number"):
        environment.choose_ports({"DEMO_AWS_PORT": given})


def test_a_port_that_another_demo_has_chosen_and_not_yet_opened_is_taken():
    chosen = environment.choose_ports({})

    assert environment.choose_ports({}).airflow != chosen.airflow
    with pytest.raises(environment.PortError, match="already in use"):
        environment.choose_ports({"DEMO_AIRFLOW_PORT": str(chosen.airflow)})


def test_two_services_cannot_be_given_one_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free = str(listener.getsockname()[1])

    with pytest.raises(environment.PortError, match="DEMO_DASHBOARD_PORT"):
        environment.choose_ports({"DEMO_AIRFLOW_PORT": free, "DEMO_DASHBOARD_PORT": free})


def test_the_environment_holds_usable_settings_and_connections(tmp_path):
    built = environment.build(tmp_path, environment.Ports())

    assert read_settings(built).event_source_mappings_enabled is False
    assert read_settings(built).api_endpoint.startswith(built["AWS_ENDPOINT_URL"])
    connection = json.loads(built["AIRFLOW_CONN_SNOWFLAKE_DEFAULT"])
    assert connection["extra"]["database"] == names.DATABASE
    assert "session_parameters" not in connection["extra"]
    assert built["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")


def test_the_callers_own_aws_and_airflow_never_leak_in(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", "/elsewhere")
    monkeypatch.setenv("CTD_STACK_NAME", "somebody-elses")
    monkeypatch.setenv("LANG", "C.UTF-8")

    built = environment.build(tmp_path, environment.Ports())

    assert "AWS_PROFILE" not in built
    assert built["AIRFLOW__CORE__DAGS_FOLDER"] == str(environment.ROOT / "dags")
    assert "CTD_STACK_NAME" not in built
    assert built["LANG"] == "C.UTF-8"


def test_keys_are_made_once_and_readable_by_their_owner_alone(tmp_path):
    first = environment.build(tmp_path, environment.Ports())["AIRFLOW__CORE__FERNET_KEY"]
    second = environment.build(tmp_path, environment.Ports())["AIRFLOW__CORE__FERNET_KEY"]

    assert first == second
    assert stat.S_IMODE((tmp_path / "airflow" / "keys.json").stat().st_mode) == 0o600
