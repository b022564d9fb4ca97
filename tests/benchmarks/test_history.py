"""The SCD Type 2 MERGE through the local Snowflake and the stock connector, beside dbt snapshot on the same DuckDB.

Every round starts from copies of the same files; how the comparison is made fair is in docs/adr/0041.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from snowflake.connector import SnowflakeConnection

from include import names, sql
from include.contracts import METRICS
from tests.fixtures import dbt
from tests.fixtures.benchmarks import Benchmarks, Seconds, Side, alternate
from tests.fixtures.snowflake import LocalSnowflake

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1200)]

ROUNDS = 5
TRUCKS = 100_000
# A turn is one reading of each truck, the trucks one after another within five minutes.
TURN_MILLISECONDS = 300_000
# So many turns are computed; a longer history repeats them.
COMPUTED_TURNS = 10
START = "'2026-11-01'::timestamp_ntz"
DDL = ("010_warehouse", "020_database", "040_raw", "050_history", "070_results")
EARLIEST = sql.render("merge/earliest_reading.sql")
MERGE = sql.render("merge/truck_telemetry_scd2.sql")
# Those that a landing file has always had; the others are NULL.
RAW_COLUMNS = (
    "TRUCK_ID", "EVENT_TIME", *sql.ATTRIBUTES, "STREAM_NAME", "SHARD_ID", "SEQUENCE_NUMBER", "ARRIVAL_TIME",
    "PARTITION_KEY", "FILE_NAME", "FILE_ROW_NUMBER", "LOAD_TIMESTAMP",
)  # fmt: skip
DBT_PROJECT = Path(__file__).parent / "dbt_snapshot"


@dataclass(frozen=True)
class Batch:
    """One changed reading of each of ``trucks`` trucks in one turn, landed under the name of a file.

    One in ten is late by ``lateness``: milliseconds, in SQL over TRUCK and TURN.  So are the ``values`` of the
    attributes, if given.
    """

    turn: int
    trucks: int = TRUCKS
    lateness: str = "0"
    file: str = "first"
    values: str = ""


UP_TO_TEN_MINUTES = "mod(TRUCK * 104729, 600000)"
OVER_ALL_HISTORY = f"mod(TRUCK * 104729, TURN * {TURN_MILLISECONDS})"


def landing(batch: Batch) -> str:
    """INSERT of the batch into RAW.  All attributes of a truck differ from one turn to the next."""
    attributes = batch.values or ", ".join(
        f"iff(mod(TRUCK + TURN + {index}, 10) = 0, 'Needs Inspection', 'Good')"
        if metric.kind == "text"
        else f"mod(TRUCK * 7919 + TURN * 104729 + {index * 1299709}, 10007)::float / 100"
        for index, metric in enumerate(METRICS)
    )
    return f"""
        insert into {names.RAW_TABLE} ({", ".join(RAW_COLUMNS)})
        with READINGS as (
            select
                (row_number() over (order by seq8()) - 1) * {TRUCKS // batch.trucks} as TRUCK,
                {batch.turn} as TURN,
                dateadd('millisecond', TURN * {TURN_MILLISECONDS} + TRUCK * 3, {START}) as ON_TIME,
                iff(mod(TRUCK, 10) = 0, {batch.lateness}, 0) as LATE
            from table(generator(rowcount => {batch.trucks}))
        )
        select
            'TRK' || lpad(TRUCK::string, 6, '0'),
            iff(LATE = 0, ON_TIME, dateadd('microsecond', 500 - LATE * 1000, ON_TIME)),
            {attributes},
            '{names.TRUCK_STREAM}',
            'shardId-000000000000',
            '49' || lpad((TURN * {TRUCKS} + TRUCK)::string, 54, '0'),
            dateadd('second', 1, ON_TIME),
            'TRK' || lpad(TRUCK::string, 6, '0'),
            'telemetry-data/{batch.turn}/{batch.file}.json.gz',
            TRUCK + 1,
            dateadd('millisecond', (TURN + 1) * {TURN_MILLISECONDS}, {START})
        from READINGS
    """


def begin_of(turn: int) -> str:
    """When the turn's first reading is measured."""
    return f"dateadd('millisecond', {turn * TURN_MILLISECONDS}, {START})"


def repetition(turns: int) -> str:
    """INSERT of the computed turns once more into RAW, ``turns`` later."""
    later = ", ".join(
        f"dateadd('millisecond', {turns * TURN_MILLISECONDS}, {column}) as {column}"
        for column in ("EVENT_TIME", "ARRIVAL_TIME", "LOAD_TIMESTAMP")
    )
    return f"""
        insert into {names.RAW_TABLE}
        select * replace ({later}, 'telemetry-data/{turns}/again.json.gz' as FILE_NAME)
        from {names.RAW_TABLE}
        where EVENT_TIME < dateadd('millisecond', {COMPUTED_TURNS * TURN_MILLISECONDS}, {START})
    """


def derivation(turns: int) -> str:
    """INSERT of the history of what is in RAW: each reading is a version, which the next turn's ends."""
    return f"""
        insert into {names.HISTORY_TABLE}
        select
            TRUCK_ID,
            LOAD_TIMESTAMP,
            EVENT_TIME,
            iff(IS_LAST, null, dateadd('millisecond', {TURN_MILLISECONDS}, EVENT_TIME)),
            IS_LAST,
            {sql.attributes()}
        from (
            select
                *,
                EVENT_TIME >= dateadd('millisecond', {(turns - 1) * TURN_MILLISECONDS}, {START}) as IS_LAST
            from {names.RAW_TABLE}
        )
    """


class Account:
    """A local Snowflake with a history of ``rows`` versions, whose files can be put back to what they were."""

    def __init__(self, directory: Path, tls_files: Any, rows: int, values: str = "") -> None:
        self.rows, self.turns = rows, rows // TRUCKS
        self.server = LocalSnowflake(directory, tls_files, {})
        self.kept = directory / "kept"
        self.server.start()
        self.server.create_identities()
        self.server.stop()
        with self.running() as connection:
            for script in DDL:
                for cursor in connection.execute_string(sql.render(f"ddl/{script}.sql"), remove_comments=True):
                    cursor.close()
        with self.running() as connection:
            for turn in range(COMPUTED_TURNS):
                execute(connection, landing(Batch(turn, values=values)))
            for turns in range(COMPUTED_TURNS, self.turns, COMPUTED_TURNS):
                execute(connection, repetition(turns))
            execute(connection, derivation(self.turns))
            # All that is there counts as merged.
            for stream in (names.RAW_STREAM, names.PLAUSIBILITY_STREAM):
                execute(connection, f"create or replace stream {stream} on table {names.RAW_TABLE} append_only = true")
        self.server.state.rename(self.kept)

    @contextmanager
    def running(self) -> Iterator[SnowflakeConnection]:
        """The server, from its start to its end, and a session in the pipeline's schema."""
        self.server.start()
        try:
            with closing(self.server.connect_as("deployer")) as connection:
                yield connection
        finally:
            self.server.stop()

    def restore(self) -> None:
        """Make the files what they were; the server must not run."""
        shutil.rmtree(self.server.state, ignore_errors=True)
        shutil.copytree(self.kept, self.server.state)

    @property
    def database(self) -> Path:
        return self.server.state / f"{names.DATABASE}.db"


def execute(connection: SnowflakeConnection, statement: str, **values: Any) -> list[tuple]:
    with closing(connection.cursor()) as cursor:
        return cursor.execute(statement, values or None).fetchall()


# --- The sides -------------------------------------------------------------------------------------------------------


def merge(account: Account, batch: Batch, *, again: bool = False) -> Side:
    """The MERGE of the landed batch; ``again``: of the same readings in another file, the first time not counted."""

    def prepare() -> Callable[[], Seconds]:
        account.restore()
        return work

    def work() -> Seconds:
        with account.running() as connection:
            # A running server has compiled the statements long ago: it merges every few seconds.
            execute(connection, EARLIEST)
            ((bound,),) = execute(connection, f"select date_trunc('hour', {begin_of(batch.turn)})")
            assert sum(map(int, execute(connection, MERGE, earliest=bound)[0])) == 0
            execute(connection, landing(batch))
            took, changed = timed(connection)
            assert changed == (batch.trucks, batch.trucks, 0)
            if again:
                execute(connection, landing(replace(batch, file="second")))
                took, changed = timed(connection)
                assert changed == (0, 0, 0)
            check(connection, account, batch)
        return took

    return prepare


def timed(connection: SnowflakeConnection) -> tuple[Seconds, tuple[int, ...]]:
    """One merge, its look for the bound included: how long it took, and the rows inserted, updated, deleted."""
    begun = time.perf_counter()
    ((earliest,),) = execute(connection, EARLIEST)
    (changed,) = execute(connection, MERGE, earliest=earliest)
    return Seconds(time.perf_counter() - begun), tuple(map(int, changed))


def check(connection: SnowflakeConnection, account: Account, batch: Batch) -> None:
    """Each reading of the batch has opened a version, and ended the one before it."""
    counted = execute(connection, f"select count(*), count_if(IS_CURRENT) from {names.HISTORY_TABLE}")
    assert counted == [(account.rows + batch.trucks, TRUCKS)]
    opened_and_ended = execute(
        connection,
        f"""
        select count(*)
        from {names.HISTORY_TABLE} as OPENED
        inner join {names.HISTORY_TABLE} as ENDED
            on
                OPENED.TRUCK_ID = ENDED.TRUCK_ID
                and OPENED.EFFECTIVE_START_DATE = ENDED.EFFECTIVE_END_DATE
        where OPENED.LOAD_TIMESTAMP = dateadd('millisecond', {(batch.turn + 1) * TURN_MILLISECONDS}, {START})
        """,
    )
    assert opened_and_ended == [(batch.trucks,)]


def dbt_snapshot(account: Account, batch: Batch, directory: Path) -> Side:
    """dbt's snapshot of the same readings into a table of the same versions with dbt's columns."""
    kept, database = directory / "kept.db", directory / "truck.db"
    directory.mkdir()
    account.restore()
    with account.running() as connection:
        execute(connection, landing(batch))
    with duckdb.connect(str(kept)) as duck:
        duck.execute(f"ATTACH '{account.database}' AS account (READ_ONLY)")
        duck.execute(f"USE account.{names.SCHEMA}; CREATE SCHEMA kept.main_history")
        duck.execute(f"""
            CREATE TABLE kept.main_history.truck_history AS
            SELECT TRUCK_ID, EFFECTIVE_START_DATE AS EVENT_TIME, LOAD_TIMESTAMP, {sql.attributes()},
                   md5(TRUCK_ID || '|' || EVENT_TIME::VARCHAR) AS dbt_scd_id, EVENT_TIME AS dbt_updated_at,
                   EVENT_TIME AS dbt_valid_from, EFFECTIVE_END_DATE AS dbt_valid_to
            FROM {names.HISTORY_TABLE}
        """)
        duck.execute(f"""
            CREATE TABLE kept.main.readings AS
            SELECT TRUCK_ID, EVENT_TIME, LOAD_TIMESTAMP, {sql.attributes()}
            FROM {names.RAW_TABLE} WHERE LOAD_TIMESTAMP = (SELECT max(LOAD_TIMESTAMP) FROM {names.RAW_TABLE})
        """)

    def prepare() -> Callable[[], Seconds]:
        shutil.copyfile(kept, database)
        return work

    def work() -> Seconds:
        took = dbt.snapshot(DBT_PROJECT, database, directory)
        with duckdb.connect(str(database), read_only=True) as duck:
            counted = duck.execute(
                "SELECT count(*), count(*) FILTER (dbt_valid_to IS NULL) FROM main_history.truck_history"
            ).fetchone()
        assert counted == (account.rows + batch.trucks, TRUCKS)
        return Seconds(took)

    return prepare


# --- The rows --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    """Some 5 GB at most, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="history-benchmark-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def million(scratch: Path, snowflake_tls: Any) -> Account:
    return Account(scratch / "1m", snowflake_tls, 1_000_000)


@pytest.fixture(scope="module")
def ten_million(scratch: Path, snowflake_tls: Any) -> Account:
    return Account(scratch / "10m", snowflake_tls, 10_000_000)


@pytest.fixture(scope="module", autouse=True)
def same_engine() -> None:
    assert dbt.duckdb_version() == duckdb.__version__, "make lock, so that dbt runs on the local Snowflake's DuckDB"


def test_merge_into_a_million(benchmarks: Benchmarks, million: Account, scratch: Path):
    batch = Batch(million.turns)
    seconds = alternate(
        ROUNDS,
        on_time=merge(million, batch),
        dbt=dbt_snapshot(million, batch, scratch / "dbt-1m"),
        late=merge(million, replace(batch, lateness=UP_TO_TEN_MINUTES)),
        very_late=merge(million, replace(batch, lateness=OVER_ALL_HISTORY)),
        again=merge(million, batch, again=True),
    )
    for name, value, baseline, at_most in (
        ("scd2_merge_1m_vs_dbt_snapshot", "on_time", "dbt", 1.0),
        ("scd2_merge_late_vs_ontime", "late", "on_time", 1.2),
        ("scd2_merge_very_late_vs_ontime", "very_late", "on_time", 2.0),
        ("scd2_merge_noop_vs_first", "again", "on_time", 0.5),
    ):
        benchmarks.report(name, seconds[value], "s", baseline=seconds[baseline], must_be=f"<= {at_most}")


def test_merge_into_ten_million(benchmarks: Benchmarks, million: Account, ten_million: Account, scratch: Path):
    every_truck, some_trucks = Batch(ten_million.turns), Batch(ten_million.turns, trucks=1000)
    seconds = alternate(
        ROUNDS,
        thousand=merge(ten_million, some_trucks),
        dbt=dbt_snapshot(ten_million, some_trucks, scratch / "dbt-10m"),
        into_ten_million=merge(ten_million, every_truck),
        into_a_million=merge(million, Batch(million.turns)),
    )
    for name, value, baseline, at_most in (
        ("scd2_merge_1000_into_10m_vs_dbt_snapshot", "thousand", "dbt", 0.2),
        ("scd2_merge_10m_vs_1m", "into_ten_million", "into_a_million", 1.3),
    ):
        benchmarks.report(name, seconds[value], "s", baseline=seconds[baseline], must_be=f"<= {at_most}")
