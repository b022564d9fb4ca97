"""A run that goes on: how long, what ends it, and what it holds and says."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred
from airflow.triggers.base import BaseTrigger
from clicks_to_deliveries.notifiers.run_outbox import is_in_outage
from clicks_to_deliveries.operators import in_rounds
from clicks_to_deliveries.operators.in_rounds import TRIGGERER_PATIENCE, InRounds, Progress, Round

pytestmark = pytest.mark.unit

LONG = timedelta(seconds=40)
OUT = Asset("out")


class Rows(dict[str, str]):
    """Airflow's Variables."""

    def keys(self, prefix: str = "") -> list[str]:  # type: ignore[override]
        return [key for key in dict.keys(self) if key.startswith(prefix)]


class Counting(InRounds):
    """Each round is the next of ``rounds``."""

    rounds: list[Round]

    def work(self, context: Any, progress: Progress) -> Round:
        self.names = [*getattr(self, "names", []), progress.name(context)]
        return self.rounds.pop(0)

    def wait(self) -> tuple[BaseTrigger, timedelta]:
        return SimpleNamespace(), LONG

    def is_over(self, event: dict[str, Any]) -> bool:
        return bool(event.get("is_over"))


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Rows:
    rows = Rows()
    monkeypatch.setattr(in_rounds, "Variables", lambda: rows)
    return rows


def operator(*rounds: Round, minutes: int = 60) -> Counting:
    made = Counting(task_id="count", run_for=timedelta(minutes=minutes), outlets=[OUT])
    made.rounds = list(rounds)
    return made


def context(*, minutes_ago: float = 1, try_number: int = 1, run_type: str = "scheduled") -> dict[str, Any]:
    return {
        "ti": SimpleNamespace(try_number=try_number, dag_id="counting"),
        "run_id": "run-1",
        "dag_run": SimpleNamespace(start_date=datetime.now(UTC) - timedelta(minutes=minutes_ago), run_type=run_type),
        "outlet_events": defaultdict(lambda: SimpleNamespace(extra={})),
    }


def test_rounds_follow_until_the_run_is_over_and_its_event_has_the_sums(variables: Rows) -> None:
    counting, run = operator(Round({"rows": 3}), Round(None), Round({"rows": 4})), context()
    with pytest.raises(TaskDeferred) as first:
        counting.execute(run)
    assert first.value.timeout == LONG + TRIGGERER_PATIENCE
    with pytest.raises(TaskDeferred) as second:
        counting.next_round(run, {}, **first.value.kwargs)
    with pytest.raises(TaskDeferred) as third:
        counting.next_round(run, {}, **second.value.kwargs)
    # A round without work does not count, and has an id all the same.
    assert counting.names == ["run-1", "run-1 #2", "run-1 #3"]
    total = {"rounds": 2, "rows": 7}
    assert counting.next_round(run, {"is_over": True}, **third.value.kwargs) == total
    assert run["outlet_events"][OUT].extra == total


@pytest.mark.parametrize(
    ("minutes", "given"),
    [
        (0, {}),
        (60, {"minutes_ago": 61}),
        # Its log and its alert are of one try.
        (60, {"try_number": 2}),
        (60, {"run_type": "manual"}),
    ],
    ids=["each run is one round", "its time is up", "a retry", "somebody started it"],
)
def test_a_run_ends_with_its_round(variables: Rows, minutes: int, given: dict[str, Any]) -> None:
    assert operator(Round({"rows": 3}), minutes=minutes).execute(context(**given)) == {"rounds": 1, "rows": 3}


def test_a_run_ends_if_its_next_round_could_begin_when_airflow_has_ended_the_run(
    variables: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "wait", lambda _: (SimpleNamespace(), timedelta(hours=6)))
    assert operator(Round({"rows": 3})).execute(context()) == {"rounds": 1, "rows": 3}


@pytest.mark.parametrize("key", ["alerted_outage.counting", "unsent_alert.run.counting.7.0"])
def test_a_success_after_a_failure_ends_its_run_as_people_wait_for_it(variables: Rows, key: str) -> None:
    variables[key] = "{}"
    assert operator(Round({"rows": 3})).execute(context())["rows"] == 3


def test_the_outage_of_another_dag_is_another_matter(variables: Rows) -> None:
    variables |= {"alerted_outage.other": "{}", "unsent_alert.run.counting_too.7.0": "{}"}
    assert not is_in_outage(variables, "counting")


def test_a_round_may_end_the_run_and_nothing_at_all_is_a_skip(variables: Rows) -> None:
    assert operator(Round({"rows": 0}, is_last=True)).execute(context()) == {"rounds": 1, "rows": 0}
    with pytest.raises(AirflowSkipException):
        operator(Round(None, is_last=True)).execute(context())
