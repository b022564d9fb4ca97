"""What each job's user is refused: what is next to its work.  test_every_statement.py has what it can do."""

from __future__ import annotations

from contextlib import closing

import pytest
import snowflake.connector

from include import names, sql
from include.snowflake_identities import JOBS

pytestmark = pytest.mark.sql

# Not there for this role; there, but not for this; no warehouse; a role that is not granted.
MISSING, INSUFFICIENT, NO_WAREHOUSE, NOT_GRANTED = 2003, 3001, 606, 3013

WRITES = {
    "insert": "insert into {0} select * from {0} where false",
    "delete": "delete from {0} where false",
    "truncate": "truncate table {0}",
    "drop": "drop table {0}",
    "alter": "alter table {0} add column ANOTHER integer",
    "grant": "grant select on table {0} to role PUBLIC",
}
TABLES = (
    names.RAW_TABLE, names.HISTORY_TABLE, names.KNOWN_TRUCKS_TABLE, names.QUALITY_RESULTS_TABLE, names.FINDINGS_TABLE,
    names.MERGE_RUNS_TABLE, names.LEDGER_TABLE, names.ASSIGNMENTS_TABLE, names.ALERTS_TABLE,
)  # fmt: skip
# The tables in which a job may insert or delete; everything else of WRITES it may do nowhere.
MAY_INSERT = {
    "transformer": {*TABLES} - {names.RAW_TABLE},
    "repairer": {names.HISTORY_TABLE, names.MERGE_RUNS_TABLE},
    "reader": set(),
    "eraser": {names.FINDINGS_TABLE},
}
MAY_DELETE = {
    "transformer": {
        names.HISTORY_TABLE,
        names.QUALITY_RESULTS_TABLE,
        names.FINDINGS_TABLE,
        names.MERGE_RUNS_TABLE,
        names.ASSIGNMENTS_TABLE,
        names.ALERTS_TABLE,
    },
    "repairer": {names.HISTORY_TABLE},
    "reader": set(),
    "eraser": {names.RAW_TABLE, names.HISTORY_TABLE, names.KNOWN_TRUCKS_TABLE, names.FINDINGS_TABLE},
}
REFUSED = {
    "transformer": [
        (sql.render("ops/recreate_stream.sql").partition(";")[0], INSUFFICIENT),
        (f"drop pipe {names.PIPE}", INSUFFICIENT),
        (f"use warehouse {names.READER_WAREHOUSE}", MISSING),
        (f"desc integration {names.STORAGE_INTEGRATION}", MISSING),
        (f"alter warehouse {names.WAREHOUSE} set auto_suspend = 3600", INSUFFICIENT),
    ],
    "repairer": [
        (f"select * from {names.QUALITY_RESULTS_TABLE}", MISSING),
        (f"select * from {names.PLAUSIBILITY_STREAM}", MISSING),
        (f"alter pipe {names.PIPE} refresh", MISSING),
        (f"use warehouse {names.READER_WAREHOUSE}", MISSING),
    ],
    "reader": [
        (f"select * from {names.RAW_STREAM}", MISSING),
        (f"alter pipe {names.PIPE} refresh", INSUFFICIENT),
        (f"use warehouse {names.WAREHOUSE}", MISSING),
        ("create temporary table MINE as select 1 as A", None),
        ("create table MINE (A integer)", INSUFFICIENT),
    ],
    "eraser": [
        (f"select * from {names.RAW_STREAM}", MISSING),
        (f"select * from {names.MERGE_RUNS_TABLE}", MISSING),
        (f"update {names.RAW_TABLE} set GPS_SPEED = 0 where false", INSUFFICIENT),
        (f"alter pipe {names.PIPE} set pipe_execution_paused = true", INSUFFICIENT),
    ],
    "deployer": [
        ("create role ANOTHER", INSUFFICIENT),
        ("create user ANOTHER", INSUFFICIENT),
        (f"grant role {names.READER_ROLE} to role PUBLIC", INSUFFICIENT),
        (f"alter user {names.READER_ROLE} set disabled = true", MISSING),
        ("alter account set timezone = 'UTC'", INSUFFICIENT),
    ],
}


@pytest.fixture(scope="module", params=JOBS)
def user(request, provisioned):
    """A job, and a function that returns the number of the error of a statement that its user sends, or None."""
    with closing(provisioned.connect_as(request.param)) as connection:

        def outcome(statement):
            try:
                connection.cursor().execute(statement)
            except snowflake.connector.errors.ProgrammingError as error:
                return error.errno
            return None

        yield request.param, outcome


def test_a_user_is_refused_what_is_next_to_its_work(user):
    job, outcome = user
    expected = dict(REFUSED[job])
    assert {statement: outcome(statement) for statement in expected} == expected
    for role in {names.DEPLOYER_ROLE, names.READER_ROLE, "SYSADMIN", "ACCOUNTADMIN"} - {JOBS[job]}:
        assert outcome(f"use role {role}") == NOT_GRANTED


def test_a_user_writes_its_tables_and_no_others(user):
    job, outcome = user
    if job == "deployer":  # it owns the tables
        return
    allowed = {("insert", table) for table in MAY_INSERT[job]} | {("delete", table) for table in MAY_DELETE[job]}
    done = {(write, table) for write, text in WRITES.items() for table in TABLES if outcome(text.format(table)) is None}
    assert done == allowed


def test_nobody_logs_in_with_a_password_or_as_snowpipe(provisioned):
    for user in (names.READER_ROLE, names.LOADER_ROLE):
        with pytest.raises(snowflake.connector.errors.DatabaseError, match="Incorrect username or password"):
            provisioned.connect(user=user, password="local", role=None)


def test_the_pipe_belongs_to_the_loader_and_the_stream_to_the_repairer(snowflake):
    pipe = snowflake.execute(f"show grants on pipe {names.PIPE}")
    assert [row[5] for row in pipe if row[1] == "OWNERSHIP"] == [names.LOADER_ROLE]
    stream = snowflake.execute(f"show grants on stream {names.RAW_STREAM}")
    assert [row[5] for row in stream if row[1] == "OWNERSHIP"] == [names.REPAIRER_ROLE]
