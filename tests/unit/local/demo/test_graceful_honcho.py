"""honcho's manager: starts again what was up, can be stopped while it starts, waits for what saves its state."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from honcho.printer import Printer

from include.local.demo import graceful_honcho
from include.local.demo.graceful_honcho import STARTS_IN_A_ROW, UP_SECONDS, GracefulManager

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


class Supervised:
    """A manager with one process that a test lets end; time passes as the test says."""

    def __init__(self, monkeypatch) -> None:
        self.now, self.starts, self.output = 0.0, 0, io.StringIO()
        monkeypatch.setattr(graceful_honcho, "time", SimpleNamespace(monotonic=lambda: self.now))
        monkeypatch.setattr(graceful_honcho, "Process", lambda **_: SimpleNamespace(start=self._start))
        self.manager = GracefulManager(Printer(self.output))
        self.manager._procmgr = Signals()  # The process ids here are made up.
        self.manager.add_process("scheduler.1", "true")
        self.process = self.manager._processes["scheduler.1"]
        self._start()

    def stops_everything(self, lived: float) -> bool:
        """Whether it stops the others when it ends after so many seconds; if not, its pause passes."""
        self.manager._any_stopped()
        self.now += lived
        self.process["returncode"] = self.manager.returncode = -9
        if self.manager._any_stopped():
            return True
        assert not self.manager._all_stopped()
        self.now += graceful_honcho.LONGEST_PAUSE_SECONDS
        return bool(self.manager._any_stopped())

    def _start(self) -> None:
        self.starts += 1
        self.process["pid"] = 2_000_000_000 + self.starts


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


@pytest.fixture
def supervised(monkeypatch) -> Supervised:
    return Supervised(monkeypatch)


def test_what_was_up_and_ends_is_started_again(supervised):
    for start in (2, 3, 4, 5, 6, 7, 8):
        assert not supervised.stops_everything(lived=UP_SECONDS)
        assert supervised.starts == start
        assert "returncode" not in supervised.process
        assert supervised.manager.returncode is None

    assert "scheduler.1 ended with code -9; it starts again in 1 s" in supervised.output.getvalue()


def test_what_never_came_up_stops_everything(supervised):
    assert supervised.stops_everything(lived=UP_SECONDS - 1)

    assert supervised.starts == 1
    assert "scheduler.1 ended with code -9; everything stops" in supervised.output.getvalue()


def test_what_does_not_come_up_again_is_given_some_attempts_at_growing_pauses(supervised):
    assert not supervised.stops_everything(lived=UP_SECONDS)
    for _ in range(STARTS_IN_A_ROW - 1):
        assert not supervised.stops_everything(lived=1)
    assert supervised.stops_everything(lived=1)

    output = supervised.output.getvalue()
    assert all(f"it starts again in {pause} s" in output for pause in (1, 2, 4, 8, 16))


def test_nothing_starts_again_once_everything_stops(supervised):
    supervised.manager._any_stopped()
    supervised.now += UP_SECONDS
    supervised.manager.terminate()
    supervised.process["returncode"] = 0

    assert supervised.manager._any_stopped()
    assert supervised.manager._all_stopped()
    assert supervised.starts == 1
