"""One demo for all walks.  ``RUNBOOKS_DEMO=.local/demo`` walks on one that runs, to try a page that you change."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from include.settings import settings
from tests.runbooks.on_call import ROOT, Airflow, OnCall, wait_until
from tests.runbooks.stack import CloudWatch, Mail

START_SECONDS = 600
STOP_SECONDS = 120
# A check of Snowpipe every minute, so that the walks take minutes.
SETTINGS = ("CTD_MONITOR_SCHEDULE=* * * * *",)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The script with which a shell reaches the running demo."""
    if running := os.environ.get("RUNBOOKS_DEMO"):
        yield Path(running).resolve() / "shell.sh"
        return
    state = tmp_path_factory.mktemp("demo")
    given = [part for setting in SETTINGS for part in ("--set", setting)]
    command = [sys.executable, "-m", "include.local.demo", "--state", str(state), "--field", "0", *given]
    with (state / "demo.log").open("wb") as log:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        demo = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until(lambda: _is_up(demo, state / "demo.log"), START_SECONDS, "the demo is up")
        yield state / "shell.sh"
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(STOP_SECONDS)


@pytest.fixture(scope="module", autouse=True)
def _environment(shell: Path) -> Iterator[None]:
    """The demo's environment, as the shell of somebody on call has it."""
    script = f". {shell}; exec {sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'"
    printed = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True).stdout
    with pytest.MonkeyPatch.context() as patch:
        for name, value in json.loads(printed).items():
            patch.setenv(name, value)
        settings.cache_clear()
        boto3.DEFAULT_SESSION = None
        yield
    settings.cache_clear()


@pytest.fixture(scope="module")
def on_call(shell: Path, tmp_path_factory: pytest.TempPathFactory) -> OnCall:
    programs = tmp_path_factory.mktemp("bin")
    if not shutil.which("aws"):
        command = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tests.runbooks.aws_command "$@"\n'
        (programs / "aws").write_text(command)
        (programs / "aws").chmod(0o755)
    return OnCall(shell, Airflow(os.environ["CTD_AIRFLOW_URL"]), programs)


@pytest.fixture(scope="module")
def mail() -> Mail:
    return Mail()


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


def _is_up(demo: subprocess.Popen[bytes], log: Path) -> bool:
    assert demo.poll() is None, log.read_text()
    return "Press Ctrl-C to stop" in log.read_text()
