"""How fresh every store is while the whole demo runs: Airflow, Snowflake, the dashboard and all else on one machine."""

from __future__ import annotations

import msgspec
import pytest

from include import names
from include.local.demo.acceptance_report import AcceptanceReport
from tests.fixtures.benchmarks import Benchmarks
from tests.fixtures.demo_cycle import run_one_cycle

# Of each stream: clicks and readings together are twice this.
RECORDS_PER_SECOND = 200
SECONDS = 180
LONGEST_RUN_SECONDS = 540

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(LONGEST_RUN_SECONDS + 60)]

# Latency in the demo's report -> row, and what it must be.
ROWS = {
    f"click -> {names.CLICK_TABLE}": ("click_event_to_row_p95_s", "<= 1.5"),
    f"reading -> {names.TRUCK_STATE_TABLE}": ("reading_to_truck_state_p95_s", "<= 2"),
    f"reading -> {names.HISTORY_TABLE}": ("reading_to_current_row_p95_s", "<= 15"),
}


def test_freshness_in_the_running_demo(benchmarks: Benchmarks, tmp_path):
    written = tmp_path / "report.json"
    records = RECORDS_PER_SECOND * SECONDS
    size = (f"--clicks={records}", f"--readings={records}", f"--rate={RECORDS_PER_SECOND}")
    run_one_cycle(tmp_path / "demo", *size, f"--report={written}", timeout=LONGEST_RUN_SECONDS)

    report = msgspec.json.decode(written.read_bytes(), type=AcceptanceReport)
    found = {latency.name: latency for latency in report.latencies}
    assert found.keys() == ROWS.keys()
    for name, (row, must_be) in ROWS.items():
        assert found[name].count, f"nothing was measured of {name}"
        benchmarks.report(row, found[name].p95, "s", must_be=must_be)
