"""Ports of the demo: set, default or free, and claimed until their process listens."""

from __future__ import annotations

import socket

import pytest

from include.local.demo import ports
from include.local.demo.ports import PortError, Ports, choose_ports

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def claims(monkeypatch):
    """Release the ports that a test claims after it."""
    taken = []
    monkeypatch.setattr(ports, "_claimed", taken)
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
    found = choose_ports({})

    chosen = [found.airflow, found.dashboard, found.aws, found.snowflake]
    assert taken_port not in chosen
    assert len(set(chosen)) == 4


def test_a_usual_port_that_is_taken_is_replaced_by_a_free_one(taken_port, monkeypatch):
    monkeypatch.setattr(ports, "_is_free", lambda port: port != Ports().aws)

    assert choose_ports({}).aws != Ports().aws


def test_a_port_that_was_set_is_used():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free = listener.getsockname()[1]

    assert choose_ports({"DEMO_AIRFLOW_PORT": str(free)}).airflow == free


def test_a_port_that_was_set_and_is_taken_is_an_error_that_names_it(taken_port):
    with pytest.raises(PortError, match=f"DEMO_AIRFLOW_PORT={taken_port} is already in use"):
        choose_ports({"DEMO_AIRFLOW_PORT": str(taken_port)})


@pytest.mark.parametrize("given", ["http", "0", "70000", "-1"])
def test_what_is_no_port_number_is_an_error_that_names_it(given):
    with pytest.raises(PortError, match=f"DEMO_AWS_PORT={given} is not a port number"):
        choose_ports({"DEMO_AWS_PORT": given})


def test_a_port_that_another_demo_has_chosen_and_not_yet_opened_is_taken():
    chosen = choose_ports({})

    assert choose_ports({}).airflow != chosen.airflow
    with pytest.raises(PortError, match="already in use"):
        choose_ports({"DEMO_AIRFLOW_PORT": str(chosen.airflow)})


def test_two_services_cannot_be_given_one_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free = str(listener.getsockname()[1])

    with pytest.raises(PortError, match="DEMO_DASHBOARD_PORT"):
        choose_ports({"DEMO_AIRFLOW_PORT": free, "DEMO_DASHBOARD_PORT": free})
