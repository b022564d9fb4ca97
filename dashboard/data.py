"""Every query of the dashboard: plain values in, DataFrames out.

No other module of the dashboard talks to a store.  Values are bound, never rendered into a statement; every read has a
limit, every call a timeout and a bounded number of retries; every answer is cached for a few seconds (``ttl``), so that
ten open browsers cost what one costs.  All times in the frames are timezone-aware UTC.

AWS is found by the standard AWS_* environment, the warehouse by SNOWFLAKE_* (see :func:`connection_settings`), the
bucket's name and the shards of the click index by CTD_* (include/settings.py).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import boto3
import pandas as pd
import snowflake.connector
import streamlit as st
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from snowflake.connector.errors import Error as SnowflakeError
from snowflake.connector.errors import ProgrammingError

from include import click_table, names, sql
from include.contracts import MAX_CLOCK_SKEW, METRICS
from include.contracts.times import to_canonical
from include.settings import Settings, SettingsError, read_settings

CLICK_STORE = f"DynamoDB table {names.CLICK_TABLE}"
STATE_STORE = f"DynamoDB table {names.TRUCK_STATE_TABLE}"
BUCKET_STORE = "S3 telemetry bucket"
WAREHOUSE_STORE = "Snowflake"
# Not a store, but named like one when what finds the stores is wrong.
SETTINGS = "Settings"

# Bounds of one answer; a page says when it shows less than there is.
MAX_CLICKS = 20_000
MAX_ITEMS = 200
MAX_TRUCKS = 5_000
MAX_TRACK_POINTS = 20_000
TRACK_SLICES = 240
MAX_VERSIONS = 500
MAX_KEYS_PER_HOUR = 5_000
MAX_QUARANTINE_READS = 500

# Clicks are asked for anew at every refresh from here on; what is older is asked for once a minute.
RECENT = timedelta(minutes=1)
# After a failure to connect, pages are told so at once for this long, instead of each of them waiting for a timeout.
FAILURE_MEMORY_SECONDS = 10
WORKERS = 8

METRIC_NAMES = tuple(metric.name for metric in METRICS)
_NUMBERS = [metric.name for metric in METRICS if metric.kind == "number"]
_AWS_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"total_max_attempts": 3, "mode": "standard"},  # Exponential backoff with jitter.
    max_pool_connections=2 * WORKERS,
)


class StoreError(Exception):
    """A store could not answer.

    Attributes:
        store: which one, as a person calls it.
        problem: what is wrong, in one line.
        check: what to look at or do next.
    """

    def __init__(self, store: str, problem: str, check: str) -> None:
        super().__init__(f"{store} {problem}")
        self.store, self.problem, self.check = store, problem, check


class Clicks(NamedTuple):
    """Clicks of a window.

    ``frame``: time, item_id, item_name, clicks, delay (seconds from arrival in the stream to
    DynamoDB); newest first.  ``complete_since``: None where the window is whole,
    else the instant before which clicks were left out because :data:`MAX_CLICKS` was reached.  ``items_left_out``:
    how many items of the catalogue were not asked for (:data:`MAX_ITEMS`).
    """

    frame: pd.DataFrame
    complete_since: datetime | None
    items_left_out: int


class Quarantine(NamedTuple):
    """Quarantined records of the last hours.

    ``frame``: stream, hour, reason, records.  ``listed``: objects found.  ``unread``: how many of them have reason
    "not read", because a page reads at most :data:`MAX_QUARANTINE_READS` (the newest).
    """

    frame: pd.DataFrame
    listed: int
    unread: int


def now() -> datetime:
    """The dashboard's clock."""
    return datetime.now(UTC)


# --- Settings --------------------------------------------------------------------------------------------------------
def deployment() -> Settings:
    """The CTD_* settings.

    Raises:
        StoreError: one is missing or unusable.
    """
    try:
        return read_settings(os.environ)
    except SettingsError as error:
        raise StoreError(
            SETTINGS, str(error), "Start the dashboard with the same CTD_* variables as Airflow."
        ) from None


def connection_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """The connector's arguments from SNOWFLAKE_* variables.

    SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and one of SNOWFLAKE_PASSWORD and SNOWFLAKE_PRIVATE_KEY_FILE are required;
    SNOWFLAKE_WAREHOUSE, SNOWFLAKE_DATABASE and SNOWFLAKE_SCHEMA default to the project's; SNOWFLAKE_HOST,
    SNOWFLAKE_PORT and SNOWFLAKE_ROLE are optional.

    Raises:
        StoreError: a required variable is missing or the port is no number.
    """

    def need(name: str, also: str = "") -> StoreError:
        return StoreError(
            WAREHOUSE_STORE, f"is not configured: {name} is not set{also}", "Set it in the dashboard's environment."
        )

    given = {name: environ.get(f"SNOWFLAKE_{name.upper()}", "") for name in ("account", "user", "password", "role")}
    for name in ("account", "user"):
        if not given[name]:
            raise need(f"SNOWFLAKE_{name.upper()}")
    arguments: dict[str, Any] = {"account": given["account"], "user": given["user"]}
    if key_file := environ.get("SNOWFLAKE_PRIVATE_KEY_FILE"):
        arguments |= {"private_key_file": key_file, "authenticator": "SNOWFLAKE_JWT"}
    elif given["password"]:
        arguments["password"] = given["password"]
    else:
        raise need("SNOWFLAKE_PASSWORD", " (nor SNOWFLAKE_PRIVATE_KEY_FILE)")
    if host := environ.get("SNOWFLAKE_HOST"):
        arguments["host"] = host
    if port := environ.get("SNOWFLAKE_PORT"):
        if not port.isdigit():
            raise StoreError(WAREHOUSE_STORE, f"is not configured: SNOWFLAKE_PORT is {port!r}", "Give a port number.")
        arguments["port"] = int(port)
    if given["role"]:
        arguments["role"] = given["role"]
    return arguments | {
        "warehouse": environ.get("SNOWFLAKE_WAREHOUSE") or names.WAREHOUSE,
        "database": environ.get("SNOWFLAKE_DATABASE") or names.DATABASE,
        "schema": environ.get("SNOWFLAKE_SCHEMA") or names.SCHEMA,
        "login_timeout": 5,
        "network_timeout": 6,
        "socket_timeout": 5,
    }


# --- AWS -------------------------------------------------------------------------------------------------------------
@st.cache_resource(show_spinner=False)
def _client(service: str) -> Any:
    session = boto3.Session()
    if not session.region_name:
        raise StoreError("AWS", "is not configured: no region is set", "Set AWS_DEFAULT_REGION in the environment.")
    return session.client(service, config=_AWS_CONFIG)


@contextmanager
def _aws(store: str) -> Iterator[None]:
    """Turns what boto3 raises into a :class:`StoreError` that names the store and the next step."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in {"ResourceNotFoundException", "NoSuchBucket", "404"}:
            raise StoreError(store, "does not exist yet", "Run the DAG provision_resources, then come back.") from error
        raise StoreError(
            store, f"refused: {code}", "Check the dashboard's AWS credentials and its role's permissions."
        ) from error
    except BotoCoreError as error:
        raise StoreError(
            store,
            "is unreachable",
            f"Check that it runs and that AWS_ENDPOINT_URL, region and credentials are right ({error}).",
        ) from error


@st.cache_data(ttl=30, show_spinner=False)
def items() -> dict[str, str]:
    """Item names by item id, in the order of the ids; empty before the first click."""
    with _aws(CLICK_STORE):
        known = click_table.known_items(_client("dynamodb"), at_most=10 * MAX_ITEMS)
        found = {item["Item_ID"]["S"]: item["Item_Name"]["S"] for item in known}
    return dict(sorted(found.items()))


def clicks(minutes: int) -> Clicks:
    """Clicks whose timestamp is in the last ``minutes``, newest first.

    The last one to two minutes are as of this second, older ones as of this minute: reading a busy day anew at every
    refresh would cost more than writing it did.  A click that arrives late appears within a minute.

    Raises:
        StoreError: DynamoDB can't answer.
    """
    edge = now().replace(second=0, microsecond=0) - RECENT
    start = edge + RECENT - timedelta(minutes=minutes)
    recent, older = _recent_clicks(edge), _older_clicks(start, edge)
    frame = pd.concat([recent.frame, older.frame], ignore_index=True)
    if recent.complete_since:
        frame = recent.frame
    return Clicks(frame, recent.complete_since or older.complete_since, recent.items_left_out)


@st.cache_data(ttl=1, show_spinner=False)
def _recent_clicks(since: datetime) -> Clicks:
    return _clicks(since, None)


@st.cache_data(ttl=60, max_entries=20, show_spinner=False)
def _older_clicks(since: datetime, until: datetime) -> Clicks:
    return _clicks(since, until)


def _clicks(since: datetime, until: datetime | None) -> Clicks:
    """Clicks with since <= timestamp < until, by query of the click index: a partition per item, hour and shard."""
    catalogue = items()
    shards = deployment().click_index_shards
    asked = list(catalogue)[:MAX_ITEMS]
    client = _client("dynamodb")
    rows: list[tuple[str, str, int, str, str]] = []
    complete_since = None
    hours = _hours(since, until or now() + MAX_CLOCK_SKEW)
    with _aws(CLICK_STORE), ThreadPoolExecutor(WORKERS) as pool:
        for hour in reversed(hours):
            partitions = click_table.partitions(asked, hour, shards)
            for found in pool.map(lambda key: _partition(client, key, since, until), partitions):
                rows += found
            if len(rows) > MAX_CLICKS:
                rows = sorted(rows, reverse=True)[:MAX_CLICKS]
                complete_since = pd.Timestamp(rows[-1][0], tz="UTC").to_pydatetime()
                break
    rows.sort(reverse=True)
    frame = pd.DataFrame(rows, columns=["time", "item_id", "clicks", "arrival", "ingested"])
    for column in ("time", "arrival", "ingested"):
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
    frame["clicks"] = frame["clicks"].astype("int64")
    frame["item_name"] = frame["item_id"].map(catalogue).astype("object")
    frame["delay"] = (frame["ingested"] - frame["arrival"]).dt.total_seconds()
    return Clicks(
        frame[["time", "item_id", "item_name", "clicks", "delay"]], complete_since, len(catalogue) - len(asked)
    )


def _partition(client: Any, key: str, since: datetime, until: datetime | None) -> list[tuple[str, str, int, str, str]]:
    """Timestamp, item id, clicks, arrival and ingestion of one partition of the click index, newest first.

    One row more than :data:`MAX_CLICKS` says that there are more.
    """
    # Timestamps are fixed-width UTC text, so they compare as text; "~" sorts after every digit.
    pages = client.get_paginator("query").paginate(
        TableName=names.CLICK_TABLE,
        IndexName=names.CLICK_INDEX,
        KeyConditionExpression="Item_Hour_Shard = :partition AND #time BETWEEN :since AND :until",
        ExpressionAttributeNames={"#time": "Timestamp"},
        ExpressionAttributeValues={
            ":partition": {"S": key},
            ":since": {"S": to_canonical(since)},
            ":until": {"S": to_canonical(until - timedelta(microseconds=1)) if until else "~"},
        },
        ProjectionExpression="#time, Item_ID, Click_Counts, Arrival_Time, Ingested_At",
        ScanIndexForward=False,
        PaginationConfig={"MaxItems": MAX_CLICKS + 1},
    )
    return [
        (
            item["Timestamp"]["S"],
            item["Item_ID"]["S"],
            int(item["Click_Counts"]["N"]),
            item["Arrival_Time"]["S"],
            item["Ingested_At"]["S"],
        )
        for page in pages
        for item in page["Items"]
    ]


@st.cache_data(ttl=2, show_spinner=False)
def newest_click() -> datetime | None:
    """The newest click's timestamp in the last 24 hours, None when there is none."""
    client, shards = _client("dynamodb"), deployment().click_index_shards
    asked = list(items())[:MAX_ITEMS]

    def newest(key: str) -> str | None:
        answer = client.query(
            TableName=names.CLICK_TABLE,
            IndexName=names.CLICK_INDEX,
            KeyConditionExpression="Item_Hour_Shard = :partition",
            ExpressionAttributeNames={"#time": "Timestamp"},
            ExpressionAttributeValues={":partition": {"S": key}},
            ProjectionExpression="#time",
            ScanIndexForward=False,
            Limit=1,
        )["Items"]
        return answer[0]["Timestamp"]["S"] if answer else None

    with _aws(CLICK_STORE), ThreadPoolExecutor(WORKERS) as pool:
        for hour in reversed(_hours(now() - timedelta(hours=24), now() + MAX_CLOCK_SKEW)):
            partitions = click_table.partitions(asked, hour, shards)
            if found := [time for time in pool.map(newest, partitions) if time]:
                return pd.Timestamp(max(found), tz="UTC").to_pydatetime()
    return None


@st.cache_data(ttl=1, show_spinner=False)
def truck_states() -> pd.DataFrame:
    """The newest reading of every truck: truck_id, event_time, arrival_time and the 21 metrics; empty if none.

    Raises:
        StoreError: DynamoDB can't answer.
    """
    with _aws(STATE_STORE):
        # One small item a truck, and the page wants them all: here a scan is the query.
        pages = (
            _client("dynamodb")
            .get_paginator("scan")
            .paginate(TableName=names.TRUCK_STATE_TABLE, PaginationConfig={"MaxItems": MAX_TRUCKS})
        )
        rows = [
            {name.lower(): value.get("S", value.get("N")) for name, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]
    frame = pd.DataFrame(rows).reindex(columns=["truck_id", "event_time", "arrival_time", *METRIC_NAMES])
    for column in ("event_time", "arrival_time"):
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601")
    frame[_NUMBERS] = frame[_NUMBERS].astype("float64")
    return frame.sort_values("truck_id", ignore_index=True)


@st.cache_data(ttl=5, show_spinner=False)
def newest_landing(hours: int = 3) -> tuple[datetime | None, int]:
    """When the newest landing object of the last ``hours`` was written, and how many there are (at most
    :data:`MAX_KEYS_PER_HOUR` an hour)."""
    listed = _list_hours(names.LANDING_PREFIX, hours)
    return max((written for _, written in listed), default=None), len(listed)


@st.cache_data(ttl=10, show_spinner=False)
def quarantine(hours: int) -> Quarantine:
    """Quarantined records of the last ``hours`` (of arrival) by stream, hour and reason.

    Raises:
        StoreError: S3 can't answer.
    """
    bucket = deployment().telemetry_bucket
    listed = [
        (stream, key, written)
        for stream in (names.CLICK_STREAM, names.TRUCK_STREAM)
        for key, written in _list_hours(f"{names.QUARANTINE_PREFIX}{stream}/", hours)
    ]
    listed.sort(key=lambda row: row[2], reverse=True)
    read, rest = listed[:MAX_QUARANTINE_READS], listed[MAX_QUARANTINE_READS:]
    client = _client("s3")
    with _aws(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        reasons = list(pool.map(lambda row: _reason(client, bucket, row[1], row[2]), read))
    rows = [
        (stream, _hour_of(key), reason)
        for (stream, key, _), reason in zip([*read, *rest], [*reasons, *["not read"] * len(rest)], strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["stream", "hour", "reason"])
    frame["hour"] = pd.to_datetime(frame["hour"], utc=True)
    counts = frame.groupby(["stream", "hour", "reason"], as_index=False).size().rename(columns={"size": "records"})
    return Quarantine(counts, len(listed), len(rest))


@lru_cache(maxsize=20_000)
def _reason(client: Any, bucket: str, key: str, written: datetime) -> str:
    """The reason in one quarantine object; ``written`` is part of the cache key, for an object that was replaced."""
    body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return str(json.loads(body).get("reason", "unknown"))


def _list_hours(prefix: str, hours: int) -> list[tuple[str, datetime]]:
    """(key, time written) of what ``<prefix><yyyy>/<mm>/<dd>/<HH>/`` holds of this hour and the ``hours`` before it."""
    bucket, client, instant = deployment().telemetry_bucket, _client("s3"), now()
    prefixes = [f"{prefix}{hour:%Y/%m/%d/%H}/" for hour in _hours(instant - timedelta(hours=hours), instant)]

    def keys(hour_prefix: str) -> list[tuple[str, datetime]]:
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=hour_prefix, PaginationConfig={"MaxItems": MAX_KEYS_PER_HOUR}
        )
        return [(item["Key"], item["LastModified"]) for page in pages for item in page.get("Contents", [])]

    with _aws(BUCKET_STORE), ThreadPoolExecutor(WORKERS) as pool:
        return [found for hour in pool.map(keys, prefixes) for found in hour]


def _hour_of(key: str) -> str:
    year, month, day, hour = key.split("/")[-5:-1]
    return f"{year}-{month}-{day}T{hour}:00:00"


def _hours(since: datetime, until: datetime) -> list[datetime]:
    """The hours that [since, until] touches, oldest first."""
    hour = since.replace(minute=0, second=0, microsecond=0)
    found = []
    while hour <= until:
        found.append(hour)
        hour += timedelta(hours=1)
    return found


# --- Snowflake -------------------------------------------------------------------------------------------------------
class Warehouse:
    """One connection for all sessions, made when needed and made again when it breaks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None
        self._failure: tuple[float, StoreError] | None = None

    def query(self, path: str, values: Mapping[str, Any]) -> pd.DataFrame:
        """The rows of ``sql/dashboard/<path>`` with ``values`` bound; lower-case columns, timestamps aware UTC.

        Raises:
            StoreError: the warehouse is unreachable or refuses the statement.
        """
        statement = sql.render(f"dashboard/{path}")
        # Once more only when a connection that had worked turns out to be gone: its session expired, say.
        for is_last in (False, True):
            connection, is_new = self._connect()
            try:
                with connection.cursor() as cursor:
                    cursor.execute(statement, dict(values), timeout=20)
                    columns = [column.name.lower() for column in cursor.description]
                    return _frame(cursor.fetchall(), columns)
            except ProgrammingError as error:
                if not _is_session_error(error):
                    raise _refused(error) from error
                self._drop(connection)
                if is_last or is_new:
                    raise self._unreachable(error) from error
            except SnowflakeError as error:
                self._drop(connection)
                if is_last or is_new:
                    raise self._unreachable(error) from error
        raise AssertionError("the last attempt returns or raises")

    def _connect(self) -> tuple[Any, bool]:
        with self._lock:
            if self._connection is not None:
                return self._connection, False
            if self._failure and time.monotonic() < self._failure[0]:
                raise self._failure[1]
            arguments = connection_settings(os.environ)
            try:
                self._connection = snowflake.connector.connect(**arguments)
            except SnowflakeError as error:
                raise self._unreachable(error) from error
            return self._connection, True

    def _drop(self, connection: Any) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None

    def _unreachable(self, error: SnowflakeError) -> StoreError:
        failure = StoreError(
            WAREHOUSE_STORE,
            "is unreachable",
            f"Check that it runs and that SNOWFLAKE_HOST, SNOWFLAKE_PORT and the credentials are right "
            f"({_first_line(error)}).",
        )
        self._failure = (time.monotonic() + FAILURE_MEMORY_SECONDS, failure)
        return failure


def _is_session_error(error: SnowflakeError) -> bool:
    """390xxx: the session or its token is gone or expired."""
    return error.errno is not None and 390_000 <= error.errno < 391_000


def _refused(error: SnowflakeError) -> StoreError:
    # 2003: no such object, or none that this role may see; 2043 says the same of other kinds of object.
    if error.errno in {2003, 2043}:
        return StoreError(
            WAREHOUSE_STORE,
            f"has no such object yet: {_first_line(error)}",
            "Run the DAG provision_resources, then come back; in an account, check the role's grants too.",
        )
    return StoreError(
        WAREHOUSE_STORE, f"refused the statement: {_first_line(error)}", "Check the role's grants and the warehouse."
    )


def _first_line(error: SnowflakeError) -> str:
    return " ".join((error.raw_msg or error.msg or str(error)).split())[:300]


def _frame(rows: list[tuple[Any, ...]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns)
    for column in columns:
        if column in _TIMES:
            frame[column] = pd.to_datetime(frame[column], utc=True)
        elif column in _FLOATS:
            frame[column] = frame[column].astype("float64")
    return frame


# Columns that keep their type when a result is empty or all NULL.
_TIMES = {
    "effective_start_date", "effective_end_date", "load_timestamp", "slice_start", "last_time", "first_start",
    "last_start", "newest", "started_at", "finished_at", "checked_at", "failing_since", "loaded_at",
}  # fmt: skip
_FLOATS = set(_NUMBERS)


@st.cache_resource(show_spinner=False)
def _warehouse() -> Warehouse:
    return Warehouse()


@st.cache_data(ttl=3, show_spinner=False)
def current_rows() -> pd.DataFrame:
    """The current version of every truck: truck_id, load_timestamp, effective_start_date, effective_end_date,
    is_current and the 21 metrics.

    Raises:
        StoreError: the warehouse can't answer.
    """
    return _warehouse().query("current_rows.sql", {"limit": MAX_TRUCKS})


@st.cache_data(ttl=3, show_spinner=False)
def tracks(minutes: int) -> pd.DataFrame:
    """Where the trucks drove in the last ``minutes``, in at most :data:`TRACK_SLICES` points a truck: truck_id,
    slice_start, last_time, position (degrees), vehicle_speed (mph), fuel_level (%), fuel_consumption (gal/h) and
    engine_temperature (°C).

    Raises:
        StoreError: the warehouse can't answer.
    """
    since = now() - timedelta(minutes=minutes)
    values = {
        "since": to_canonical(since),
        "slice_seconds": max(1, round(minutes * 60 / TRACK_SLICES)),
        "limit": MAX_TRACK_POINTS,
    }
    return _warehouse().query("tracks.sql", values)


@st.cache_data(ttl=3, show_spinner=False)
def versions(truck_id: str) -> pd.DataFrame:
    """The newest :data:`MAX_VERSIONS` versions of a truck, newest first, with the columns of :func:`current_rows`.

    Raises:
        StoreError: the warehouse can't answer.
    """
    return _warehouse().query("versions.sql", {"truck_id": truck_id, "limit": MAX_VERSIONS})


@st.cache_data(ttl=3, show_spinner=False)
def history_span(truck_id: str) -> tuple[int, datetime | None, datetime | None]:
    """How many versions a truck has, and when its first and its last one start (UTC).

    Raises:
        StoreError: the warehouse can't answer.
    """
    row = _warehouse().query("history_span.sql", {"truck_id": truck_id}).iloc[0]
    if not row["versions"]:
        return 0, None, None
    return int(row["versions"]), row["first_start"].to_pydatetime(), row["last_start"].to_pydatetime()


@st.cache_data(ttl=3, show_spinner=False)
def as_of(truck_id: str, instant: datetime) -> pd.DataFrame:
    """The version of a truck that was valid at ``instant``: one row with the columns of :func:`current_rows`, or none.

    Raises:
        StoreError: the warehouse can't answer.
    """
    return _warehouse().query("as_of.sql", {"truck_id": truck_id, "instant": to_canonical(instant)})


@st.cache_data(ttl=5, show_spinner=False)
def warehouse_freshness() -> pd.DataFrame:
    """table_name, table_rows, newest (UTC) of RAW (by arrival) and of the history (by event time).

    Raises:
        StoreError: the warehouse can't answer.
    """
    return _warehouse().query("warehouse_freshness.sql", {})


@st.cache_data(ttl=5, show_spinner=False)
def merge_runs(limit: int = 50) -> pd.DataFrame:
    """The newest merge runs: run_id, started_at, finished_at, rows_inserted, rows_updated, rows_deleted.

    Raises:
        StoreError: the warehouse can't answer.
    """
    return _warehouse().query("merge_runs.sql", {"limit": limit})


@st.cache_data(ttl=5, show_spinner=False)
def quality_results() -> pd.DataFrame:
    """What the last run found: rule, severity, status, failed_count, samples (JSON), message, checked_at,
    failing_since, run_id.

    Raises:
        StoreError: the warehouse can't answer.
    """
    return _warehouse().query("quality_results.sql", {})


@st.cache_data(ttl=5, show_spinner=False)
def ledger(hours: int = 48) -> pd.DataFrame:
    """The newest ``hours`` of each stream in the conservation ledger, newest first: stream_name, arrival_hour, is_open,
    balanced, archived, landed, duplicates, quarantined, resolved, missing, unexpected, conflicts, covered, waiting,
    overdue, uncovered, details (JSON), checked_at.

    Raises:
        StoreError: the warehouse can't answer.
    """
    return _warehouse().query("ledger.sql", {"hours": hours})


@st.cache_data(ttl=5, show_spinner=False)
def load_history(hours: int, limit: int = 200) -> pd.DataFrame:
    """The newest files that the pipe loaded in the last ``hours``: file_name, loaded_at, status, row_count,
    row_parsed, error_count, first_error_message.

    Raises:
        StoreError: the warehouse can't answer.
    """
    return _warehouse().query("load_history.sql", {"hours": hours, "limit": limit})
