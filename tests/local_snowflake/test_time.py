"""Behaviour that takes days: load history is forgotten, streams go stale."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from include.local.snowflake import load_history, storage, stream_offsets
from include.local.snowflake.errors import SnowflakeError
from include.local.snowflake.instance import Instance
from include.local.snowflake.session import Session

pytestmark = pytest.mark.unit

HOUR_NS = 3600 * 10**9
PIPE = "CREATE {} PIPE P AS COPY INTO T (ID) FROM (SELECT $1:id::INTEGER FROM @S) FILE_FORMAT = (TYPE = JSON)"


@pytest.fixture
def session(tmp_path):
    instance = Instance(tmp_path)
    opened = Session(instance)
    for statement in ("CREATE DATABASE D", "CREATE TABLE T (ID INTEGER)", "CREATE STAGE S URL = 's3://b/landing/'"):
        opened.execute(statement)
    yield opened
    opened.close()
    instance.close()


@pytest.fixture
def clock(monkeypatch):
    """Set the clock of streams to this many hours from now."""
    now = time.time_ns()

    def at(hours: float) -> None:
        monkeypatch.setattr(stream_offsets, "now_ns", lambda: now + int(hours * HOUR_NS))

    at(0)
    return at


def value(session, sql):
    return session.execute(sql).table.column(0)[0].as_py()


def find_pipe(session):
    return session.context.catalog.get(session.context.duck, "PIPE", ("D", "PUBLIC", "P"))


def write_history(session, days_ago, name, pipe_uid):
    session.context.duck.execute(
        "INSERT INTO D._fs_information_schema.load_history (file_name, stage_location, last_load_time, status,"
        " table_schema_name, table_name, pipe_uid) VALUES (?, 's3://b/landing/', ?, 'Loaded', 'PUBLIC', 'T', ?)",
        [name, datetime.now(UTC) - timedelta(days=days_ago), pipe_uid],
    )


def test_a_pipe_knows_what_it_loaded_in_the_last_14_days(session):
    session.execute(PIPE.format(""))
    pipe = find_pipe(session)
    write_history(session, 13.9, "recent", pipe.uid)
    write_history(session, 14.1, "old", pipe.uid)
    write_history(session, 1, "by_another", "another")
    files = ["recent", "old", "by_another", "new"]
    duck = session.context.duck
    assert load_history.loaded_by(duck, pipe, files) == {"recent"}
    session.execute(PIPE.format("OR REPLACE"))
    assert load_history.loaded_by(duck, find_pipe(session), files) == set()


def test_refresh_reaches_seven_days_back(session, monkeypatch):
    session.execute(PIPE.format(""))
    stored = [
        storage.ListedObject(f"landing/{days}.json", datetime.now(UTC) - timedelta(days=days), "etag")
        for days in (1, 6.9, 7.1)
    ]
    monkeypatch.setattr(storage, "list_objects", lambda bucket, prefix: stored)
    sent = session.execute("ALTER PIPE P REFRESH").table.column(0).to_pylist()
    assert sent == ["1.json", "6.9.json"]


def test_copy_history_reaches_14_days_back(session):
    write_history(session, 13.9, "recent", None)
    write_history(session, 14.1, "old", None)
    history = (
        "SELECT FILE_NAME FROM TABLE(INFORMATION_SCHEMA.COPY_HISTORY(TABLE_NAME => 'T',"
        " START_TIME => DATEADD(DAY, -{}, CURRENT_TIMESTAMP())))"
    )
    assert session.execute(history.format(14)).table.column(0).to_pylist() == ["recent"]
    with pytest.raises(SnowflakeError, match="more than 14 days ago"):
        session.execute(history.format(15))


def test_a_statement_knows_what_it_loaded_in_the_last_64_days(session, tmp_path):
    write_history(session, 63, "recent", None)
    write_history(session, 65, "old", None)
    session.context.catalog.remove_database("D")
    session.context.instance.complete_database("D")  # as a start does
    rows = session.context.duck.execute("SELECT file_name FROM D._fs_information_schema.load_history").fetchall()
    assert rows == [("recent",)]


def test_a_stream_is_fresh_for_14_days_from_its_last_consumption(session, clock):
    session.execute("CREATE STREAM N ON TABLE T APPEND_ONLY = TRUE")
    session.execute("CREATE TABLE SINK (ID INTEGER)")
    session.execute("INSERT INTO T VALUES (1)")
    clock(13.9 * 24)
    session.execute("INSERT INTO SINK SELECT ID FROM N")
    session.execute("INSERT INTO T VALUES (2)")
    clock(27.8 * 24)
    assert value(session, "SELECT SYSTEM$STREAM_HAS_DATA('N')") is True
    clock(28 * 24)
    with pytest.raises(SnowflakeError, match="is stale"):
        session.execute("SELECT * FROM N")


@pytest.mark.parametrize(
    "look", ["SELECT SYSTEM$STREAM_HAS_DATA('N')", "INSERT INTO SINK SELECT ID FROM N"], ids=["asked", "consumed"]
)
def test_an_empty_streams_age_counts_from_the_last_read(session, clock, look):
    session.execute("CREATE STREAM N ON TABLE T APPEND_ONLY = TRUE")
    session.execute("CREATE TABLE SINK (ID INTEGER)")
    clock(20 * 24)
    session.execute(look)
    clock(20 * 24 + 0.5)
    session.execute(look)  # within the hour: not written down again
    looks = "SELECT count(*) FROM D._fs_information_schema.stream_looks"
    assert session.context.duck.execute(looks).fetchone() == (1,)
    session.execute("INSERT INTO T VALUES (1)")
    clock(33.9 * 24)
    assert value(session, "SELECT SYSTEM$STREAM_HAS_DATA('N')") is True
    clock(34.1 * 24)
    with pytest.raises(SnowflakeError, match="is stale"):
        session.execute("SELECT * FROM N")
    session.execute("DROP STREAM N")
    assert session.context.duck.execute(looks).fetchone() == (0,)
