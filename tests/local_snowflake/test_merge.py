"""MERGE: its counts, its atomicity, and what Snowflake rejects."""

from __future__ import annotations

import threading

import pytest

pytestmark = pytest.mark.integration

UPSERT = """
MERGE INTO TARGET T USING (SELECT ID, V, GONE FROM SOURCE) S ON T.ID = S.ID
WHEN MATCHED AND S.GONE THEN DELETE
WHEN MATCHED THEN UPDATE SET V = S.V
WHEN NOT MATCHED AND NOT S.GONE THEN INSERT (ID, V) VALUES (S.ID, S.V)
"""


@pytest.fixture(autouse=True)
def _tables(warehouse):
    warehouse.rows("CREATE TABLE TARGET (ID INTEGER, V STRING NOT NULL)")
    warehouse.rows("CREATE TABLE SOURCE (ID INTEGER, V STRING, GONE BOOLEAN)")
    warehouse.rows("INSERT INTO TARGET VALUES (1, 'a'), (2, 'b'), (3, 'c')")


def target(warehouse):
    return warehouse.rows("SELECT ID, V FROM TARGET ORDER BY ID, V")


def test_insert_update_and_delete_are_counted(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (1, 'A', FALSE), (2, NULL, TRUE), (4, 'd', FALSE), (5, 'e', TRUE)")
    cursor = warehouse.connection.cursor().execute(UPSERT)
    assert [column[0] for column in cursor.description] == [
        "number of rows inserted",
        "number of rows updated",
        "number of rows deleted",
    ]
    assert cursor.fetchall() == [(1, 1, 1)]
    assert cursor.rowcount == 3
    assert target(warehouse) == [(1, "A"), (3, "c"), (4, "d")]


def test_only_the_actions_that_it_names_are_counted(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (9, 'z', FALSE)")
    cursor = warehouse.connection.cursor().execute(
        "MERGE INTO TARGET USING SOURCE ON TARGET.ID = SOURCE.ID"
        " WHEN NOT MATCHED THEN INSERT (ID, V) VALUES (SOURCE.ID, 'z')"
    )
    assert ([column[0] for column in cursor.description], cursor.fetchall()) == (["number of rows inserted"], [(1,)])


@pytest.mark.parametrize(
    "source",
    ["(1, 'x', FALSE), (1, 'y', FALSE)", "(1, 'x', FALSE), (1, 'x', TRUE)"],
    ids=["two_updates", "update_and_delete"],
)
def test_two_source_rows_that_change_one_target_row_are_refused(warehouse, source):
    warehouse.rows(f"INSERT INTO SOURCE VALUES {source}, (7, 'new', FALSE)")
    error = warehouse.error(UPSERT)
    assert (error.errno, error.sqlstate) == (100090, "42P18")
    assert target(warehouse) == [(1, "a"), (2, "b"), (3, "c")]


def test_two_source_rows_may_match_if_one_does_nothing(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (1, 'x', FALSE), (1, 'y', NULL), (8, 'x', FALSE), (8, 'y', FALSE)")
    warehouse.rows(UPSERT.replace("WHEN MATCHED THEN", "WHEN MATCHED AND NOT S.GONE THEN"))
    assert target(warehouse) == [(1, "x"), (2, "b"), (3, "c"), (8, "x"), (8, "y")]


def test_two_source_rows_that_delete_one_target_row_are_refused_where_snowflake_deletes(warehouse):
    """A deviation, on the safe side."""
    warehouse.rows("INSERT INTO SOURCE VALUES (1, NULL, TRUE), (1, NULL, TRUE)")
    assert warehouse.error(UPSERT).errno == 100090


def test_an_on_that_is_no_equality_is_checked_too(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (1, 'x', FALSE), (2, 'y', FALSE)")
    range_merge = "MERGE INTO TARGET T USING SOURCE S ON T.ID {} S.ID WHEN MATCHED THEN UPDATE SET V = S.V"
    assert warehouse.error(range_merge.format(">")).errno == 100090
    warehouse.rows("DELETE FROM SOURCE WHERE ID = 1")
    assert warehouse.rows(range_merge.format(">")) == [(1,)]
    assert target(warehouse) == [(1, "a"), (2, "b"), (3, "y")]


def test_a_failing_action_changes_nothing_and_keeps_the_stream(warehouse):
    warehouse.rows("CREATE STREAM CHANGES ON TABLE SOURCE APPEND_ONLY = TRUE")
    warehouse.rows("INSERT INTO SOURCE VALUES (1, 'A', FALSE), (2, NULL, FALSE)")
    merge = UPSERT.replace("FROM SOURCE", "FROM CHANGES")
    assert "NOT NULL" in warehouse.error(merge).msg
    assert target(warehouse) == [(1, "a"), (2, "b"), (3, "c")]
    assert warehouse.value("SELECT COUNT(*) FROM CHANGES") == 2


def test_merge_consumes_a_stream_in_its_transaction(warehouse):
    warehouse.rows("CREATE STREAM CHANGES ON TABLE SOURCE APPEND_ONLY = TRUE")
    merge = UPSERT.replace("FROM SOURCE", "FROM CHANGES")
    for number in range(3):  # the same text: translated once
        warehouse.rows(f"INSERT INTO SOURCE VALUES ({10 + number}, 'n', FALSE)")
        assert warehouse.rows(merge) == [(1, 0, 0)]
        assert warehouse.rows(merge) == [(0, 0, 0)]


def test_a_functions_last_answer_is_not_kept(warehouse):
    warehouse.rows("CREATE STREAM CHANGES ON TABLE SOURCE APPEND_ONLY = TRUE")
    merge = (
        "MERGE INTO TARGET T USING (SELECT 9 AS ID, SYSTEM$STREAM_HAS_DATA('CHANGES') AS V) S ON T.ID = S.ID"
        " WHEN MATCHED THEN UPDATE SET V = S.V WHEN NOT MATCHED THEN INSERT (ID, V) VALUES (S.ID, S.V)"
    )
    for told in ("false", "true"):
        warehouse.rows(merge)
        assert warehouse.value("SELECT V FROM TARGET WHERE ID = 9") == told
        warehouse.rows("INSERT INTO SOURCE VALUES (1, 'A', FALSE)")


def test_two_concurrent_merges_are_serialised(warehouse):
    warehouse.rows("CREATE STREAM CHANGES ON TABLE SOURCE APPEND_ONLY = TRUE")
    values = ", ".join(f"({number}, 'n', FALSE)" for number in range(100, 400))
    warehouse.rows(f"INSERT INTO SOURCE VALUES {values}")
    merge = UPSERT.replace("FROM SOURCE", "FROM CHANGES")
    counts: list[int] = []
    connections = [warehouse.connect() for _ in range(3)]

    def work(connection) -> None:
        counts.append(connection.cursor().execute(merge).fetchone()[0])

    workers = [threading.Thread(target=work, args=[connection]) for connection in connections]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert sorted(counts) == [0, 0, 300]
    assert warehouse.value("SELECT COUNT(*) FROM TARGET") == 303


def test_an_uncommitted_merge_makes_the_next_wait_and_then_see_it(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (4, 'first', FALSE)")
    other = warehouse.connect()
    warehouse.rows("BEGIN")
    warehouse.rows(UPSERT)
    answers: list[tuple] = []
    worker = threading.Thread(target=lambda: answers.extend(other.cursor().execute(UPSERT).fetchall()))
    worker.start()
    warehouse.rows("COMMIT")
    worker.join(30)
    assert answers == [(0, 1, 0)]


def test_the_same_text_in_another_schema_is_another_merge(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (4, 'here', FALSE)")
    warehouse.rows(UPSERT)
    cursor = warehouse.connect().cursor()
    cursor.execute(f"CREATE SCHEMA {warehouse.schema}_THERE")  # and is in it
    cursor.execute("CREATE TABLE TARGET (ID INTEGER, V STRING)")
    cursor.execute("CREATE TABLE SOURCE (ID INTEGER, V STRING, GONE BOOLEAN)")
    cursor.execute("INSERT INTO SOURCE VALUES (5, 'there', FALSE)")
    assert cursor.execute(UPSERT).fetchall() == [(1, 0, 0)]
    assert cursor.execute("SELECT ID, V FROM TARGET").fetchall() == [(5, "there")]
    assert target(warehouse)[-1] == (4, "here")


def test_a_session_variable_has_its_current_value(warehouse):
    merge = "MERGE INTO TARGET T USING SOURCE S ON T.ID = S.ID WHEN MATCHED THEN UPDATE SET V = $said"
    warehouse.rows("INSERT INTO SOURCE VALUES (1, '', FALSE)")
    for said in ("first", "second"):
        warehouse.rows(f"SET said = '{said}'")
        warehouse.rows(merge)
        assert said in dict(target(warehouse)).values()


def test_default_leaves_a_column_out_and_needs_named_columns(warehouse):
    warehouse.rows("INSERT INTO SOURCE VALUES (4, 'd', FALSE)")
    warehouse.rows("ALTER TABLE TARGET ADD COLUMN W INTEGER DEFAULT 7")
    merge = "MERGE INTO TARGET T USING SOURCE S ON T.ID = S.ID WHEN NOT MATCHED THEN INSERT"
    assert "DEFAULT" in warehouse.error(f"{merge} VALUES (S.ID, S.V, DEFAULT)").msg
    assert warehouse.rows(f"{merge} (ID, V, W) VALUES (S.ID, S.V, DEFAULT)") == [(1,)]
    assert warehouse.value("SELECT W FROM TARGET WHERE ID = 4") == 7
