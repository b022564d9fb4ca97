"""Sessions beside each other: of several users over the wire, and of threads that meet in the same place."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import pytest
from starlette.requests import Request

from include.local.snowflake import errors, server, storage
from include.local.snowflake.catalog import Catalog
from include.local.snowflake.instance import Instance
from include.local.snowflake.server import Client, Server, Submission
from tests.local_snowflake.person import Person

pytestmark = pytest.mark.unit


@pytest.fixture
def instance(tmp_path):
    opened = Instance(tmp_path)
    Person(opened, database=None, schema=None).rows("CREATE DATABASE D", "CREATE SCHEMA D.S")
    yield opened
    opened.close()


@pytest.fixture
def ann(instance, admin):
    admin.rows("CREATE USER ANN")
    return Person(instance, user="ANN", role="PUBLIC", warehouse=None)


# --- over the wire ----------------------------------------------------------------------------------------------------


def asked(served, ask, person, query):
    """What ``person`` gets from a handler for the statement ``query``."""
    served._clients["token"] = Client(person.session)
    headers = [(b"authorization", b'Snowflake Token="token"')]
    request = Request({"type": "http", "headers": headers, "path_params": {"query": query.id}, "query_string": b""})
    return json.loads(asyncio.run(ask(request)).body)


def test_a_statement_of_another_user_is_not_seen_stopped_or_read_by_its_id(instance, admin, ann):
    served, query = Server(instance), admin.session.query("SELECT 'secret'")
    answer: asyncio.Future = asyncio.new_event_loop().create_future()
    answer.set_result({"data": "secret", "success": True})
    submission = served._submissions[query.id] = Submission(query, answer)
    assert asked(served, served.result, ann, query)["code"] == "000709"
    assert asked(served, served.status, ann, query)["data"]["queries"] == []
    assert asked(served, served.abort_query, ann, query)["code"] == "000605"
    query.check()
    assert submission.query is query
    assert asked(served, served.status, admin, query)["data"]["queries"][0]["sqlText"] == "SELECT 'secret'"
    assert asked(served, served.abort_query, admin, query)["success"]
    with pytest.raises(errors.SnowflakeError, match="canceled"):
        query.check()
    query.end()


def test_two_logins_end_the_same_idle_sessions(instance, monkeypatch):
    monkeypatch.setattr(server, "SESSION_SECONDS", -1)
    served = Server(instance)
    sessions = [Person(instance).session for _ in range(3)]
    served._clients.update({str(number): Client(session) for number, session in enumerate(sessions)})

    async def both():
        await asyncio.gather(served._end_idle(), served._end_idle())

    asyncio.run(both())
    assert served._clients == {}
    assert all(session.is_closed for session in sessions)


# --- a cancellation and a commit --------------------------------------------------------------------------------------


def test_a_statement_that_commits_can_not_be_cancelled(instance, admin):
    query = admin.session.query("INSERT INTO T VALUES (1)")
    with query.committing():
        assert not query.cancel(errors.canceled())
    query.check()
    assert query.cancel(errors.canceled()), "what comes after its commit can be cancelled"
    with pytest.raises(errors.SnowflakeError, match="canceled"), query.committing():
        pytest.fail("it was cancelled before")
    instance.queries.end(query)


def test_a_timeout_during_a_commit_cancels_what_comes_after_it(instance, admin):
    admin.rows("ALTER SESSION SET STATEMENT_TIMEOUT_IN_SECONDS = 1")
    query = admin.session.query("CREATE TABLE T AS SELECT 1 AS A")
    with query.committing():
        time.sleep(1.2)
        query.check()
    with pytest.raises(errors.SnowflakeError, match="timeout of 1 second"):
        query.wait(5)
    instance.queries.end(query)


# --- threads ----------------------------------------------------------------------------------------------------------


def test_threads_share_one_client_of_a_service(monkeypatch):
    made, begin = [], threading.Barrier(8)
    monkeypatch.setattr(storage, "_clients", {})

    def create(service, **_):
        time.sleep(0.02)
        made.append(service)
        return object()

    monkeypatch.setattr(storage.boto3, "client", create)
    found = []

    def ask():
        begin.wait()
        found.append(storage.client("s3"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (made, len(set(map(id, found)))) == (["s3"], 1)


def test_a_database_is_added_while_other_sessions_create_objects(instance):
    """It once went through the names of all databases, to which other sessions add at any time."""

    class Shared(set):
        def __iter__(self):
            raise RuntimeError("Set changed size during iteration")

    catalog = Catalog()
    catalog._names = Shared()
    catalog.add_database(instance.duck, "D")
    assert catalog.has_database("D")
