"""A small made-up snapshot in which every guarantee holds."""

from __future__ import annotations

import base64
import json
from itertools import count
from typing import Any

import pytest

from include import names
from include.contracts import METRICS
from include.contracts.archive import ArchivedRecord
from include.generator.manifest import ManifestRecord
from include.local.demo.acceptance_report.snapshot import (
    ClickRow,
    HeldRecord,
    Latency,
    LedgerTotals,
    QualityResult,
    Snapshot,
    StreamSnapshot,
)
from sql.merge.history_oracle import HistoryVersion

SHARD = "shardId-000000000000"
ARRIVAL = "2026-11-22T14:30:30.000000"
FIRST, SECOND = "2026-11-22T14:30:00.000000", "2026-11-22T14:30:05.000000"

_sequence_numbers = count(100)


def sent(stream: str, payload: bytes, kind: str = "valid", **fields: Any) -> ManifestRecord:
    return ManifestRecord(
        stream=stream,
        kind=kind,
        malformed_kind="not_json" if kind == "malformed" else None,
        shape=fields.get("shape", "flat"),
        late=fields.get("late", False),
        out_of_order=False,
        key=None,
        payload=payload,
        shard_id=SHARD,
        sequence_number=str(next(_sequence_numbers)),
        sent_at=ARRIVAL,
        field_case=fields.get("field_case"),
        expected_reason=fields.get("expected_reason"),
        warned_by=fields.get("warned_by", ()),
    )


def click(item: str) -> bytes:
    return json.dumps({"Item_ID": item, "Item_Name": "Phone", "Timestamp": FIRST, "Click_Counts": 3}).encode()


def reading(truck: str, at: str, speed: float) -> bytes:
    return json.dumps({"truck_id": truck, "timestamp": at, "vehicle_speed": speed}).encode()


def attributes(speed: float) -> tuple[float | None, ...]:
    return tuple(speed if metric.name == "vehicle_speed" else None for metric in METRICS)


def record_id(record: ManifestRecord) -> tuple[str, str]:
    return record.shard_id, record.sequence_number


def stream_snapshot(name: str, records: list[ManifestRecord]) -> StreamSnapshot:
    return StreamSnapshot(
        name=name,
        sent=records,
        archived={
            record_id(record): ArchivedRecord(
                name, *record_id(record), ARRIVAL, "key", base64.b64encode(record.payload).decode()
            )
            for record in records
        },
        quarantined={
            record_id(record): HeldRecord("not_json", record.payload)
            for record in records
            if record.kind == "malformed"
        },
        resolved={},
    )


@pytest.fixture
def snapshot() -> Snapshot:
    clicks = [
        sent(names.CLICK_STREAM, click("MOB001")),
        sent(names.CLICK_STREAM, click("MOB001"), "duplicate"),
        sent(names.CLICK_STREAM, click("LAP002"), late=True),
        sent(names.CLICK_STREAM, b"{", "malformed", field_case="cut_at_a_buffer", expected_reason="not_json"),
    ]
    readings = [
        sent(names.TRUCK_STREAM, reading("TRK001", FIRST, 10.0)),
        sent(names.TRUCK_STREAM, reading("TRK001", SECOND, 20.0), shape="nested", warned_by=("known_truck",)),
        sent(names.TRUCK_STREAM, reading("TRK001", SECOND, 20.0), "duplicate"),
        sent(names.TRUCK_STREAM, reading("TRK002", FIRST, 10.0), field_case="id", warned_by=("known_truck",)),
        sent(names.TRUCK_STREAM, b"[]", "malformed"),
    ]
    loaded = {record_id(record) for record in readings if record.kind != "malformed"}
    return Snapshot(
        clicks=stream_snapshot(names.CLICK_STREAM, clicks),
        telemetry=stream_snapshot(names.TRUCK_STREAM, readings),
        click_rows={ClickRow(FIRST, item, "Phone", 3) for item in ("MOB001", "LAP002")},
        landed=loaded,
        raw=loaded,
        raw_rows=len(loaded) + 1,
        versions=[
            HistoryVersion("TRK001", FIRST, SECOND, False, attributes(10.0)),
            HistoryVersion("TRK001", SECOND, None, True, attributes(20.0)),
            HistoryVersion("TRK002", FIRST, None, True, attributes(10.0)),
        ],
        truck_states={"TRK001": SECOND, "TRK002": FIRST},
        ledger={
            names.CLICK_STREAM: LedgerTotals(
                1, 1, {"ARCHIVED": 4, "LANDED": 2, "QUARANTINED": 1, "RESOLVED": 0, "COVERED": 0}
            ),
            names.TRUCK_STREAM: LedgerTotals(
                1, 1, {"ARCHIVED": 5, "LANDED": 4, "QUARANTINED": 1, "RESOLVED": 0, "COVERED": 4}
            ),
        },
        quality=[QualityResult("no_overlap", "fail", "pass", 0), QualityResult("known_truck", "warn", "warn", 2)],
        latencies=[Latency("click -> ClickStreamData", 2, 0.5, 1.0)],
    )
