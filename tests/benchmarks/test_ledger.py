"""Whether the ledger keeps up with 10,000 records a second, and whether it needs more memory for more records."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from include import names
from tests.benchmarks.ledger_hour import Took
from tests.fixtures.benchmarks import Benchmarks

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
# The larger hour is the ninetieth part of one with 10,000 records a second; memory must not follow it.
SMALL, LARGE = 100_000, 400_000
STREAMS = {"clicks": (names.CLICK_STREAM, ">= 10000"), "readings": (names.TRUCK_STREAM, ">= 10000")}


def count_hour(stream: str, records: int) -> Took:
    command = [sys.executable, "-m", "tests.benchmarks.ledger_hour", stream, str(records)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Took)


@pytest.mark.parametrize("records", STREAMS)
def test_an_hour_of_the_ledger(benchmarks: Benchmarks, records: str):
    stream, must_be = STREAMS[records]
    small, large = count_hour(stream, SMALL), count_hour(stream, LARGE)
    per_second = large.records / large.cpu_seconds
    benchmarks.report(f"ledger_{records}_per_cpu_second", per_second, "records", must_be=must_be)
    benchmarks.report(f"ledger_{records}_memory_mb", large.memory_mb, "MB", baseline=small.memory_mb)
    benchmarks.report(f"ledger_{records}_disk_bytes", large.disk_mb * 1e6 / large.records, "bytes per record")
