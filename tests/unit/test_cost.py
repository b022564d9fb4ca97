"""docs/cost.md has what the simulation says, and the simulation has what the pipeline is."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from clicks_to_deliveries.operators import check_pipe

from include import sql
from include.quality import due
from include.settings import Settings
from tests.benchmarks import snowflake_cost as cost

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]


def test_the_page_has_the_table_of_the_simulation() -> None:
    assert cost.table() in (ROOT / "docs" / "cost.md").read_text()


def test_the_simulation_has_the_defaults() -> None:
    settings = Settings(deployment_bucket="b")
    assert settings.merge_min_interval_seconds == cost.MINUTE.merge_interval
    assert settings.quality_min_interval_seconds == cost.MINUTE.quality_interval
    (suspend, _) = re.findall(r"auto_suspend = (\d+)", sql.render("ddl/010_warehouse.sql"))
    assert int(suspend) == cost.MINUTE.auto_suspend
    assert due.LONGEST_WAIT == check_pipe.LONGEST_WAIT == timedelta(seconds=cost.LONGEST_WAIT)


def test_an_idle_hour_costs_nothing() -> None:
    assert cost.hour(cost.MINUTE, 0).billed_seconds() == 0
    assert cost.hour(cost.BEFORE, 0).billed_seconds() > 900


def test_an_hour_at_10_readings_per_second_costs_half_of_before_and_quality_a_fraction_of_it() -> None:
    now, before = cost.day(cost.MINUTE, 10), cost.day(cost.BEFORE, 10)
    assert now.billed_seconds() <= 0.5 * before.billed_seconds()
    billed = now.billed_by_task()
    assert billed["quality"] <= 0.3 * billed["merge"]
    # Every second of the bill is somebody's.
    assert sum(billed.values()) == pytest.approx(now.billed_seconds(), abs=60)
    average, _ = cost.MINUTE.freshness()
    assert average < 90
