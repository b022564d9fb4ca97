"""A run that deletes waits until somebody else approves it, through Airflow's public API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.app import create_app
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG, BaseOperator
from fastapi.testclient import TestClient

from tests.fixtures.waiting import wait_for

pytestmark = [pytest.mark.integration, pytest.mark.verify]

MINUTES = count()
DAGS = Path(__file__).parents[3] / "dags"
FOUND = {"bucket telemetry": "1,234 objects and old versions"}
# Whom DAG.test() names as the person who started a run.
STARTER = "dag_test"


class Replaced(BaseOperator):
    """Stands for a task that asks AWS or Snowflake."""

    def __init__(self, *, did: list[str], answer: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.did, self.answer = did, answer

    def execute(self, context: Any) -> Any:
        self.did.append(self.task_id)
        return self.answer


@pytest.fixture
def did() -> list[str]:
    """The tasks that ran."""
    return []


@pytest.fixture
def teardown(airflow_database: None, did: list[str]) -> DAG:
    """teardown_resources, whose other tasks only say that they ran."""
    dag = DagBag(DAGS / "teardown_resources.py", collect_dags=True, bundle_path=DAGS).dags["teardown_resources"]
    dag.get_task("approve").approval = "second-person"
    for task_id, answer in (("count", FOUND), ("delete_stack", None), ("drop_snowflake", None)):
        task = dag.get_task(task_id)
        replaced = Replaced(task_id=task_id, did=did, answer=answer)
        task.execute = replaced.execute
    return dag


@pytest.fixture(scope="module")
def api(airflow_database: None) -> Iterator[TestClient]:
    with TestClient(create_app("core"), base_url="http://test") as client:
        yield client


@pytest.fixture
def answered_by(api: TestClient, teardown: DAG, did: list[str]) -> Callable[[str, str], DagRun]:
    """Runs the DAG while ``person`` waits for its question and chooses ``option``; returns the ended run."""

    def headers(person: str) -> dict[str, str]:
        token = api.app.state.auth_manager.generate_jwt(SimpleAuthManagerUser(username=person, role="admin"))
        return {"Authorization": f"Bearer {token}"}

    def question() -> dict[str, Any] | None:
        listed = api.get(f"/api/v2/dags/{teardown.dag_id}/dagRuns/~/hitlDetails", headers=headers("reader")).json()
        # DAG.test() knows no answer that comes before it has noted that the task waits.
        waiting = [each for each in listed["hitl_details"] if each["task_instance"]["state"] == "awaiting_input"]
        return waiting[0] if waiting else None

    def answer(person: str, option: str) -> dict[str, Any]:
        asked = wait_for(question, "the question", deadline=120)
        run = f"/api/v2/dags/{teardown.dag_id}/dagRuns/{asked['task_instance']['dag_run_id']}"
        assert did == ["count"]
        answered = api.patch(
            f"{run}/taskInstances/approve/-1/hitlDetails",
            json={"chosen_options": [option], "params_input": {}},
            headers=headers(person),
        )
        assert answered.status_code == 200, answered.text
        return asked

    def run(person: str, option: str) -> DagRun:
        moment = datetime(2026, 11, 24, tzinfo=UTC) + timedelta(minutes=next(MINUTES))
        form = {"confirm": "clicks-to-deliveries", "empty_bucket": True}
        with ThreadPoolExecutor(1) as pool:
            someone = pool.submit(answer, person, option)
            ended = teardown.test(run_after=moment, logical_date=moment, run_conf=form)
            asked = someone.result(timeout=60)
        assert asked["subject"] == "Delete the stack clicks-to-deliveries?"
        assert "| bucket telemetry | 1,234 objects and old versions |" in asked["body"]
        assert f"{STARTER} started this run" in asked["body"]
        return ended

    return run


def test_a_second_person_approves_after_seeing_the_counts(answered_by, did):
    assert answered_by("ben", "Approve").state == "success"
    assert did == ["count", "delete_stack", "drop_snowflake"]


def test_the_person_who_started_it_can_not_approve_it(answered_by, did):
    assert answered_by(STARTER, "Approve").state == "failed"
    assert did == ["count"]


def test_a_rejection_deletes_nothing(answered_by, did):
    ended = answered_by(STARTER, "Reject")
    assert (ended.state, did) == ("success", ["count"])
    assert {each.task_id: each.state for each in ended.get_task_instances()}["delete_stack"] == "skipped"
