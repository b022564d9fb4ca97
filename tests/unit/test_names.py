"""The names that the SQL creates are those of include/names.py.

tests/unit/cloudformation compares those in the template.
"""

from __future__ import annotations

import re

import pytest

from include import names, sql

pytestmark = pytest.mark.unit

CREATED = {
    "warehouse": {names.WAREHOUSE, names.READER_WAREHOUSE},
    "database": {names.DATABASE},
    "schema": {names.SCHEMA},
    "storage integration": {names.STORAGE_INTEGRATION},
    "file format": {names.FILE_FORMAT},
    "stage": {names.STAGE},
    "pipe": {names.PIPE},
    "stream": {names.RAW_STREAM, names.PLAUSIBILITY_STREAM},
    "table": {
        names.RAW_TABLE,
        names.HISTORY_TABLE,
        names.KNOWN_TRUCKS_TABLE,
        names.QUALITY_RESULTS_TABLE,
        names.FINDINGS_TABLE,
        names.MERGE_RUNS_TABLE,
        names.LEDGER_TABLE,
        names.ALERTS_TABLE,
        names.ASSIGNMENTS_TABLE,
        names.WRITERS_TABLE,
    },
    "view": {names.FLEET_VIEW, names.TRUCK_HISTORY_VIEW},
}


@pytest.mark.parametrize("kind", CREATED)
def test_ddl_creates_the_declared_snowflake_objects(kind):
    files = sorted(sql.SQL_DIRECTORY.glob("ddl/*.sql"))
    text = "\n".join(sql.render(f"ddl/{file.name}", storage_role_arn="", telemetry_bucket="") for file in files)
    created = re.findall(rf"^create (?:or replace |transient )?{kind} (?:if not exists )?([\w.]+)", text, re.I | re.M)
    assert {name.rpartition(".")[2].upper() for name in created} == CREATED[kind]
