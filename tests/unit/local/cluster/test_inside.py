"""What the part of the cluster's commands that runs inside it answers."""

import io

import pytest
from rich.console import Console

from include.local.cluster import inside
from include.local.demo.watch import DemoError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("command", ["report", "provision"])
def test_a_wait_that_times_out_is_said_in_one_line(monkeypatch, command):
    said = io.StringIO()

    class Cluster:
        console = Console(file=said)
        send = follow = None

        def report(self):
            raise DemoError("the pipeline did not settle")

        provision = report

    monkeypatch.setattr(inside, "Cluster", Cluster)
    monkeypatch.setattr("sys.argv", ["inside", command])
    assert inside.main() == 1
    assert said.getvalue() == "the pipeline did not settle\n"
