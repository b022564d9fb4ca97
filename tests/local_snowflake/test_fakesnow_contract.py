"""Assumptions about fakesnow, DuckDB and the connector: on an upgrade, these tests fail first."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import duckdb
import fakesnow.cursor
import pytest
import snowflake.connector.errors
import sqlglot
from fakesnow import info_schema, macros, statement_type
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.converter import from_binding
from fakesnow.instance import FakeSnow
from fakesnow.transforms import show
from sqlglot import exp

from include.local.snowflake.fakesnow_adapter import OnDisk
from include.local.snowflake.stream_offsets import UNCOMMITTED

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]


@pytest.fixture
def duck(tmp_path):
    """A file database without vacuuming, as the instance opens it."""
    with duckdb.connect(config={"max_vacuum_tasks": "0"}) as connection:
        connection.execute(f"ATTACH '{tmp_path}/a.db' AS A; USE A")
        yield connection


def test_the_version_that_the_adapter_was_written_for():
    assert metadata.version("fakesnow") == "0.12.1"
    assert metadata.version("duckdb").startswith("2.0.")
    assert int(metadata.version("snowflake-connector-python").split(".")[0]) < 5


def test_cursor_parts_that_the_adapter_calls():
    cursor = fakesnow.cursor.FakeSnowflakeCursor
    assert list(inspect.signature(cursor._transform).parameters) == ["self", "expression", "params"]
    assert list(inspect.signature(cursor._transform_explode).parameters) == ["self", "expression"]
    assert list(inspect.signature(cursor._execute).parameters) == ["self", "transformed", "params"]
    assert list(inspect.signature(cursor.check_db_and_schema).parameters) == ["self", "expression"]


def test_connection_attributes_that_the_adapter_sets():
    connection = FakeSnow(create_database_on_connect=False, create_schema_on_connect=False).connect("D", "S")
    for name in ("_autocommit", "_duck_conn", "_schema", "database", "database_set", "schema_set", "results_cache"):
        assert hasattr(connection, name), name
    assert isinstance(connection, FakeSnowflakeConnection)
    assert (connection.database, connection.schema, connection.schema_set) == ("D", "S", False)


def test_without_autocommit_bookkeeping_fakesnow_begins_no_transaction():
    assert "if not self._conn._autocommit:" in inspect.getsource(fakesnow.cursor.FakeSnowflakeCursor._execute)


def test_what_an_attached_database_is_given():
    assert "CREATE OR REPLACE MACRO" in macros.creation_sql("D")
    assert "if not exists" in info_schema.per_db_creation_sql("D").lower()
    assert "_fs_global" in info_schema.fs_global_creation_sql() + show.fs_global_creation_sql()
    assert (statement_type.MERGE, statement_type.COPY) == (0x3400, 0x3600)


def test_a_query_is_kept_as_its_text_and_one_that_tells_fakesnow_more_as_it_is(tmp_path):
    translator = OnDisk(tmp_path).translator(None, None)
    plain = translator.prepare(sqlglot.parse_one("SELECT ? AS A", read="snowflake"))
    assert plain.takes_values
    assert isinstance(plain.translated, exp.Command)
    for value in (1, 2):
        rows, columns = translator.execute(plain, [value])
        assert (rows.to_pylist(), [name for name, _ in columns]) == ([{"A": value}], ["A"])
    seeded = translator.prepare(sqlglot.parse_one("SELECT RANDOM(5) AS A", read="snowflake"))
    assert "seed" in seeded.translated.args


def test_notes_of_a_table_are_arguments_of_its_translation():
    """The adapter takes them out and writes them after the commit, as they go to another database."""
    connection = FakeSnow(create_database_on_connect=True).connect("D", "S")
    cursor = fakesnow.cursor.FakeSnowflakeCursor(connection, connection._duck_conn)
    parsed = sqlglot.parse_one("CREATE TABLE T (A VARCHAR(5)) COMMENT = 'x'", read="snowflake")
    arguments = cursor._transform(parsed, None).args
    table, comment = arguments["table_comment"]
    assert (table.name, comment, arguments["text_lengths"]) == ("T", "x", [("A", 5)])
    assert "_fs_global" in info_schema.insert_table_comment_sql("D", "S", "T", comment)
    assert "_fs_global" in info_schema.insert_text_lengths_sql("D", "S", "T", [("A", 5)])


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("2026-11-22", "CAST('2026-11-22' AS TIMESTAMP)"),
        ("2026-11-22 14:00:00.5", "CAST('2026-11-22 14:00:00.5' AS TIMESTAMP)"),
        # Seconds since 1970, for which our macro takes the place of fakesnow's.
        ("1795356000", "_EPOCH_TIMESTAMP('1795356000', 0)"),
    ],
)
def test_a_cast_of_a_time_is_a_macro_that_the_adapter_replaces_where_the_time_is_written_out(
    text, translated, tmp_path
):
    translator = OnDisk(tmp_path).translator(None, None)
    parsed = sqlglot.parse_one(f"SELECT '{text}'::TIMESTAMP_NTZ", read="snowflake")
    assert translator.translate(parsed).expressions[0].sql("duckdb") == translated


def test_what_the_adapter_reads_of_a_cursor_that_ran():
    connection = FakeSnow(create_database_on_connect=True).connect("D", "S")
    cursor = fakesnow.cursor.FakeSnowflakeCursor(connection, connection._duck_conn)
    cursor._execute(cursor._transform(sqlglot.parse_one("SELECT 1 AS A", read="snowflake"), None))
    assert cursor._arrow_table.to_pylist() == [{"A": 1}]
    assert cursor._sfqid
    assert from_binding({"type": "FIXED", "value": "5"}) == 5


def test_a_database_is_a_file_of_its_name_and_one_in_use_has_its_own_error(tmp_path):
    snow = FakeSnow(create_database_on_connect=False, create_schema_on_connect=False, db_path=tmp_path)
    connection = snow.connect()
    cursor = fakesnow.cursor.FakeSnowflakeCursor(connection, connection._duck_conn)

    def create():
        cursor._execute(cursor._transform(sqlglot.parse_one("CREATE DATABASE D", read="snowflake"), None))

    create()
    assert (tmp_path / "D.db").exists()
    reader = snow.duck_conn.cursor()
    reader.execute("BEGIN; CREATE TABLE D.main.T (A INTEGER)")
    snow.duck_conn.cursor().execute("DETACH D")
    with pytest.raises(snowflake.connector.errors.ProgrammingError) as raised:
        create()
    assert isinstance(raised.value.__cause__, duckdb.ResourceInUseException)
    reader.execute("ROLLBACK")
    create()


def test_ddl_is_rolled_back_with_the_rest(duck):
    duck.execute("CREATE TABLE T AS SELECT 1 AS A; CREATE TABLE NOTES (TEXT VARCHAR)")
    duck.execute("BEGIN; CREATE OR REPLACE TABLE T AS SELECT 'x' AS B; INSERT INTO NOTES VALUES ('replaced'); ROLLBACK")
    assert duck.execute("SELECT A, (SELECT count(*) FROM NOTES) FROM T").fetchone() == (1, 0)


def test_a_temporary_table_hides_another_and_belongs_to_its_connection(duck):
    duck.execute("CREATE TABLE T AS SELECT 1 AS A; CREATE TEMPORARY TABLE T AS SELECT 2 AS A")
    assert duck.execute("SELECT A FROM T").fetchone() == (2,)
    assert duck.cursor().execute("SELECT A FROM A.main.T").fetchone() == (1,)


@pytest.mark.parametrize(
    ("sql", "node"),
    [
        ("SELECT * FROM TABLE(VALIDATE(T, JOB_ID => _last))", exp.TableFromRows),
        ("SELECT * FROM T AT (OFFSET => -60)", exp.HistoricalData),
        ("SELECT TO_VARCHAR(A, 'YYYY') FROM T", exp.ToChar),
        ("ALTER TABLE T RENAME TO U", exp.AlterRename),
        ("CREATE TABLE T (A INTEGER) DATA_RETENTION_TIME_IN_DAYS = 1", exp.Property),
        ("CREATE TEMP TABLE T (A INTEGER)", exp.TemporaryProperty),
        ("SELECT CURRENT_DATABASE()", exp.CurrentDatabase),
    ],
)
def test_sqlglots_node_for_a_statement(sql, node):
    assert sqlglot.parse_one(sql, read="snowflake").find(node)


def test_row_ids_survive_deletes_checkpoints_and_a_restart(duck, tmp_path):
    duck.execute("CREATE TABLE T AS SELECT i FROM range(400000) r(i)")
    duck.execute("DELETE FROM T WHERE i % 3 = 0; CHECKPOINT A")
    duck.execute("DELETE FROM T WHERE i < 150000; CHECKPOINT A")
    duck.execute(f"USE memory; DETACH A; ATTACH '{tmp_path}/a.db' AS A; USE A")
    assert duck.execute("SELECT count(*), count(*) FILTER (rowid <> i) FROM T").fetchone() == (166666, 0)


def test_new_row_ids_are_above_all_that_are_left(duck, tmp_path):
    duck.execute("CREATE TABLE T AS SELECT i FROM range(400000) r(i)")
    for kept in (350000, 130000, 7, 0):
        duck.execute(f"DELETE FROM T WHERE i >= {kept}; CHECKPOINT A")
        duck.execute(f"USE memory; DETACH A; ATTACH '{tmp_path}/a.db' AS A; USE A")
        (last,) = duck.execute("SELECT coalesce(max(rowid), -1) FROM T").fetchone()
        duck.execute("INSERT INTO T VALUES (1000000)")
        assert duck.execute("SELECT rowid FROM T WHERE i = 1000000").fetchone()[0] > last


def test_row_ids_follow_the_order_of_commits(duck):
    duck.execute("CREATE TABLE T (i INTEGER)")
    first, second = duck.cursor(), duck.cursor()
    for connection in (first, second):
        connection.execute("USE A; BEGIN")
    first.execute("INSERT INTO T VALUES (1)")
    second.execute("INSERT INTO T VALUES (2)")
    assert first.execute("SELECT min(rowid) FROM T").fetchone()[0] >= UNCOMMITTED
    second.execute("COMMIT")
    first.execute("COMMIT")
    assert duck.execute("SELECT i FROM T ORDER BY rowid").fetchall() == [(2,), (1,)]


def test_an_update_leaves_the_row_where_it_is(duck):
    duck.execute("CREATE TABLE T AS SELECT i, 'a' AS s, 1.5::DOUBLE AS f FROM range(10) r(i)")
    duck.execute("UPDATE T SET s = 'a much longer text', f = 2, i = i + 100")
    assert duck.execute("SELECT count(*) FROM T WHERE rowid = i - 100").fetchone() == (10,)


def test_a_variable_prunes_like_a_literal(duck):
    duck.execute("CREATE TABLE T AS SELECT i FROM range(10) r(i)")
    duck.execute("SET VARIABLE low = 5::BIGINT")
    plan = duck.execute("EXPLAIN SELECT * FROM T WHERE rowid > getvariable('low')").fetchone()[1]
    assert "rowid > 5" in plan.replace("\n", " ")


def test_duckdbs_merge_names_its_actions_and_refuses_ambiguous_rows(duck):
    duck.execute("CREATE TABLE T (i INTEGER, v INTEGER)")
    duck.execute("INSERT INTO T VALUES (1, 1), (2, 2)")
    merge = (
        "MERGE INTO T USING S ON T.i = S.i WHEN MATCHED AND S.v = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = S.v"
        " WHEN NOT MATCHED THEN INSERT (i, v) VALUES (S.i, S.v) RETURNING merge_action"
    )
    duck.execute("CREATE TEMP TABLE S AS SELECT * FROM (VALUES (1, 0), (2, 5), (3, 3)) s(i, v)")
    assert sorted(duck.execute(merge).fetchall()) == [("DELETE",), ("INSERT",), ("UPDATE",)]
    duck.execute("INSERT INTO S VALUES (2, 6)")
    with pytest.raises(duckdb.InvalidInputException, match="cannot affect the same target row more than once"):
        duck.execute(merge)


def test_try_in_a_struct_tells_an_error_from_null(duck):
    sql = "SELECT try(struct_pack(v := 'x'::INTEGER)) IS NULL, try(struct_pack(v := NULL::INTEGER)) IS NULL"
    assert duck.execute(sql).fetchone() == (True, False)


@pytest.mark.parametrize("text", ["SYSTEM$STREAM_HAS_DATA('S')", "SYSTEM$PIPE_STATUS('P')"])
def test_system_functions_parse_as_functions(text):
    assert isinstance(sqlglot.parse_one(f"SELECT {text}", read="snowflake").selects[0], exp.Anonymous)


# The dialect takes its time to load, and the second statement comes meanwhile.
FIRST_STATEMENTS = """
import threading, time
import include.local.snowflake.server
import sqlglot
from sqlglot.dialects import dialect

new_trie = dialect.new_trie
dialect.new_trie = lambda *args, **kwargs: (time.sleep(0.05), new_trie(*args, **kwargs))[1]
statement = sqlglot.parse_one("select dateadd('day', -1, current_timestamp())", read="snowflake")
written = []
threads = [threading.Thread(target=lambda: written.append(statement.copy().sql("duckdb"))) for _ in range(2)]
for thread in threads:
    thread.start()
    time.sleep(0.15)
for thread in threads:
    thread.join()
print(*written, sep="\\n")
"""


def test_the_first_statements_of_two_sessions_are_both_written_in_duckdbs_dialect():
    output = subprocess.run(
        [sys.executable, "-c", FIRST_STATEMENTS], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True, capture_output=True, text=True, timeout=120,
    ).stdout  # fmt: skip
    assert output.splitlines() == ["SELECT CURRENT_TIMESTAMP + INTERVAL (-1) DAY"] * 2
