"""Bind variables in a MERGE, and what the history of queries keeps of bound values."""

from datetime import datetime

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture
def cursor(warehouse):
    return warehouse.connect(paramstyle="qmark").cursor()


def test_a_merge_has_bind_variables(warehouse, cursor):
    cursor.execute("CREATE TABLE T (ID INTEGER, NAME STRING, SEEN TIMESTAMP_NTZ)")
    merge = (
        "MERGE INTO T USING (WITH N AS (SELECT ? AS ID) SELECT ID, ? AS NAME FROM N) N ON T.ID = N.ID AND T.ID < ?"
        " WHEN MATCHED THEN UPDATE SET NAME = N.NAME || ?"
        " WHEN NOT MATCHED THEN INSERT (ID, NAME, SEEN) VALUES (N.ID, N.NAME, ?::TIMESTAMP_NTZ)"
    )
    cursor.execute(merge, (1, "a", 9, "!", "2026-11-22 10:00:00"))
    cursor.execute(merge, (1, "it's", 9, "?", None))
    cursor.execute(merge, (2, None, 9, "?", None))
    assert warehouse.rows("SELECT * FROM T ORDER BY ID") == [
        (1, "it's?", datetime(2026, 11, 22, 10)),  # noqa: DTZ001
        (2, None, None),
    ]


def test_the_history_of_queries_has_the_text_as_sent(cursor):
    cursor.execute("CREATE TABLE T (A STRING)")
    cursor.execute("MERGE INTO T USING (SELECT ? AS A) N ON T.A = N.A WHEN NOT MATCHED THEN INSERT VALUES (N.A)",
                   ("52.520008",))  # fmt: skip
    cursor.executemany("INSERT INTO T VALUES (?)", [("52.520008",), ("13.404954",)])
    cursor.execute("SELECT * FROM T WHERE A = ?", ("52.520008",))
    history = "SELECT QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION())"
    texts = [text for (text,) in cursor.execute(history)]
    assert len(texts) == 5
    assert not [text for text in texts if "52.52" in text or "13.40" in text]
