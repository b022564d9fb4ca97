"""Sessions, below the wire: moments that a client can't time, and files that it can't see."""

from __future__ import annotations

import pytest

from include.local.snowflake import storage, writers
from include.local.snowflake.catalog import ACCOUNT
from include.local.snowflake.context import Login
from include.local.snowflake.errors import SnowflakeError, TransientError
from include.local.snowflake.grammar import Create
from include.local.snowflake.instance import Instance
from include.local.snowflake.names import Name
from include.local.snowflake.notifications import announced_objects
from include.local.snowflake.session import Session

pytestmark = pytest.mark.unit


@pytest.fixture
def instance(tmp_path):
    opened = Instance(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def sessions(instance):
    first = Session(instance)
    first.execute("CREATE DATABASE D")
    first.execute("CREATE TABLE T (ID INTEGER)")
    return first, Session(instance, Login(database="D", schema="PUBLIC"))


def test_an_idle_transaction_gives_way_and_its_client_gets_an_error(sessions, monkeypatch):
    monkeypatch.setattr(writers, "IDLE_SECONDS", 0.0)
    idle, waiting = sessions
    idle.execute("INSERT INTO T VALUES (1)")
    idle.execute("BEGIN")
    idle.execute("UPDATE T SET ID = 2")
    waiting.execute("UPDATE T SET ID = ID + 10")
    with pytest.raises(SnowflakeError, match="ROLLBACK"):
        idle.execute("UPDATE T SET ID = 3")
    idle.execute("ROLLBACK")
    assert idle.execute("SELECT ID FROM T").table.column(0).to_pylist() == [11]


def test_a_busy_writer_is_waited_for_no_longer_than_the_timeout(sessions, monkeypatch):
    monkeypatch.setattr(writers, "LOCK_TIMEOUT_SECONDS", 0.0)
    writer, waiting = sessions
    writer.execute("BEGIN")
    writer.execute("DELETE FROM T")
    with pytest.raises(SnowflakeError, match="another transaction is writing"):
        waiting.execute("DELETE FROM T")
    writer.execute("COMMIT")
    waiting.execute("DELETE FROM T")


@pytest.mark.parametrize(
    ("account", "user", "session", "of_warehouse", "statement", "expected"),
    [
        (None, None, None, None, None, 172_800),
        (900, None, None, None, None, 900),
        (900, 800, None, None, None, 800),
        (900, 800, 1000, None, None, 1000),
        (900, 800, 1000, 50, None, 50),
        (900, 800, 40, 50, None, 40),
        (None, None, 0, 50, None, 50),
        (None, None, 40, 0, None, 40),
        (None, None, 0, 0, None, 604_800),
        (None, None, 40, 50, 45, 45),
    ],
)
def test_the_lowest_statement_timeout_that_is_not_zero_holds(
    tmp_path, account, user, session, of_warehouse, statement, expected
):
    """A session's value hides the user's, and the user's the account's; a statement's own hides all three."""
    instance = Instance(tmp_path)
    opened = Session(instance, Login(warehouse="W", user="SOMEBODY"))
    name = "STATEMENT_TIMEOUT_IN_SECONDS"
    opened.execute("CREATE WAREHOUSE W" + ("" if of_warehouse is None else f" {name} = {of_warehouse}"))
    if account is not None:
        opened.execute(f"ALTER ACCOUNT SET {name} = {account}")
    if user is not None:
        kept = Create("USER", Name(("SOMEBODY",)))
        instance.catalog.create(instance.duck, kept, (*ACCOUNT, "SOMEBODY"), {name: user})
    if session is not None:
        opened.execute(f"ALTER SESSION SET {name} = {session}")
    parameters = {} if statement is None else {name: statement}
    assert opened.query("SELECT 1", parameters).sender.timeout == expected
    instance.close()
    if account is not None:
        instance = Instance(tmp_path)
        later = Session(instance, Login(user="NOBODY"))
        assert later.query("SELECT 1").sender.timeout == account
        instance.close()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            '{"Records": [{"eventName": "ObjectCreated:Put",'
            ' "s3": {"bucket": {"name": "b"}, "object": {"key": "a%3D1/x+y.gz"}}}]}',
            [("b", "a=1/x y.gz")],
        ),
        ('{"Records": [{"eventName": "ObjectRemoved:Delete"}]}', []),
        ('{"Event": "s3:TestEvent"}', []),
        ('{"Message": "{\\"Event\\": \\"s3:TestEvent\\"}"}', []),
        ('{"Records": [{"eventName": "ObjectCreated:Put", "s3": {}}]}', []),
        ("null", []),
        ("", []),
    ],
    ids=["created", "removed", "test", "test_through_sns", "no_object", "null", "empty"],
)
def test_objects_that_a_message_announces(body, expected):
    assert announced_objects(body) == expected


def test_a_new_database_does_not_find_the_files_of_its_dropped_namesake(tmp_path):
    instance = Instance(tmp_path)
    session = Session(instance)
    for statement in (
        "CREATE DATABASE KEPT",
        "CREATE TABLE T AS SELECT 1 AS ID",
        "CREATE DATABASE GONE",
        "CREATE TABLE T AS SELECT 1 AS ID",
        "DROP DATABASE GONE",
    ):
        session.execute(statement)
    assert sorted(file.name for file in tmp_path.glob("GONE*")) == []
    instance.close()
    # The kill came between the renaming of its file and the deletion of its log.
    (tmp_path / "GONE.db.wal").write_bytes(b"left over")
    (tmp_path / "GONE.dropped").write_bytes(b"left over")
    instance = Instance(tmp_path)
    session = Session(instance)
    with pytest.raises(SnowflakeError, match="'GONE' does not exist"):
        session.execute("USE DATABASE GONE")
    session.execute("CREATE DATABASE GONE")
    with pytest.raises(SnowflakeError, match="does not exist"):
        session.execute("SELECT * FROM T")
    assert session.execute("SELECT ID FROM KEPT.PUBLIC.T").table.column(0).to_pylist() == [1]
    instance.close()


def test_a_temporary_table_never_reaches_the_disk(tmp_path):
    instance = Instance(tmp_path)
    session = Session(instance)
    session.execute("CREATE DATABASE D")
    session.execute("CREATE TEMPORARY TABLE NOTES AS SELECT 'only in memory' AS TEXT")
    session.execute("CREATE TABLE KEPT AS SELECT 'on the disk' AS TEXT")
    instance.close()
    files = b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert b"on the disk" in files
    assert b"only in memory" not in files


class CutQueue:
    """SQS with answers that are cut short: botocore makes them empty."""

    def create_queue(self, **_):
        return {}

    def get_queue_attributes(self, **_):
        return {}


def test_a_cut_answer_of_the_queue_counts_as_unreachable(instance, monkeypatch):
    monkeypatch.setattr(storage, "client", lambda _: CutQueue())
    assert instance.ingestion.queue.outstanding_messages() == 0
    with pytest.raises(TransientError, match="has no QueueUrl"):
        instance.ingestion.channel()


def test_copy_without_a_database_is_snowflakes_error(instance):
    """It once failed with TypeError: None was taken for the table's key."""
    session = Session(instance)
    session.execute("CREATE DATABASE D")
    session.execute("CREATE STAGE S URL = 's3://b/landing/'")
    without = Session(instance)
    copy = "COPY INTO T FROM (SELECT $1:id::INTEGER FROM @D.PUBLIC.S) FILE_FORMAT = (TYPE = JSON)"
    with pytest.raises(SnowflakeError, match="does not have a current database") as raised:
        without.execute(copy)
    assert raised.value.errno == 90105


def test_a_pipe_can_be_created_and_asked_for_while_no_thread_serves_pipes(instance):
    session = Session(instance)
    for statement in ("CREATE DATABASE D", "CREATE TABLE T (ID INTEGER)", "CREATE STAGE S URL = 's3://b/landing/'"):
        session.execute(statement)
    session.execute("CREATE PIPE P AS COPY INTO T FROM (SELECT $1:id::INTEGER FROM @S) FILE_FORMAT = (TYPE = JSON)")
    status = session.execute("SELECT SYSTEM$PIPE_STATUS('P')").table.column(0)[0].as_py()
    assert '"executionState": "RUNNING"' in status
