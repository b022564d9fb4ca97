"""How the merge task handles a stream that is empty or unreadable, and Snowflake's answer."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
from clicks_to_deliveries.operators import merge_history
from clicks_to_deliveries.operators.in_rounds import InRounds
from clicks_to_deliveries.operators.merge_history import MergeHistoryOperator
from snowflake.connector.errors import ProgrammingError

from include import names
from tests.fixtures.bound_values import values_of

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, 14, 0, 0)  # noqa: DTZ001 - Snowflake's TIMESTAMP_NTZ, UTC
COUNTS = ("rows_inserted", "rows_updated", "rows_deleted")
EARLIEST = datetime(2026, 11, 22, 9, 0, 0)  # noqa: DTZ001
FILE = "telemetry-data/2026/11/22/13/shardId-000000000000-49-57-0123456789abcdef.json.gz"
NEWEST = NOW - timedelta(seconds=20)


class Connection:
    """A Snowflake whose stream has rows or not, and whose merge answers with the given columns."""

    def __init__(self, has_data: bool | ProgrammingError, merged: dict[str, int] | None = None) -> None:
        self.has_data = has_data
        self.merged = merged or {}
        self.recorded: dict[str, Any] | None = None
        self.merged_from: datetime | None = None
        self.autocommits: list[bool] = []

    def autocommit(self, mode: bool) -> None:
        self.autocommits.append(mode)

    def cursor(self, *_: type) -> Connection:
        return self

    def execute(self, statement: str, parameters: Any, **_: Any) -> Connection:
        if "STREAM_HAS_DATA" in statement:
            if isinstance(self.has_data, ProgrammingError):
                raise self.has_data
            self.row = (self.has_data,)
        elif "as EARLIEST" in statement:
            self.row = (EARLIEST,)
        elif "group by FILE_NAME" in statement:
            self.rows = [{"FILE_NAME": FILE, "READINGS": 9, "FILE_COUNT": 3, "NEWEST_ARRIVAL": NEWEST}]
        elif "SYSDATE" in statement:
            self.row = (NOW,)
        elif merged := values_of("merge/truck_telemetry_scd2.sql", statement, parameters):
            self.merged_from = datetime.fromisoformat(merged["earliest"])
            self.rows = [self.merged]
        else:
            self.recorded = values_of("merge/record_run.sql", statement, parameters)
        return self

    def fetchone(self) -> tuple:
        return self.row

    def fetchall(self) -> list[dict[str, Any]]:
        return self.rows

    def close(self) -> None:
        pass


def merge(monkeypatch: pytest.MonkeyPatch, connection: Connection, try_number: int = 1) -> dict[str, int] | None:
    monkeypatch.setattr(PipelineSnowflakeHook, "get_conn", lambda _: connection)
    context = {"ti": SimpleNamespace(try_number=try_number), "run_id": "run-1"}
    return MergeHistoryOperator(task_id="merge").execute(context)


def test_an_empty_stream_is_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(has_data=False)
    with pytest.raises(AirflowSkipException):
        merge(monkeypatch, connection)
    assert connection.recorded is None


def test_a_retry_that_finds_the_stream_empty_succeeds_as_the_try_before_may_have_merged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = Connection(has_data=False)
    assert merge(monkeypatch, connection, try_number=2) == {"rounds": 1, **dict.fromkeys(COUNTS, 0)}
    assert connection.recorded is None


def test_the_merge_commits_by_itself_and_its_counts_are_recorded_with_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"number of rows inserted": 5, "number of rows updated": 2, "number of rows deleted": 1}
    connection = Connection(True, answer)
    assert merge(monkeypatch, connection) == {"rounds": 1, "rows_inserted": 5, "rows_updated": 2, "rows_deleted": 1}
    assert connection.autocommits == [True]
    assert connection.merged_from == EARLIEST
    assert connection.recorded == {
        "run_id": "run-1",
        "started_at": NOW.isoformat(),
        "finished_at": NOW.isoformat(),
        "rows_inserted": 5,
        "rows_updated": 2,
        "rows_deleted": 1,
    }


def test_the_log_names_each_file_and_the_run_and_the_metrics_what_was_merged_and_how_fresh_it_is(
    monkeypatch: pytest.MonkeyPatch, metrics: dict[str, float]
) -> None:
    logged: list[str] = []
    log = SimpleNamespace(info=lambda text, *values: logged.append(text % values), warning=lambda *_: None)
    monkeypatch.setattr(MergeHistoryOperator, "log", log)
    merge(monkeypatch, Connection(True, {"number of rows inserted": 5}))
    assert logged[:2] == [f"Merging 9 readings of {FILE} as run-1", "And of 2 more files"]
    assert metrics == {
        "history.merges": 1,
        "history.rows_inserted": 5,
        "history.rows_updated": 0,
        "history.rows_deleted": 0,
        "history.merge_seconds": 0,
        "history.freshness_seconds": 20,
    }


def test_a_run_that_goes_on_records_each_merge_and_ends_when_no_row_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(True, {"number of rows inserted": 5})
    monkeypatch.setattr(PipelineSnowflakeHook, "get_conn", lambda _: connection)
    monkeypatch.setattr(InRounds, "_may_go_on", lambda *_: True)
    dag_run = SimpleNamespace(start_date=datetime.now(UTC))
    context = {"ti": SimpleNamespace(try_number=1), "run_id": "run-1", "dag_run": dag_run}
    merging = MergeHistoryOperator(task_id="merge", min_interval=timedelta(seconds=60))
    began = time.time()
    with pytest.raises(TaskDeferred) as first:
        merging.execute(context)
    _, waits = first.value.trigger.serialize()
    assert (waits["stream"], waits["offset"], waits["poll_interval_seconds"]) == (names.RAW_STREAM, "", 6)
    assert waits["not_before"] == pytest.approx(began + 60, abs=5)
    assert waits["until"] == pytest.approx(began + 120, abs=5)
    with pytest.raises(TaskDeferred) as second:
        merging.next_round(context, {"is_woken": True}, **first.value.kwargs)
    assert connection.recorded["run_id"] == "run-1 #2"
    # A merge of somebody else came first.
    connection.has_data = False
    with pytest.raises(TaskDeferred) as third:
        merging.next_round(context, {"is_woken": True}, **second.value.kwargs)
    total = merging.next_round(context, {"is_woken": False}, **third.value.kwargs)
    assert total == {"rounds": 2, "rows_inserted": 10, "rows_updated": 0, "rows_deleted": 0}


@pytest.mark.parametrize("started", ["rows come for ever", "rows stop"])
def test_a_short_interval_is_waited_for_in_the_task_which_gives_its_slot_away_soon(
    monkeypatch: pytest.MonkeyPatch, started: str
) -> None:
    connection, now = Connection(True, {"number of rows inserted": 5}), [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if started == "rows stop" and now[0] > 12:
            connection.has_data = False

    clock = SimpleNamespace(time=lambda: now[0], monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr(PipelineSnowflakeHook, "get_conn", lambda _: connection)
    monkeypatch.setattr(merge_history, "time", clock)
    monkeypatch.setattr(InRounds, "is_news", lambda *_: False)
    context = {"ti": SimpleNamespace(try_number=1), "run_id": "run-1"}
    interval, hour = timedelta(seconds=5), timedelta(hours=1)
    merged = MergeHistoryOperator(task_id="merge", run_for=hour, min_interval=interval).execute(context)
    # At 0, 5, 10, …, 60 s; or at 0, 5 and 10, and at 20 s no row has come for an interval.
    merges, over = (13, 60) if started == "rows come for ever" else (3, 20)
    assert (merged["rounds"], merged["rows_inserted"], now[0]) == (merges, 5 * merges, over)
    assert connection.recorded["run_id"] == f"run-1 #{merges}"


def test_a_retry_does_not_overwrite_what_the_try_before_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection(True, {"number of rows inserted": 5})
    merge(monkeypatch, connection, try_number=2)
    assert connection.recorded["run_id"] == "run-1 #try 2"


def test_a_stream_that_can_not_be_read_fails_for_good_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_history, "problem_of_stream", lambda *_: "stale: run the DAG repair_history")
    with pytest.raises(AirflowFailException, match="run the DAG repair_history"):
        merge(monkeypatch, Connection(has_data=ProgrammingError("no time travel")))


def test_another_error_of_snowflake_is_itself_and_may_be_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge_history, "problem_of_stream", lambda *_: None)
    with pytest.raises(ProgrammingError, match="suspended"):
        merge(monkeypatch, Connection(has_data=ProgrammingError("warehouse suspended")))
