"""Append-only streams: the rows that they return, and when their offset moves."""

from __future__ import annotations

import threading

import pytest

from include.local.snowflake.instance import Instance
from include.local.snowflake.session import Session

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _tables(warehouse):
    warehouse.rows("CREATE TABLE SOURCE (ID INTEGER)")
    warehouse.rows("CREATE TABLE SINK (ID INTEGER)")
    warehouse.rows("INSERT INTO SOURCE VALUES (1), (2)")
    warehouse.rows("CREATE STREAM NEW_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE COMMENT = 'new'")


def stream(warehouse):
    return [row[0] for row in warehouse.rows("SELECT ID FROM NEW_ROWS ORDER BY 1")]


def sink(warehouse):
    return [row[0] for row in warehouse.rows("SELECT ID FROM SINK ORDER BY 1")]


def token(warehouse):
    return warehouse.value("SELECT SYSTEM$STREAM_GET_TABLE_TIMESTAMP('NEW_ROWS')")


def has_data(warehouse):
    return warehouse.value("SELECT SYSTEM$STREAM_HAS_DATA('NEW_ROWS')")


CONSUME = "INSERT INTO SINK SELECT ID FROM NEW_ROWS"


def test_begins_at_the_tip_and_select_never_consumes(warehouse):
    assert stream(warehouse) == []
    assert has_data(warehouse) is False
    before = token(warehouse)
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    assert stream(warehouse) == stream(warehouse) == [3]
    assert has_data(warehouse) is True
    assert token(warehouse) == before
    assert warehouse.rows('SELECT "METADATA$ACTION", METADATA$ISUPDATE FROM NEW_ROWS') == [("INSERT", False)]


def test_a_stream_is_read_wherever_a_query_names_it(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    for query in (
        "SELECT ID FROM NEW_ROWS UNION ALL SELECT ID FROM NEW_ROWS",
        "(SELECT ID FROM NEW_ROWS) UNION ALL SELECT 3",
        "WITH N AS (SELECT ID FROM NEW_ROWS) SELECT ID FROM N UNION ALL SELECT ID FROM N",
        "SELECT N.ID FROM NEW_ROWS N, (SELECT 1 UNION ALL SELECT 2)",
    ):
        assert warehouse.rows(query) == [(3,), (3,)]
    assert stream(warehouse) == [3]


def test_show_initial_rows(warehouse):
    warehouse.rows("CREATE STREAM ALL_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = TRUE")
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    assert warehouse.rows("SELECT ID FROM ALL_ROWS ORDER BY 1") == [(1,), (2,)]
    warehouse.rows("INSERT INTO SINK SELECT ID FROM ALL_ROWS")
    assert warehouse.rows("SELECT ID FROM ALL_ROWS") == [(3,)]


@pytest.mark.parametrize("clean", ["DELETE FROM SOURCE", "TRUNCATE TABLE SOURCE", "UPDATE SOURCE SET ID = ID + 10"])
def test_initial_rows_and_later_ones_survive_a_deletion(warehouse, clean):
    warehouse.rows("CREATE STREAM ALL_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = TRUE")
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    warehouse.rows(clean)
    warehouse.rows("INSERT INTO SOURCE VALUES (4)")
    warehouse.rows(clean)
    warehouse.rows("INSERT INTO SOURCE VALUES (5)")
    assert warehouse.rows("SELECT ID FROM ALL_ROWS ORDER BY 1") == [(1,), (2,)]
    warehouse.rows("INSERT INTO SINK SELECT ID FROM ALL_ROWS")
    assert warehouse.rows("SELECT ID FROM ALL_ROWS ORDER BY 1") == [(3,), (4,), (5,)]
    warehouse.rows("INSERT INTO SINK SELECT ID FROM ALL_ROWS")
    assert warehouse.rows("SELECT ID FROM ALL_ROWS") == []
    warehouse.rows("DROP STREAM ALL_ROWS")


def test_a_table_without_rows_has_no_initial_ones(warehouse):
    warehouse.rows("DELETE FROM SOURCE")
    warehouse.rows("CREATE STREAM ALL_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = TRUE")
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    assert warehouse.rows("SELECT ID FROM ALL_ROWS") == [(3,)]


def test_the_function_may_say_that_an_empty_stream_has_data(tmp_path):
    instance = Instance(tmp_path, streams_may_err=True)
    session = Session(instance)
    for statement in (
        "CREATE DATABASE D",
        "CREATE TABLE T (ID INTEGER)",
        "CREATE STREAM S ON TABLE T APPEND_ONLY = TRUE",
    ):
        session.execute(statement)
    assert session.execute("SELECT SYSTEM$STREAM_HAS_DATA('S')").table.column(0).to_pylist() == [True]
    instance.close()


def test_a_dml_consumes_once_and_the_token_changes_exactly_then(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    before = token(warehouse)
    warehouse.rows(CONSUME)
    after = token(warehouse)
    assert after > before
    warehouse.rows(CONSUME)
    assert token(warehouse) == after
    assert sink(warehouse) == [3]
    assert stream(warehouse) == []


def test_create_table_as_consumes(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    warehouse.rows("CREATE TABLE COPIED AS SELECT * FROM NEW_ROWS")
    assert stream(warehouse) == []
    assert warehouse.value("SELECT ID FROM COPIED") == 3


def test_two_streams_have_offsets_of_their_own(warehouse):
    warehouse.rows("CREATE STREAM OTHER ON TABLE SOURCE APPEND_ONLY = TRUE")
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    warehouse.rows(CONSUME)
    assert warehouse.rows("SELECT ID FROM OTHER") == [(3,)]


def test_failed_statement_does_not_consume(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    before = token(warehouse)
    warehouse.error("INSERT INTO SINK SELECT 'x'::INTEGER FROM NEW_ROWS")
    assert (stream(warehouse), token(warehouse)) == ([3], before)


def test_rollback_keeps_the_rows_in_the_stream_and_commit_removes_them(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    for end, left in (("ROLLBACK", [3]), ("COMMIT", [])):
        warehouse.rows("BEGIN")
        warehouse.rows(CONSUME)
        warehouse.rows(end)
        assert stream(warehouse) == left
    assert sink(warehouse) == [3]


def test_a_transaction_reads_the_stream_as_it_was(warehouse):
    """Two DML in one transaction see the same rows; rows that others commit meanwhile come the next time."""
    other = warehouse.connect()
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    warehouse.rows("BEGIN")
    warehouse.rows(CONSUME)
    other.cursor().execute("INSERT INTO SOURCE VALUES (4)")
    warehouse.rows(CONSUME)
    warehouse.rows("COMMIT")
    assert sink(warehouse) == [3, 3]
    assert stream(warehouse) == [4]


def test_own_uncommitted_rows_are_not_in_the_stream(warehouse):
    warehouse.rows("BEGIN")
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    warehouse.rows(CONSUME)
    warehouse.rows("COMMIT")
    assert sink(warehouse) == []
    assert stream(warehouse) == [3]


@pytest.mark.parametrize(
    "removal",
    [
        "DELETE FROM SOURCE WHERE ID = 2",
        "DELETE FROM SOURCE",
        "TRUNCATE TABLE SOURCE",
        "DELETE FROM SOURCE WHERE ID > 2",
    ],
)
def test_survives_deletes_on_the_table(warehouse, removal):
    """Rows that were inserted and then deleted are still returned; so are rows after the deletion, each once."""
    warehouse.rows("INSERT INTO SOURCE VALUES (3), (4)")
    warehouse.rows(removal)
    warehouse.rows("INSERT INTO SOURCE VALUES (5)")
    assert stream(warehouse) == [3, 4, 5]
    warehouse.rows("DELETE FROM SOURCE WHERE ID = 5")
    warehouse.rows("INSERT INTO SOURCE VALUES (6)")
    assert has_data(warehouse) is True
    warehouse.rows(CONSUME)
    assert sink(warehouse) == [3, 4, 5, 6]
    assert stream(warehouse) == []
    warehouse.rows("INSERT INTO SOURCE VALUES (7)")
    assert stream(warehouse) == [7]


def test_rolled_back_delete_changes_nothing(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    warehouse.rows("BEGIN")
    warehouse.rows("DELETE FROM SOURCE")
    warehouse.rows("ROLLBACK")
    assert stream(warehouse) == [3]


def test_a_stream_with_kept_rows_has_the_columns_of_its_table(warehouse):
    warehouse.rows("CREATE STREAM ALL_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE SHOW_INITIAL_ROWS = TRUE")
    warehouse.rows("INSERT INTO SOURCE VALUES (3), (4)")
    warehouse.rows("DELETE FROM SOURCE WHERE ID = 3")
    warehouse.rows("ALTER TABLE SOURCE ADD COLUMN NAME STRING")
    warehouse.rows("INSERT INTO SOURCE VALUES (5, 'five')")
    assert warehouse.rows("SELECT ID, NAME FROM NEW_ROWS ORDER BY 1") == [(3, None), (4, None), (5, "five")]
    warehouse.rows("DELETE FROM SOURCE WHERE ID >= 4")
    warehouse.rows("ALTER TABLE SOURCE RENAME COLUMN NAME TO CALLED")
    warehouse.rows("ALTER TABLE SOURCE ALTER COLUMN ID SET DATA TYPE NUMBER(20, 0)")
    assert warehouse.rows("SELECT ID, CALLED FROM NEW_ROWS ORDER BY 1") == [(3, None), (4, None), (5, "five")]
    warehouse.rows("ALTER TABLE SOURCE DROP COLUMN CALLED")
    assert stream(warehouse) == [3, 4, 5]
    warehouse.rows("CREATE TABLE INITIAL AS SELECT ID FROM ALL_ROWS")
    assert warehouse.rows("SELECT ID FROM INITIAL ORDER BY 1") == [(1,), (2,)]
    assert warehouse.rows("SELECT ID FROM ALL_ROWS ORDER BY 1") == [(3,), (4,), (5,)]


def test_update_and_merge_into_the_table_are_not_inserts(warehouse):
    warehouse.rows("UPDATE SOURCE SET ID = 10 WHERE ID = 1")
    assert stream(warehouse) == []
    warehouse.rows(
        "MERGE INTO SOURCE USING (SELECT 2 AS K UNION ALL SELECT 30) N ON SOURCE.ID = N.K"
        " WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (ID) VALUES (N.K)"
    )
    assert stream(warehouse) == [30]


def test_replaced_stream_has_a_new_token_and_no_rows(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    before = token(warehouse)
    warehouse.rows("CREATE STREAM IF NOT EXISTS NEW_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE")
    assert token(warehouse) == before
    warehouse.rows("CREATE OR REPLACE STREAM NEW_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE")
    assert token(warehouse) > before
    assert stream(warehouse) == []


def test_replaced_table_makes_it_stale(warehouse):
    warehouse.rows("CREATE OR REPLACE TABLE SOURCE (ID INTEGER)")
    assert "cannot read from stream 'NEW_ROWS'" in warehouse.error("SELECT * FROM NEW_ROWS").msg
    shown = warehouse.connection.cursor().execute("SHOW STREAMS IN SCHEMA")
    row = dict(zip([column[0] for column in shown.description], shown.fetchone(), strict=True))
    assert (row["name"], row["stale"], row["mode"], row["comment"]) == ("NEW_ROWS", "true", "APPEND_ONLY", "new")


def test_dropped_table_makes_it_stale_until_both_are_there_again(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    warehouse.rows("DROP TABLE SOURCE")
    assert warehouse.rows("SHOW STREAMS IN SCHEMA")[0][10] == "true"
    for _ in range(2):
        error = warehouse.error("SELECT * FROM NEW_ROWS")
        assert (error.errno, "SOURCE' dropped" in error.msg) == (91901, True)
        warehouse.rows("CREATE TABLE IF NOT EXISTS SOURCE (ID INTEGER)")
    warehouse.rows("CREATE OR REPLACE STREAM NEW_ROWS ON TABLE SOURCE APPEND_ONLY = TRUE")
    warehouse.rows("INSERT INTO SOURCE VALUES (4)")
    assert stream(warehouse) == [4]


def test_the_stream_in_a_cte_of_its_name_is_the_stream(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    inner = "WITH NEW_ROWS AS (SELECT ID FROM NEW_ROWS) SELECT ID + 1 FROM NEW_ROWS"
    assert warehouse.rows(f"SELECT * FROM ({inner})") == warehouse.rows(inner) == [(4,)]
    beside = "SELECT X.ID, NEW_ROWS.ID FROM (WITH NEW_ROWS AS (SELECT 7 AS ID) SELECT ID FROM NEW_ROWS) X, NEW_ROWS"
    assert warehouse.rows(beside) == [(7, 3)]


def test_a_cte_of_the_same_name_is_not_the_stream(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (3)")
    warehouse.rows("INSERT INTO SINK WITH NEW_ROWS AS (SELECT 9 AS ID) SELECT ID FROM NEW_ROWS")
    assert (sink(warehouse), stream(warehouse)) == ([9], [3])


@pytest.mark.parametrize("rows", [60, pytest.param(500, marks=pytest.mark.verify)])
def test_a_query_sees_a_table_and_its_stream_at_one_moment(warehouse, rows):
    done = threading.Event()

    def insert() -> None:
        try:
            with warehouse.connect() as other:
                for number in range(3, 3 + rows):
                    other.cursor().execute(f"INSERT INTO SOURCE VALUES ({number})")
        finally:
            done.set()

    thread = threading.Thread(target=insert)
    thread.start()
    while not done.is_set():
        assert warehouse.rows("SELECT ID FROM SOURCE WHERE ID > 2 AND ID NOT IN (SELECT ID FROM NEW_ROWS)") == []
    thread.join()
    assert len(stream(warehouse)) == rows


def test_concurrent_consumers_get_each_row_once(warehouse):
    """Two consume while a third inserts: no row is lost, none is doubled."""
    failures: list[BaseException] = []

    def work(statement: str, times: int) -> None:
        try:
            connection = warehouse.connect()
            for number in range(times):
                connection.cursor().execute(statement.format(number=100 + number))
        except Exception as error:  # noqa: BLE001 - handed to the test's thread
            failures.append(error)

    workers = [
        threading.Thread(target=work, args=arguments)
        for arguments in (("INSERT INTO SOURCE VALUES ({number})", 30), (CONSUME, 10), (CONSUME, 10))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert failures == []
    warehouse.rows(CONSUME)
    assert sink(warehouse) == list(range(100, 130))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE STREAM S ON TABLE SOURCE",
        "CREATE STREAM S ON VIEW SOURCE APPEND_ONLY = TRUE",
        "CREATE STREAM S ON TABLE SOURCE BEFORE (OFFSET => -60) APPEND_ONLY = TRUE",
        "CREATE STREAM S ON TABLE SOURCE APPEND_ONLY = TRUE INSERT_ONLY = TRUE",
    ],
)
def test_unsupported_features_are_refused(warehouse, statement):
    assert "Unsupported feature of the local Snowflake" in warehouse.error(statement).msg


def test_drop_and_describe(warehouse):
    assert warehouse.rows("DESC STREAM NEW_ROWS")[0][1] == "NEW_ROWS"
    warehouse.rows("DROP STREAM NEW_ROWS")
    warehouse.rows("DROP STREAM IF EXISTS NEW_ROWS")
    assert "NEW_ROWS" in warehouse.error("DROP STREAM NEW_ROWS").msg
    assert warehouse.error("SELECT SYSTEM$STREAM_HAS_DATA('NEW_ROWS')").errno == 2003
