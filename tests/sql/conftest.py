"""The warehouse as provision_resources leaves it, on the local server, and what tests do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.util_text import split_statements

from include import names, sql
from include.local.history_oracle import ATTRIBUTES, Version
from tests.fixtures.snowflake import LocalSnowflake

MERGE = "merge/truck_telemetry_scd2.sql"
PARAMETERS = {
    "storage_role_arn": "arn:aws:iam::000000000000:role/snowflake",
    "telemetry_bucket": "sql-tests-telemetry",
}
RAW_COLUMNS = (
    "TRUCK_ID", "EVENT_TIME", *ATTRIBUTES, "STREAM_NAME", "SHARD_ID", "SEQUENCE_NUMBER", "ARRIVAL_TIME",
    "PARTITION_KEY", "FILE_NAME", "FILE_ROW_NUMBER", "LOAD_TIMESTAMP",
)  # fmt: skip
VERSION_COLUMNS = (
    "TRUCK_ID", "EFFECTIVE_START_DATE", "EFFECTIVE_END_DATE", "IS_CURRENT", *ATTRIBUTES, "LOAD_TIMESTAMP",
)  # fmt: skip
ENVELOPE = {"STREAM_NAME": names.TRUCK_STREAM, "SHARD_ID": "shardId-000000000000", "PARTITION_KEY": "truck"}


class Warehouse:
    """The statements of ``sql/`` over one connection of the stock connector."""

    def __init__(self, connection: SnowflakeConnection) -> None:
        self.connection = connection

    def execute(self, statement: str, values: Any = None) -> list[tuple]:
        with closing(self.connection.cursor()) as cursor:
            return cursor.execute(statement, values).fetchall()

    def statements(self, path: str, **params: str) -> list[str]:
        """The statements of ``sql/<path>``."""
        script = split_statements(StringIO(sql.render(path, **params)), remove_comments=True)
        return [statement for statement, _ in script if statement.strip(" \n;")]

    def run(self, path: str, **params: str) -> None:
        """Every statement of ``sql/<path>``, in this session."""
        for statement in self.statements(path, **params):
            self.execute(statement)

    def land(self, readings: Iterable[Mapping[str, Any]]) -> None:
        """Appends to RAW, as Snowpipe does; what a reading does not say is an ordinary envelope, or NULL."""
        rows = [{**ENVELOPE, **reading} for reading in readings]
        self.insert(names.RAW_TABLE, RAW_COLUMNS, ([row.get(column) for column in RAW_COLUMNS] for row in rows))

    def insert(self, table: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        listed = ", ".join(columns)
        marks = ", ".join(["%s"] * len(listed.split(",")))
        with closing(self.connection.cursor()) as cursor:
            cursor.executemany(
                f"insert into {table} ({listed}) values ({marks})", [[_bound(v) for v in row] for row in rows]
            )

    def merge(self, driver: str = names.RAW_STREAM) -> int:
        """Rows changed by one MERGE, which another ``driver`` than the stream can lead."""
        text = sql.render(MERGE)
        assert text.count(names.RAW_STREAM) == 1
        (changed,) = self.execute(text.replace(names.RAW_STREAM, driver))
        return sum(int(count) for count in changed)

    def history(self, like: str = "%") -> list[Version]:
        rows = self.execute(
            f"select {', '.join(VERSION_COLUMNS)} from {names.HISTORY_TABLE}"
            " where TRUCK_ID like %s order by TRUCK_ID, EFFECTIVE_START_DATE",
            [like],
        )
        return [Version(*row[:4], row[4:-1], row[-1]) for row in rows]

    def empty(self) -> None:
        """No reading and no result; the merge consumes what the stream still had."""
        self.merge()
        for table in (
            names.RAW_TABLE,
            names.HISTORY_TABLE,
            names.MERGE_RUNS_TABLE,
            names.QUALITY_RESULTS_TABLE,
        ):
            self.execute(f"delete from {table}")


class TelemetryBucket:
    """The bucket of the landing zone, over boto3."""

    name = PARAMETERS["telemetry_bucket"]

    def __init__(self, client: Any) -> None:
        self.client = client

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def empty(self) -> None:
        for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", []):
            self.client.delete_object(Bucket=self.name, Key=item["Key"])


def _bound(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


@pytest.fixture(scope="session")
def provisioned(
    ministack: Any, snowflake_tls: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalSnowflake]:
    """A server of our own (the DDL names its database) after all of ``sql/ddl`` has run, over a bucket that exists."""
    ministack.client("s3").create_bucket(Bucket=PARAMETERS["telemetry_bucket"])
    server = LocalSnowflake(tmp_path_factory.mktemp("warehouse"), snowflake_tls, ministack.environment)
    server.start()
    try:
        with closing(server.connect()) as connection:
            run_ddl(Warehouse(connection))
        yield server
    finally:
        server.stop()


def run_ddl(warehouse: Warehouse) -> None:
    for file in sorted((sql.SQL_DIRECTORY / "ddl").glob("*.sql")):
        warehouse.run(f"ddl/{file.name}", **PARAMETERS)


@pytest.fixture
def provision() -> Callable[[Warehouse], None]:
    """Runs the DDL, as provision_resources does."""
    return run_ddl


@pytest.fixture
def telemetry_bucket(provisioned: LocalSnowflake, ministack: Any) -> Iterator[TelemetryBucket]:
    """The landing zone that the stage reads; emptied afterwards."""
    bucket = TelemetryBucket(ministack.client("s3"))
    yield bucket
    bucket.empty()


@pytest.fixture(scope="session")
def warehouse(provisioned: LocalSnowflake) -> Iterator[Warehouse]:
    """One session in the pipeline's schema, of an account whose clock is far from UTC."""
    with closing(
        provisioned.connect(warehouse=names.WAREHOUSE, database=names.DATABASE, schema=names.SCHEMA)
    ) as connection:
        connection.cursor().execute("alter session set timezone = 'America/Los_Angeles'")
        yield Warehouse(connection)


@pytest.fixture
def empty_warehouse(warehouse: Warehouse) -> Warehouse:
    """The warehouse without a reading, for what looks at all of it."""
    warehouse.empty()
    return warehouse
