"""Every statement of ``sql/`` is executed, whatever its other tests do; a new file is executed too."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from dashboard import health
from include import sql
from include.quality.findings import relation
from include.quality.rules import RELATIONS

pytestmark = pytest.mark.sql

NOW = datetime.now(UTC)
# The bound values, by name; a name that is not here fails the test of the file that uses it.
VALUES = (
    dict.fromkeys(("truck_id", "whole_key", "begin_of_key", "within_text", "reported_id"), "TRK404")
    | dict.fromkeys(
        ("run_id", "rule", "severity", "status", "message", "stream", "decided_by", "reason", "alert_id"), "every"
    )
    | dict.fromkeys(("samples", "details", "alerted", "sent_to"), "{}")
    | dict.fromkeys(("incident", "state", "headline"), "every")
    | {"metric": "vehicle_speed", **health.limits(), **health.trend_limits()}
    | dict.fromkeys(("since", "earliest", "failing_since", "started_at"), (NOW - timedelta(hours=1)).isoformat())
    | dict.fromkeys(
        (
            "until",
            "before",
            "instant",
            "hour",
            "checked_at",
            "alerted_at",
            "stored_at",
            "sent_at",
            "finished_at",
            "begins",
            "ends",
        ),
        NOW.isoformat(),
    )
    | dict.fromkeys(("stored_at", "sent_at"), NOW.isoformat())
    | dict.fromkeys(("limit", "hours", "runs", "slice_seconds", "slice_microseconds", "failed_count"), 1)
    | dict.fromkeys(("rows_inserted", "rows_updated", "rows_deleted"), 1)
    | dict.fromkeys(("archived", "landed", "duplicates", "quarantined", "resolved", "missing", "not_loaded"), 0)
    | dict.fromkeys(("covered", "waiting", "overdue", "uncovered", "nulled", "unexpected", "conflicts"), 0)
    | dict.fromkeys(("balanced", "is_open", "is_over"), True)
)
PARAMETERS = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": "sql-tests-telemetry"}
FILES = sorted(path.relative_to(sql.SQL_DIRECTORY).as_posix() for path in sql.SQL_DIRECTORY.rglob("*.sql"))


@pytest.fixture(scope="module")
def staged(snowflake):
    """Snowflake without a reading, and in its session the staged items of DynamoDB."""
    snowflake.empty()
    for path in FILES:
        if "/staging/" in path:
            snowflake.run(path)
    # In a check, these are parts of a statement (include/quality/findings.py).
    for name in RELATIONS:
        snowflake.execute(
            f"create or replace temporary table STAGED_{name} as {relation(name)}", {"since": VALUES["since"]}
        )
    yield snowflake
    # All tests share the register.
    snowflake.execute("delete from KNOWN_TRUCKS where TRUCK_ID = 'TRK404'")


@pytest.mark.parametrize("path", FILES)
def test_every_statement_of_the_file_is_executed(staged, provision, path):
    statements = staged.statements(path, **PARAMETERS)
    assert statements
    try:
        for statement in statements:
            bound = {name: VALUES[name] for name in re.findall(r"%\((\w+)\)s", statement)}
            staged.execute(statement, bound or None)
    finally:
        if path == "ops/drop_everything.sql":
            provision(staged)


def test_there_are_files():
    assert {"merge/truck_telemetry_scd2.sql", "ops/repair_history.sql", "ddl/040_raw.sql"} < set(FILES)
