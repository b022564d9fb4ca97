"""Snowflake as provision_resources leaves it, on the local server, and what tests do to it."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from snowflake.connector import SnowflakeConnection
from snowflake.connector.util_text import split_statements

from include import names, sql
from include.snowflake_rows import execute
from sql.merge.history_oracle import ATTRIBUTES, ArrivedReading, HistoryVersion, from_raw
from tests.fixtures.snowflake import LocalSnowflake

EARLIEST = "merge/earliest_reading.sql"
MERGE = "merge/truck_telemetry_scd2.sql"
REPAIR = "ops/repair_history.sql"
PARAMETERS = {
    "storage_role_arn": "arn:aws:iam::000000000000:role/snowflake",
    "telemetry_bucket": "sql-tests-telemetry",
}
# Far from UTC, as an account is by default.
ACCOUNT_TIME_ZONE = "America/Los_Angeles"
RAW_COLUMNS = (
    "TRUCK_ID", "EVENT_TIME", *ATTRIBUTES, "STREAM_NAME", "SHARD_ID", "SEQUENCE_NUMBER", "ARRIVAL_TIME",
    "PARTITION_KEY", "FILE_NAME", "FILE_ROW_NUMBER", "LOAD_TIMESTAMP", "NULLED_METRICS", "SUB_SEQUENCE_NUMBER",
)  # fmt: skip
VERSION_COLUMNS = (
    "TRUCK_ID", "EFFECTIVE_START_DATE", "EFFECTIVE_END_DATE", "IS_CURRENT", *ATTRIBUTES, "LOAD_TIMESTAMP",
)  # fmt: skip
EMPTIED = (
    names.RAW_TABLE, names.HISTORY_TABLE, names.MERGE_RUNS_TABLE, names.QUALITY_RESULTS_TABLE, names.FINDINGS_TABLE,
    names.LEDGER_TABLE, names.ASSIGNMENTS_TABLE,
)  # fmt: skip
ENVELOPE = {"STREAM_NAME": names.TRUCK_STREAM, "SHARD_ID": "shardId-000000000000", "PARTITION_KEY": "truck"}


class SnowflakeSession:
    """The statements of ``sql/`` over one connection of the stock connector."""

    def __init__(self, connection: SnowflakeConnection, bucket: TelemetryBucket) -> None:
        self.connection = connection
        self.bucket = bucket

    def execute(self, statement: str, values: Any = None) -> list[tuple]:
        """Return the rows; ``values`` are bound as the pipeline binds them if they have names."""
        with closing(self.connection.cursor()) as cursor:
            if isinstance(values, dict):
                execute(cursor, statement, values)
                return cursor.fetchall()
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
        """Append to RAW by COPY, as Snowpipe does, but with the file and load that the readings name.

        A reading without an envelope gets an ordinary one; any other missing value is NULL.
        """
        self.load(names.RAW_TABLE, RAW_COLUMNS, [{**ENVELOPE, **reading} for reading in readings])

    def load(self, table: str, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to a table of telemetry by COPY, which is much faster than INSERT."""
        lines = [{column: _text(row[column]) for column in columns if row.get(column) is not None} for row in rows]
        name = f"loaded-by-tests-{next(_files)}.json.gz"
        self.bucket.put(names.LANDING_PREFIX + name, gzip.compress("\n".join(map(json.dumps, lines)).encode(), 1))
        values = ", ".join(f"$1:{column}::{_type(column)}" for column in columns)
        ((_, status, *_),) = self.execute(
            f"copy into {table} ({', '.join(columns)}) from (select {values} from @{names.STAGE})"
            f" files = ('{name}') file_format = (format_name = '{names.FILE_FORMAT}')"
        )
        assert status == "LOADED"
        self.bucket.delete(names.LANDING_PREFIX + name)

    def insert(self, table: str, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
        listed = ", ".join(columns)
        marks = ", ".join(["%s"] * len(listed.split(",")))
        with closing(self.connection.cursor()) as cursor:
            cursor.executemany(
                f"insert into {table} ({listed}) values ({marks})", [[_text(value) for value in row] for row in rows]
            )

    def merge(self, driver: str = names.RAW_STREAM, earliest: datetime | None = None) -> int:
        """Return the rows that one MERGE changes; ``driver`` replaces the stream, ``earliest`` the bound."""
        look, merge = (sql.render(path) for path in (EARLIEST, MERGE))
        assert (look.count(names.RAW_STREAM), merge.count(names.RAW_STREAM)) == (1, 1)
        if earliest is None:
            ((earliest,),) = self.execute(look.replace(names.RAW_STREAM, driver))
        merge = merge.replace(names.RAW_STREAM, driver.replace("%", "%%"))
        (changed,) = self.execute(merge, {"earliest": earliest})
        return sum(int(count) for count in changed)

    def history(self, like: str = "%", table: str = names.HISTORY_TABLE) -> list[HistoryVersion]:
        rows = self.execute(
            f"select {', '.join(VERSION_COLUMNS)} from {table}"
            " where TRUCK_ID like %s order by TRUCK_ID, EFFECTIVE_START_DATE",
            [like],
        )
        return [HistoryVersion(*row[:4], row[4:-1], row[-1]) for row in rows]

    def readings(self) -> list[ArrivedReading]:
        """Return the readings in RAW."""
        rows = self.execute(f"select {', '.join(RAW_COLUMNS)} from {names.RAW_TABLE}")
        return [from_raw(dict(zip(RAW_COLUMNS, row, strict=True))) for row in rows]

    def put_history(self, versions: Iterable[HistoryVersion], like: str = "%") -> None:
        """Replace the trucks' history by these rows, right or wrong."""
        rows = [dict(zip(VERSION_COLUMNS, _row(version), strict=True)) for version in versions]
        self.execute(f"delete from {names.HISTORY_TABLE} where TRUCK_ID like %s", [like])
        self.load(names.HISTORY_TABLE, VERSION_COLUMNS, rows)

    def repair(self, truck: str | None = None, since: datetime | None = None, until: datetime | None = None) -> int:
        """Return the rows that a repair of the truck and time changes."""
        scope = {"truck_id": truck, "since": since, "until": until}
        ((inserted, deleted),) = self.execute(sql.render(REPAIR), scope)
        return int(inserted) + int(deleted)

    def empty(self) -> None:
        """Delete all readings, results and decisions; a merge consumes what the stream still has."""
        if self.execute(f"select 1 from {names.RAW_STREAM} limit 1"):
            self.merge()
        # Most are empty, and to ask for all at once takes less time than one DELETE.
        counts = ", ".join(f"(select count(*) from {table})" for table in EMPTIED)
        retired = f"(select count(*) from {names.KNOWN_TRUCKS_TABLE} where RETIRED_AT is not null)"
        ((*found, of_register),) = self.execute(f"select {counts}, {retired}")
        for table, rows in zip(EMPTIED, found, strict=True):
            if rows:
                self.execute(f"delete from {table}")
        if of_register:
            self.execute(f"update {names.KNOWN_TRUCKS_TABLE} set RETIRED_AT = null where RETIRED_AT is not null")


class TelemetryBucket:
    """The bucket of the landing zone, over boto3."""

    name = PARAMETERS["telemetry_bucket"]

    def __init__(self, client: Any) -> None:
        self.client = client

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)

    def empty(self) -> None:
        for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", []):
            self.delete(item["Key"])


_files = itertools.count(1)


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _row(version: HistoryVersion) -> tuple[Any, ...]:
    return (*version[:4], *version.attributes, version.load_timestamp)


def _type(column: str) -> str:
    if column in ATTRIBUTES:
        return "string" if column.endswith("_STATUS") else "float"
    if column.endswith(("_TIME", "_TIMESTAMP", "_DATE")):
        return "timestamp_ntz"
    return {"FILE_ROW_NUMBER": "integer", "SUB_SEQUENCE_NUMBER": "integer", "IS_CURRENT": "boolean"}.get(
        column, "string"
    )


@pytest.fixture(scope="session")
def session_bucket(ministack: Any) -> TelemetryBucket:
    client = ministack.client("s3")
    client.create_bucket(Bucket=TelemetryBucket.name)
    return TelemetryBucket(client)


@pytest.fixture(scope="session")
def provisioned(
    ministack: Any,
    snowflake_tls: Any,
    session_bucket: TelemetryBucket,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LocalSnowflake]:
    """Its own server (the DDL names its database), after all of ``sql/ddl`` has run."""
    server = LocalSnowflake(tmp_path_factory.mktemp("snowflake"), snowflake_tls, ministack.environment)
    server.start()
    try:
        server.create_identities()
        with closing(server.connect()) as connection:
            SnowflakeSession(connection, session_bucket).execute(f"alter account set timezone = '{ACCOUNT_TIME_ZONE}'")
        with closing(server.connect_as("deployer")) as connection:
            run_ddl(SnowflakeSession(connection, session_bucket))
        yield server
    finally:
        server.stop()


def run_ddl(snowflake: SnowflakeSession) -> None:
    for file in sorted((sql.SQL_DIRECTORY / "ddl").glob("*.sql")):
        snowflake.run(f"ddl/{file.name}", **PARAMETERS)


@pytest.fixture
def provision() -> Callable[[SnowflakeSession], None]:
    """Runs the DDL, as provision_resources does."""
    return run_ddl


@pytest.fixture
def telemetry_bucket(session_bucket: TelemetryBucket) -> Iterator[TelemetryBucket]:
    """The landing zone that the stage reads; emptied afterwards."""
    yield session_bucket
    session_bucket.empty()


def _open(server: LocalSnowflake, bucket: TelemetryBucket) -> SnowflakeSession:
    """As the deployer, who owns the tables."""
    return SnowflakeSession(server.connect_as("deployer"), bucket)


@pytest.fixture(scope="session")
def snowflake(provisioned: LocalSnowflake, session_bucket: TelemetryBucket) -> Iterator[SnowflakeSession]:
    """One session in the pipeline's schema, of an account whose clock is far from UTC."""
    opened = _open(provisioned, session_bucket)
    with closing(opened.connection):
        assert opened.execute("show parameters like 'timezone'")[0][1] == ACCOUNT_TIME_ZONE
        yield opened


@pytest.fixture
def open_session(
    provisioned: LocalSnowflake, session_bucket: TelemetryBucket
) -> Iterator[Callable[[], SnowflakeSession]]:
    """Opens sessions beside ``snowflake``; closed afterwards."""
    opened: list[SnowflakeSession] = []

    def open_one() -> SnowflakeSession:
        opened.append(_open(provisioned, session_bucket))
        return opened[-1]

    yield open_one
    for session in opened:
        session.connection.close()


@pytest.fixture
def administrator(provisioned: LocalSnowflake, session_bucket: TelemetryBucket) -> Iterator[SnowflakeSession]:
    """The account's administrator, for what none of the pipeline's users may do."""
    with closing(provisioned.connect()) as connection:
        yield SnowflakeSession(connection, session_bucket)


@pytest.fixture
def empty_snowflake(snowflake: SnowflakeSession) -> SnowflakeSession:
    """Snowflake without a reading, for statements that read all of it."""
    snowflake.empty()
    return snowflake
