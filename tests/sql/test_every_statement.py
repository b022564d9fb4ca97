"""Every statement of ``sql/`` is executed, by the user who sends it, whatever its other tests do.

A new file is executed too."""

import re
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from snowflake.connector.errors import Error

from dashboard import health
from include import names, sql
from include.quality.findings import relation
from include.quality.rules import RELATIONS
from tests.sql.conftest import SnowflakeSession

pytestmark = pytest.mark.sql

NOW = datetime.now(UTC)
# The bound values, by name; a name that is not here fails the test of the file that uses it.
VALUES = (
    dict.fromkeys(("truck_id", "whole_key", "begin_of_key", "within_text", "reported_id"), "TRK404")
    | dict.fromkeys(("by_itself", "instead"), "TRK404")
    | dict.fromkeys(
        ("run_id", "rule", "severity", "status", "message", "stream", "decided_by", "reason", "alert_id"), "every"
    )
    | dict.fromkeys(("samples", "details", "alerted", "sent_to"), "{}")
    | dict.fromkeys(("incident", "state", "headline"), "every")
    | dict.fromkeys(("writer", "owner"), "every")
    | dict.fromkeys(("session", "former_session"), 7)
    | {"metric": "vehicle_speed", **health.limits(), **health.trend_limits()}
    | dict.fromkeys(("since", "earliest", "failing_since", "started_at"), (NOW - timedelta(hours=1)).isoformat())
    | dict.fromkeys(
        (
            "last_check",
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
    | dict.fromkeys(("limit", "hours", "runs", "slice_seconds", "slice_microseconds", "failed_count"), 1)
    | dict.fromkeys(("rows_inserted", "rows_updated", "rows_deleted"), 1)
    | dict.fromkeys(("archived", "landed", "duplicates", "quarantined", "resolved", "missing", "not_loaded"), 0)
    | dict.fromkeys(("covered", "waiting", "overdue", "uncovered", "nulled", "unexpected", "conflicts", "expired"), 0)
    | dict.fromkeys(("balanced", "is_open", "is_over"), True)
)
PARAMETERS = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": "sql-tests-telemetry"}
# An administrator's statements are executed whenever the tests make the pipeline's identities, and those of
# governance, which must not stay, in test_governance.py.
FILES = sorted(
    path.relative_to(sql.SQL_DIRECTORY).as_posix()
    for path in sql.SQL_DIRECTORY.rglob("*.sql")
    if not {"bootstrap", "governance"} & set(path.parts)
)


# Who sends the statements of a file; for a directory, of all its files.
SENDERS = {
    "alerts": "transformer",
    "ddl": "deployer",
    "dashboard": "reader",
    "ledger": "transformer",
    "writers": "transformer",
    "merge": "transformer",
    "quality": "transformer",
    "register": "transformer",
    "ops/assignments_of_truck.sql": "eraser",
    "ops/count_truck.sql": "eraser",
    "ops/drop_everything.sql": "deployer",
    "ops/erase_truck.sql": "eraser",
    "ops/last_load_message.sql": "eraser",
    "ops/loads_since.sql": "transformer",
    "ops/reading_to_current_row.sql": "reader",
    "ops/rebuild_history.sql": "repairer",
    "ops/recreate_stream.sql": "repairer",
    "ops/repair_history.sql": "repairer",
    "ops/rewritten_by_erasure.sql": "eraser",
}


@pytest.fixture(scope="module")
def session_of(provisioned, session_bucket):
    """Opens a session of a job's user; the transformer's has the staged items of DynamoDB."""

    @cache
    def open_session(job):
        session = SnowflakeSession(provisioned.connect_as(job), session_bucket)
        opened.append(session.connection)
        if job == "transformer":
            for path in FILES:
                if "/staging/" in path:
                    session.run(path)
            # In a check, these are parts of a statement (include/quality/findings.py).
            for name in RELATIONS:
                session.execute(
                    f"create or replace temporary table STAGED_{name} as {relation(name)}", {"since": VALUES["since"]}
                )
        return session

    opened = []
    yield open_session
    # All tests share the register.
    open_session("deployer").execute("delete from KNOWN_TRUCKS where TRUCK_ID = 'TRK404'")
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("path", FILES)
def test_every_statement_of_the_file_is_executed_by_its_sender(empty_snowflake, session_of, provision, path):
    session = session_of(SENDERS.get(path) or SENDERS[path.partition("/")[0]])
    statements = session.statements(path, **PARAMETERS)
    assert statements
    try:
        for statement in statements:
            bound = {name: VALUES[name] for name in re.findall(r"%\((\w+)\)s", statement)}
            session.execute(statement, bound or None)
    finally:
        if path == "ops/drop_everything.sql":
            provision(empty_snowflake)


def test_the_dashboard_never_uses_the_pipelines_warehouse(session_of, administrator):
    """A page that is left open costs its own warehouse alone: its user may use no other."""
    reader = session_of("reader")
    reader.execute(f"select count(*) from {names.HISTORY_TABLE}")
    used = administrator.execute(
        "select distinct WAREHOUSE_NAME from table(information_schema.local_meter())"
        " where ROLE_NAME like '%READER' and WAREHOUSE_NAME is not null"
    )
    assert used == [(names.READER_WAREHOUSE,)]
    with pytest.raises(Error, match=r"not authorized|not be performed"):
        reader.execute(f"use warehouse {names.WAREHOUSE}")


def test_there_are_files():
    assert {"merge/truck_telemetry_scd2.sql", "ops/repair_history.sql", "ddl/040_raw.sql"} < set(FILES)
