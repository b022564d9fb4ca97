"""A change is one transaction: a dry run, a refusal and an error roll it back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from include import sql
from include.register import ASSIGN, REGISTER, RETIRE, UNDO, RefusedError, apply, change_of
from tests.fixtures.bound_values import values_of

pytestmark = pytest.mark.unit

NOON = datetime(2026, 11, 22, 12)  # noqa: DTZ001  As the connector returns a TIMESTAMP_NTZ.
OPEN = datetime(9999, 12, 31)  # noqa: DTZ001
DECIDED = {"decided_by": "fleet manager", "reason": "replaced"}


class Connection:
    """Answers each statement of ``sql/register`` with the rows that the test gives, and notes what was executed."""

    def __init__(self, **rows: Any) -> None:
        self.rows = rows
        self.executed: list[str] = []
        self.bound: dict[str, Any] = {}

    def cursor(self, *_: Any) -> Connection:
        return self

    def close(self) -> None:
        return None

    def execute(self, statement: str, parameters: Sequence[Any] = (), **_: Any) -> None:
        name = statement
        for path in FOLDER.glob("*.sql"):
            values = values_of(f"register/{path.name}", statement, parameters)
            if values is not None:
                name = path.stem
                self.bound[name] = values
        self.executed.append(name)
        answer = self.rows.get(name, [])
        if isinstance(answer, Exception):
            raise answer
        self.answer = list(answer)

    def fetchone(self) -> Any:
        return self.answer[0]

    def fetchall(self) -> Any:
        return self.answer


FOLDER = sql.SQL_DIRECTORY / "register"
INSERTED = [{"number of rows inserted": 1}]


def change(connection: Connection, dry_run: bool = False, **plan: str) -> Any:
    return apply(connection, change_of(plan), dry_run=dry_run)


@pytest.mark.parametrize(("dry_run", "end"), [(True, "rollback"), (False, "commit")])
def test_a_dry_run_does_the_same_and_rolls_it_back(dry_run: bool, end: str) -> None:
    connection = Connection(register_truck=INSERTED)
    effect = change(connection, dry_run, action=REGISTER, truck_id="TRK001")
    assert (effect.rows, effect.dry_run) == (1, dry_run)
    assert connection.executed == ["begin", "register_truck", end]
    assert connection.bound["register_truck"]["truck_id"] == "TRK001"


def test_a_truck_that_nobody_registered_is_not_retired() -> None:
    connection = Connection(registered_truck=[(0,)])
    with pytest.raises(RefusedError, match="TRK001 is not in the register"):
        change(connection, action=RETIRE, truck_id="TRK001", since="2026-11-22T12:00:00Z")
    assert connection.executed == ["begin", "registered_truck", "rollback"]


def test_an_assignment_counts_before_and_after() -> None:
    connection = Connection(
        count_versions=[{"TRUCK_ID": "NEW", "VERSIONS": 3}],
        assign_tracker=INSERTED,
        readings_of_period=[(7, NOON, NOON)],
    )
    effect = change(connection, action=ASSIGN, reported_id="NEW", truck_id="TRK001", **DECIDED)
    assert connection.executed == [
        "begin",
        "overlapping_assignments",
        "count_versions",
        "assign_tracker",
        "readings_of_period",
        "count_versions",
        "commit",
    ]
    assert (effect.rows, effect.readings, effect.first, effect.versions_before) == (1, 7, NOON, {"NEW": 3})


def test_an_overlapping_assignment_is_named_with_its_period() -> None:
    rows = [
        {"TRUCK_ID": "A", "FROM_TIME": datetime(1, 1, 1), "UNTIL_TIME": NOON},  # noqa: DTZ001
        {"TRUCK_ID": "B", "FROM_TIME": NOON, "UNTIL_TIME": OPEN},
    ]
    connection = Connection(overlapping_assignments=rows)
    with pytest.raises(RefusedError) as refused:
        change(connection, action=ASSIGN, reported_id="NEW", truck_id="TRK001", **DECIDED)
    assert "to A from the beginning until 2026-11-22 12:00:00; to B from 2026-11-22 12:00:00." in str(refused.value)
    assert connection.executed[-1] == "rollback"


def test_an_undo_counts_the_period_of_the_assignment_that_it_undoes() -> None:
    connection = Connection(
        assignment=[{"UNTIL_TIME": OPEN, "TRUCK_ID": "TRK001"}],
        undo_assignment=[{"number of rows deleted": 1}],
        readings_of_period=[(7, NOON, NOON)],
    )
    effect = change(connection, action=UNDO, reported_id="NEW", since="2026-11-22T12:00:00Z")
    assert (effect.rows, effect.readings) == (1, 7)
    assert connection.bound["count_versions"]["truck_id"] == "TRK001"
    assert connection.bound["readings_of_period"]["until"] == "9999-12-31T00:00:00"


def test_an_undo_without_an_assignment_changes_nothing() -> None:
    connection = Connection()
    assert change(connection, action=UNDO, reported_id="NEW").rows == 0
    assert connection.executed == ["begin", "assignment", "commit"]


def test_an_error_rolls_back() -> None:
    connection = Connection(register_truck=OSError("the connection was reset"))
    with pytest.raises(OSError, match="reset"):
        change(connection, action=REGISTER, truck_id="TRK001")
    assert connection.executed == ["begin", "register_truck", "rollback"]
