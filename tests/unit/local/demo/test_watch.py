"""Waiting for conditions and DAG runs, and what a person sees meanwhile."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import EndpointConnectionError
from rich.console import Console

from include.local.demo import watch
from include.local.demo.processes import ProcessError
from include.local.demo.watch import DemoError, Watch

pytestmark = pytest.mark.unit


class Airflow:
    """One DAG run that moves one step further with each question for its state."""

    def __init__(self, *steps: tuple[str, dict[str, str | None]]) -> None:
        self._steps = list(steps)
        self._tasks: dict[str, str | None] = {}

    def run_state(self, dag_id: str, run_id: str) -> str:
        state, self._tasks = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        return state

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        return self._tasks


@pytest.fixture
def watching(tmp_path, monkeypatch):
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.0)

    def make(airflow: Airflow | None = None, check=lambda: []) -> SimpleNamespace:
        output = io.StringIO()
        processes = SimpleNamespace(check=check, log=Path("processes.log"))
        return SimpleNamespace(
            watch=Watch(Console(file=output, width=200), processes, airflow, tmp_path), output=output.getvalue
        )

    return make


def test_each_task_is_printed_once_as_it_ends(watching):
    run = watching(
        Airflow(
            ("running", {"first": "running", "second": None}),
            ("running", {"first": "success", "second": "running"}),
            ("success", {"first": "success", "second": "success"}),
        )
    )

    run.watch.follow("scd2_merge", "run", timeout=60)

    assert [line.split("  ", 1)[1].strip() for line in run.output().splitlines()] == [
        "scd2_merge.first: success",
        "scd2_merge.second: success",
    ]


def test_a_run_that_fails_is_an_error_that_names_the_logs(watching):
    run = watching(Airflow(("failed", {"first": "failed"})))

    with pytest.raises(DemoError, match=r"scd2_merge failed; the logs of its tasks are in .*dag_id=scd2_merge"):
        run.watch.follow("scd2_merge", "run", timeout=60)
    assert "scd2_merge.first: failed" in run.output()


def test_a_run_that_does_not_end_is_an_error_with_its_state(watching):
    run = watching(Airflow(("queued", {})))

    with pytest.raises(DemoError, match="scd2_merge is still queued after 0 s"):
        run.watch.follow("scd2_merge", "run", timeout=0)


def test_a_wait_that_is_too_long_is_an_error_that_says_what_is_missing(watching):
    with pytest.raises(
        DemoError, match=r"gave up waiting for the DAGs after 0 s: one\.py: no module\nsee processes\.log"
    ):
        watching().watch.wait_for(lambda: False, 0, "the DAGs", explain=lambda: "one.py: no module")


def test_counts_are_printed_while_it_waits(watching):
    run = watching()
    answers = iter([False, False, True])

    run.watch.wait_for(lambda: next(answers), 60, "the pipeline to settle", counts=lambda: "sent 3   RAW 2")

    assert run.output().count("sent 3   RAW 2") == 1


def test_a_process_that_ended_ends_the_wait(watching):
    def check() -> None:
        raise ProcessError("ministack ended with code 1")

    with pytest.raises(ProcessError, match="ministack"):
        watching(check=check).watch.wait_for(lambda: False, 60, "MiniStack to start")


def test_slow_counts_are_printed_less_often(watching, monkeypatch):
    clock = iter(range(0, 10_000, 10))  # Each look at it is ten seconds later, so counting seems to take twenty.
    monkeypatch.setattr(watch, "time", SimpleNamespace(monotonic=lambda: next(clock), sleep=lambda _seconds: None))
    run = watching()

    for _ in range(60):
        run.watch.pause(lambda: "sent 3")

    assert run.output().count("sent 3") == 2


def test_a_process_that_starts_again_is_named_and_the_demo_goes_on(watching):
    run = watching(check=lambda: ["ministack was killed by SIGKILL; it starts again in 1 s"])

    run.watch.pause()

    assert "ministack was killed by SIGKILL; it starts again in 1 s" in run.output()


def test_a_store_that_does_not_answer_costs_one_line_of_counts(watching):
    def counts() -> str:
        raise EndpointConnectionError(endpoint_url="https://127.0.0.1:4566")

    run = watching()
    run.watch.pause(counts)

    assert "no counts, a store does not answer: Could not connect to the endpoint URL" in run.output()
