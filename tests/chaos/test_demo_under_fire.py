"""The whole demo, while each of its processes is killed, and the disk and the network of a store and clocks misbehave.

``--fire-seconds`` and ``--fire-rate`` choose how long and how many records per second; a short run chooses some of the
faults.  ``--seed`` decides the records, the order of the faults and their moments.
"""

from __future__ import annotations

import io
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

import psutil
import pytest
from rich.console import Console

from include.local.demo import acceptance_report
from tests.fixtures.under_fire import Devices, MemoryTable, RunningDemo, Subscriber
from tests.fixtures.under_fire.memory import MB
from tests.fixtures.under_fire.running_demo import PROCESSES

# A process has to be up for 20 s to be started again as often as it ends.
LEAST_PAUSE_SECONDS = 22.0
# Of --fire-patience, in which whatever was killed is back: 90 s.
BACK_SHARE = 0.3
DISK_FULL_SECONDS = 10.0
NETWORK_SECONDS = 10.0
TASK_SECONDS = 60.0
DELAY_SECONDS = 0.3

# What a warm process may grow by: MiniStack keeps the records in memory, and Snowflake caches their tables.
MAY_GROW_MB = 100
MAY_GROW_BYTES_PER_RECORD = {"ministack": 6_000, "snowflake": 3_000}

Say = Callable[[str], None]

pytestmark = [pytest.mark.chaos, pytest.mark.verify, pytest.mark.timeout(1800)]


@pytest.fixture
def say(pytestconfig) -> Say:
    """Print to the terminal also where pytest captures: a run of a quarter of an hour shows that it goes on."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def to_terminal(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(text, flush=True)

    return to_terminal


@pytest.fixture
def deadline(pytestconfig) -> float:
    """The whole run ends by then: ten minutes of fire are a quarter of an hour."""
    return time.monotonic() + pytestconfig.getoption("--fire-seconds") + pytestconfig.getoption("--fire-patience")


@pytest.fixture
def demo(tmp_path, monkeypatch, pytestconfig, deadline) -> Iterator[RunningDemo]:
    patience = pytestconfig.getoption("--fire-patience")
    running = RunningDemo(tmp_path / "state", monkeypatch, back_within=BACK_SHARE * patience)
    try:
        running.start(patience)
        yield running
    finally:
        running.stop()


def test_the_demo_under_fire_loses_and_doubles_nothing(demo, deadline, seed, pytestconfig, say):
    seconds, rate = pytestconfig.getoption("--fire-seconds"), pytestconfig.getoption("--fire-rate")
    chance = Random(seed)
    say("")
    on_call = Subscriber(demo.airflow_url)
    devices = Devices(demo.manifest, rate=rate, seconds=seconds, seed=seed)
    with MemoryTable(demo.processes) as memory:
        devices.start()
        fire(demo, chance, seconds, say)
        devices.join(deadline - time.monotonic())
        demo.settle(devices.last_sent, deadline)
    report = demo.report(deadline)

    say(str(memory))
    output = io.StringIO()
    acceptance_report.print_report(report, Console(file=output, width=160))
    say(output.getvalue())
    assert report.holds, [f"{each.text}: {each.found}" for each in report.guarantees if not each.holds]
    wait(demo, lambda: not on_call.unsent(), "all alerts to be sent", explain=on_call.unsent)
    assert on_call.lost() == []
    say(f"alerts that came: {len(on_call.incidents)}, of {', '.join(sorted(set(on_call.incidents.values())))}")
    records = seconds * rate
    for name, grown in memory.of.items():
        allowed = MAY_GROW_MB * MB + MAY_GROW_BYTES_PER_RECORD.get(name, 0) * records
        assert grown.growth <= allowed, f"{name} grew by {grown.growth / MB:.0f} MB, more than {allowed / MB:.0f}"
    assert demo.stop() == 0, demo.log.read_text()[-2000:]


def fire(demo: RunningDemo, chance: Random, seconds: float, say: Say) -> None:
    """Cause every fault once, in an order of chance, spread over the time; of a short time only some."""
    faults = [*PROCESSES, "a running task", *MISBEHAVIOUR]
    chance.shuffle(faults)
    began = time.monotonic()
    pause = max(seconds / (len(faults) + 1), LEAST_PAUSE_SECONDS)
    for number, fault in enumerate(faults[: max(1, int(seconds / pause))]):
        due = began + pause * (number + chance.uniform(0.3, 0.7))
        while time.monotonic() < due:
            demo.check()
            time.sleep(0.5)
        caused = time.monotonic()
        if fault in MISBEHAVIOUR:
            MISBEHAVIOUR[fault](demo)
        elif fault == "a running task":
            kill_a_task(demo, say)
        else:
            kill(demo, fault)
        say(f"{caused - began:5.0f} s  {fault}: back after {time.monotonic() - caused:.1f} s")


def kill(demo: RunningDemo, name: str) -> None:
    victim = demo.processes()[name]
    victim.kill()
    wait(demo, lambda: (new := demo.processes().get(name)) and new.pid != victim.pid, f"{name} to start again")
    wait(demo, lambda: demo.answers(name), f"{name} to work again")


def kill_a_task(demo: RunningDemo, say: Say) -> None:
    ends = time.monotonic() + TASK_SECONDS
    while (task := demo.running_task()) is None:
        assert time.monotonic() < ends, "no task ran"
        time.sleep(0.02)
    say(f"         killed: {' '.join(task.cmdline())[:100]}")
    task.kill()


def fill_the_disk(demo: RunningDemo, name: str) -> None:
    """Its files can't grow: a limit of the file size, which is what a full disk is to a store."""
    process = demo.processes()[name]
    soft, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        time.sleep(DISK_FULL_SECONDS)
    finally:
        if process.is_running():
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))


def cut_the_network(demo: RunningDemo) -> None:
    demo.network.is_down = True
    demo.network.cut()
    time.sleep(NETWORK_SECONDS)
    demo.network.is_down = False


def slow_the_network(demo: RunningDemo) -> None:
    demo.network.delay = DELAY_SECONDS
    time.sleep(NETWORK_SECONDS)
    demo.network.delay = 0.0


MISBEHAVIOUR = {
    "MiniStack's disk is full": partial(fill_the_disk, name="ministack"),
    "Snowflake's disk is full": partial(fill_the_disk, name="snowflake"),
    "the network to Snowflake is cut": cut_the_network,
    "the network to Snowflake is slow": slow_the_network,
}


def wait(demo: RunningDemo, condition, subject: str, explain: Callable[[], object] = str) -> None:
    ends = time.monotonic() + demo.back_within
    while True:
        try:
            if condition():
                return
        except (psutil.NoSuchProcess, KeyError):  # It ended again while we looked.
            pass
        demo.check()
        assert time.monotonic() < ends, f"waited {demo.back_within:.0f} s for {subject} {explain()}"
        time.sleep(0.25)
