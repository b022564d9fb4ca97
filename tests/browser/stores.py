"""Stores with known contents, filled as the pipeline fills them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from snowflake.connector import SnowflakeConnection

from include import names
from include.contracts import METRICS
from include.contracts.envelope import Envelope
from include.contracts.quarantine import Quarantined, encode, object_key
from include.contracts.times import to_canonical
from tests.browser.readings import drive

# What a quarantined record's device sent.
SENT = "![x](https://host.example/p.png) :red[ok] $x$ <b>b</b>"
ITEMS = {"CAM003": "Camera", "LAP002": "Laptop", "MOB001": "Mobile"}


class Stores:
    """Writes records into the stores, in the names and shapes that the parts of the pipeline agree on.

    Attributes:
        start: when the stores were filled; the newest records are a few seconds older.
        expected: the numbers that the pages must show.
    """

    def __init__(self, client: Callable[[str], Any], connection: SnowflakeConnection, bucket: str) -> None:
        self.dynamodb, self.s3, self.cloudwatch = client("dynamodb"), client("s3"), client("cloudwatch")
        self.connection, self.bucket = connection, bucket
        self.start = datetime.now(UTC)
        self.expected: dict[str, Any] = {}

    def fill(self) -> None:
        """Write clicks, trucks, history, results and quarantine of the last minutes."""
        self._clicks()
        self._trucks()
        for number in range(5):
            stream = names.CLICK_STREAM if number < 3 else names.TRUCK_STREAM
            self.quarantined(stream, self.start, number, "not_json" if number < 3 else "out_of_range")
        self.landed(self.start, 1)
        self._lag()
        self._merge_runs()
        self._quality_results()
        self._ledger()

    def click(self, item: str, when: datetime, count: int, name: str = "") -> None:
        """Write one click as KinesisToDynamoDBProcessor does."""
        text, name = to_canonical(when), name or ITEMS[item]
        attributes = {
            "Timestamp": text,
            "Item_ID": item,
            "Item_Name": name,
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
            TableName=names.CLICK_ITEM_TABLE, Item={"Item_ID": {"S": item}, "Item_Name": {"S": name}}
        )

    def hostile(self, text: str) -> None:
        """Write a click and a truck whose names and statuses are ``text``."""
        self.click("HOSTILE", datetime.now(UTC), 1, text)
        self.expected["events"] += 1
        self.expected["clicks"] += 1
        statuses = {"brake_status": text, "transmission_status": text}
        readings = [reading | statuses for reading in drive(text, 1, datetime.now(UTC) - timedelta(seconds=20), 20, 20)]
        self.history(readings)
        self.state(readings[-1])
        self.expected["trucks"] += 1

    def state(self, reading: Mapping[str, Any]) -> None:
        """Write a truck's newest reading as TruckDataProcessor does."""
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
        """Write one quarantined record, whose payload is :data:`SENT`, as the stream's function does."""
        envelope = Envelope(stream, "shardId-000000000000", str(sequence), to_canonical(when), "key")
        record = Quarantined(
            reason=reason,
            field=None,
            value=None,
            rule="must be one JSON object",
            envelope=envelope,
            payload=SENT.encode(),
            function=names.CLICK_FUNCTION if stream == names.CLICK_STREAM else names.TRUCK_FUNCTION,
        )
        self.s3.put_object(Bucket=self.bucket, Key=object_key(names.QUARANTINE_PREFIX, envelope), Body=encode(record))

    def landed(self, when: datetime, sequence: int) -> None:
        """Write one landing object.  The pages show only how old it is, so it is empty."""
        key = f"{names.LANDING_PREFIX}{when:%Y/%m/%d/%H}/shardId-000000000000-{sequence}-{sequence}-0.json.gz"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"")

    def insert(self, table: str, rows: list[Mapping[str, Any]]) -> None:
        """Insert rows, all with the same columns, into a table of Snowflake."""
        columns = list(rows[0])
        one = f"({', '.join(['%s'] * len(columns))})"
        with self.connection.cursor() as cursor:
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
        """Insert ``readings``, sorted by truck and time, into RAW and into the history, where each opens a version."""
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

    def _clicks(self) -> None:
        chance, counts = random.Random(7), []
        for number in range(40):
            counts.append(chance.randint(1, 5))
            item = list(ITEMS)[number % len(ITEMS)]
            self.click(item, self.start - timedelta(seconds=5 + 10 * number), counts[-1])
        self.expected |= {"clicks": sum(counts), "events": len(counts)}

    def _trucks(self) -> None:
        readings = [
            reading
            for number, truck in enumerate(("TRK001", "TRK002", "TRK003"))
            for reading in drive(truck, number, self.start - timedelta(seconds=300), 280, 20)
        ]
        self.history(readings)
        newest = {reading["truck_id"]: reading for reading in readings}
        for reading in newest.values():
            self.state(reading)
        self.expected |= {
            "trucks": len(newest),
            "lowest fuel": min(reading["fuel_level"] for reading in newest.values()),
            "versions of TRK001": sum(reading["truck_id"] == "TRK001" for reading in readings),
        }

    def _lag(self) -> None:
        """Write Lambda's metric as include/local/aws/event_source_mapping does: clicks have waited, trucks never."""
        statistics = {"SampleCount": 2, "Sum": 95_000, "Minimum": 5_000, "Maximum": 90_000}
        function = {"Name": "FunctionName", "Value": names.CLICK_FUNCTION}
        self.cloudwatch.put_metric_data(
            Namespace="AWS/Lambda",
            MetricData=[
                {"MetricName": "IteratorAge", "Dimensions": [function], "Unit": "Milliseconds"}
                | {"StatisticValues": statistics}
            ],
        )

    def _merge_runs(self) -> None:
        self.insert(
            names.MERGE_RUNS_TABLE,
            [
                {"RUN_ID": f"run-{number}", "STARTED_AT": self.start - timedelta(seconds=60 * number)}
                | {"FINISHED_AT": self.start - timedelta(seconds=60 * number - 2)}
                | {"ROWS_INSERTED": 1000 + number, "ROWS_UPDATED": 3, "ROWS_DELETED": 0}
                for number in (1, 2)
            ],
        )

    def _quality_results(self) -> None:
        self.insert(
            names.QUALITY_RESULTS_TABLE,
            [
                {"RUN_ID": run, "RULE": rule, "SEVERITY": severity, "STATUS": status, "FAILED_COUNT": count}
                | {"SAMPLES": samples, "MESSAGE": "m", "CHECKED_AT": self.start - timedelta(seconds=age)}
                | {"FAILING_SINCE": self.start - timedelta(minutes=12)}
                for run, rule, severity, status, count, samples, age in (
                    # The next run supersedes this one, and has no rule "gone".
                    ("1", "versions_meet", "fail", "fail", 4, "[]", 90),
                    ("1", "gone", "fail", "fail", 4, "[]", 90),
                    ("2", "versions_meet", "fail", "pass", 0, "[]", 30),
                    ("2", "trucks_are_known", "warn", "fail", 2, '["TRK998", "TRK999"]', 30),
                    ("2", "states_match_history", "fail", "fail", 25, '["TRK001 state is behind"]', 30),
                )
            ],
        )

    def _ledger(self) -> None:
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
