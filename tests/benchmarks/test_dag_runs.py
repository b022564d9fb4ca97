"""How long a run of the history and of the quality rules takes in the demo, with and without its tuning."""

from __future__ import annotations

import sqlite3
import statistics
from collections import defaultdict
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from tests.fixtures.benchmarks import Benchmarks
from tests.fixtures.demo_cycle import run_one_cycle

LONGEST_CYCLE_SECONDS = 900

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(2 * LONGEST_CYCLE_SECONDS + 60)]

# A run ends with its first merge or check, and does not wait for more to do.
DEMO = """
import sys
from include.local.demo import environment
build = environment.build
environment.build = lambda state, ports, settings: build(state, ports, {**settings, "CTD_RUN_MINUTES": "0"})
"""
UNTUNED = """
environment.AIRFLOW_TUNING.clear()
environment.TASKS_START_SOONER = environment.ROOT
"""
RUN = """
from include.local.demo.__main__ import main
sys.exit(main())
"""
# The first run of each DAG is a scheduled one, which also waits for what is imported and compiled once.
RUNS = """
    select dag_id, queued_at, end_date from dag_run
    where state = 'success' and dag_id in ('scd2_merge', 'data_quality') and run_type = 'asset_triggered'
"""


def run_seconds(state: Path, script: str) -> dict[str, float]:
    """Seconds from queued to success of each DAG's runs, in one cycle of the demo that ``script`` starts.

    The mean: untuned, runs begin and end with the scheduler's seconds, and the median jumps by a whole one.
    """
    size = ("--clicks=3000", "--readings=3000", "--rate=50")
    run_one_cycle(state, *size, timeout=LONGEST_CYCLE_SECONDS, program=("-c", script))
    seconds = defaultdict(list)
    with closing(sqlite3.connect(state / "airflow" / "airflow.db")) as database:
        for dag, queued, ended in database.execute(RUNS):
            took = datetime.fromisoformat(ended) - datetime.fromisoformat(queued)
            seconds[dag].append(took.total_seconds())
    return {dag: statistics.fmean(each) for dag, each in seconds.items()}


def test_runs_of_the_demo_with_and_without_its_tuning(benchmarks: Benchmarks, tmp_path: Path) -> None:
    untuned = run_seconds(tmp_path / "untuned", DEMO + UNTUNED + RUN)
    tuned = run_seconds(tmp_path / "tuned", DEMO + RUN)
    for dag in ("scd2_merge", "data_quality"):
        benchmarks.report(f"dag_run_{dag}_s", tuned[dag], "s", baseline=untuned[dag], must_be="<= 0.4")
