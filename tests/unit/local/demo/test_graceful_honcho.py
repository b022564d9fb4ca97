"""honcho's manager, stopped while it is still starting, and patient with what saves its state."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from honcho.printer import Printer

from include.local.demo.graceful_honcho import GracefulManager

pytestmark = pytest.mark.unit


class Signals:
    """Replaces honcho's ProcessManager, and remembers the signals."""

    def __init__(self) -> None:
        self.terminated: list[int] = []
        self.killed: list[int] = []

    def terminate(self, pid: int) -> None:
        self.terminated.append(pid)

    def kill(self, pid: int) -> None:
        self.killed.append(pid)


@pytest.fixture
def honcho() -> SimpleNamespace:
    manager, signals = GracefulManager(Printer(io.StringIO())), Signals()
    manager._procmgr = signals
    for name in ("ministack.1", "other.1"):
        manager.add_process(name, "true")
    return SimpleNamespace(manager=manager, signals=signals, processes=manager._processes)


def test_a_stop_before_all_have_started_waits_for_them(honcho):
    honcho.processes["ministack.1"]["pid"] = 1
    honcho.manager.terminate()
    assert honcho.signals.terminated == []

    honcho.processes["other.1"]["pid"] = 2
    assert honcho.manager._any_stopped()  # This lets honcho's loop call terminate again.
    honcho.manager.terminate()
    honcho.manager.terminate()
    assert honcho.signals.terminated == [1, 2]


def test_nothing_is_stopped_while_all_run(honcho):
    honcho.processes["ministack.1"]["pid"], honcho.processes["other.1"]["pid"] = 1, 2

    assert not honcho.manager._any_stopped()


def test_what_saves_its_state_is_never_killed_and_another_once(honcho):
    honcho.processes["ministack.1"]["pid"], honcho.processes["other.1"]["pid"] = 1, 2

    honcho.manager.kill()
    honcho.manager.kill()

    assert honcho.signals.killed == [2]


def test_what_has_stopped_is_not_killed(honcho):
    honcho.processes["other.1"] |= {"pid": 2, "returncode": 0}

    honcho.manager.kill()

    assert honcho.signals.killed == []
