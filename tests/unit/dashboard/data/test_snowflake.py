"""Queries of Snowflake over one shared connection: bound values, types, and broken connections."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from snowflake.connector.errors import DatabaseError, OperationalError, ProgrammingError

from dashboard import data
from dashboard.data import snowflake_connection

pytestmark = pytest.mark.unit


class Column:
    def __init__(self, name: str) -> None:
        self.name = name


class Connection:
    """A connector's connection whose statements answer, or raise, what the test says."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.statements: list[tuple[str, list[str]]] = []
        self.tags: list[str] = []

    def cursor(self) -> Connection:
        return self

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def execute(self, statement: str, values: list[str], timeout: int, _statement_params: dict[str, str]) -> None:
        assert timeout > 0
        self.tags.append(_statement_params["QUERY_TAG"])
        self.statements.append((statement, values))
        self.answer = self.answers.pop(0)
        if isinstance(self.answer, Exception):
            raise self.answer

    @property
    def description(self) -> list[Column]:
        return [Column(name) for name in self.answer[0]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.answer[1]


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What snowflake.connector.connect gives, one after the other."""
    given: list[Any] = []

    def connect(**_: Any) -> Any:
        one = given.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    monkeypatch.setattr("snowflake.connector.connect", connect)
    return given


RUNS = (["RUN_ID", "STARTED_AT"], [("r", datetime(2026, 11, 22, 14, 0))])  # noqa: DTZ001  As the connector gives NTZ.


def test_values_are_bound_and_times_come_back_as_utc(connections: list[Any]) -> None:
    connections.append(connection := Connection(RUNS))
    frame = data.merge_runs(7)
    statement, values = connection.statements[0]
    assert values == []
    assert json.loads(connection.tags[0]) == {"app": "dashboard", "query": "merge_runs.sql"}
    assert "limit 7" in statement
    assert frame["started_at"].iloc[0] == pd.Timestamp("2026-11-22T14:00Z")


def test_as_of_binds_truck_and_canonical_instant(connections: list[Any]) -> None:
    connections.append(connection := Connection((["TRUCK_ID"], [])))
    assert data.as_of("TRK001'; drop table x", datetime(2026, 11, 22, 14, tzinfo=UTC)).empty
    statement, values = connection.statements[0]
    assert set(values) == {"TRK001'; drop table x", "2026-11-22T14:00:00.000000"}
    assert values[0] == "TRK001'; drop table x"
    assert statement.count("?") == len(values)
    assert "TRK001" not in statement


def test_tracks_have_as_many_slices_whatever_the_window(connections: list[Any]) -> None:
    empty = (["TRUCK_ID", "SLICE_START"], [])
    connections.append(connection := Connection(empty, empty))
    data.tracks(5)
    data.tracks(1440)
    assert [slice_seconds(statement) for statement, _ in connection.statements] == [1, 360]


def slice_seconds(statement: str) -> int:
    (seconds,) = set(re.findall(r"(\d+), 'SECOND'", statement))
    return int(seconds)


def test_an_empty_answer_keeps_its_types(connections: list[Any]) -> None:
    connections.append(Connection((["TRUCK_ID", "EFFECTIVE_START_DATE", "VEHICLE_SPEED"], [])))
    frame = data.current_rows()
    assert str(frame["vehicle_speed"].dtype) == "float64"
    assert isinstance(frame["effective_start_date"].dtype, pd.DatetimeTZDtype)


def test_one_connection_serves_many_queries(connections: list[Any]) -> None:
    connections.append(Connection(RUNS, (["RULE"], [])))
    data.merge_runs()
    data.rule_results("r")
    assert connections == []


def test_a_connection_that_broke_is_replaced_once(connections: list[Any]) -> None:
    connections += [Connection(RUNS, OperationalError("gone")), Connection((["RULE"], [("r",)]))]
    data.merge_runs()
    assert list(data.rule_results("r")["rule"]) == ["r"]


def test_an_expired_session_is_renewed_once(connections: list[Any]) -> None:
    expired = ProgrammingError("Authentication token has expired", errno=390114)
    connections += [Connection(RUNS, expired), Connection((["RULE"], [("r",)]))]
    data.merge_runs()
    assert len(data.rule_results("r")) == 1


def test_results_are_bounded_by_the_last_check(connections: list[Any]) -> None:
    last = (["CHECKED_AT"], [(datetime(2026, 11, 22, 14, 0),)])  # noqa: DTZ001
    none = (["CHECKED_AT"], [(None,)])
    results = (["RULE"], [("r",)])
    connections.append(connection := Connection(last, results, none, results))
    data.quality_results()
    data.quality_results.clear()
    data.quality_results()
    assert [values for _, values in connection.statements] == [
        [], ["2026-11-22T14:00:00.000000"], [], ["0001-01-08T00:00:00.000000"],
    ]  # fmt: skip


def test_an_unreachable_warehouse_is_asked_once_and_then_remembered_for_a_while(
    connections: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    connections.append(OperationalError("Connection refused"))
    for query in (data.merge_runs, lambda: data.rule_results("r"), data.current_rows):
        with pytest.raises(data.StoreUnavailableError) as caught:
            query()
        assert caught.value.store == "Snowflake"
        assert caught.value.problem == "is unreachable"
    connections.append(Connection(RUNS))
    later = time.monotonic() + snowflake_connection.FAILURE_MEMORY_TIMEOUTS * 5 + 1
    monkeypatch.setattr(snowflake_connection.time, "monotonic", lambda: later)
    assert len(data.merge_runs()) == 1


def test_a_missing_table_says_to_provision_and_keeps_the_connection(connections: list[Any]) -> None:
    missing = ProgrammingError("Object 'HISTORY_MERGE_RUNS' does not exist or not authorized.", errno=2003)
    connections.append(Connection(missing, (["RULE"], [("r",)])))
    with pytest.raises(data.StoreUnavailableError) as caught:
        data.merge_runs()
    assert "HISTORY_MERGE_RUNS" in caught.value.said
    assert "provision_resources" in caught.value.check
    assert len(data.rule_results("r")) == 1


def test_a_login_that_is_refused_names_the_warehouse(connections: list[Any]) -> None:
    connections.append(DatabaseError("Incorrect username or password was specified.", errno=390100))
    with pytest.raises(data.StoreUnavailableError, match="Snowflake") as caught:
        data.merge_runs()
    assert "Incorrect username" in caught.value.said


def test_the_pipes_status_is_read_from_its_json(connections: list[Any]) -> None:
    status = {"executionState": "RUNNING", "pendingFileCount": 2, "oldestFileTimestamp": "2026-11-22T13:55:00.000Z"}
    connections.append(Connection((["STATUS"], [(json.dumps(status),)])))
    oldest = datetime(2026, 11, 22, 13, 55, tzinfo=UTC)
    assert data.pipe_status() == data.PipeStatus("RUNNING", 2, oldest, None, None, "")


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{}", '{"executionState": "RUNNING", "lastIngestedTimestamp": "x"}']
)
def test_a_status_of_another_form_is_named(connections: list[Any], text: str) -> None:
    connections.append(Connection((["STATUS"], [(text,)])))
    with pytest.raises(data.StoreUnavailableError, match="unknown form") as caught:
        data.pipe_status()
    assert caught.value.said == text


@pytest.mark.parametrize(("minutes", "seconds"), [(5, 60), (60, 60), (360, 300), (1440, 900), (10_080, 3600)])
def test_delays_are_of_whole_slices(connections: list[Any], now: datetime, minutes: int, seconds: int) -> None:
    connections.append(connection := Connection((["SLICE_START", "SENT_P50"], [(now.replace(tzinfo=None), None)])))
    frame = data.delays(minutes)
    ((statement, values),) = connection.statements
    (since,) = set(values)
    begins = datetime.fromisoformat(since).replace(tzinfo=UTC)
    assert slice_seconds(statement) == data.slice_of(minutes) == seconds
    assert begins.timestamp() % seconds == 0
    assert timedelta(0) <= now - timedelta(minutes=minutes) - begins < timedelta(seconds=seconds)
    assert str(frame["sent_p50"].dtype) == "float64"
