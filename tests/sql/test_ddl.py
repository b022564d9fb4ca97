"""The DDL creates the objects of names.py and the contracts, once, and the pipe loads a landing file."""

import gzip
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from include import names, sql
from include.contracts import METRICS
from include.pipe_and_stream import problem_of_stream
from include.pipe_replacement import PIPE_DDL, replace_outdated_pipe
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.sql

PARAMETERS = {"storage_role_arn": "arn", "telemetry_bucket": "bucket"}
CREATED = re.compile(
    r"^create (?:or replace (?=view ))?(?P<kind>[a-z ]+?)(?: if not exists|(?<=view)) (?P<name>[\w.]+)", re.M
)
IN_SCHEMA = f"{names.DATABASE}.{names.SCHEMA}."
METRIC_COLUMNS = [(metric.name.upper(), "FLOAT" if metric.kind == "number" else "VARCHAR") for metric in METRICS]


def ddl():
    files = sorted((sql.SQL_DIRECTORY / "ddl").glob("*.sql"))
    assert files
    return "\n".join(sql.render(f"ddl/{file.name}", **PARAMETERS) for file in files)


def columns(snowflake, table):
    """Name and type, without a type's length or precision."""
    return [(row[0], re.sub(r"\(.*\)", "", row[1])) for row in snowflake.execute(f"describe table {table}")]


def test_objects_are_those_of_names_py():
    created = {(found["kind"], found["name"]) for found in CREATED.finditer(ddl())}
    assert created == {
        ("warehouse", names.WAREHOUSE),
        ("warehouse", names.READER_WAREHOUSE),
        ("database", names.DATABASE),
        ("schema", f"{names.DATABASE}.{names.SCHEMA}"),
        ("file format", IN_SCHEMA + names.FILE_FORMAT),
        ("storage integration", names.STORAGE_INTEGRATION),
        ("stage", IN_SCHEMA + names.STAGE),
        ("pipe", IN_SCHEMA + names.PIPE),
        ("stream", IN_SCHEMA + names.RAW_STREAM),
        ("stream", IN_SCHEMA + names.PLAUSIBILITY_STREAM),
        ("table", IN_SCHEMA + names.RAW_TABLE),
        ("table", IN_SCHEMA + names.HISTORY_TABLE),
        ("table", IN_SCHEMA + names.KNOWN_TRUCKS_TABLE),
        ("transient table", IN_SCHEMA + names.QUALITY_RESULTS_TABLE),
        ("transient table", IN_SCHEMA + names.FINDINGS_TABLE),
        ("transient table", IN_SCHEMA + names.MERGE_RUNS_TABLE),
        ("table", IN_SCHEMA + names.LEDGER_TABLE),
        ("table", IN_SCHEMA + names.ASSIGNMENTS_TABLE),
        ("table", IN_SCHEMA + names.ALERTS_TABLE),
        ("transient table", IN_SCHEMA + names.WRITERS_TABLE),
        ("view", IN_SCHEMA + names.FLEET_VIEW),
        ("view", IN_SCHEMA + names.TRUCK_HISTORY_VIEW),
    }


def test_nothing_that_has_a_state_is_ever_replaced_or_dropped():
    code = re.sub(r"--.*", "", ddl())
    # CREATE PIPE and CREATE STREAM are also privileges.
    assert len(re.findall(r"^create\b", code, re.M)) == len(CREATED.findall(code))
    # A view has neither rows nor a position.
    assert not re.search(r"\b(replace|drop)\b", code.replace("create or replace view", "create view"))


def test_landing_prefix_is_the_one_that_is_written():
    assert f"'s3://bucket/{names.LANDING_PREFIX}'" in ddl()


def test_units_in_the_comments_are_those_of_the_contracts():
    for file in ("040_raw.sql", "050_history.sql"):
        text = sql.render(f"ddl/{file}")
        for metric in METRICS:
            unit = re.search(rf"^    {metric.name.upper()} \w+ comment '([^':]*)", text, re.MULTILINE)
            assert unit, f"{metric.name} in {file}"
            assert unit[1] == metric.unit, f"{metric.name} in {file}"


def test_columns_of_the_history(snowflake):
    assert columns(snowflake, names.HISTORY_TABLE) == [
        ("TRUCK_ID", "VARCHAR"),
        ("LOAD_TIMESTAMP", "TIMESTAMP_NTZ"),
        ("EFFECTIVE_START_DATE", "TIMESTAMP_NTZ"),
        ("EFFECTIVE_END_DATE", "TIMESTAMP_NTZ"),
        ("IS_CURRENT", "BOOLEAN"),
        *METRIC_COLUMNS,
    ]


RAW_COLUMNS = [
    ("TRUCK_ID", "VARCHAR"),
    ("EVENT_TIME", "TIMESTAMP_NTZ"),
    *METRIC_COLUMNS,
    ("STREAM_NAME", "VARCHAR"),
    ("SHARD_ID", "VARCHAR"),
    ("SEQUENCE_NUMBER", "VARCHAR"),
    ("ARRIVAL_TIME", "TIMESTAMP_NTZ"),
    ("PARTITION_KEY", "VARCHAR"),
    ("FILE_NAME", "VARCHAR"),
    ("FILE_ROW_NUMBER", "NUMBER"),
    ("LOAD_TIMESTAMP", "TIMESTAMP_NTZ"),
    ("SUB_SEQUENCE_NUMBER", "NUMBER"),
    ("NULLED_METRICS", "VARCHAR"),
]


def test_columns_of_raw(snowflake):
    assert columns(snowflake, names.RAW_TABLE) == RAW_COLUMNS


def state(snowflake):
    """What a second run of the DDL could break: rows, the stream's offset, the handshake, the pipe's queue."""
    tables = (names.HISTORY_TABLE, names.RAW_TABLE, names.RAW_STREAM, names.KNOWN_TRUCKS_TABLE)
    return {
        **{table: snowflake.execute(f"select TRUCK_ID from {table} order by 1") for table in tables},
        "integration": snowflake.execute(f"desc integration {names.STORAGE_INTEGRATION}"),
        "pipe": snowflake.execute(f"desc pipe {names.PIPE}"),
    }


def reading(truck, number):
    now = datetime.now(UTC).replace(tzinfo=None)
    return {
        "TRUCK_ID": truck, "EVENT_TIME": now, "ARRIVAL_TIME": now, "SEQUENCE_NUMBER": str(number),
        "FILE_NAME": f"telemetry-data/{number}", "FILE_ROW_NUMBER": 1, "LOAD_TIMESTAMP": now,
    }  # fmt: skip


def test_a_second_run_changes_nothing(empty_snowflake, provision):
    empty_snowflake.land([reading("merged", 1)])
    empty_snowflake.merge()
    empty_snowflake.land([reading("waiting", 2)])
    empty_snowflake.execute(f"delete from {names.KNOWN_TRUCKS_TABLE} where TRUCK_ID = 'TRK002'")
    before = state(empty_snowflake)
    try:
        provision(empty_snowflake)
        assert state(empty_snowflake) == before
        assert before[names.RAW_STREAM] == [("waiting",)]
        assert before[names.KNOWN_TRUCKS_TABLE] == [("TRK001",), ("TRK003",)]
    finally:
        empty_snowflake.insert(
            names.KNOWN_TRUCKS_TABLE, ("TRUCK_ID", "REGISTERED_AT"), [("TRK002", datetime.now(UTC).isoformat())]
        )


def test_a_column_that_came_later_arrives_in_an_old_table_and_its_rows_stay(empty_snowflake, provision):
    expected = columns(empty_snowflake, names.RAW_TABLE)
    empty_snowflake.land([reading("old", 1)])
    empty_snowflake.execute(f"alter table {names.RAW_TABLE} drop column NULLED_METRICS")
    provision(empty_snowflake)
    assert sorted(columns(empty_snowflake, names.RAW_TABLE)) == sorted(expected)
    assert empty_snowflake.execute(f"select TRUCK_ID, NULLED_METRICS from {names.RAW_TABLE}") == [("old", None)]
    empty_snowflake.merge()
    assert [version.truck_id for version in empty_snowflake.history()] == ["old"]


def line(truck, **metrics):
    return {
        "truck_id": truck,
        "event_time": "2026-11-22T10:00:00.123456",
        **{metric.name: metrics.get(metric.name) for metric in METRICS},
        "stream_name": names.TRUCK_STREAM,
        "shard_id": "shardId-000000000000",
        "sequence_number": "49590338271490256608559692538361571095921575989136588898",
        "arrival_time": "2026-11-22T10:00:01.000000",
        "partition_key": truck,
    }


def test_the_pipe_loads_a_landing_file_in_utc(empty_snowflake, telemetry_bucket):
    values = {metric.name: "Good" if metric.kind == "text" else 1.5 + i for i, metric in enumerate(METRICS)}
    nulled = {"nulled_metrics": {"gps_latitude": "-200", "brake_status": "''"}}
    body = "\n".join(json.dumps(row) for row in (line("TRK001", **values), line("TRK002") | nulled))
    key = f"{names.LANDING_PREFIX}2026/11/22/10/shardId-000000000000-1-2-0123456789abcdef.json.gz"
    before = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    telemetry_bucket.put(key, gzip.compress(body.encode()))
    empty_snowflake.execute(f"alter pipe {names.PIPE} refresh")

    listed = ", ".join(name for name, _ in RAW_COLUMNS)
    rows = wait_for(
        lambda: empty_snowflake.execute(f"select {listed} from {names.RAW_TABLE} order by TRUCK_ID"),
        f"the load of {key}",
    )
    after = datetime.now(UTC).replace(tzinfo=None)
    for number, (row, metrics) in enumerate(zip(rows, (values, {}), strict=True), start=1):
        *loaded, load_timestamp, position, nulled_metrics = row
        assert loaded == [
            f"TRK00{number}",
            datetime(2026, 11, 22, 10, 0, 0, 123456),  # noqa: DTZ001
            *(metrics.get(metric.name) for metric in METRICS),
            names.TRUCK_STREAM,
            "shardId-000000000000",
            "49590338271490256608559692538361571095921575989136588898",
            datetime(2026, 11, 22, 10, 0, 1),  # noqa: DTZ001
            f"TRK00{number}",
            key,
            number,
        ]
        assert position is None
        assert before <= load_timestamp <= after
        assert json.loads(nulled_metrics or "{}") == (nulled["nulled_metrics"] if number == 2 else {})


def test_an_older_deployment_gets_the_new_column_and_a_pipe_that_loads_it(empty_snowflake, provision, telemetry_bucket):
    """As DESC PIPE shows an older pipe: without the column, and laid out in another way."""
    rendered = sql.render(PIPE_DDL)
    older = "create or replace pipe" + re.sub(r"--.*", "", rendered).partition("create pipe if not exists")[2]
    older = re.sub(r",\s*(SUB_SEQUENCE_NUMBER|NULLED_METRICS)\b", "", older)
    older = re.sub(r",\s*\$1:(sub_sequence_number::integer|nulled_metrics::string)", "", older)
    empty_snowflake.land([reading("merged", 1)])
    empty_snowflake.merge()
    empty_snowflake.execute(f"use role {names.LOADER_ROLE}")
    empty_snowflake.execute(re.sub(r"\s+", " ", older.partition(";")[0]))
    empty_snowflake.execute(f"use role {names.DEPLOYER_ROLE}")
    empty_snowflake.execute(f"alter table {names.RAW_TABLE} drop column SUB_SEQUENCE_NUMBER")
    try:
        body = json.dumps(line("TRK001") | {"sub_sequence_number": 3})
        telemetry_bucket.put(f"{names.LANDING_PREFIX}2026/11/22/10/waiting.json.gz", gzip.compress(body.encode()))

        provision(empty_snowflake)
        assert replace_outdated_pipe(empty_snowflake.connection, rendered) >= {"sub_sequence_number", "nulled_metrics"}
        assert replace_outdated_pipe(empty_snowflake.connection, rendered) == set()

        found = f"select TRUCK_ID, SUB_SEQUENCE_NUMBER from {names.RAW_TABLE} order by 1"
        expected = [("TRK001", 3), ("merged", None)]
        wait_for(lambda: empty_snowflake.execute(found) == expected, "the file that the older pipe had not loaded")
        empty_snowflake.merge()
        assert [version.truck_id for version in empty_snowflake.history()] == ["TRK001", "merged"]
    finally:
        provision(empty_snowflake)
        replace_outdated_pipe(empty_snowflake.connection, rendered)


def test_a_copy_of_the_schema_with_streams_of_the_same_names_confuses_nobody(snowflake):
    for statement in ("create schema COPIED", "create table COPIED.READINGS (TRUCK_ID string)"):
        snowflake.execute(statement)
    snowflake.execute(f"use schema {names.SCHEMA}")
    snowflake.execute(f"create stream COPIED.{names.RAW_STREAM} on table COPIED.READINGS append_only = true")
    try:
        assert problem_of_stream(snowflake.connection, names.RAW_STREAM) is None
    finally:
        snowflake.execute("drop schema COPIED")
