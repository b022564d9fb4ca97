"""The real dashboard in a real browser, over stores with known contents."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from include import names, sql
from include.contracts import METRICS
from include.contracts.times import to_canonical

ROOT = Path(__file__).parents[2]
CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BUCKET = "dashboard-telemetry"
ITEMS = {"CAM003": "Camera", "LAP002": "Laptop", "MOB001": "Mobile"}


class Dashboard:
    """``streamlit run dashboard/app.py``, the command of the demo, on a free port."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = log
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SNOWFLAKE_"))}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "streamlit", "run", "dashboard/app.py"),
                    *("--server.address", "127.0.0.1", "--server.port", str(self.port), "--server.headless", "true"),
                ],
                cwd=ROOT,
                env={**inherited, "PYTHONPATH": str(ROOT), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait(self, deadline: float = 120) -> None:
        """Until it answers."""
        end = time.monotonic() + deadline
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=2) as answer:  # noqa: S310  Our own http URL.
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"the dashboard did not start:\n{self.log.read_text()}") from None
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        self.process.terminate()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=60)


class Stores:
    """Fills the stores as the pipeline does, by the names and shapes that its parts agree on."""

    def __init__(self, client: Any, connect: Any) -> None:
        self.dynamodb, self.s3, self.connect = client("dynamodb"), client("s3"), connect
        self.start = datetime.now(UTC)
        self.expected: dict[str, Any] = {}

    def create_tables(self) -> None:
        """The DynamoDB tables and the bucket, as the CloudFormation template declares them."""
        template_keys = {
            names.CLICK_ITEM_TABLE: [("Item_ID", "HASH")],
            names.TRUCK_STATE_TABLE: [("Truck_ID", "HASH")],
            names.CLICK_TABLE: [("Timestamp", "HASH"), ("Item_ID", "RANGE")],
        }
        index = {
            "IndexName": names.CLICK_INDEX,
            "KeySchema": [
                {"AttributeName": "Item_Hour_Shard", "KeyType": "HASH"},
                {"AttributeName": "Timestamp", "KeyType": "RANGE"},
            ],
            "Projection": {
                "ProjectionType": "INCLUDE",
                "NonKeyAttributes": ["Item_Name", "Click_Counts", "Ingested_At", "Arrival_Time"],
            },
        }
        for table, keys in template_keys.items():
            attributes = [name for name, _ in keys] + (["Item_Hour_Shard"] if table == names.CLICK_TABLE else [])
            self.dynamodb.create_table(
                TableName=table,
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in attributes],
                BillingMode="PAY_PER_REQUEST",
                **({"GlobalSecondaryIndexes": [index]} if table == names.CLICK_TABLE else {}),
            )
        self.s3.create_bucket(Bucket=BUCKET)

    def drop_tables(self) -> None:
        """Leaves the shared server as it was."""
        for table in (names.CLICK_ITEM_TABLE, names.TRUCK_STATE_TABLE, names.CLICK_TABLE):
            self.dynamodb.delete_table(TableName=table)
        for item in self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            self.s3.delete_object(Bucket=BUCKET, Key=item["Key"])
        self.s3.delete_bucket(Bucket=BUCKET)

    def click(self, item: str, when: datetime, count: int) -> None:
        """One click, as KinesisToDynamoDBProcessor writes it."""
        text = to_canonical(when)
        attributes = {
            "Timestamp": text,
            "Item_ID": item,
            "Item_Name": ITEMS[item],
            "Item_Hour_Shard": f"{item}#{text[:13]}#0",
            "Ingested_At": to_canonical(when + timedelta(seconds=1.2)),
            "Stream": names.CLICK_STREAM,
            "Shard_ID": "shardId-000000000000",
            "Sequence_Number": "1",
            "Arrival_Time": to_canonical(when + timedelta(seconds=0.3)),
        }
        self.dynamodb.put_item(
            TableName=names.CLICK_TABLE,
            Item={name: {"S": value} for name, value in attributes.items()} | {"Click_Counts": {"N": str(count)}},
        )
        self.dynamodb.put_item(
            TableName=names.CLICK_ITEM_TABLE, Item={"Item_ID": {"S": item}, "Item_Name": {"S": ITEMS[item]}}
        )

    def fill(self) -> None:
        """Clicks, trucks, history, results and quarantine of the last minutes; ``expected`` says how many."""
        chance, counts = random.Random(7), []
        for number in range(40):
            counts.append(chance.randint(1, 5))
            item = list(ITEMS)[number % len(ITEMS)]
            self.click(item, self.start - timedelta(seconds=5 + 10 * number), counts[-1])
        readings = [
            reading
            for number, truck in enumerate(("TRK001", "TRK002", "TRK003"))
            for reading in drive(truck, number, self.start - timedelta(seconds=300), 280, 20)
        ]
        self.history(readings)
        newest = {reading["truck_id"]: reading for reading in readings}
        for reading in newest.values():
            self.state(reading)
        for number in range(5):
            stream = names.CLICK_STREAM if number < 3 else names.TRUCK_STREAM
            self.quarantined(stream, self.start, number, "not_json" if number < 3 else "out_of_range")
        self.landed(self.start, 1)
        self.insert(
            names.MERGE_RUNS_TABLE,
            [
                {"RUN_ID": f"run-{number}", "STARTED_AT": self.start - timedelta(seconds=60 * number)}
                | {"FINISHED_AT": self.start - timedelta(seconds=60 * number - 2)}
                | {"ROWS_INSERTED": 1000 + number, "ROWS_UPDATED": 3, "ROWS_DELETED": 0}
                for number in (1, 2)
            ],
        )
        self.insert(
            names.QUALITY_RESULTS_TABLE,
            [
                {"RUN_ID": run, "RULE": rule, "SEVERITY": severity, "STATUS": status, "FAILED_COUNT": count}
                | {"SAMPLES": samples, "MESSAGE": "m", "CHECKED_AT": self.start - timedelta(seconds=age)}
                | {"FAILING_SINCE": self.start - timedelta(minutes=12)}
                for run, rule, severity, status, count, samples, age in (
                    # Superseded by the next run, which had no rule "gone".
                    ("1", "versions_meet", "fail", "fail", 4, "[]", 90),
                    ("1", "gone", "fail", "fail", 4, "[]", 90),
                    ("2", "versions_meet", "fail", "pass", 0, "[]", 30),
                    ("2", "trucks_are_known", "warn", "fail", 2, '["TRK998", "TRK999"]', 30),
                    ("2", "states_match_history", "fail", "fail", 25, '["TRK001 state is behind"]', 30),
                )
            ],
        )
        hour = self.start.replace(minute=0, second=0, microsecond=0)
        kinds = ("DUPLICATES", "QUARANTINED", "RESOLVED", "NOT_LOADED", "UNEXPECTED", "CONFLICTS", "COVERED", "WAITING")
        counted = dict.fromkeys((*kinds, "OVERDUE", "UNCOVERED"), 0)
        lost = {"missing": ["shardId-000000000000 49650000000000000000000000000000000000000000000000000007"]}
        self.insert(
            names.LEDGER_TABLE,
            [
                {"STREAM_NAME": stream, "ARRIVAL_HOUR": hour - timedelta(hours=age), "IS_OPEN": age == 0, **counted}
                | {"BALANCED": not missing, "ARCHIVED": 500, "LANDED": 500 - missing, "MISSING": missing}
                | {"DETAILS": json.dumps(lost if missing else {}), "CHECKED_AT": self.start, "RUN_ID": "r"}
                for stream in (names.CLICK_STREAM, names.TRUCK_STREAM)
                for age, missing in ((0, 20), (1, 0), (2, 7 if stream == names.TRUCK_STREAM else 0))
            ],
        )
        self.expected = {
            "clicks": sum(counts),
            "events": len(counts),
            "trucks": len(newest),
            "lowest fuel": min(reading["fuel_level"] for reading in newest.values()),
            "versions of TRK001": sum(reading["truck_id"] == "TRK001" for reading in readings),
        }

    def state(self, reading: Mapping[str, Any]) -> None:
        """A truck's newest reading, as TruckDataProcessor writes it."""
        text = to_canonical(reading["event_time"])
        item = {
            metric.name: {"N": str(reading[metric.name])} if metric.kind == "number" else {"S": reading[metric.name]}
            for metric in METRICS
            if reading.get(metric.name) is not None
        }
        own = {"Truck_ID": reading["truck_id"], "Event_Time": text, "Arrival_Time": text, "Ingested_At": text}
        self.dynamodb.put_item(
            TableName=names.TRUCK_STATE_TABLE, Item=item | {name: {"S": value} for name, value in own.items()}
        )

    def quarantined(self, stream: str, when: datetime, sequence: int, reason: str) -> None:
        """One quarantined record."""
        self.s3.put_object(
            Bucket=BUCKET,
            Key=f"{names.QUARANTINE_PREFIX}{stream}/{when:%Y/%m/%d/%H}/shardId-000000000000-{sequence}.json",
            Body=json.dumps({"reason": reason, "payload_base64": "e30="}).encode(),
        )

    def landed(self, when: datetime, sequence: int) -> None:
        """One landing object; only its name and time matter here."""
        key = f"{names.LANDING_PREFIX}{when:%Y/%m/%d/%H}/shardId-000000000000-{sequence}-{sequence}-0.json.gz"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"")

    def insert(self, table: str, rows: list[Mapping[str, Any]]) -> None:
        """Rows into a warehouse table."""
        columns = list(rows[0])
        one = f"({', '.join(['%s'] * len(columns))})"
        with self.connect() as connection, connection.cursor() as cursor:
            for start in range(0, len(rows), 500):
                part = rows[start : start + 500]
                cursor.execute(
                    f"insert into {table} ({', '.join(columns)}) values {', '.join([one] * len(part))}",
                    [
                        value.replace(tzinfo=None).isoformat(sep=" ") if isinstance(value, datetime) else value
                        for row in part
                        for value in row.values()
                    ],
                )

    def history(self, readings: list[dict[str, Any]]) -> None:
        """RAW rows and the versions of ``readings`` (each differs from the one before it), by truck and time."""
        raw, versions = [], []
        for number, reading in enumerate(readings):
            metrics = {metric.name: reading[metric.name] for metric in METRICS}
            envelope = {"STREAM_NAME": names.TRUCK_STREAM, "SHARD_ID": "0", "SEQUENCE_NUMBER": str(number)}
            instant, truck = reading["event_time"], reading["truck_id"]
            raw.append(
                {"TRUCK_ID": truck, "EVENT_TIME": instant, **metrics, **envelope, "ARRIVAL_TIME": instant}
                | {"FILE_NAME": "f", "FILE_ROW_NUMBER": number, "LOAD_TIMESTAMP": instant}
            )
            following = readings[number + 1] if number + 1 < len(readings) else None
            end = following["event_time"] if following and following["truck_id"] == truck else None
            versions.append(
                {"TRUCK_ID": truck, "LOAD_TIMESTAMP": instant, "EFFECTIVE_START_DATE": instant}
                | {"EFFECTIVE_END_DATE": end, "IS_CURRENT": end is None, **metrics}
            )
        self.insert(names.RAW_TABLE, raw)
        self.insert(names.HISTORY_TABLE, versions)


def drive(truck: str, number: int, start: datetime, seconds: int, step: int) -> list[dict[str, Any]]:
    """Readings of a truck that drives a loop near Columbus, Ohio: every ``step`` seconds, all metrics set."""
    chance = random.Random(number)
    heading, latitude, longitude = chance.uniform(0, 6.28), 39.96 + chance.gauss(0, 0.03), -83.0 + chance.gauss(0, 0.04)
    fuel, odometer, readings = chance.uniform(12, 90), chance.uniform(20_000, 90_000), []
    for second in range(0, seconds + 1, step):
        speed = max(0.0, 38 + 16 * math.sin(second / 120 + number) + chance.gauss(0, 2))
        heading += chance.gauss(0, 0.12) * step / 5
        miles = speed * step / 3600
        latitude += miles / 69 * math.cos(heading)
        longitude += miles / 53 * math.sin(heading)
        fuel, odometer = max(5.0, fuel - miles / 7), odometer + miles
        readings.append(
            {
                "truck_id": truck, "event_time": start + timedelta(seconds=second),
                "gps_latitude": round(latitude, 6), "gps_longitude": round(longitude, 6), "gps_altitude": 235.0,
                "gps_speed": round(speed, 1), "vehicle_speed": round(speed, 1), "engine_rpm": round(700 + speed * 30),
                "fuel_level": round(fuel, 2), "engine_temperature": round(86 + speed / 6 + chance.gauss(0, 0.5), 1),
                "oil_pressure": round(38 + speed / 4, 1), "battery_voltage": 13.8,
                "odometer_reading": round(odometer, 2), "fuel_consumption": round(1 + speed / 9, 2),
                "brake_status": "Needs Inspection" if number == 2 else "Good",
                "tire_pressure_front_left": 101.0, "tire_pressure_front_right": 100.5,
                "tire_pressure_rear_left": 82.0 if number == 4 else 99.5, "tire_pressure_rear_right": 100.0,
                "transmission_status": "Operational", "environment_temperature": 7.5,
                "environment_humidity": 61.0, "environment_pressure": 1013.2,
            }
        )  # fmt: skip
    return readings


def environment(ministack: Any, snowflake: Any, database: str) -> dict[str, str]:
    """What the dashboard is given: the stores' addresses, the settings, nothing else."""
    return {
        **ministack.environment,
        **snowflake.environment,
        "SNOWFLAKE_DATABASE": database,
        "CTD_DEPLOYMENT_BUCKET": "deployment",
        "CTD_TELEMETRY_BUCKET": BUCKET,
    }


def create_database(snowflake: Any, database: str) -> None:
    """The warehouse's tables as sql/ddl declares them, in a database of the test's own."""
    with snowflake.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"create database if not exists {database}")
        cursor.execute(f"create schema if not exists {database}.{names.SCHEMA}")
        for path in ("ddl/040_raw.sql", "ddl/050_history.sql", "ddl/070_results.sql", "ddl/085_ledger.sql"):
            connection.execute_string(sql.render(path).replace(f"{names.DATABASE}.", f"{database}."))


@contextmanager
def running(given: Mapping[str, str], log: Path) -> Iterator[Dashboard]:
    """A dashboard with this environment, stopped at the end."""
    dashboard = Dashboard(given, log)
    try:
        dashboard.wait()
        yield dashboard
    finally:
        dashboard.stop()


@pytest.fixture(scope="module")
def stores(ministack: Any, snowflake_server: Any) -> Iterator[Stores]:
    """Stores with known contents; what they hold is in ``Stores.expected``."""
    database = "DASHBOARD"
    create_database(snowflake_server, database)
    filled = Stores(ministack.client, lambda: snowflake_server.connect(database=database, schema=names.SCHEMA))
    filled.create_tables()
    try:
        filled.fill()
        yield filled
    finally:
        filled.drop_tables()


@pytest.fixture(scope="module")
def dashboard(
    stores: Stores, ministack: Any, snowflake_server: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    """The dashboard over the filled stores."""
    log = tmp_path_factory.mktemp("dashboard") / "log.txt"
    with running(environment(ministack, snowflake_server, "DASHBOARD"), log) as started:
        yield started


@pytest.fixture
def empty_dashboard(own_ministack: Any, snowflake_server: Any, tmp_path: Path) -> Iterator[Dashboard]:
    """The dashboard of a pipeline that was provisioned and has not seen a record."""
    create_database(snowflake_server, "DASHBOARD_EMPTY")
    Stores(own_ministack.client, None).create_tables()
    with running(environment(own_ministack, snowflake_server, "DASHBOARD_EMPTY"), tmp_path / "log.txt") as started:
        yield started


class Doomed(NamedTuple):
    """A dashboard and its own stores, for a test to stop."""

    dashboard: Dashboard
    ministack: Any
    snowflake: Any


@pytest.fixture
def doomed(own_ministack: Any, own_snowflake_server: Any, tmp_path: Path) -> Iterator[Doomed]:
    """A dashboard whose stores are up and filled, and may be taken down."""
    create_database(own_snowflake_server, "DASHBOARD")
    filled = Stores(
        own_ministack.client, lambda: own_snowflake_server.connect(database="DASHBOARD", schema=names.SCHEMA)
    )
    filled.create_tables()
    filled.fill()
    with running(environment(own_ministack, own_snowflake_server, "DASHBOARD"), tmp_path / "log.txt") as started:
        yield Doomed(started, own_ministack, own_snowflake_server)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium of the system; closed with its module, as no other test can run an event loop beside it."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install the package chromium to run the browser tests")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=CHROMIUM_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab of a wide window."""
    context = browser.new_context(viewport={"width": 1440, "height": 1100})
    context.set_default_timeout(90_000)
    expect.set_options(timeout=90_000)
    yield context.new_page()
    context.close()
