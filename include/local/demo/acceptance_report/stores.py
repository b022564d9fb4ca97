"""Reads the manifest and every store whole."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.config import Config
from snowflake.connector import SnowflakeConnection

from include import archive, names, sql
from include.contracts import METRICS, quarantine, times
from include.contracts.archive import ArchivedRecord
from include.contracts.envelope import numbered
from include.generator.manifest import ManifestRecord, read_manifest, read_unanswered
from include.generator.traffic import Kind
from include.local.demo.acceptance_report.snapshot import (
    LEDGER_COUNTS,
    ClickRow,
    HeldRecord,
    Latency,
    LedgerTotals,
    QualityResult,
    RecordId,
    Snapshot,
    StreamSnapshot,
)
from include.local.demo.connections import AWS_CONFIG, select
from sql.merge.history_oracle import HistoryVersion

S3_READERS = 8


def take_snapshot(
    manifest: Path,
    bucket: str,
    connection: SnowflakeConnection,
    click_latencies: Iterable[float] | None = None,
    state_latencies: Iterable[float] | None = None,
) -> Snapshot:
    """Read the manifest and every store.

    Args:
        manifest: of the generator's runs.
        bucket: of the pipeline.
        click_latencies: seconds from a click's arrival to its row, sampled while the traffic ran; None if nobody did.
        state_latencies: seconds from a reading's arrival to its truck's state, likewise.
    """
    sent, unanswered = _by_stream(read_manifest(manifest)), _by_stream(read_unanswered(manifest))
    raw = _raw_records(connection)
    return Snapshot(
        clicks=_stream(names.CLICK_STREAM, sent, unanswered, bucket),
        telemetry=_stream(names.TRUCK_STREAM, sent, unanswered, bucket),
        click_rows=_click_rows(),
        landed=_landed_records(bucket),
        raw=set(raw),
        raw_rows=len(raw),
        versions=_versions(connection),
        truck_states=_truck_states(),
        ledger=_ledger(connection),
        quality=_quality(connection),
        latencies=[*_sampled_latencies(click_latencies, state_latencies), _current_row_latency(connection)],
    )


def _by_stream(records: Iterable[ManifestRecord]) -> dict[str, list[ManifestRecord]]:
    by_stream: dict[str, list[ManifestRecord]] = {names.CLICK_STREAM: [], names.TRUCK_STREAM: []}
    for record in records:
        by_stream[record.stream].append(record)
    return by_stream


# --- The bucket ------------------------------------------------------------------------------------------------------


def _stream(
    name: str, sent: dict[str, list[ManifestRecord]], unanswered: dict[str, list[ManifestRecord]], bucket: str
) -> StreamSnapshot:
    archived = _archived(bucket, name)
    return StreamSnapshot(
        name=name,
        sent=sent[name] + arrived(unanswered[name], sent[name], archived),
        archived=archived,
        quarantined=_held(bucket, f"{names.QUARANTINE_PREFIX}{name}/"),
        resolved=_held(bucket, f"{names.RESOLVED_PREFIX}{name}/"),
    )


def arrived(
    unanswered: Iterable[ManifestRecord],
    sent: Iterable[ManifestRecord],
    archived: Mapping[RecordId, ArchivedRecord],
) -> list[ManifestRecord]:
    """Those of the records whose answer was lost that are in the archive, with their places in the stream.

    Where one was sent again, and that was answered, it is a duplicate.
    """
    sent = list(sent)
    answered = {(each.shard_id, numbered(each.sequence_number, each.sub_sequence_number)) for each in sent}
    valid = {each.payload for each in sent if each.kind == "valid"}
    places: dict[bytes, list[ArchivedRecord]] = defaultdict(list)
    for record_id in archived.keys() - answered:
        places[archived[record_id].payload].append(archived[record_id])
    found = []
    for record in unanswered:
        if not places[record.payload]:
            continue
        envelope = places[record.payload].pop().envelope
        kind: Kind = "duplicate" if record.kind == "valid" and record.payload in valid else record.kind
        valid |= {record.payload} if kind == "valid" else set()
        place = {name: getattr(envelope, name) for name in ("shard_id", "sequence_number", "sub_sequence_number")}
        found.append(msgspec.structs.replace(record, kind=kind, **place))
    return found


def _archived(bucket: str, stream: str) -> dict[RecordId, ArchivedRecord]:
    s3 = boto3.client("s3", config=AWS_CONFIG)
    stored = archive.objects(s3, bucket, stream)
    records = (record for each in stored for record in archive.read(s3, bucket, each.key))
    return {(record.shard_id, record.envelope.number): record for record in records}


def _held(bucket: str, prefix: str) -> dict[RecordId, HeldRecord]:
    found = (record for body in _objects(bucket, prefix) for record in quarantine.decode_all(body))
    return {(each.envelope.shard_id, each.envelope.number): HeldRecord(each.reason, each.payload) for each in found}


def _landed_records(bucket: str) -> set[RecordId]:
    lines = (line for body in _objects(bucket, names.LANDING_PREFIX) for line in gzip.decompress(body).splitlines())
    return {
        (reading["shard_id"], numbered(reading["sequence_number"], reading.get("sub_sequence_number") or 0))
        for reading in map(json.loads, lines)
    }


def _objects(bucket: str, prefix: str) -> Iterator[bytes]:
    s3 = boto3.client("s3", config=AWS_CONFIG.merge(Config(max_pool_connections=S3_READERS)))
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    with ThreadPoolExecutor(S3_READERS) as readers:
        yield from readers.map(lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), keys)


# --- DynamoDB --------------------------------------------------------------------------------------------------------


def _click_rows() -> set[ClickRow]:
    return {
        ClickRow(item["Timestamp"]["S"], item["Item_ID"]["S"], item["Item_Name"]["S"], int(item["Click_Counts"]["N"]))
        for item in _items(names.CLICK_TABLE)
    }


def _truck_states() -> dict[str, str]:
    return {item["Truck_ID"]["S"]: item["Event_Time"]["S"] for item in _items(names.TRUCK_STATE_TABLE)}


def _items(table: str) -> Iterator[dict[str, dict[str, str]]]:
    pages = boto3.client("dynamodb", config=AWS_CONFIG).get_paginator("scan").paginate(TableName=table)
    return (item for page in pages for item in page["Items"])


# --- Snowflake -------------------------------------------------------------------------------------------------------


def _raw_records(connection: SnowflakeConnection) -> list[RecordId]:
    rows = select(connection, f"SELECT SHARD_ID, SEQUENCE_NUMBER, SUB_SEQUENCE_NUMBER FROM {names.RAW_TABLE}")
    return [(shard_id, numbered(sequence_number, position or 0)) for shard_id, sequence_number, position in rows]


def _versions(connection: SnowflakeConnection) -> list[HistoryVersion]:
    attributes = [metric.name for metric in METRICS]
    columns = ", ".join(["TRUCK_ID", "EFFECTIVE_START_DATE", "EFFECTIVE_END_DATE", "IS_CURRENT", *attributes])
    return [
        HistoryVersion(truck_id, _text(start), _text(end) if end else None, is_current, tuple(values))
        for truck_id, start, end, is_current, *values in select(
            connection, f"SELECT {columns} FROM {names.HISTORY_TABLE}"
        )
    ]


def _text(instant: datetime) -> str:
    return times.to_canonical(instant.replace(tzinfo=UTC))


def _ledger(connection: SnowflakeConnection) -> dict[str, LedgerTotals]:
    sums = ", ".join(f"SUM({column})" for column in LEDGER_COUNTS)
    rows = select(
        connection,
        f"SELECT STREAM_NAME, COUNT(*), SUM(IFF(BALANCED, 1, 0)), {sums} FROM {names.LEDGER_TABLE} GROUP BY 1",
    )
    return {
        stream: LedgerTotals(hours, int(balanced), dict(zip(LEDGER_COUNTS, map(int, counts), strict=True)))
        for stream, hours, balanced, *counts in rows
    }


def _quality(connection: SnowflakeConnection) -> list[QualityResult]:
    statement = f"""
        SELECT RULE, SEVERITY, STATUS, FAILED_COUNT FROM {names.QUALITY_RESULTS_TABLE}
        QUALIFY ROW_NUMBER() OVER (PARTITION BY RULE ORDER BY CHECKED_AT DESC) = 1
        ORDER BY RULE
    """
    return [QualityResult(*row) for row in select(connection, statement)]


def _current_row_latency(connection: SnowflakeConnection) -> Latency:
    rows: list[tuple[Any, ...]] = select(connection, sql.render("ops/reading_to_current_row.sql"))
    count, p50, p95 = rows[0] if rows else (0, None, None)
    # Snowflake's are decimals, which JSON can't hold.
    p50, p95 = (None if each is None else float(each) for each in (p50, p95))
    return Latency(f"reading -> {names.HISTORY_TABLE}", int(count), p50, p95)


def _sampled_latencies(clicks: Iterable[float] | None, states: Iterable[float] | None) -> list[Latency]:
    sampled = {f"click -> {names.CLICK_TABLE}": clicks, f"reading -> {names.TRUCK_STATE_TABLE}": states}
    return [_percentiles(name, seconds) for name, seconds in sampled.items() if seconds is not None]


def _percentiles(name: str, seconds: Iterable[float]) -> Latency:
    ordered = sorted(seconds)
    if not ordered:
        return Latency(name, 0, None, None)
    p50, p95 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.50, 0.95))
    return Latency(name, len(ordered), p50, p95)
