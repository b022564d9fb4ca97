"""The statements of one check of the rules: what docs/cost.md computes with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from include import quality
from include.alerts import Links
from tests.benchmarks.snowflake_cost import CHECK

pytestmark = [pytest.mark.sql, pytest.mark.verify]

METERED = "select count(*) from table(INFORMATION_SCHEMA.LOCAL_METER()) where WAREHOUSE_NAME is not null"
TRUCKS = ("TRK001", "TRK002", "TRK003")


def test_a_check_that_is_not_the_first_of_the_day_sends_as_many_as_its_cost_assumes(empty_snowflake, administrator):
    at = (datetime.now(UTC) - timedelta(minutes=1)).replace(tzinfo=None).isoformat()
    times = dict.fromkeys(("EVENT_TIME", "ARRIVAL_TIME", "LOAD_TIMESTAMP"), at)
    empty_snowflake.land(
        times | {"TRUCK_ID": truck, "SEQUENCE_NUMBER": str(number), "FILE_NAME": "f", "FILE_ROW_NUMBER": number}
        for number, truck in enumerate(TRUCKS)
    )
    empty_snowflake.merge()

    def items(source: str) -> list[tuple[str | None, ...]]:
        found = [{"TRUCK_ID": truck, "EVENT_TIME": at} for truck in TRUCKS]
        return [tuple(item.get(column) for column in quality.SOURCES[source].columns) for item in found]

    def check(run: str) -> None:
        reader = SimpleNamespace(rows=items)
        quality.evaluate(empty_snowflake.connection, run, quality.rules(), [], lambda: reader, Links())
        empty_snowflake.connection.autocommit(True)

    check("the first of the day looks at everything, and forgets")
    ((before,),) = administrator.execute(METERED)
    check("another")
    ((after,),) = administrator.execute(METERED)
    # The question itself is one too.
    assert after - before - 1 == len(CHECK)
