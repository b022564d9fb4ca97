"""Turns a snapshot into the report: counts, data quality, latencies, guarantees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from include import names
from include.generator.manifest import ManifestRecord
from include.local.demo.acceptance_report.guarantees import Guarantee, judge_guarantees
from include.local.demo.acceptance_report.snapshot import Latency, QualityResult, Snapshot


class Count(msgspec.Struct, frozen=True):
    """One line of the table of counts; None where a stream has no such thing."""

    label: str
    clicks: int | None
    readings: int | None


class AcceptanceReport(msgspec.Struct, frozen=True):
    """What was sent, what each store holds, and whether every guarantee holds."""

    counts: list[Count]
    quarantined_by_reason: dict[str, int]
    quality: list[QualityResult]
    latencies: list[Latency]
    guarantees: list[Guarantee]

    @property
    def holds(self) -> bool:
        return all(guarantee.holds for guarantee in self.guarantees)


def judge(snapshot: Snapshot) -> AcceptanceReport:
    """Judge every guarantee by what the snapshot holds."""
    reasons = Counter(held.reason for stream in snapshot.streams for held in stream.quarantined.values())
    return AcceptanceReport(
        counts=_counts(snapshot),
        quarantined_by_reason=dict(reasons.most_common()),
        quality=list(snapshot.quality),
        latencies=list(snapshot.latencies),
        guarantees=judge_guarantees(snapshot),
    )


def _counts(snapshot: Snapshot) -> list[Count]:
    clicks, telemetry = snapshot.streams
    return [
        Count("sent (accepted by Kinesis)", len(clicks.sent), len(telemetry.sent)),
        Count("  of these valid, first time", len(clicks.sent_as("valid")), len(telemetry.sent_as("valid"))),
        Count("  of these sent again", len(clicks.sent_as("duplicate")), len(telemetry.sent_as("duplicate"))),
        Count("  of these malformed", len(clicks.sent_as("malformed")), len(telemetry.sent_as("malformed"))),
        Count("  from the field", _from_field(clicks.sent), _from_field(telemetry.sent)),
        Count("  nested shape", None, sum(record.shape == "nested" for record in telemetry.sent)),
        Count("  late or out of order", _displaced(clicks.sent), _displaced(telemetry.sent)),
        Count(f"S3 {names.ARCHIVE_PREFIX}", len(clicks.archived), len(telemetry.archived)),
        Count(f"DynamoDB {names.CLICK_TABLE}", len(snapshot.click_rows), None),
        Count(f"S3 {names.LANDING_PREFIX} (envelopes)", None, len(snapshot.landed)),
        Count(f"Snowflake {names.RAW_TABLE} (rows)", None, snapshot.raw_rows),
        Count(f"Snowflake {names.RAW_TABLE} (envelopes)", None, len(snapshot.raw)),
        Count(f"S3 {names.QUARANTINE_PREFIX}", len(clicks.quarantined), len(telemetry.quarantined)),
        Count(f"S3 {names.RESOLVED_PREFIX}", len(clicks.resolved), len(telemetry.resolved)),
        Count(f"Snowflake {names.HISTORY_TABLE} (versions)", None, len(snapshot.versions)),
        Count("  of these current", None, sum(version.is_current for version in snapshot.versions)),
    ]


def _displaced(records: Sequence[ManifestRecord]) -> int:
    return sum(record.late or record.out_of_order for record in records)


def _from_field(records: Sequence[ManifestRecord]) -> int:
    return sum(record.field_case is not None for record in records)
