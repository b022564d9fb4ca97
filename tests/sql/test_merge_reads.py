"""The rows that the MERGE reads, counted by DuckDB's profile: one wrong clock costs the other trucks nothing."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include import names, sql
from include.local.snowflake.instance import Instance
from include.local.snowflake.merge import compile_merge
from include.local.snowflake.statements import parse

pytestmark = pytest.mark.sql

TRUCKS = 500
HOURS = 200
START = datetime(2026, 11, 1)  # noqa: DTZ001  A TIMESTAMP_NTZ: UTC by convention.
NOW = START + timedelta(hours=HOURS)
ROLLED_OVER = NOW - timedelta(weeks=1024)
WRONG_CLOCK = "TRK000250"


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory):
    """A database with a reading per truck and hour, each a version; the next hour's readings are new."""
    directory: Path = tmp_path_factory.mktemp("reads")
    instance = Instance(directory)
    translator = instance.translator(None, None)
    duck = translator.duck
    instance.attach_new_database(lambda: translator.run(parse("create database READS")))
    duck.execute('CREATE SCHEMA IF NOT EXISTS "READS".PUBLIC')
    instance.complete_database("READS")
    translator.use("READS", "PUBLIC")
    attributes = ", ".join(
        f"'Good' AS {name}" if name.endswith("_STATUS") else f"(HOUR + {number})::DOUBLE AS {name}"
        for number, name in enumerate(sql.ATTRIBUTES)
    )
    reading = f"""
        SELECT printf('TRK%06d', TRUCK) AS TRUCK_ID,
               TIMESTAMP '{START}' + HOUR * INTERVAL 1 HOUR AS EVENT_TIME,
               {attributes},
               'shard' AS SHARD_ID,
               (HOUR * {TRUCKS} + TRUCK)::VARCHAR AS SEQUENCE_NUMBER,
               NULL::INTEGER AS SUB_SEQUENCE_NUMBER,
               EVENT_TIME AS ARRIVAL_TIME,
               EVENT_TIME AS LOAD_TIMESTAMP,
               'file' AS FILE_NAME,
               TRUCK AS FILE_ROW_NUMBER,
               HOUR
    """
    duck.execute(f"""
        CREATE TABLE {names.RAW_TABLE} AS {reading} FROM range({HOURS}) AS H (HOUR), range({TRUCKS}) AS T (TRUCK);
        CREATE TABLE {names.HISTORY_TABLE} AS
            SELECT TRUCK_ID, LOAD_TIMESTAMP, EVENT_TIME AS EFFECTIVE_START_DATE,
                   CASE WHEN HOUR < {HOURS - 1} THEN EVENT_TIME + INTERVAL 1 HOUR END AS EFFECTIVE_END_DATE,
                   HOUR = {HOURS - 1} AS IS_CURRENT, {sql.attributes()}
            FROM {names.RAW_TABLE};
        CREATE TABLE {names.RAW_STREAM} AS {reading} FROM (SELECT {HOURS} AS HOUR), range({TRUCKS}) AS T (TRUCK);
        INSERT INTO {names.RAW_TABLE} FROM {names.RAW_STREAM};
    """)
    yield translator
    translator.close()
    instance.close()


def bound(translator) -> datetime:
    translated = translator.translate(parse(sql.render("merge/earliest_reading.sql")).copy())
    ((earliest,),) = translator.duck.execute(translated.sql("duckdb")).fetchall()
    return earliest


def rows_read(translator, earliest: datetime) -> int:
    """The rows that scans of RAW and of the history return, while the source of the MERGE is computed."""
    statement = sql.render("merge/truck_telemetry_scd2.sql") % {"earliest": f"'{earliest}'"}
    _, source = compile_merge(translator, parse(statement).copy()).stage.split(" AS ", 1)
    ((_, profile),) = translator.duck.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {source}").fetchall()
    return sum(_returned(each) for each in json.loads(profile)["operator"])


def _returned(node: dict[str, Any]) -> int:
    """The rows that scans of the two tables below ``node`` return, after their filters."""
    table = node["extra_info"].get("Table", "").split(".")[-1]
    of_node = node["intermediate_rows"] if table in (names.RAW_TABLE, names.HISTORY_TABLE) else 0
    return of_node + sum(map(_returned, node.get("children", [])))


def test_one_reading_of_2007_does_not_make_the_others_read_everything(translator):
    on_time = bound(translator)
    assert on_time == NOW
    usual = rows_read(translator, on_time)
    assert usual <= 20 * TRUCKS
    for table in (names.RAW_TABLE, names.RAW_STREAM):
        translator.duck.execute(f"""
            INSERT INTO {table}
            SELECT * REPLACE (TIMESTAMP '{ROLLED_OVER}' AS EVENT_TIME) FROM {names.RAW_TABLE}
            WHERE TRUCK_ID = '{WRONG_CLOCK}' AND EVENT_TIME = TIMESTAMP '{NOW}'
        """)
    assert bound(translator) == on_time
    # That truck's readings and versions, and no other's.
    assert rows_read(translator, on_time) <= usual + 4 * (HOURS + 2)
    # With the bound that its reading would set, everything is read.
    assert rows_read(translator, ROLLED_OVER) >= 2 * HOURS * TRUCKS
    # If all readings are so old, a backfill, they set the bound.
    translator.duck.execute(f"DELETE FROM {names.RAW_STREAM} WHERE EVENT_TIME = TIMESTAMP '{NOW}'")
    assert bound(translator) == ROLLED_OVER
