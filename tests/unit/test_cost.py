"""docs/cost.md has what is simulated and counted, and the simulation has what the pipeline is."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from clicks_to_deliveries.operators import check_pipe

from dashboard.data import lifetimes
from include import sql
from include.quality import due
from include.settings import Settings
from tests.benchmarks import aws_cost, aws_prices
from tests.benchmarks import snowflake_cost as cost
from tests.benchmarks.aws_usage import item_bytes

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cost.md").read_text()


@pytest.mark.verify
def test_the_page_has_the_table_of_the_simulation() -> None:
    assert cost.table() in PAGE


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


def test_a_page_left_open_for_an_hour_costs_the_pipeline_nothing_and_its_own_warehouse_suspends() -> None:
    assert sorted(cost.PAGE_LIFETIMES) == [lifetimes.HISTORY, lifetimes.CHECKS, lifetimes.SLOW, lifetimes.PAST]
    suspends = [int(found) for found in re.findall(r"auto_suspend = (\d+)", sql.render("ddl/010_warehouse.sql"))]
    assert suspends == [cost.MINUTE.auto_suspend, cost.READER_AUTO_SUSPEND]
    page = cost.open_page(3600)
    assert page.pipeline == 0
    # The hour, and no more than until the warehouse noticed that nobody asks.
    assert 3600 <= page.reader <= 3600 + 90
    assert f"| an hour | 0 s | {page.reader:,.0f} s |" in PAGE


@pytest.mark.verify
def test_an_hour_at_10_readings_per_second_costs_half_of_before_and_quality_a_fraction_of_it() -> None:
    now, before = cost.day(cost.MINUTE, 10), cost.day(cost.BEFORE, 10)
    assert now.billed_seconds() <= 0.5 * before.billed_seconds()
    billed = now.billed_by_task()
    assert billed["quality"] <= 0.3 * billed["merge"]
    # Every second of the bill is somebody's.
    assert sum(billed.values()) == pytest.approx(now.billed_seconds(), abs=60)
    average, _ = cost.MINUTE.freshness()
    assert average < 90


def test_the_page_has_the_prices_of_aws() -> None:
    assert aws_prices.table() in PAGE


@pytest.mark.verify
def test_a_reading_costs_a_fifth_of_an_object_per_reading() -> None:
    ours, seeds = (aws_cost.dollars("readings", kind) for kind in ("valid", aws_cost.SEED))
    assert ours <= 0.2 * seeds
    assert f"**{ours:.2f}**" in PAGE
    assert f"**{seeds:.2f}**" in PAGE


@pytest.mark.verify
def test_the_page_has_what_traffic_uses_and_costs() -> None:
    for table in (*map(aws_cost.usage_table, ("clicks", "readings")), aws_cost.price_table(), aws_cost.month_table()):
        assert [line for line in table.splitlines() if line not in PAGE.splitlines()] == []
        assert table in PAGE
    text = " ".join(PAGE.split())
    a_month, months = aws_cost.storage()
    assert f"{a_month:.2f} dollars a month" in text
    assert f"after {months:.0f} months" in text
    assert f"{aws_cost.standing():.2f} dollars a month" in text


def test_a_row_has_the_size_that_dynamodb_counts() -> None:
    # Names and texts by their bytes in UTF-8; a number takes a byte, one per two digits, and one for a minus.
    assert item_bytes({"a": {"S": "\u00e9"}}) == 3
    assert item_bytes({"n": {"N": "-40.924373"}}) == 1 + 4 + 1 + 1
    assert item_bytes({"n": {"N": "0"}}) == 2
