"""An hour without traffic, by the local Snowflake's meter: no scheduled task needs the warehouse.

The simulation in tests/unit/test_cost.py says the same of the statements that each task sends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from itertools import count
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from airflow.sdk.exceptions import AirflowSkipException
from clicks_to_deliveries.failures import ReportedFailure
from clicks_to_deliveries.operators import check_quality, send_alerts
from clicks_to_deliveries.operators.check_pipe import CheckPipeOperator
from clicks_to_deliveries.operators.check_quality import CheckQualityOperator
from clicks_to_deliveries.operators.merge_history import MergeHistoryOperator
from clicks_to_deliveries.operators.reconcile import ReconcileOperator
from clicks_to_deliveries.operators.send_alerts import SendAlertsOperator

from include import assets, names, quality
from tests.fixtures.tables import tables

pytestmark = [pytest.mark.integration, pytest.mark.verify]

# Without the records that other tests archived.
LEDGER_BUCKET = "idle-for-the-ledger"
METERED = """
    select count(*), coalesce(sum(SECONDS_BILLED), 0) from table(INFORMATION_SCHEMA.LOCAL_METER())
    where WAREHOUSE_NAME = %(warehouse)s
"""


class Kept:
    """What Airflow keeps with an asset."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.get, self.set = self.values.get, self.values.__setitem__


class Schedule:
    """The tasks that use Snowflake and run by the clock, and their state."""

    def __init__(self) -> None:
        self.kept: dict[Any, Kept] = defaultdict(Kept)
        self._runs = count()
        self.tasks: dict[str, Any] = {
            "check_pipe": CheckPipeOperator(
                task_id="check_pipe", asset=assets.RAW, pending_limit=timedelta(minutes=10), settle=timedelta(0)
            ),
            "check_quality": CheckQualityOperator(
                task_id="check_quality", index_shards=1, asset=assets.QUALITY_RESULTS, min_interval=timedelta(minutes=5)
            ),
            "count_hours": ReconcileOperator(
                task_id="count_hours", bucket=LEDGER_BUCKET, index_shards=1, asset=assets.LEDGER
            ),
            "merge": MergeHistoryOperator(task_id="merge"),
            "send_findings": SendAlertsOperator(task_id="send", about="findings", channels=""),
        }

    def run(self, task: str) -> None:
        instance = SimpleNamespace(
            dag_id=task, task_id=task, run_id=f"{task}-{next(self._runs)}", try_number=1,
            xcom_push=lambda key, value: None,
        )  # fmt: skip
        context = {
            "run_id": instance.run_id, "ti": instance, "asset_state_store": self.kept,
            "dag_run": SimpleNamespace(run_type="scheduled"),
            "outlet_events": defaultdict(lambda: SimpleNamespace(extra={})),
        }  # fmt: skip
        # What other tests left behind may fail a first look.
        with suppress(AirflowSkipException, ReportedFailure):
            self.tasks[task].execute(context)


@pytest.fixture
def idle(stack: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Schedule]:
    """The schedule some days after the last reading was merged and checked."""
    schedule = Schedule()
    # Outside of a task there are no Variables.
    monkeypatch.setattr(send_alerts.Variables, "keys", lambda self, prefix: [])
    # The rules over new readings, which consume their stream, are enough.
    rules = tuple(rule for rule in quality.rules() if rule.relation)
    monkeypatch.setattr(quality, "read", lambda: (rules, ()))
    stack.aws("s3").create_bucket(Bucket=LEDGER_BUCKET)
    with tables(stack.aws("dynamodb")):
        stack.land(stack.reading("TRK001", 900))
        for task in ("merge", "check_pipe", "check_pipe", "check_quality", "count_hours"):
            schedule.run(task)
        _let_days_pass(schedule)
        yield schedule


def _let_days_pass(schedule: Schedule) -> None:
    state = schedule.kept[assets.QUALITY_RESULTS].values
    last = msgspec.convert(state[check_quality.STATE_KEY], quality.LastCheck)
    task = schedule.tasks["check_quality"]
    items = task._newest_items(task._open_reader)
    past = {"checked_at": last.checked_at - timedelta(hours=1), "news_at": last.news_at - timedelta(days=4)}
    state[check_quality.STATE_KEY] = msgspec.to_builtins(msgspec.structs.replace(last, items=items, **past))


def metered(stack: Any) -> tuple:
    (used,) = stack.query(METERED, {"warehouse": names.WAREHOUSE})
    return used


def test_no_task_needs_the_warehouse_while_nothing_happens(stack: Any, idle: Schedule) -> None:
    stack.query(f"alter warehouse {names.WAREHOUSE} suspend")
    before = metered(stack)
    for _ in range(2):
        for task in idle.tasks:
            idle.run(task)
            assert metered(stack) == before, task
    # One reading, and each task of the path does its work.
    stack.land(stack.reading("TRK001", 901))
    _let_days_pass(idle)
    for task in ("merge", "check_pipe", "check_quality"):
        statements, _ = metered(stack)
        idle.run(task)
        assert metered(stack)[0] > statements, task
