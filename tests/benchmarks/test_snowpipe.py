"""From landing files to rows: COPY beside DuckDB's own reader, and how long Snowpipe takes to show a file."""

from __future__ import annotations

import gzip
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from snowflake.connector import SnowflakeConnection

from include import names, sql
from include.contracts import METRICS, times
from include.generator.trucks import FleetSimulation
from tests.fixtures.benchmarks import Benchmarks, alternate
from tests.fixtures.ministack import MiniStack
from tests.fixtures.snowflake import LocalSnowflake

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]

ROUNDS = 5
FILES, READINGS_A_FILE = 20, 5000
PUTS, READINGS_A_PUT = 60, 500
VISIBLE_WITHIN_SECONDS = 30
BUCKET = "telemetry-of-the-copy-benchmarks"
PREFIX = f"{names.LANDING_PREFIX}2026/11/22/14/"
ENVELOPE = {"stream_name": names.TRUCK_STREAM, "shard_id": "shardId-000000000000", "partition_key": "TRK001"}
# The types of the columns of RAW that come out of a line; Snowflake's FLOAT is a double.
COLUMNS = {
    "truck_id": "VARCHAR",
    "event_time": "TIMESTAMP",
    **{metric.name: "DOUBLE" if metric.kind == "number" else "VARCHAR" for metric in METRICS},
    "stream_name": "VARCHAR",
    "shard_id": "VARCHAR",
    "sequence_number": "VARCHAR",
    "arrival_time": "TIMESTAMP",
    "partition_key": "VARCHAR",
}


def landing_file(first: int, count: int) -> bytes:
    """A landing object as TruckDataProcessor writes it, of ``count`` readings of a hundred trucks."""
    start = datetime(2026, 11, 22, 14, tzinfo=UTC)
    fleet = FleetSimulation(seed=1, count=100, start=int(start.timestamp() * 1_000_000))
    lines = []
    for number in range(first, first + count):
        at = start + timedelta(milliseconds=number)
        truck, values = fleet.reading(number % 100, int(at.timestamp() * 1_000_000))
        attributes = dict(zip((metric.name for metric in METRICS), values, strict=True))
        line = {"truck_id": truck, "event_time": times.to_canonical(at), **attributes, **ENVELOPE}
        line |= {"sequence_number": f"49{number:054}", "arrival_time": times.to_canonical(at + timedelta(seconds=1))}
        lines.append(msgspec.json.encode(line))
    return gzip.compress(b"\n".join(lines) + b"\n", mtime=0)


class Intake:
    """The landing zone and a session of the warehouse that reads it."""

    def __init__(self, s3: Any, connection: SnowflakeConnection) -> None:
        self.s3, self.connection = s3, connection

    def put(self, name: str, body: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=PREFIX + name, Body=body)

    def execute(self, statement: str, values: Any = None) -> list[tuple]:
        with closing(self.connection.cursor()) as cursor:
            return cursor.execute(statement, values).fetchall()

    def rows(self, name: str = "%") -> int:
        """Rows of RAW out of files of this name."""
        ((count,),) = self.execute(f"select count(*) from {names.RAW_TABLE} where FILE_NAME like %s", [f"%{name}"])
        return count


@pytest.fixture
def intake(ministack: MiniStack, snowflake_tls: Any, tmp_path: Path) -> Iterator[Intake]:
    """After all of ``sql/ddl``: the pipe is there, and nothing tells it of files."""
    s3 = ministack.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    parameters = {"storage_role_arn": "arn:aws:iam::000000000000:role/snowflake", "telemetry_bucket": BUCKET}
    server = LocalSnowflake(tmp_path, snowflake_tls, ministack.environment)
    server.start()
    try:
        server.create_identities()
        with closing(server.connect_as("deployer")) as connection:
            for file in sorted((sql.SQL_DIRECTORY / "ddl").glob("*.sql")):
                for cursor in connection.execute_string(
                    sql.render(f"ddl/{file.name}", **parameters), remove_comments=True
                ):
                    cursor.close()
        with closing(server.connect_as("deployer")) as connection:
            yield Intake(s3, connection)
    finally:
        server.stop()
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
            s3.delete_objects(
                Bucket=BUCKET, Delete={"Objects": [{"Key": each["Key"]} for each in page.get("Contents", [])]}
            )
        s3.delete_bucket(Bucket=BUCKET)


def test_copy(benchmarks: Benchmarks, intake: Intake, tmp_path: Path):
    readings = FILES * READINGS_A_FILE
    directory = tmp_path / "files"
    directory.mkdir()
    for number in range(FILES):
        body = landing_file(number * READINGS_A_FILE, READINGS_A_FILE)
        intake.put(f"{number:02}.json.gz", body)
        (directory / f"{number:02}.json.gz").write_bytes(body)
    # The pipe's own statement, and once more what it has loaded.
    statement = sql.render("ddl/060_pipe.sql").partition("\nas\n")[2].partition(";")[0] + "\nforce = true"
    duck = duckdb.connect(str(tmp_path / "plain.db"))

    def ours() -> Callable[[], object]:
        intake.execute(f"truncate table {names.RAW_TABLE}")

        def work() -> None:
            assert len(intake.execute(statement)) == FILES

        return work

    def plain() -> Callable[[], object]:
        """DuckDB's JSON reader, told the columns, from the disk into a table on it: no S3, no check, no history."""
        duck.execute("DROP TABLE IF EXISTS RAW")
        duck.execute(f"CREATE TABLE RAW ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
        columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
        source = f"read_json('{directory}/*.json.gz', format = 'newline_delimited', columns = {{{columns}}})"
        return lambda: duck.execute(f"INSERT INTO RAW SELECT * FROM {source}")

    with closing(duck):
        seconds = alternate(ROUNDS, ours=ours, plain=plain)
        assert duck.execute("SELECT count(*), count(gps_latitude) FROM RAW").fetchone() == (readings, readings)
    assert intake.rows() == readings
    rates = {side: readings / each for side, each in seconds.items()}
    benchmarks.report(
        "copy_rows_per_second_vs_duckdb", rates["ours"], "rows/s", baseline=rates["plain"], must_be=">= 0.5"
    )


def test_put_to_visible(benchmarks: Benchmarks, intake: Intake):
    described = intake.connection.cursor().execute(f"desc pipe {names.PIPE}")
    channel = dict(zip([column.name for column in described.description], described.fetchone(), strict=True))
    intake.s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": channel["notification_channel"], "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    took = []
    for number in range(PUTS + 1):
        name, body = f"put-{number:02}.json.gz", landing_file(number * READINGS_A_PUT, READINGS_A_PUT)
        begun = time.perf_counter()
        intake.put(name, body)
        while not intake.rows(name):
            assert time.perf_counter() - begun < VISIBLE_WITHIN_SECONDS, f"{name} was not loaded"
            time.sleep(0.05)
        if number:  # The first finds the pipe cold.
            took.append(time.perf_counter() - begun)
    assert intake.rows() == (PUTS + 1) * READINGS_A_PUT
    benchmarks.report(
        "snowpipe_put_to_visible_p95_s", statistics.quantiles(took, n=20, method="inclusive")[-1], "s", must_be="<= 1"
    )
