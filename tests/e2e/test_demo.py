"""The demo, started as a user starts it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import msgspec
import psutil
import pytest

from include.local.demo.acceptance_report import AcceptanceReport
from include.local.demo.demo import SLOWEST_RECORDS_PER_SECOND
from tests.fixtures.demo_cycle import start_demo

# Deadlines end a wait for something that hangs.  They are far longer than a slow machine needs.
START_SECONDS = 600
STOP_SECONDS = 120
CYCLE_SECONDS = 900

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]


def left_behind(state: Path) -> list[str]:
    """Command lines of living processes that name ``state`` in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DEMO_STATE") == str(state) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def read_until(demo: subprocess.Popen[str], text: str, seconds: float) -> str:
    """Read its output up to the line that contains ``text``."""
    assert demo.stdout is not None
    deadline, output = time.monotonic() + seconds, ""
    for line in demo.stdout:
        output += line
        if text in line:
            return output
        assert time.monotonic() < deadline, f"no {text!r} within {seconds} s:\n{output}"
    raise AssertionError(f"the demo ended before {text!r}:\n{output}")


@pytest.mark.verify
@pytest.mark.parametrize(
    ("clicks", "readings", "rate", "field"),
    [
        (500, 500, 250, 0.2),
        (10_000, 10_000, 250, 0.005),
        # Readings are most of it, as in a fleet.  It takes half an hour and more, and 8 GB of memory.
        pytest.param(150_000, 850_000, 1_000, 0.05, marks=pytest.mark.timeout(4 * 3600)),
    ],
)
def test_one_cycle_of_clicks_and_readings_balances_to_the_record(tmp_path, clicks, readings, rate, field):
    written = tmp_path / "report.json"
    size = [f"--clicks={clicks}", f"--readings={readings}", f"--rate={rate}", f"--field={field}"]
    demo = start_demo(tmp_path, "--once", *size, f"--report={written}")
    output, _ = demo.communicate(timeout=CYCLE_SECONDS + (clicks + readings) / SLOWEST_RECORDS_PER_SECOND)

    assert demo.returncode == 0, output
    verdicts = re.findall(r"^  (holds|BROKEN) ", output, re.MULTILINE)
    assert len(verdicts) >= 12, output
    assert set(verdicts) == {"holds"}
    report = msgspec.json.decode(written.read_bytes(), type=AcceptanceReport)
    assert report.holds
    assert len(report.guarantees) == len(verdicts)
    counts = {count.label.strip(): (count.clicks, count.readings) for count in report.counts}
    assert counts["from the field"] >= (round(clicks * field), round(readings * field))
    # An aggregated record counts once for each of its events.
    sent = counts["sent (accepted by Kinesis)"]
    assert clicks <= sent[0] <= clicks * (1 + field)
    assert readings <= sent[1] <= readings * (1 + field)
    assert f"ClickDataStream: sent = landed + quarantined + duplicates: {sent[0]:,} = " in output, output
    assert left_behind(tmp_path) == []


@pytest.mark.verify
@pytest.mark.parametrize(("moment", "number"), [("Preparing", signal.SIGTERM), ("Starting", signal.SIGINT)])
def test_a_demo_that_is_interrupted_leaves_no_process(tmp_path, moment, number):
    demo = start_demo(tmp_path)
    read_until(demo, moment, START_SECONDS)
    demo.send_signal(number)
    output, _ = demo.communicate(timeout=STOP_SECONDS)

    assert demo.returncode == 130, output
    assert "Traceback" not in output
    assert left_behind(tmp_path) == []


@pytest.mark.verify
def test_a_demo_that_was_interrupted_while_provisioning_comes_up_again_and_runs_on(tmp_path):
    first = start_demo(tmp_path)
    read_until(first, "provision_resources.publish_bundles", START_SECONDS)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=STOP_SECONDS)

    second = start_demo(tmp_path)
    read_until(second, "Running: generate_traffic sends every minute", START_SECONDS)
    second.send_signal(signal.SIGINT)
    output, _ = second.communicate(timeout=STOP_SECONDS)

    assert (first.returncode, second.returncode) == (130, 0), output
    assert left_behind(tmp_path) == []


def test_a_port_that_was_set_and_is_taken_is_one_clear_line(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = str(listener.getsockname()[1])
        demo = start_demo(tmp_path, DEMO_SNOWFLAKE_PORT=port)
        output, _ = demo.communicate(timeout=STOP_SECONDS)

    assert demo.returncode == 1
    assert output.strip().splitlines() == [
        f"The demo failed: DEMO_SNOWFLAKE_PORT={port} is already in use: free that port, or unset DEMO_SNOWFLAKE_PORT"
    ]


@pytest.mark.verify
def test_a_stand_in_that_fails_to_start_is_named_with_its_reason(tmp_path):
    (tmp_path / "snowflake").write_text("a file where the server wants its folder")
    demo = start_demo(tmp_path)
    output, _ = demo.communicate(timeout=START_SECONDS)

    assert demo.returncode == 1
    assert "The demo failed: snowflake ended with code" in output
    assert "Traceback" not in output
    assert left_behind(tmp_path) == []


def test_a_second_demo_on_the_same_state_is_refused_and_the_first_leaves_no_process_when_interrupted(tmp_path):
    first = start_demo(tmp_path)
    try:
        read_until(first, "Preparing", START_SECONDS)
        second = start_demo(tmp_path)
        refusal, _ = second.communicate(timeout=STOP_SECONDS)
    finally:
        first.send_signal(signal.SIGINT)
        output, _ = first.communicate(timeout=STOP_SECONDS)

    assert second.returncode == 1
    assert "another demo is running on" in refusal
    assert first.returncode == 130, output
    assert "Traceback" not in output
    assert left_behind(tmp_path) == []
