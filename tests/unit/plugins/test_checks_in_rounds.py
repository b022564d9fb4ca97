"""data_quality and monitor_snowpipe in rounds: what begins the next, under which id, and what ends the run."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred
from clicks_to_deliveries.operators import check_pipe, check_quality
from clicks_to_deliveries.operators.check_pipe import CheckPipeOperator
from clicks_to_deliveries.operators.check_quality import CheckQualityOperator
from clicks_to_deliveries.operators.in_rounds import InRounds, Progress, Round

from include import names

pytestmark = pytest.mark.unit

HOUR = timedelta(hours=1)


@pytest.fixture
def context(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(InRounds, "is_news", lambda *_: False)
    return {
        "run_id": "run-1",
        "ti": SimpleNamespace(try_number=1),
        "dag_run": SimpleNamespace(start_date=datetime.now(UTC)),
        "outlet_events": defaultdict(lambda: SimpleNamespace(extra={})),
    }


@pytest.fixture
def quality_run(monkeypatch: pytest.MonkeyPatch) -> CheckQualityOperator:
    """Checks whose stream is at offset 7; ``found`` is what each has, and ``ids`` are theirs."""
    checking = CheckQualityOperator(
        task_id="check", index_shards=1, asset=Asset("results"), run_for=HOUR, min_interval=timedelta(minutes=5)
    )
    found: list[Any] = []
    ids: list[str] = []

    def check(context: Any, check_id: str) -> Any:
        ids.append(check_id)
        answer = found.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(check_quality, "connect", lambda _: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(check_quality, "first_row", lambda *_: (7,))
    monkeypatch.setattr(checking, "check", check)
    checking.__dict__.update(found=found, ids=ids)
    return checking


PASSED, FOUND = SimpleNamespace(status="pass"), SimpleNamespace(status="fail")


def test_quality_is_checked_again_after_the_next_merge_and_a_due_alert_ends_the_run(
    quality_run: CheckQualityOperator, context: dict[str, Any]
) -> None:
    quality_run.found += [([PASSED, FOUND], []), AirflowSkipException("nothing new"), ([PASSED], ["recovered"])]
    began = time.time()
    with pytest.raises(TaskDeferred) as first:
        quality_run.execute(context)
    _, waits = first.value.trigger.serialize()
    assert (waits["stream"], waits["offset"]) == (names.RAW_STREAM, "7")
    assert waits["not_before"] == pytest.approx(began + 300, abs=5)
    # Time alone changes results, too.
    assert waits["until"] == pytest.approx(began + 900, abs=5)
    with pytest.raises(TaskDeferred) as second:
        quality_run.next_round(context, {"is_woken": False}, **first.value.kwargs)
    total = quality_run.next_round(context, {"is_woken": True}, **second.value.kwargs)
    assert total == {"rounds": 2, "rules": 3, "found": 1}
    assert quality_run.ids == ["run-1", "run-1 #2", "run-1 #3"]


def test_the_pipe_is_checked_again_by_the_clock_and_a_wait_for_files_keeps_the_sums(
    monkeypatch: pytest.MonkeyPatch, context: dict[str, Any]
) -> None:
    status = {"executionState": "RUNNING", "pendingFileCount": 0}
    monkeypatch.setattr(check_pipe, "connect", lambda _: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(check_pipe, "pipe_status", lambda *_: status)
    rounds = [Round({"rows": 5, "files": 1}), Round({"rows": 2, "files": 1}, is_last=True)]
    seen: list[Progress] = []

    def check(self: CheckPipeOperator, context: Any, status: Any, progress: Progress) -> Round:
        seen.append(progress)
        return rounds.pop(0)

    monkeypatch.setattr(CheckPipeOperator, "check", check)
    checking = CheckPipeOperator(
        task_id="check", asset=Asset("raw"), pending_limit=timedelta(minutes=10), run_for=HOUR, schedule="*/5 * * * *"
    )
    with pytest.raises(TaskDeferred) as first:
        checking.execute(context)
    moment = first.value.trigger.serialize()[1]["moment"]
    assert moment.minute % 5 == moment.second == 0
    assert timedelta(seconds=25) < moment - datetime.now(UTC) < timedelta(minutes=6)
    status["pendingFileCount"] = 2
    with pytest.raises(TaskDeferred) as pending:
        checking.next_round(context, moment, **first.value.kwargs)
    assert pending.value.method_name == "report"
    total = checking.report(context, {"status": status}, **pending.value.kwargs)
    assert total == {"rounds": 2, "rows": 7, "files": 2}
    assert [progress.rounds for progress in seen] == [0, 1]
