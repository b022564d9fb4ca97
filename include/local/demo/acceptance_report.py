"""The table of truth: what the generator's manifest says was sent against what every store holds.

The manifest is the only source of what should be there; each store is read whole and compared by content, never by
a count alone.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.config import Config

from include import archive, names, sql
from include.contracts import METRICS, ContractError, decode_click, decode_reading, times
from include.contracts.archive import ArchivedRecord
from include.generator.manifest import ManifestRecord, read_manifest
from sql.merge.history_oracle import ArrivedReading, HistoryVersion, history, latest

METRIC_NAMES = tuple(metric.name for metric in METRICS)
AWS_CONFIG = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})
S3_READERS = 8

# shard id and sequence number; the stream is known from where it is asked.
Envelope = tuple[str, str]
# What identifies a click, and what it says.
Click = tuple[str, str, str, int]


class Promise(msgspec.Struct, frozen=True):
    """One thing that must hold, and what was found."""

    text: str
    holds: bool
    found: str


class Latency(msgspec.Struct, frozen=True):
    """Percentiles in seconds over ``count`` records."""

    name: str
    count: int
    p50: float | None
    p95: float | None


class Truth(msgspec.Struct, frozen=True):
    """What was sent, what is where, and whether the promises hold."""

    counts: list[tuple[str, int | None, int | None]]  # label, clicks, readings
    quarantined_by_reason: dict[str, int]
    quality: list[tuple[str, str, str, int]]  # rule, severity, status, failed rows
    latencies: list[Latency]
    promises: list[Promise]

    @property
    def holds(self) -> bool:
        return all(promise.holds for promise in self.promises)


class Sent(msgspec.Struct, frozen=True):
    """One stream's part of the manifest."""

    records: list[ManifestRecord]

    def kind(self, kind: str) -> list[ManifestRecord]:
        return [record for record in self.records if record.kind == kind]

    def envelopes(self, *kinds: str) -> set[Envelope]:
        return {(record.shard_id, record.sequence_number) for record in self.records if record.kind in kinds}

    def payloads(self) -> dict[Envelope, bytes]:
        return {(record.shard_id, record.sequence_number): record.payload for record in self.records}

    def malformed_payloads(self) -> dict[Envelope, bytes]:
        return {(record.shard_id, record.sequence_number): record.payload for record in self.kind("malformed")}


def establish(
    manifest: Path,
    bucket: str,
    connection: Any,
    click_latencies: Iterable[float],
    state_latencies: Iterable[float],
) -> Truth:
    """Reads every store and compares.

    ``connection`` is a Snowflake connection; ``click_latencies`` and ``state_latencies`` are the seconds from arrival
    to a visible row and truck state that were sampled while the traffic ran.
    """
    sent = _read_sent(manifest)
    clicks, trucks = sent[names.CLICK_STREAM], sent[names.TRUCK_STREAM]
    table = _click_table()
    quarantine = {stream: _quarantine(bucket, stream) for stream in sent}
    # Replayed or, in a demo, probes: both were quarantined.
    resolved = {stream: _quarantine(bucket, stream, names.RESOLVED_PREFIX) for stream in sent}
    archived = {stream: _archived(bucket, stream) for stream in sent}
    landed = _landed_envelopes(bucket)
    raw_rows, raw = _raw_envelopes(connection)
    versions = _stored_versions(connection)
    readings = [_reading(record) for record in trucks.kind("valid") + trucks.kind("duplicate")]
    expected_versions = history(readings)
    current = Counter(version.truck_id for version in versions if version.is_current)
    fleet = {reading.truck_id for reading in readings}
    quality = _quality(connection)
    expected_clicks = {_click(record) for record in clicks.kind("valid")}
    expected_states = {truck: reading.event_time for truck, reading in latest(readings).items()}
    quarantined, put_right = ({stream: _payloads(held[stream]) for stream in sent} for held in (quarantine, resolved))
    archived_clicks, archived_invalid = _judged_clicks(archived[names.CLICK_STREAM])

    def accounted(stream: str, landed_count: int) -> Promise:
        records = sent[stream]
        total, duplicates = len(records.records), len(records.kind("duplicate"))
        in_quarantine = len(quarantine[stream])
        repeated = duplicates if stream == names.CLICK_STREAM else 0
        return Promise(
            f"{stream}: sent = landed + quarantined" + (" + duplicates" if repeated else ""),
            total == landed_count + in_quarantine + repeated,
            f"{total:,} = {landed_count:,} + {in_quarantine:,}" + (f" + {repeated:,}" if repeated else ""),
        )

    return Truth(
        counts=[
            ("sent (accepted by Kinesis)", len(clicks.records), len(trucks.records)),
            ("  of these valid, first time", len(clicks.kind("valid")), len(trucks.kind("valid"))),
            ("  of these sent again", len(clicks.kind("duplicate")), len(trucks.kind("duplicate"))),
            ("  of these malformed", len(clicks.kind("malformed")), len(trucks.kind("malformed"))),
            ("  nested shape", None, sum(record.shape == "nested" for record in trucks.records)),
            ("  late or out of order", *(sum(r.late or r.out_of_order for r in s.records) for s in (clicks, trucks))),
            (f"S3 {names.ARCHIVE_PREFIX}", *(len(archived[s]) for s in (names.CLICK_STREAM, names.TRUCK_STREAM))),
            (f"DynamoDB {names.CLICK_TABLE}", len(table), None),
            (f"S3 {names.LANDING_PREFIX} (envelopes)", None, len(landed)),
            (f"Snowflake {names.RAW_TABLE} (rows)", None, raw_rows),
            (f"Snowflake {names.RAW_TABLE} (envelopes)", None, len(raw)),
            (f"S3 {names.QUARANTINE_PREFIX}", *(len(quarantine[s]) for s in (names.CLICK_STREAM, names.TRUCK_STREAM))),
            (f"S3 {names.RESOLVED_PREFIX}", *(len(resolved[s]) for s in (names.CLICK_STREAM, names.TRUCK_STREAM))),
            (f"Snowflake {names.HISTORY_TABLE} (versions)", None, len(versions)),
            ("  of these current", None, sum(current.values())),
        ],
        quarantined_by_reason=dict(
            Counter(item["reason"] for of_stream in quarantine.values() for item in of_stream.values()).most_common()
        ),
        quality=quality,
        latencies=[
            _percentiles(f"click -> {names.CLICK_TABLE}", click_latencies),
            _percentiles(f"reading -> {names.TRUCK_STATE_TABLE}", state_latencies),
            _current_row_latency(connection),
        ],
        promises=[
            accounted(names.CLICK_STREAM, len(table)),
            accounted(names.TRUCK_STREAM, len(raw)),
            *(
                _same(
                    f"the archive holds exactly {stream}'s records, byte for byte",
                    (records.payloads() | put_right[stream]).items(),
                    ((envelope, record.payload) for envelope, record in archived[stream].items()),
                )
                for stream, records in sent.items()
            ),
            _same(
                f"{names.CLICK_STREAM}: the archive's valid clicks = {names.CLICK_TABLE}",
                archived_clicks,
                {(timestamp, item_id) for timestamp, item_id, _, _ in table},
            ),
            _same(
                f"{names.CLICK_STREAM}: the archive's invalid records = quarantined",
                archived_invalid,
                quarantine[names.CLICK_STREAM].keys() | resolved[names.CLICK_STREAM].keys(),
            ),
            _same(
                f"{names.TRUCK_STREAM}: archived = in RAW + quarantined",
                archived[names.TRUCK_STREAM],
                raw | quarantine[names.TRUCK_STREAM].keys() | resolved[names.TRUCK_STREAM].keys(),
            ),
            _same(f"{names.CLICK_TABLE} holds exactly the valid clicks", expected_clicks, table),
            _same("RAW holds exactly the valid envelopes", trucks.envelopes("valid", "duplicate"), raw),
            _same("the landing zone holds the same envelopes as RAW", raw, landed),
            *(
                _same(
                    f"quarantine holds exactly {stream}'s malformed records, byte for byte",
                    set(records.malformed_payloads().items()),
                    set(quarantined[stream].items()),
                )
                for stream, records in sent.items()
            ),
            _same("the history equals its recomputation from the manifest", set(expected_versions), set(versions)),
            Promise("no version is stored twice", len(versions) == len(set(versions)), f"{len(versions):,} rows"),
            _same("every truck has exactly one current row", dict.fromkeys(fleet, 1).items(), current.items()),
            _same(
                f"{names.TRUCK_STATE_TABLE} holds each truck's newest reading",
                expected_states.items(),
                _states().items(),
            ),
            _ledger(
                connection,
                {
                    stream: {
                        "ARCHIVED": len(archived[stream]),
                        "LANDED": len(table) if stream == names.CLICK_STREAM else len(raw),
                        "QUARANTINED": len(quarantine[stream]),
                        "RESOLVED": len(resolved[stream]),
                        "COVERED": 0 if stream == names.CLICK_STREAM else len(raw),
                    }
                    for stream in sent
                },
            ),
            Promise(
                "data quality ran and no rule of severity 'fail' found anything",
                bool(quality)
                and not any(severity == "fail" and status != "pass" for _, severity, status, _ in quality),
                f"{sum(status == 'pass' for _, _, status, _ in quality)} of {len(quality)} rules pass",
            ),
        ],
    )


def _same(text: str, expected: Iterable[Any], found: Iterable[Any]) -> Promise:
    wanted, there = set(expected), set(found)
    missing, unexpected = wanted - there, there - wanted
    if not missing and not unexpected:
        return Promise(text, bool(wanted), f"{len(wanted):,} equal" if wanted else "nothing was sent")
    example = next(iter(missing or unexpected))
    return Promise(text, False, f"{len(missing):,} missing, {len(unexpected):,} unexpected, as {str(example)[:120]}")


# --- What was sent ---------------------------------------------------------------------------------------------------


def _read_sent(manifest: Path) -> dict[str, Sent]:
    by_stream: dict[str, list[ManifestRecord]] = {names.CLICK_STREAM: [], names.TRUCK_STREAM: []}
    for record in read_manifest(manifest):
        by_stream[record.stream].append(record)
    return {stream: Sent(records) for stream, records in by_stream.items()}


def _click(record: ManifestRecord) -> Click:
    click = _decoded(decode_click, record)
    return click.timestamp, click.item_id, click.item_name, click.click_counts


def _reading(record: ManifestRecord) -> ArrivedReading:
    # All of a truck's readings are on one shard, where sequence numbers follow the arrival.
    reading = _decoded(decode_reading, record)
    attributes = tuple(getattr(reading, name) for name in METRIC_NAMES)
    return ArrivedReading(reading.truck_id, reading.event_time, "", int(record.sequence_number), attributes)


def _decoded(decode: Any, record: ManifestRecord) -> Any:
    try:
        return decode(record.payload, now=datetime.now(UTC))
    except ContractError as error:
        raise ValueError(
            f"the manifest calls {record.stream} {record.sequence_number} {record.kind}: {error}"
        ) from error


# --- What is where ---------------------------------------------------------------------------------------------------


def _click_table() -> set[Click]:
    pages = boto3.client("dynamodb", config=AWS_CONFIG).get_paginator("scan").paginate(TableName=names.CLICK_TABLE)
    return {
        (item["Timestamp"]["S"], item["Item_ID"]["S"], item["Item_Name"]["S"], int(item["Click_Counts"]["N"]))
        for page in pages
        for item in page["Items"]
    }


def _states() -> dict[str, str]:
    pages = (
        boto3.client("dynamodb", config=AWS_CONFIG).get_paginator("scan").paginate(TableName=names.TRUCK_STATE_TABLE)
    )
    return {item["Truck_ID"]["S"]: item["Event_Time"]["S"] for page in pages for item in page["Items"]}


def _objects(bucket: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    s3 = boto3.client("s3", config=AWS_CONFIG.merge(Config(max_pool_connections=S3_READERS)))
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    with ThreadPoolExecutor(S3_READERS) as readers:
        yield from readers.map(lambda key: (key, s3.get_object(Bucket=bucket, Key=key)["Body"].read()), keys)


def _quarantine(bucket: str, stream: str, prefix: str = names.QUARANTINE_PREFIX) -> dict[Envelope, Mapping[str, Any]]:
    found = (json.loads(body) for _, body in _objects(bucket, f"{prefix}{stream}/"))
    return {(item["envelope"]["shard_id"], item["envelope"]["sequence_number"]): item for item in found}


def _payloads(held: Mapping[Envelope, Mapping[str, Any]]) -> dict[Envelope, bytes]:
    return {envelope: base64.b64decode(item["payload_base64"]) for envelope, item in held.items()}


def _archived(bucket: str, stream: str) -> dict[Envelope, ArchivedRecord]:
    s3 = boto3.client("s3", config=AWS_CONFIG)
    stored = archive.objects(s3, bucket, stream)
    records = (record for each in stored for record in archive.read(s3, bucket, each.key))
    return {(record.shard_id, record.sequence_number): record for record in records}


def _judged_clicks(archived: Mapping[Envelope, ArchivedRecord]) -> tuple[set[tuple[str, str]], set[Envelope]]:
    """Keys of the valid ones, envelopes of the others; each judged at its arrival."""
    keys, invalid = set(), set()
    for envelope, record in archived.items():
        try:
            click = decode_click(record.payload, now=times.parse(record.arrival_time))
        except ContractError:
            invalid.add(envelope)
        else:
            keys.add((click.timestamp, click.item_id))
    return keys, invalid


def _landed_envelopes(bucket: str) -> set[Envelope]:
    lines = (line for _, body in _objects(bucket, names.LANDING_PREFIX) for line in gzip.decompress(body).splitlines())
    return {(reading["shard_id"], reading["sequence_number"]) for reading in map(json.loads, lines)}


def _raw_envelopes(connection: Any) -> tuple[int, set[Envelope]]:
    rows = select(connection, f"SELECT SHARD_ID, SEQUENCE_NUMBER FROM {names.RAW_TABLE}")
    return len(rows), {(shard, sequence) for shard, sequence in rows}


def _stored_versions(connection: Any) -> list[HistoryVersion]:
    columns = ", ".join(["TRUCK_ID", "EFFECTIVE_START_DATE", "EFFECTIVE_END_DATE", "IS_CURRENT", *METRIC_NAMES])
    return [
        HistoryVersion(truck_id, _text(start), _text(end) if end else None, is_current, tuple(attributes))
        for truck_id, start, end, is_current, *attributes in select(
            connection, f"SELECT {columns} FROM {names.HISTORY_TABLE}"
        )
    ]


def _quality(connection: Any) -> list[tuple[str, str, str, int]]:
    statement = f"""
        SELECT RULE, SEVERITY, STATUS, FAILED_COUNT FROM {names.QUALITY_RESULTS_TABLE}
        QUALIFY ROW_NUMBER() OVER (PARTITION BY RULE ORDER BY CHECKED_AT DESC) = 1
        ORDER BY RULE
    """
    return [tuple(row) for row in select(connection, statement)]


def _ledger(connection: Any, expected: Mapping[str, Mapping[str, int]]) -> Promise:
    """``expected``: stream -> column -> what the stores hold."""
    columns = list(next(iter(expected.values())))
    sums = ", ".join(f"SUM({column})" for column in columns)
    found = {
        stream: (hours, int(balanced), dict(zip(columns, map(int, counts), strict=True)))
        for stream, hours, balanced, *counts in select(
            connection,
            f"SELECT STREAM_NAME, COUNT(*), SUM(IFF(BALANCED, 1, 0)), {sums} FROM {names.LEDGER_TABLE} GROUP BY 1",
        )
    }
    holds = found.keys() == expected.keys() and all(
        hours == balanced and counts == expected[stream] for stream, (hours, balanced, counts) in found.items()
    )
    said = "; ".join(
        f"{stream}, {balanced} of {hours} hours balance: "
        + ", ".join(f"{name.lower()} {count:,} of {expected[stream][name]:,}" for name, count in counts.items())
        for stream, (hours, balanced, counts) in found.items()
    )
    return Promise("the ledger balances, and counts what the stores hold", holds, said or "the ledger is empty")


def _current_row_latency(connection: Any) -> Latency:
    rows = select(connection, sql.render("ops/reading_to_current_row.sql"))
    count, p50, p95 = rows[0] if rows else (0, None, None)
    return Latency(f"reading -> {names.HISTORY_TABLE}", int(count), p50, p95)


def _percentiles(name: str, seconds: Iterable[float]) -> Latency:
    ordered = sorted(seconds)
    if not ordered:
        return Latency(name, 0, None, None)
    nearest = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.50, 0.95)]
    return Latency(name, len(ordered), *nearest)


def select(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    """All rows of ``statement``."""
    with connection.cursor() as cursor:
        return cursor.execute(statement, timeout=120).fetchall()


def _text(instant: datetime) -> str:
    return times.to_canonical(instant.replace(tzinfo=UTC))
