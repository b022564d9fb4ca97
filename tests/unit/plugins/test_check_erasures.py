"""Which copies are told, and that people are told once that the last one is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from clicks_to_deliveries.notifiers.run_outbox import RunOutbox
from clicks_to_deliveries.operators import check_erasures
from clicks_to_deliveries.operators.check_erasures import CheckErasuresOperator, record_erasure

from include import names
from include.erasure.copies import Erasure, TableFacts

pytestmark = pytest.mark.unit

RAW = {names.RAW_TABLE: TableFacts(False, 1)}
CONTEXT: dict[str, Any] = {"dag": SimpleNamespace(dag_id="check_erasures"), "run_id": "daily"}


class Rows(dict[str, str]):
    """Variables."""

    def keys(self, prefix: str = "") -> list[str]:  # type: ignore[override]
        return [key for key in self if key.startswith(prefix)]

    def put(self, key: str, value: str) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        del self[key]


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    found = Rows()
    monkeypatch.setattr(check_erasures, "Variables", lambda: found)
    monkeypatch.setattr(check_erasures, "connect", lambda _: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(check_erasures.kept_tables, "table_facts", lambda _: RAW)
    monkeypatch.setattr(check_erasures.kept_tables, "stream_offsets", lambda _: {})
    return found


def check() -> dict[str, str]:
    return CheckErasuresOperator(task_id="check", stream_retention_hours=24).execute(CONTEXT)


def test_without_an_erasure_nothing_is_asked(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_erasures, "connect", None)
    with pytest.raises(AirflowSkipException):
        check()


def test_while_a_copy_is_left_nobody_is_told(rows: Rows) -> None:
    at = datetime.now(UTC) - timedelta(days=34)
    record_erasure(rows, "young", at, RAW, None)
    assert check() == {"young": (at + timedelta(days=35)).isoformat()}
    assert (rows.keys(names.ERASURE_PREFIX), RunOutbox(rows).unsent()) == ([f"{names.ERASURE_PREFIX}young"], [])


def test_people_are_told_once_that_the_last_copy_is_gone(rows: Rows) -> None:
    record_erasure(rows, "old", datetime.now(UTC) - timedelta(days=36), RAW, None)
    kept = rows[f"{names.ERASURE_PREFIX}old"]
    check()
    (alert,) = RunOutbox(rows).unsent()
    assert alert.headline == "[recovered] check_erasures: the last copy of an erased truck is gone"
    assert "Fail-safe of TRUCK_TELEMETRY_RAW until" in alert.message
    with pytest.raises(AirflowSkipException):
        check()
    # As after a crash before the record was deleted.
    rows[f"{names.ERASURE_PREFIX}old"] = kept
    check()
    assert [each.alert_id for each in RunOutbox(rows).unsent()] == [alert.alert_id]


def test_a_variable_that_somebody_changed_is_named_and_the_others_are_checked(rows: Rows) -> None:
    rows[f"{names.ERASURE_PREFIX}a-changed"] = "no JSON"
    rows[f"{names.ERASURE_PREFIX}b-changed"] = '{"run_id": 1}'
    record_erasure(rows, "old", datetime.now(UTC) - timedelta(days=36), RAW, None)
    with pytest.raises(AirflowFailException, match=r"erased\.a-changed can't be read.*erased\.b-changed can't be read"):
        check()
    assert len(RunOutbox(rows).unsent()) == 1


def test_a_second_try_knows_the_tables_of_the_first(rows: Rows) -> None:
    record_erasure(rows, "run", datetime.now(UTC), RAW, None)
    record_erasure(rows, "run", datetime.now(UTC), {}, None)
    assert msgspec.json.decode(rows[f"{names.ERASURE_PREFIX}run"], type=Erasure).tables == RAW
