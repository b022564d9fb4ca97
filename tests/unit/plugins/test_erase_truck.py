"""The decisions of erase_truck's operators; tests/integration/dags/test_erase_truck.py shows what they do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from clicks_to_deliveries.operators import erase_truck
from clicks_to_deliveries.operators.erase_truck import (
    CheckTrackersOperator,
    EraseObjectsOperator,
    EraseRowsOperator,
    VerifyErasureOperator,
)

from include import names
from include.aws_clients import StoreClients
from include.erasure import ErasedRecords, ErasureSummary
from include.erasure.copies import TableFacts

pytestmark = pytest.mark.unit

DAGS = Path(__file__).parents[3] / "dags"
RUN: Any = {"run_id": "run"}
NOBODY = SimpleNamespace(xcom_pull=lambda **_: {"started_at": ""})
NOTHING = {names.RAW_TABLE: 0, names.HISTORY_TABLE: 0}


class FakeSnowflake:
    """Replaces the connection and include.erasure.truck_tables."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {"executionState": "RUNNING", "pendingFileCount": 0}
        self.found = {names.RAW_TABLE: 7, names.HISTORY_TABLE: 2}
        self.assignments: list[str] = []
        self.erased: list[str] = []
        self.recorded: list[list[str]] = []
        self.connections: list[str] = []

    def connect(self, snowflake_conn_id: str) -> Any:
        self.connections.append(snowflake_conn_id)
        return SimpleNamespace(close=lambda: None, autocommit=lambda on: None)

    def pipe_status(self, connection: Any, pipe: str) -> dict[str, Any]:
        return self.status

    def count_rows(self, connection: Any, truck_id: str) -> dict[str, int]:
        return dict(self.found)

    def assignments_of(self, connection: Any, truck_id: str) -> list[str]:
        return list(self.assignments)

    def erase_rows(self, connection: Any, truck_id: str) -> None:
        self.erased.append(truck_id)

    def rewritten_rows(self, connection: Any, truck_id: str) -> tuple[int, int]:
        return 98, 100

    def table_facts(self, connection: Any) -> dict[str, TableFacts]:
        return dict.fromkeys(self.found, TableFacts(False, 1))

    def last_load_message(self, connection: Any) -> None:
        return None

    def record(self, rows: Any, run_id: str, at: Any, tables: dict[str, TableFacts], message: None) -> None:
        self.recorded.append(list(tables))


@pytest.fixture
def snowflake(monkeypatch: pytest.MonkeyPatch) -> FakeSnowflake:
    fake = FakeSnowflake()
    monkeypatch.setattr(erase_truck, "connect", fake.connect)
    monkeypatch.setattr(erase_truck, "pipe_status", fake.pipe_status)
    monkeypatch.setattr(erase_truck, "truck_tables", fake)
    monkeypatch.setattr(erase_truck, "kept_tables", fake)
    monkeypatch.setattr(erase_truck, "record_erasure", fake.record)
    return fake


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> ErasureSummary:
    """What include.erasure.erase returns; nothing found, unless a test changes it."""
    summary = ErasureSummary(
        truck_id="TRK001",
        dry_run=True,
        started_at="2026-11-22T10:00:00.000000",
        stores={"a/": ErasedRecords()},
        is_clean=True,
    )
    monkeypatch.setattr(erase_truck, "erase", lambda *_, dry_run, **__: _replace(summary, dry_run))
    monkeypatch.setattr(erase_truck, "store_clients", lambda make: StoreClients(None, None))
    return summary


def _replace(summary: ErasureSummary, dry_run: bool) -> ErasureSummary:
    summary.dry_run = dry_run
    return summary


def rows(dry_run: Any = "False") -> EraseRowsOperator:
    return EraseRowsOperator(task_id="erase_rows", truck_id="TRK001", count_only=dry_run)


def verify(dry_run: Any = "False") -> VerifyErasureOperator:
    return VerifyErasureOperator(task_id="verify", bucket="b", truck_id="TRK001", count_only=dry_run)


@pytest.mark.parametrize("dry_run", ["false", "no", "", "0", None, 0.5])
def test_what_is_neither_true_nor_false_permits_nothing(snowflake, objects, dry_run):
    for operator in (
        rows(dry_run),
        verify(dry_run),
        EraseObjectsOperator(task_id="o", bucket="b", truck_id="TRK001", count_only=dry_run),
    ):
        with pytest.raises(AirflowFailException, match="not true or false"):
            operator.execute({})
    assert snowflake.erased == []


def test_an_assignment_that_names_the_truck_stops_an_erasure_and_only_shows_in_a_count(snowflake):
    def check(dry_run: Any) -> list[str]:
        return CheckTrackersOperator(task_id="c", truck_id="TRK001", count_only=dry_run).execute({})

    assert check("False") == []
    snowflake.assignments.append("NEW from 2026-11-22 until 9999-12-31 is TRK001")
    assert check("True") == snowflake.assignments
    for dry_run in ("False", "no"):
        with pytest.raises(AirflowFailException, match=r"NEW from|not true or false"):
            check(dry_run)
    assert set(snowflake.connections) == {"snowflake_erasure"}


def test_rows_are_only_counted_in_a_dry_run(snowflake):
    assert rows("True").execute(RUN) == snowflake.found
    assert snowflake.erased == snowflake.recorded == []


def test_rows_go_when_nothing_is_pending_by_the_connection_of_their_own(snowflake):
    assert rows().execute(RUN) == snowflake.found
    assert snowflake.erased == ["TRK001"]
    # Before and after: copies count from the erasure, and a killed one is known.
    assert snowflake.recorded == [[names.RAW_TABLE, names.HISTORY_TABLE]] * 2
    assert set(snowflake.connections) == {"snowflake_erasure"}


def test_rows_wait_for_files_that_are_being_loaded(snowflake):
    snowflake.status["pendingFileCount"] = 2
    with pytest.raises(TaskDeferred) as deferred:
        rows().execute(RUN)
    assert deferred.value.method_name == "erase"
    assert snowflake.erased == []
    rows().erase(RUN, {"status": {"executionState": "RUNNING", "pendingFileCount": 0}})
    assert snowflake.erased == ["TRK001"]


def test_rows_stay_when_files_are_pending_for_too_long(snowflake):
    with pytest.raises(RuntimeError, match="is RUNNING and has 3 files pending"):
        rows().erase(RUN, {"status": {"executionState": "RUNNING", "pendingFileCount": 3}})
    assert snowflake.erased == []


def test_a_pipe_that_somebody_has_to_repair_first_is_not_waited_for_again(snowflake):
    status = {"executionState": "STOPPED_MISSING_TABLE", "pendingFileCount": 3}
    with pytest.raises(AirflowFailException, match="is STOPPED_MISSING_TABLE and has 3 files pending"):
        rows().erase(RUN, {"status": status})
    assert snowflake.erased == []


def test_objects_that_need_somebody_fail_the_task(objects):
    objects.stores["a/"].unreadable.append("a/damaged")
    operator = EraseObjectsOperator(task_id="o", bucket="b", truck_id="TRK001", count_only="False")
    with pytest.raises(AirflowFailException, match="a/damaged"):
        operator.execute({})


def test_an_unusable_time_is_an_error_that_quotes_it(objects):
    operator = EraseObjectsOperator(task_id="o", bucket="b", truck_id="TRK001", since="yesterday", count_only="True")
    with pytest.raises(AirflowFailException, match="yesterday"):
        operator.execute({})


def test_nothing_left_is_verified(snowflake, objects):
    snowflake.found = NOTHING
    assert set(verify().execute({}).values()) == {0}


@pytest.mark.parametrize("where", ["a/", names.TRUCK_STATE_TABLE, names.RAW_TABLE])
def test_anything_left_anywhere_fails_and_is_named(snowflake, objects, where):
    snowflake.found = NOTHING | ({where: 1} if where == names.RAW_TABLE else {})
    objects.stores["a/"].outdated = int(where == "a/")
    objects.state = where == names.TRUCK_STATE_TABLE
    with pytest.raises(AirflowFailException, match=where):
        verify().execute({})


def test_after_a_dry_run_there_is_nothing_to_verify(snowflake, objects):
    with pytest.raises(AirflowSkipException):
        verify("True").execute({})


@pytest.mark.parametrize(
    ("typed", "truck"),
    [
        ("TRK001", "TRK001"),
        ('"TRK001 "', "TRK001 "),
        ('"\tTRK001"', "\tTRK001"),
        ('"TRK001"', '"TRK001"'),
        ('"', '"'),
        ('"" x""', '" x"'),
        ('""" x"""', '"" x""'),
    ],
)
def test_an_id_with_a_blank_at_an_end_is_typed_in_quotes(typed, truck):
    for dag_id, field in (("erase_truck", "truck_id"), ("fleet_register", "reported_id")):
        dag = DagBag(DAGS / f"{dag_id}.py", collect_dags=True, bundle_path=DAGS).dags[dag_id]
        form = {name: param.value for name, param in dag.params.items()} | {field: typed}
        tasks = [task for task in dag.tasks if "truck_id" in task.template_fields or "plan" in task.template_fields]
        assert tasks
        for task in tasks:
            task.render_template_fields({"params": form, "ti": NOBODY})
            assert (task.plan[field] if field == "reported_id" else task.truck_id) == truck


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({"truck_id": "", "confirm": "", "dry_run": True}, "no truck"),
        ({"truck_id": "TRK001", "confirm": "", "dry_run": False}, "not confirmed"),
        ({"truck_id": "TRK001", "confirm": "TRK002", "dry_run": False}, "not confirmed"),
        ({"truck_id": "TRK001", "confirm": "", "dry_run": True}, None),
        ({"truck_id": "TRK001", "confirm": "TRK001", "dry_run": False}, None),
    ],
)
def test_the_form_wants_the_id_twice_to_erase(form, refusal):
    dag = DagBag(DAGS / "erase_truck.py", collect_dags=True, bundle_path=DAGS).dags["erase_truck"]
    confirm = dag.get_task("confirm").python_callable
    if refusal:
        with pytest.raises(AirflowFailException, match=refusal):
            confirm(params=form)
    else:
        confirm(params=form)
    assert dag.params["dry_run"] is True
