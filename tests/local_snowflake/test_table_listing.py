"""SHOW TABLES says how long a table keeps what was deleted."""

import pytest

pytestmark = pytest.mark.integration


def listed(warehouse):
    cursor = warehouse.connection.cursor().execute("SHOW TABLES IN SCHEMA")
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return {row["name"]: (row["kind"], int(row["retention_time"])) for row in rows}


def test_kind_and_retention_of_each_table(warehouse):
    warehouse.rows("CREATE TABLE KEPT (A INTEGER) DATA_RETENTION_TIME_IN_DAYS = 5")
    warehouse.rows("CREATE TRANSIENT TABLE BRIEF (A INTEGER)")
    warehouse.rows("CREATE TRANSIENT TABLE IF NOT EXISTS KEPT (A INTEGER)")
    assert listed(warehouse) == {"KEPT": ("TABLE", 5), "BRIEF": ("TRANSIENT", 1)}
    warehouse.rows("ALTER TABLE BRIEF SET DATA_RETENTION_TIME_IN_DAYS = 0")
    warehouse.rows("ALTER TABLE KEPT UNSET DATA_RETENTION_TIME_IN_DAYS")
    warehouse.rows("ALTER TABLE BRIEF RENAME TO SHORT")
    assert listed(warehouse) == {"KEPT": ("TABLE", 1), "SHORT": ("TRANSIENT", 0)}
    warehouse.rows("CREATE OR REPLACE TABLE SHORT (A INTEGER)")
    assert listed(warehouse)["SHORT"] == ("TABLE", 1)
