"""Every statement of ``sql/`` is executed, whatever else is tested of it: a file that is added is, too."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from include import names, sql

pytestmark = pytest.mark.sql

NOW = datetime.now(UTC)
# What is bound, by name; a name that is not here fails the test of the file that uses it.
VALUES = (
    dict.fromkeys(("truck_id", "whole_key", "begin_of_key", "within_text"), "TRK404")
    | dict.fromkeys(("run_id", "rule", "severity", "status", "message", "stream"), "every-statement")
    | dict.fromkeys(("samples", "details"), "{}")
    | dict.fromkeys(("since", "failing_since", "started_at"), (NOW - timedelta(hours=1)).isoformat())
    | dict.fromkeys(("until", "before", "instant", "hour", "checked_at", "alerted_at", "finished_at"), NOW.isoformat())
    | dict.fromkeys(("limit", "hours", "slice_seconds", "failed_count"), 1)
    | dict.fromkeys(("rows_inserted", "rows_updated", "rows_deleted"), 1)
    | dict.fromkeys(("archived", "landed", "duplicates", "quarantined", "resolved", "missing", "not_loaded"), 0)
    | dict.fromkeys(("covered", "waiting", "overdue", "uncovered", "unexpected", "conflicts"), 0)
    | dict.fromkeys(("balanced", "is_open"), True)
)
PARAMETERS = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": "sql-tests-telemetry"}
FILES = sorted(path.relative_to(sql.SQL_DIRECTORY).as_posix() for path in sql.SQL_DIRECTORY.rglob("*.sql"))


@pytest.mark.parametrize("path", FILES)
def test_every_statement_of_the_file_is_executed(empty_warehouse, provision, path):
    statements = empty_warehouse.statements(path, **PARAMETERS)
    assert statements
    if path.startswith("quality/"):
        # What rules read of DynamoDB is staged in their session.
        for staging in FILES:
            if "/staging/" in staging:
                empty_warehouse.run(staging)
    try:
        for statement in statements:
            bound = {name: VALUES[name] for name in re.findall(r"%\((\w+)\)s", statement)}
            empty_warehouse.execute(statement, bound or None)
    finally:
        if path == "ops/drop_everything.sql":
            provision(empty_warehouse)
    empty_warehouse.execute(f"select count(*) from {names.HISTORY_TABLE}")
