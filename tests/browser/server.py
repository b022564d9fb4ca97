"""The dashboard's process: ``streamlit run dashboard/app.py``, the command of the demo."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.fixtures.children import end_with_parent
from tests.fixtures.ministack import free_port
from tests.fixtures.waiting import wait_for

ROOT = Path(__file__).parents[2]


class Dashboard(NamedTuple):
    """A dashboard that answers."""

    url: str


@contextmanager
def running(environment: Mapping[str, str], log: Path) -> Iterator[Dashboard]:
    """A dashboard with this environment and none of the developer's AWS or Snowflake settings, stopped at the end."""
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SNOWFLAKE_"))}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "streamlit", "run", "dashboard/app.py"),
                *("--server.address", "127.0.0.1", "--server.port", str(port), "--server.headless", "true"),
                # Nobody edits the source while the tests run, so there is no need to watch it.
                *("--server.fileWatcherType", "none"),
            ],
            cwd=ROOT,
            env={**inherited, "PYTHONPATH": str(ROOT), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=end_with_parent,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(url, process, log), "the dashboard answers", deadline=120)
        yield Dashboard(url)
    finally:
        _stop(process)


def _answers(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the dashboard did not start:\n{log.read_text()}")
    try:
        with urllib.request.urlopen(f"{url}/_stcore/health", timeout=10) as answer:  # noqa: S310  Our own http URL.
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=60)
