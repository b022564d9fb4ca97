"""A bug of ours on one record quarantines that record; a store that fails holds the shard (docs/adr/0058)."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from include import names

pytestmark = pytest.mark.unit

DONE = {"batchItemFailures": []}
FUNCTIONS = [
    pytest.param("kinesis_to_dynamodb", names.CLICK_STREAM, names.CLICK_TABLE, "BatchWriteItem", id="clicks"),
    pytest.param("truck_data", names.TRUCK_STREAM, names.TRUCK_STATE_TABLE, "BatchExecuteStatement", id="telemetry"),
]
of_both = pytest.mark.parametrize(("package", "stream", "table", "operation"), FUNCTIONS)


def valid(stream: str, number: int) -> dict[str, object]:
    time = f"2026-11-22T14:29:00.{number:06}"
    if stream == names.TRUCK_STREAM:
        return {"truck_id": f"TRK{number:03}", "timestamp": time}
    return {"Item_ID": f"MOB{number:03}", "Item_Name": "Mobile", "Timestamp": time, "Click_Counts": 3}


def break_on(monkeypatch: Any, function: Any, number: int) -> None:
    """A bug in making the row of one record."""
    logic = function.module.logic
    name = "state_item" if hasattr(logic, "state_item") else "click_item"
    real = getattr(logic, name)

    def broken(*given: Any, **more: Any) -> Any:
        if re.search(f"(TRK|MOB){number:03}", str(given[0])):
            raise KeyError("a bug of ours")
        return real(*given, **more)

    monkeypatch.setattr(logic, name, broken)


@of_both
def test_a_record_on_which_our_code_fails_is_quarantined_and_the_others_are_written(
    new_function, cloud, kinesis_event, monkeypatch, caplog, package, stream, table, operation
):
    function = new_function(package)
    break_on(monkeypatch, function, 2)

    assert function(kinesis_event([valid(stream, number) for number in (1, 2, 3)], stream=stream)) == DONE

    (held,) = cloud.quarantined()
    assert (held.reason, json.loads(held.payload)) == ("internal_error", valid(stream, 2))
    assert held.rule.startswith("our code handles it; it fails with KeyError in test_internal_error.py, line ")
    assert len(cloud.rows(table)) == 2
    (line,) = [record for record in caplog.records if record.exc_info]
    assert "a bug of ours" in str(line.exc_info[1])
    assert caplog.records[-1].message == "batch acknowledged" or line.levelname == "ERROR"


@of_both
def test_it_can_be_replayed_and_is_told_as_long_as_the_bug_is_there(
    new_function, kinesis_event, monkeypatch, package, stream, table, operation
):
    function = new_function(package)
    event = kinesis_event([valid(stream, 2)], stream=stream) | {"replay": {"by": "a test"}, "is_stored": True}
    with monkeypatch.context() as patch:
        break_on(patch, function, 2)
        assert [verdict["reason"] for verdict in function(event)["quarantined"]] == ["internal_error"]
    assert function(event) == DONE | {"quarantined": []}


def refuse(number: int) -> Any:
    answer = 400, {"__type": "com.amazon.coral.validate#ValidationException", "message": "too large for the table"}
    return lambda request: answer if re.search(b"(TRK|MOB)%03d" % number, request.body) else None


@of_both
def test_a_record_that_its_table_refuses_beside_others_is_quarantined(
    new_function, cloud, kinesis_event, package, stream, table, operation
):
    function = new_function(package)
    function.on_wire(operation, refuse(7))

    assert function(kinesis_event([valid(stream, number) for number in range(1, 12)], stream=stream)) == DONE

    (held,) = cloud.quarantined()
    assert (held.reason, json.loads(held.payload)) == ("internal_error", valid(stream, 7))
    assert "too large for the table" in held.rule
    assert len(cloud.rows(table)) == 10


@of_both
def test_a_table_that_refuses_every_record_has_failed_and_holds_the_shard(
    new_function, cloud, kinesis_event, package, stream, table, operation
):
    function = new_function(package)
    function.on_wire(operation, lambda request: (400, {"__type": "ValidationException", "message": "other key"}))
    event = kinesis_event([valid(stream, number) for number in range(3)], stream=stream)

    answer = function(event)

    assert answer["batchItemFailures"][0]["itemIdentifier"] == event["Records"][0]["kinesis"]["sequenceNumber"]
    assert cloud.quarantined() == []


def test_a_state_that_is_refused_by_name_is_quarantined(new_function, cloud, kinesis_event):
    function = new_function("truck_data")
    function(kinesis_event([valid(names.TRUCK_STREAM, number) for number in (1, 2)], stream=names.TRUCK_STREAM))
    refusal = {"Error": {"Code": "ValidationError", "Message": "too large"}}
    function.on_wire("BatchExecuteStatement", lambda _: (200, {"Responses": [{"TableName": "t"}, refusal]}))
    event = kinesis_event([valid(names.TRUCK_STREAM, number) for number in (1, 2)], stream=names.TRUCK_STREAM, first=5)
    assert function(event) == DONE
    assert [record.reason for record in cloud.quarantined()] == ["internal_error"]


def test_a_bug_that_no_record_alone_shows_ends_the_invocation(new_function, kinesis_event, monkeypatch):
    """The mapping then halves the batch."""
    function = new_function("truck_data")

    def broken(accepted: Any) -> Any:
        if len(accepted) > 1:
            raise ValueError("two are too many")
        return []

    monkeypatch.setattr(function.module.logic, "newest", broken)
    with pytest.raises(ValueError, match="two are too many"):
        function(kinesis_event([valid(names.TRUCK_STREAM, number) for number in (1, 2)], stream=names.TRUCK_STREAM))
