"""How much a DAG file costs the process that parses it, beyond Airflow itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.benchmarks import Benchmarks

ROOT = Path(__file__).parents[2]
ROUNDS = 2

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

# Airflow's DAG processor and each task parse a file in a process of their own.
PARSE = """
import json, psutil, runpy, sys, time
from airflow.sdk import DAG
memory = psutil.Process().memory_info().rss
cpu = time.process_time()
runpy.run_path(sys.argv[1])
cpu = time.process_time() - cpu
print(json.dumps([cpu, (psutil.Process().memory_info().rss - memory) / 1e6]))
"""


def parse(path: Path) -> tuple[float, float]:
    """Seconds of CPU and MB of one parse, the least of all rounds: what else the machine does only adds to it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")])}
    rounds = [
        json.loads(subprocess.check_output([sys.executable, "-c", PARSE, str(path)], env=environment))
        for _ in range(ROUNDS)
    ]
    return min(cpu for cpu, _ in rounds), min(memory for _, memory in rounds)


def test_the_slowest_and_the_largest_dag_file(benchmarks: Benchmarks):
    found = [parse(path) for path in sorted((ROOT / "dags").glob("*.py"))]
    assert len(found) > 10
    benchmarks.report("dag_parse_cpu_s", max(cpu for cpu, _ in found), "s", must_be="<= 0.3")
    benchmarks.report("dag_parse_mb", max(memory for _, memory in found), "MB", must_be="<= 25")
