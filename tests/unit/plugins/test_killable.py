"""Every operator and every task that waits for something outside Airflow stops it when it is killed."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowTaskTimeout
from clicks_to_deliveries import operators
from clicks_to_deliveries.hooks import snowflake_hook
from clicks_to_deliveries.operators import killable
from clicks_to_deliveries.operators.in_rounds import InRounds
from clicks_to_deliveries.operators.killable import Killable, TaskKilled

from include import sql

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/kills.md").read_text()
# Operator and tasks, from the page's table.
ROWS = re.findall(r"^\| `(\w+)` \| ([\w., ]+) \|", PAGE, re.MULTILINE)
# Python functions that wait for nothing outside Airflow.
WITHOUT = {"erase_truck.confirm", "teardown_resources.confirm", "provision_resources.store_outputs"}


def ours() -> dict[str, type[BaseOperator]]:
    modules = [
        importlib.import_module(f"{operators.__name__}.{found.name}")
        for found in pkgutil.iter_modules(operators.__path__)
    ]
    return {
        name: each
        for module in modules
        for name, each in inspect.getmembers(module, inspect.isclass)
        if issubclass(each, BaseOperator) and each.__module__ == module.__name__ and each is not InRounds
    }


@pytest.mark.parametrize("operator", ours().values(), ids=lambda each: each.__name__)
def test_every_operator_is_killable(operator: type[BaseOperator]) -> None:
    assert operator.on_kill is Killable.on_kill


@pytest.fixture(scope="module")
def dagbag() -> DagBag:
    return DagBag(ROOT / "dags", collect_dags=True, bundle_path=ROOT / "dags")


def test_every_task_is_killable_or_waits_for_nothing_and_the_page_lists_all(dagbag: DagBag) -> None:
    killed, others = {}, set()
    for dag in dagbag.dags.values():
        for task in dag.tasks:
            if isinstance(task, Killable):
                killed.setdefault(type(task).__name__, set()).add(f"{dag.dag_id}.{task.task_id}")
            else:
                others.add(f"{dag.dag_id}.{task.task_id}")
    assert others == WITHOUT
    assert {operator: set(tasks.split(", ")) for operator, tasks in ROWS} == killed
    assert set(ours()) == set(killed)
    assert [task for task in WITHOUT if task not in PAGE] == []


def test_no_task_outlives_the_limits_of_connector_and_warehouse(dagbag: DagBag) -> None:
    longest = max(task.execution_timeout.total_seconds() for dag in dagbag.dags.values() for task in dag.tasks)
    of_warehouse = re.findall(r"statement_timeout_in_seconds = (\d+)", sql.render("ddl/010_warehouse.sql"))
    # The second is set for a warehouse that exists; others are of the dashboard's.
    assert [int(seconds) for seconds in of_warehouse[:2]] == [7200, 7200]
    assert longest <= 7200 < snowflake_hook.NETWORK_TIMEOUT_SECONDS


class Waiting(Killable, BaseOperator):
    """Any operator."""


def test_a_signal_ends_the_work_and_no_library_takes_it_for_a_failed_request(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[bool] = []
    monkeypatch.setattr(killable, "cancel_statements", lambda: cancelled.append(True))
    with pytest.raises(TaskKilled):
        Waiting(task_id="wait").on_kill()
    assert cancelled == [True]
    assert not issubclass(TaskKilled, Exception)


def test_after_a_timeout_the_timeout_is_what_airflow_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(killable, "cancel_statements", lambda: None)
    try:
        raise AirflowTaskTimeout
    except AirflowTaskTimeout:
        Waiting(task_id="wait").on_kill()
