"""Databases, schemas and tables are created and dropped with everything that belongs to them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def furnished(warehouse, copy_readings):
    """A database with a table, a stage, a stream, a pipe and load history; dropped at the end if it is still there."""
    name = f"DROPPED_{warehouse.schema}"
    warehouse.rows(f"CREATE DATABASE {name}")
    warehouse.stage()
    warehouse.rows("CREATE STREAM NEW_READINGS ON TABLE READINGS APPEND_ONLY = TRUE")
    warehouse.rows(f"CREATE PIPE INTAKE AUTO_INGEST = TRUE AS {copy_readings}")
    warehouse.put("a.json.gz", {"truck": "T1"})
    assert len(warehouse.rows(copy_readings)) == 1
    yield name
    warehouse.rows(f"DROP DATABASE IF EXISTS {name}")


def objects(warehouse):
    kinds = ("STAGES", "PIPES", "STREAMS", "FILE FORMATS")
    return {kind: [row[1] for row in warehouse.rows(f"SHOW {kind} IN SCHEMA")] for kind in kinds}


def test_a_dropped_database_takes_everything_with_it(warehouse, furnished, copy_readings):
    other = warehouse.connect(database=furnished, schema="PUBLIC")
    warehouse.rows(f"DROP DATABASE {furnished}")
    assert warehouse.rows("SELECT CURRENT_DATABASE(), CURRENT_SCHEMA()") == [(None, None)]
    assert warehouse.error(f"SELECT * FROM {furnished}.PUBLIC.READINGS").errno == 2003
    with pytest.raises(Exception, match=furnished):
        other.cursor().execute("SELECT * FROM READINGS")
    assert warehouse.error(f"DROP DATABASE {furnished}").errno == 2003
    assert furnished not in {row[1] for row in warehouse.rows("SHOW DATABASES")}
    warehouse.rows(f"CREATE DATABASE {furnished}")
    assert objects(warehouse) == {"STAGES": [], "PIPES": [], "STREAMS": [], "FILE FORMATS": []}
    warehouse.stage()
    assert len(warehouse.rows(copy_readings)) == 1, "its load history is gone"


def test_a_replaced_database_is_empty_even_while_another_reads_the_old_one(warehouse, furnished):
    reader = warehouse.connect(database=furnished, schema="PUBLIC").cursor()
    reader.execute("BEGIN")
    assert reader.execute("SELECT COUNT(*) FROM READINGS").fetchone() == (1,)
    reader.execute("INSERT INTO READINGS (TRUCK) VALUES ('T9')")
    warehouse.rows(f"DROP DATABASE {furnished}")
    reader.execute("COMMIT")
    warehouse.rows(f"CREATE OR REPLACE DATABASE {furnished}")
    warehouse.rows(f"CREATE OR REPLACE DATABASE {furnished}")
    assert warehouse.error("SELECT * FROM READINGS").errno == 2003
    assert warehouse.value("SELECT CURRENT_DATABASE()") == furnished


def test_a_dropped_schema_takes_its_objects_with_it(warehouse, furnished):
    warehouse.rows(f"CREATE SCHEMA {furnished}.OTHER")
    warehouse.rows(f"CREATE STREAM WATCHER ON TABLE {furnished}.PUBLIC.READINGS APPEND_ONLY = TRUE")
    warehouse.rows(f"DROP SCHEMA {furnished}.PUBLIC")
    assert warehouse.rows(f"SHOW PIPES IN DATABASE {furnished}") == []
    assert [row[1] for row in warehouse.rows(f"SHOW STREAMS IN DATABASE {furnished}")] == ["WATCHER"]
    assert warehouse.error("SELECT * FROM WATCHER").errno == 91901
    warehouse.rows(f"CREATE SCHEMA {furnished}.PUBLIC")
    assert objects(warehouse) == {"STAGES": [], "PIPES": [], "STREAMS": [], "FILE FORMATS": []}
    assert warehouse.error(f"DROP SCHEMA {furnished}.NO_SUCH").errno == 2003
    warehouse.rows(f"DROP SCHEMA IF EXISTS {furnished}.NO_SUCH")


def test_create_or_replace_table_as_ends_the_old_tables_streams_and_history(warehouse, furnished, copy_readings):
    warehouse.rows("CREATE OR REPLACE TABLE READINGS AS SELECT * FROM READINGS")
    assert warehouse.error("SELECT * FROM NEW_READINGS").errno == 91901
    assert len(warehouse.rows(copy_readings)) == 1
    assert warehouse.value("SELECT COUNT(*) FROM READINGS") == 2


def test_a_replacement_that_fails_leaves_everything(warehouse, furnished, copy_readings):
    warehouse.error("CREATE OR REPLACE TABLE READINGS AS SELECT 'x'::INTEGER AS A")
    warehouse.error("CREATE OR REPLACE TABLE READINGS (A NO_SUCH_TYPE)")
    assert warehouse.value("SELECT COUNT(*) FROM NEW_READINGS") == 1
    assert warehouse.rows(copy_readings) == [("Copy executed with 0 files processed.",)]


def test_streams_parameters_and_load_history_follow_a_renamed_table(warehouse, furnished, copy_readings):
    warehouse.rows("ALTER TABLE READINGS SET DATA_RETENTION_TIME_IN_DAYS = 20")
    warehouse.rows("ALTER TABLE READINGS RENAME TO RENAMED")
    assert warehouse.value("SELECT COUNT(*) FROM NEW_READINGS") == 1
    assert warehouse.rows("SHOW PARAMETERS LIKE 'DATA%' IN TABLE RENAMED")[0][1] == "20"
    again = copy_readings.replace("INTO READINGS", "INTO RENAMED")
    assert warehouse.rows(again) == [("Copy executed with 0 files processed.",)]
    warehouse.rows("CREATE TABLE READINGS (ID INTEGER)")
    assert warehouse.rows("SHOW PARAMETERS LIKE 'DATA%' IN TABLE READINGS")[0][1] == "1"
    warehouse.rows("DROP TABLE READINGS")
    assert warehouse.value("SELECT COUNT(*) FROM NEW_READINGS") == 1


def test_comments_and_lengths_of_a_replaced_table(warehouse):
    for length in (5, 7):
        warehouse.rows(f"CREATE OR REPLACE TABLE NOTED (A VARCHAR({length})) COMMENT = 'length {length}'")
        found = warehouse.rows(
            "SELECT CHARACTER_MAXIMUM_LENGTH FROM INFORMATION_SCHEMA.COLUMNS"
            f" WHERE TABLE_SCHEMA = '{warehouse.schema}' AND TABLE_NAME = 'NOTED'"
        )
        comment = (
            "SELECT COMMENT FROM INFORMATION_SCHEMA.TABLES"
            f" WHERE TABLE_SCHEMA = '{warehouse.schema}' AND TABLE_NAME = 'NOTED'"
        )
        assert (found, warehouse.value(comment)) == ([(length,)], f"length {length}")


class TestTemporaryTables:
    def test_a_temporary_table_belongs_to_its_session(self, warehouse):
        other = warehouse.connect()
        other.cursor().execute("CREATE TEMPORARY TABLE NOTES (ID INTEGER, TEXT STRING)")
        other.cursor().executemany("INSERT INTO NOTES VALUES (%s, %s)", [(1, "a"), (2, "b")])
        other.cursor().execute("CREATE OR REPLACE TEMP TABLE MORE AS SELECT ID + 1 AS ID FROM NOTES")
        assert other.cursor().execute("SELECT SUM(ID) FROM NOTES JOIN MORE USING (ID)").fetchone() == (2,)
        assert "NOTES" in warehouse.error("SELECT * FROM NOTES").msg
        other.close()
        assert "NOTES" in warehouse.error("SELECT * FROM NOTES").msg

    def test_a_temporary_table_takes_part_in_transactions(self, warehouse):
        warehouse.rows("CREATE TEMPORARY TABLE NOTES (ID INTEGER)")
        warehouse.rows("CREATE TABLE KEPT (ID INTEGER)")
        warehouse.rows("BEGIN")
        warehouse.rows("INSERT INTO NOTES VALUES (1)")
        warehouse.rows("INSERT INTO KEPT SELECT * FROM NOTES")
        warehouse.rows("ROLLBACK")
        assert warehouse.rows("SELECT * FROM NOTES UNION ALL SELECT * FROM KEPT") == []

    def test_a_temporary_table_hides_its_namesake_and_leaves_it_alone_when_dropped(self, warehouse):
        warehouse.rows("CREATE TABLE NOTES (ID INTEGER)")
        warehouse.rows("CREATE STREAM NEW_NOTES ON TABLE NOTES APPEND_ONLY = TRUE")
        warehouse.rows("INSERT INTO NOTES VALUES (1)")
        warehouse.rows("CREATE OR REPLACE TEMPORARY TABLE NOTES (ID INTEGER)")
        assert warehouse.rows("SELECT * FROM NOTES") == []
        warehouse.rows("INSERT INTO NOTES VALUES (2)")
        warehouse.rows("DROP TABLE NOTES")
        assert warehouse.rows("SELECT * FROM NOTES") == [(1,)]
        assert warehouse.rows("SELECT ID FROM NEW_NOTES") == [(1,)]

    def test_a_temporary_table_leaves_what_is_noted_of_its_namesake(self, warehouse):
        warehouse.rows("CREATE TABLE NOTED (A VARCHAR(5)) COMMENT = 'kept'")
        warehouse.rows("CREATE TEMPORARY TABLE NOTED (A VARCHAR(9)) COMMENT = 'for a session'")
        warehouse.rows("DROP TABLE NOTED")
        named = f"TABLE_SCHEMA = '{warehouse.schema}' AND TABLE_NAME = 'NOTED'"
        length = f"SELECT CHARACTER_MAXIMUM_LENGTH FROM INFORMATION_SCHEMA.COLUMNS WHERE {named}"
        assert warehouse.value(length) == 5
        assert warehouse.value(f"SELECT COMMENT FROM INFORMATION_SCHEMA.TABLES WHERE {named}") == "kept"
