"""sql/ddl/090_roles.sql grants what the statements of Airflow and the dashboard need, and no other write."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlglot
from sqlglot import exp

from include import names, quality, sql
from include.erasure import truck_tables
from include.quality.findings import record_statement
from include.quality.rules import RELATIONS

pytestmark = pytest.mark.unit

Privilege = tuple[str, str]

STREAMS, PIPE = {names.RAW_STREAM, names.PLAUSIBILITY_STREAM}, names.PIPE
TABLES = {
    names.RAW_TABLE,
    names.HISTORY_TABLE,
    names.KNOWN_TRUCKS_TABLE,
    names.QUALITY_RESULTS_TABLE,
    names.FINDINGS_TABLE,
    names.MERGE_RUNS_TABLE,
    names.LEDGER_TABLE,
    names.ALERTS_TABLE,
    names.ASSIGNMENTS_TABLE,
}
VIEWS = {names.FLEET_VIEW, names.TRUCK_HISTORY_VIEW}
GRANT = re.compile(r"grant (?P<privileges>[\w, ]+?)\s+on (?P<kind>[\w ]+?) (?P<object>[\w.]+)\s+to role (?P<role>\w+);")


def granted(role: str) -> set[Privilege]:
    """(privilege, object) pairs of a role, on tables, views, the stream and the pipe."""
    found: set[Privilege] = set()
    for grant in GRANT.finditer(sql.render("ddl/090_roles.sql")):
        if grant["role"] != role:
            continue
        name = grant["object"].rpartition(".")[2]
        objects = TABLES if grant["kind"] == "all tables in schema" else {name} & {*TABLES, *VIEWS, *STREAMS, PIPE}
        found |= {(each.strip(), on) for each in grant["privileges"].split(",") for on in objects}
    return found


def needed(text: str) -> Iterator[Privilege]:
    """The privileges that Snowflake requires for the statements of ``text``."""
    # INSERT OVERWRITE needs DELETE, not TRUNCATE: https://docs.snowflake.com/en/sql-reference/sql/insert#usage-notes
    for statement in filter(None, sqlglot.parse(re.sub(r"%\(\w+\)s", "'1'", text), dialect="snowflake")):
        for table in statement.find_all(exp.Table):
            if table.name in {*TABLES, *VIEWS, *STREAMS}:
                yield "select", table.name
            if table.name in STREAMS:
                yield "select", names.RAW_TABLE
        for function in statement.find_all(exp.Anonymous, exp.Func):
            if function.sql().upper().startswith(("INFORMATION_SCHEMA.COPY_HISTORY", "COPY_HISTORY")):
                yield "monitor", PIPE
        match statement:
            case exp.Merge():
                for when in statement.find_all(exp.When):
                    does = when.args["then"]
                    yield (
                        (does.key if isinstance(does, exp.Expression) and does.key != "var" else "delete"),
                        (statement.this.name),
                    )
            case exp.Insert():
                target = statement.find(exp.Table).name
                yield "insert", target
                if statement.args.get("overwrite"):
                    yield "delete", target
            case exp.Delete():
                yield "delete", statement.this.name
            case exp.Update():
                yield "update", statement.this.name


def files(*patterns: str) -> list[str]:
    found = [
        sql.render(str(p.relative_to(sql.SQL_DIRECTORY)))
        for each in patterns
        for p in sorted(sql.SQL_DIRECTORY.glob(each))
    ]
    assert found
    return found


def test_airflows_role_can_execute_its_statements_and_write_nothing_else():
    statements = [
        *files(
            "merge/*.sql",
            "ledger/*.sql",
            "alerts/*.sql",
            "ops/loads_since.sql",
            "ops/reading_to_current_row.sql",
            "ops/rebuild_history.sql",
            "ops/repair_history.sql",
            "register/*.sql",
        ),
        *files("quality/results/*.sql", "quality/findings/*.sql"),
        *(rule.statement for rule in quality.rules()),
        *(record_statement(name, [rule for rule in quality.rules() if rule.relation == name]) for name in RELATIONS),
    ]
    needs = {need for statement in statements for need in needed(statement)}
    assert {("delete", names.HISTORY_TABLE), ("update", names.MERGE_RUNS_TABLE)} <= needs
    # SYSTEM$PIPE_STATUS needs MONITOR; OPERATE is for `alter pipe … refresh` of the runbook.
    needs |= {("monitor", PIPE), ("operate", PIPE)}
    grants = granted(names.TRANSFORMER_ROLE)
    assert needs <= grants
    assert {grant for grant in grants - needs if grant[0] != "select"} == set()


def test_the_dashboards_role_can_execute_its_statements_and_write_nothing():
    needs = {need for statement in files("dashboard/*.sql") for need in needed(statement)}
    assert ("select", names.MERGE_RUNS_TABLE) in needs
    assert ("monitor", PIPE) in needs
    grants = granted(names.READER_ROLE)
    assert needs <= grants
    assert {privilege for privilege, _ in grants} == {"select", "monitor"}


def test_the_repairers_role_can_execute_its_statements_and_nothing_else():
    statements = files("ops/rebuild_history.sql", "ops/repair_history.sql", "merge/record_run.sql")
    needs = {need for statement in statements for need in needed(statement)}
    # It owns the stream, as it replaces it.
    grants = granted(names.REPAIRER_ROLE) | {("select", names.RAW_STREAM)}
    assert needs <= grants
    assert {need for need in grants - needs if need[0] != "select"} == set()


def test_the_erasers_role_can_execute_its_statements_and_nothing_else():
    needs = {
        need
        for statement in files(truck_tables.ERASE, truck_tables.COUNT, truck_tables.ASSIGNMENTS)
        for need in needed(statement)
    }
    assert ("delete", names.RAW_TABLE) in needs
    needs |= {("monitor", PIPE)}
    assert needs == granted(names.ERASER_ROLE)


def test_nobody_else_can_delete_readings():
    for role in (names.TRANSFORMER_ROLE, names.REPAIRER_ROLE, names.READER_ROLE):
        assert not {("delete", names.RAW_TABLE), ("truncate", names.RAW_TABLE)} & granted(role)
