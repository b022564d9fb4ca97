"""Each test has its own schema, and its own prefix of one bucket."""

from __future__ import annotations

import gzip
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import snowflake.connector
from snowflake.connector import SnowflakeConnection

from include.local.snowflake.instance import Instance
from tests.local_snowflake.person import Person

_numbers = itertools.count(1)
BUCKET = "local-snowflake-tests"

READINGS = "CREATE TABLE READINGS (TRUCK STRING NOT NULL, SPEED FLOAT, AT TIMESTAMP_NTZ, FILE STRING, LINE INTEGER)"
COPY_READINGS = """
COPY INTO READINGS (TRUCK, SPEED, AT, FILE, LINE)
FROM (SELECT $1:truck::STRING, $1:speed::FLOAT, $1:at::TIMESTAMP_NTZ, METADATA$FILENAME, METADATA$FILE_ROW_NUMBER
      FROM @LANDING)
FILE_FORMAT = (FORMAT_NAME = 'NDJSON')
"""


@pytest.fixture
def admin(instance: Instance) -> Person:
    """The administrator of the account that a file's own ``instance`` is."""
    return Person(instance)


def eventually(check: Callable[[], Any], deadline: float = 60.0) -> Any:
    """Return the first true answer of ``check``; fail if there is none within ``deadline`` seconds."""
    end = time.monotonic() + deadline
    while not (answer := check()):
        assert time.monotonic() < end, f"not within {deadline} s: last answer {answer!r}"
        time.sleep(0.02)
    return answer


class Warehouse:
    """A connection in the test's own schema, with a stage over the test's own prefix of the bucket."""

    def __init__(self, server: Any, ministack: Any, schema: str) -> None:
        self.server, self.schema = server, schema
        self.s3 = ministack.client("s3")
        self.prefix = f"{schema.lower()}/"
        self._opened: list[SnowflakeConnection] = []
        self.connection = self.connect()

    def connect(self, **options: Any) -> SnowflakeConnection:
        connection = self.server.connect(**{"database": "TESTS", "schema": self.schema} | options)
        self._opened.append(connection)
        return connection

    def rows(self, sql: str, parameters: Any = None) -> list[tuple]:
        return self.connection.cursor().execute(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Any = None) -> Any:
        return self.rows(sql, parameters)[0][0]

    def error(self, sql: str) -> snowflake.connector.Error:
        """Return the error that ``sql`` must raise."""
        with pytest.raises(snowflake.connector.Error) as raised:
            self.rows(sql)
        return raised.value

    def stage(self) -> None:
        """A table, a file format and a stage for ``put``."""
        self.rows(READINGS)
        self.rows("CREATE FILE FORMAT NDJSON TYPE = JSON")
        self.rows(f"CREATE STAGE LANDING URL = 's3://{BUCKET}/{self.prefix}' FILE_FORMAT = (FORMAT_NAME = 'NDJSON')")

    def put(self, name: str, *lines: Any, raw: bytes | None = None) -> str:
        """Store a file for the stage and return its key: one gzipped line per object or text, or ``raw`` bytes."""
        text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        body = gzip.compress(text.encode(), mtime=0) if raw is None else raw
        self.s3.put_object(Bucket=BUCKET, Key=self.prefix + name, Body=body)
        return self.prefix + name

    def close(self) -> None:
        for connection in self._opened:
            connection.close()


@pytest.fixture(scope="session")
def bucket(ministack: Any) -> str:
    ministack.client("s3").create_bucket(Bucket=BUCKET)
    return BUCKET


@pytest.fixture(scope="session")
def tests_database(snowflake_server: Any) -> None:
    with snowflake_server.connect() as connection:
        connection.cursor().execute("CREATE DATABASE IF NOT EXISTS TESTS")


@pytest.fixture
def warehouse(snowflake_server: Any, ministack: Any, bucket: str, tests_database: None) -> Iterator[Warehouse]:
    opened = Warehouse(snowflake_server, ministack, f"T{next(_numbers)}")
    opened.rows(f"CREATE SCHEMA TESTS.{opened.schema}")
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def own_warehouse(own_snowflake_server: Any, ministack: Any, bucket: str) -> Iterator[Warehouse]:
    """As ``warehouse``, on the test's own server, which it may stop and start."""
    schema = f"OWN{next(_numbers)}"
    with own_snowflake_server.connect() as connection:
        connection.cursor().execute("CREATE DATABASE TESTS")
        connection.cursor().execute(f"CREATE SCHEMA TESTS.{schema}")
    opened = Warehouse(own_snowflake_server, ministack, schema)
    yield opened
    own_snowflake_server.kill()


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    return eventually


@pytest.fixture
def copy_readings() -> str:
    return COPY_READINGS
