"""Processes of a Procfile: started together, named when one ends, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import psutil
import pytest

from include.local.demo import processes
from include.local.demo.processes import MARKER, ProcessError, Processes, StateLock, run_to_end

pytestmark = pytest.mark.unit

# Of what ends soon on any machine.
DEADLINE_SECONDS = 60


@pytest.fixture
def procfile(tmp_path, monkeypatch):
    path = tmp_path / "Procfile"
    monkeypatch.setattr(processes, "PROCFILE", path)
    # Processes that ignore SIGTERM make honcho wait for this long before the last resort, which the tests are about.
    monkeypatch.setattr(processes, "STOP_TIMEOUT_SECONDS", 1)
    return path


def running(demo: Processes) -> list[psutil.Process]:
    return demo._stragglers()


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def test_a_process_that_ends_is_named_with_its_code_and_last_words(procfile, tmp_path):
    procfile.write_text("steady: exec sleep 600\nfaulty: echo cannot open the port; exit 3\n")

    with Processes(os.environ, tmp_path / "log") as demo:
        with pytest.raises(ProcessError, match=r"faulty ended with code 3:\n  cannot open the port") as failure:
            wait_for(lambda: demo.check())
        left = running(demo)

    assert str(tmp_path / "log") in str(failure.value)
    assert [process for process in left if process.is_running() and process.status() != "zombie"] == []


def test_what_is_killed_is_named_and_starts_again_without_what_it_left_behind(procfile, tmp_path, monkeypatch):
    # In honcho's process: a process that has run for a moment counts as up, and a pause is short.
    site = tmp_path / "site"
    site.mkdir()
    changes = "UP_SECONDS, LEFT_BEHIND_SECONDS, LONGEST_PAUSE_SECONDS = 0.0, 0.1, 0.1"
    (site / "quick_honcho.py").write_text(
        "from honcho import command\n"
        "from include.local.demo import graceful_honcho as g\n"
        f"g.{changes.replace(', ', ', g.', 2)}\n"
        "command.Manager = g.GracefulManager\ncommand.main()\n"
    )
    monkeypatch.setattr(processes, "HONCHO", "quick_honcho")
    # A child that leads a process group, as Airflow's tasks do, ignores SIGTERM and holds the output open.
    child = "(trap '' TERM; while :; do sleep 0.1; done) &"
    procfile.write_text(f'parent: exec bash -c "set -m; {child} echo up; exec sleep 606"\n')
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])

    with Processes(os.environ | {"PYTHONPATH": path}, tmp_path / "log") as demo:
        children = psutil.Process(demo._honcho.pid).children
        parent = wait_for(lambda: [p for p in children(recursive=True) if p.cmdline() == ["sleep", "606"]])[0]
        wait_for(lambda: len(parent.children()) == 1)
        child = parent.children()[0]
        parent.kill()
        assert wait_for(demo.check) == ["parent was killed by SIGKILL; it starts again in 0.1 s"]
        wait_for(lambda: (tmp_path / "log").read_text().count("| up") == 2)
        assert not child.is_running() or child.status() == "zombie"
        assert demo.check() == []


def test_what_moved_to_a_session_of_its_own_is_stopped_too(procfile, tmp_path):
    procfile.write_text("parent: setsid sleep 601 & exec sleep 602\n")

    with Processes(os.environ, tmp_path / "log") as demo:
        wait_for(lambda: {"601", "602"} <= {argument for p in running(demo) for argument in p.cmdline()})
        started = running(demo)
    assert started
    assert not [process for process in started if process.is_running() and process.status() != "zombie"]


def test_what_hides_its_environment_and_holds_the_output_open_is_stopped_when_its_parent_has_ended(
    procfile, tmp_path, monkeypatch
):
    monkeypatch.setattr(processes, "STOP_TIMEOUT_SECONDS", DEADLINE_SECONDS)
    procfile.write_text("parent: env -i setsid sleep 603 & exec sleep 604\n")

    with Processes(os.environ, tmp_path / "log") as demo:
        honcho = demo._honcho
        children = psutil.Process(honcho.pid).children
        wait_for(lambda: {"603", "604"} <= {argument for p in children(recursive=True) for argument in p.cmdline()})
        started = children(recursive=True)
    assert not [process for process in started if process.is_running() and process.status() != "zombie"]
    # It ended by itself: nothing kept it waiting.
    assert honcho.returncode != -signal.SIGKILL


def test_what_ignores_sigterm_is_stopped_too(procfile, tmp_path):
    procfile.write_text("stubborn: trap '' TERM; echo ready; while :; do sleep 1; done\n")

    with Processes(os.environ, tmp_path / "log") as demo:
        wait_for(lambda: "ready" in (tmp_path / "log").read_text())
        started = running(demo)
    assert not [process for process in started if process.is_running() and process.status() != "zombie"]


def test_what_saves_its_state_is_given_the_time_and_nothing_else_is(procfile, tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "STOP_TIMEOUT_SECONDS", DEADLINE_SECONDS)
    pid, loop = tmp_path / "pid", "echo ready; while :; do sleep 0.1; done"
    # Still saving when the other process, which would never stop, is killed.
    saving = f"while kill -0 $(cat {pid}); do sleep 0.1; done; sleep 0.5; echo saved; exit 0"
    procfile.write_text(
        f"ministack: trap '{saving}' TERM; {loop}\n"
        f"other: echo $$ > {pid}; trap '' TERM; {loop}\n"
        "steady: exec sleep 600\n"
    )
    log = tmp_path / "log"

    with Processes(os.environ, log):
        wait_for(lambda: log.read_text().count("ready") == 2)

    output = log.read_text()
    assert "ministack.1 stopped (rc=0)" in output
    assert "saved" in output
    assert output.count("killing other.1") == 1
    assert "other.1 stopped (rc=-9)" in output


def test_what_is_interrupted_is_killed_with_its_output_still_open(tmp_path, monkeypatch):
    started = tmp_path / "started"
    interrupted = subprocess.Popen.communicate

    def interrupt(process: subprocess.Popen, **arguments) -> None:
        wait_for(started.exists)
        monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_to_end(["sh", "-c", f"echo $$ > {started}.pid; mv {started}.pid {started}; exec sleep 605"], os.environ, 60)

    assert not psutil.pid_exists(int(started.read_text()))


def test_a_command_that_ends_returns_its_code_and_output():
    assert run_to_end(["sh", "-c", "echo out; echo error >&2; exit 3"], os.environ, 60) == (3, "out\nerror\n")


def test_only_marked_processes_are_ours(procfile, tmp_path):
    procfile.write_text("steady: exec sleep 603\n")
    with Processes(os.environ, tmp_path / "one") as one, Processes(os.environ, tmp_path / "two") as two:
        wait_for(lambda: running(one) and running(two))
        assert not {p.pid for p in running(one)} & {p.pid for p in running(two)}
        assert os.environ.get(MARKER) is None


def test_a_state_directory_belongs_to_one_demo_at_a_time(tmp_path):
    with StateLock(tmp_path), pytest.raises(ProcessError, match="another demo is running on"):
        StateLock(tmp_path)

    with StateLock(tmp_path):
        pass
