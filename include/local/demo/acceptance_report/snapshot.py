"""What was sent, and what every store holds, at one moment: all that the guarantees are judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from include.contracts.archive import ArchivedRecord
from include.generator.manifest import ManifestRecord
from include.generator.traffic import Kind
from sql.merge.history_oracle import HistoryVersion

# Shard id and number (Envelope.number).  The stream is known from the context.
RecordId = tuple[str, str]


class ClickRow(NamedTuple):
    """A row of ClickStreamData: its key, and the click's content."""

    timestamp: str
    item_id: str
    item_name: str
    click_counts: int


class HeldRecord(NamedTuple):
    """A record under quarantine/ or quarantine-resolved/."""

    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class StreamSnapshot:
    """One stream: the records sent to it, and what the bucket holds of them."""

    name: str
    sent: Sequence[ManifestRecord]
    archived: Mapping[RecordId, ArchivedRecord]
    quarantined: Mapping[RecordId, HeldRecord]
    # Quarantined before and replayed since or, in the demo, probes of the archive.
    resolved: Mapping[RecordId, HeldRecord]

    def sent_as(self, *kinds: Kind) -> list[ManifestRecord]:
        """The records of these kinds, in the order in which they were sent."""
        return [record for kind in kinds for record in self.sent if record.kind == kind]


class LedgerTotals(NamedTuple):
    """The ledger's rows of one stream, added up."""

    hours: int
    balanced_hours: int
    # Column name -> sum, for the columns of LEDGER_COUNTS.
    counts: Mapping[str, int]


LEDGER_COUNTS = ("ARCHIVED", "LANDED", "QUARANTINED", "RESOLVED", "COVERED")


class QualityResult(msgspec.Struct, frozen=True):
    """The newest result of one data quality rule; ``failed_rows`` is None if it could not run."""

    rule: str
    severity: str
    status: str
    failed_rows: int | None


class Latency(msgspec.Struct, frozen=True):
    """Percentiles in seconds over ``count`` records; None where there are none."""

    name: str
    count: int
    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Both streams and every store behind them."""

    clicks: StreamSnapshot
    telemetry: StreamSnapshot
    click_rows: Set[ClickRow]
    # Readings in the landing zone, and in TRUCK_TELEMETRY_RAW: there also the rows, which may repeat a reading.
    landed: Set[RecordId]
    raw: Set[RecordId]
    raw_rows: int
    versions: Sequence[HistoryVersion]
    # Truck -> event time of its state in TruckLatestState.
    truck_states: Mapping[str, str]
    # Stream -> totals.
    ledger: Mapping[str, LedgerTotals]
    quality: Sequence[QualityResult]
    # From the record's arrival in its stream to the moment at which its row can be read.
    latencies: Sequence[Latency]

    @property
    def streams(self) -> tuple[StreamSnapshot, StreamSnapshot]:
        return self.clicks, self.telemetry
