"""The history of queries, which an account keeps for a year, holds no reading and no truck."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from include import quality, sql
from include.alerts import Links
from include.erasure import truck_tables
from include.ledger.balance import Balance
from include.ledger.ledger_table import store_balance
from include.ledger.raw_readings import raw_readings
from include.quality.staged_items import SOURCES
from include.register import ASSIGN, REGISTER, UNDO, apply, change_of
from include.snowflake_rows import changed_rows
from sql.merge.history_oracle import ATTRIBUTES
from tests.sql.conftest import REPAIR

pytestmark = pytest.mark.sql

TRUCK, LATITUDE, LONGITUDE = "TELLING-7", 12.345678, 98.765432
NOW = datetime.now(UTC).replace(minute=7, second=13, microsecond=424_242)
# A position, a truck, an instant.
READING = ("12.345678", "98.765432", TRUCK, "13.424242")
NAMING = ("trucks_are_known", "metrics_are_in_range")


def readings() -> list[dict]:
    naive = NOW.replace(tzinfo=None)
    return [
        dict.fromkeys(ATTRIBUTES)
        | {
            "TRUCK_ID": TRUCK, "EVENT_TIME": naive - timedelta(minutes=number), "ARRIVAL_TIME": naive,
            "SEQUENCE_NUMBER": str(100 + number), "GPS_LATITUDE": LATITUDE, "GPS_LONGITUDE": LONGITUDE + number,
            "VEHICLE_SPEED": 500.0, "FILE_NAME": "telemetry-data/1.json.gz", "FILE_ROW_NUMBER": number,
            "LOAD_TIMESTAMP": naive,
        }
        for number in range(3)
    ]  # fmt: skip


def items(source: str) -> list[tuple]:
    """One item, with the position and the instant of the reading."""
    texts = {"TRUCK_ID": TRUCK, "GPS_LATITUDE": str(LATITUDE), "GPS_LONGITUDE": str(LONGITUDE),
             "EVENT_TIME": NOW.replace(tzinfo=None).isoformat()}  # fmt: skip
    return [tuple(texts.get(column) for column in SOURCES[source].columns)]


def test_nothing_that_the_pipeline_sends_holds_a_reading(empty_snowflake):
    """Each of its writers, on readings that offend rules, so that samples and alerts name them."""
    snowflake, connection = empty_snowflake, empty_snowflake.connection
    snowflake.land(readings())
    snowflake.merge()
    # Those whose statements have values, and some that name the truck; the others differ in nothing that is sent.
    rules = [each for each in quality.rules() if each.reads or each.relation or each.name in NAMING]
    with closing(connection.cursor()) as cursor:
        results, alerts = quality.evaluate(
            connection, "telling", rules, [], lambda: SimpleNamespace(rows=items), Links()
        )
        assert TRUCK in json.dumps([result.samples for result in results])
        assert any(TRUCK in alert.message for alert in alerts)
        connection.autocommit(True)
        assert len(list(raw_readings(connection, NOW.replace(minute=0, second=0, microsecond=0)))) == 3
        balance = Balance(stream="TruckTelemetry", hour=NOW, is_open=False, overdue=1, samples={"overdue": [TRUCK]})
        store_balance(connection, balance, "telling", NOW)
        changed_rows(connection, sql.render(REPAIR), {"truck_id": TRUCK, "since": None, "until": None})
        decided = {"decided_by": "tests", "reason": "-"}
        plans = (
            {"action": REGISTER, "truck_id": TRUCK},
            {"action": ASSIGN, "reported_id": TRUCK, "truck_id": "TRK002", "since": NOW.isoformat(), **decided},
            {"action": UNDO, "reported_id": TRUCK, "since": NOW.isoformat()},
        )
        for plan in plans:
            apply(connection, change_of(plan), dry_run=False)
        assert truck_tables.count_rows(connection, TRUCK)["TRUCK_TELEMETRY_RAW"] == 3
        truck_tables.erase_rows(connection, TRUCK)
        assert not any(truck_tables.count_rows(connection, TRUCK).values())
        history = "select QUERY_TEXT from table(information_schema.query_history_by_session(result_limit => 10000))"
        texts = [text for (text,) in cursor.execute(history)]
    for writer in ("STAGED_TRUCK_STATES", "DATA_QUALITY_RESULTS", "ALERTS", "CONSERVATION_LEDGER", "KNOWN_TRUCKS"):
        assert any(writer in text for text in texts)
    assert [text for text in texts if any(part in text for part in READING)] == []
