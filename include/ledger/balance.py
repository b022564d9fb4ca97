"""What the ledger says of one stream and arrival hour."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

SAMPLES_KEPT = 20
SAMPLES_TOLD = 5

# Each kind of difference, in the order of the flow, and what it means.
DIFFERENCES = {
    "missing": "archived, and neither in the sink nor in quarantine",
    "unexpected": "in the sink or in quarantine, and not archived",
    "conflicts": "keys of clicks that came with more than one content",
    "overdue": "readings in RAW that wait for a merge too long",
    "uncovered": "readings in RAW that the history does not hold",
}


class Balance(msgspec.Struct, kw_only=True):
    """Counts of distinct envelopes that arrived in ``stream`` from ``hour`` (aware, on the hour) on.

    archived = landed + duplicates + quarantined + resolved + missing: each archived envelope is counted once.
    """

    stream: str
    hour: datetime
    # Counted before everything could have reached its place.
    is_open: bool
    archived: int = 0
    # In the sink.  Of clicks: rows of ClickStreamData that name an envelope of this hour.
    landed: int = 0
    # Further envelopes of clicks whose row is there.
    duplicates: int = 0
    quarantined: int = 0
    # In quarantine-resolved/ and in no sink: probes.
    resolved: int = 0
    missing: int = 0
    # Of the missing readings those that are in a landing object: Snowpipe's part.
    not_loaded: int = 0
    unexpected: int = 0
    conflicts: int = 0
    # What is in RAW: held by the history (or superseded at its instant), to be merged (overdue: for long), or neither.
    covered: int = 0
    waiting: int = 0
    overdue: int = 0
    uncovered: int = 0
    # What differs -> up to SAMPLES_KEPT texts that name files or sequence numbers.
    samples: dict[str, list[str]] = {}

    @property
    def balanced(self) -> bool:
        return not any(getattr(self, kind) for kind in DIFFERENCES)

    def differences(self) -> list[str]:
        """A sentence a kind of difference, with the first samples; empty when balanced."""
        return [
            f"{self.stream} {self.hour:%Y-%m-%dT%H}: {count:,} {kind} ({meaning}){self._named(kind)}"
            for kind, meaning in DIFFERENCES.items()
            if (count := getattr(self, kind))
        ]

    def grew_since(self, earlier: dict[str, Any]) -> bool:
        """Whether it has more of any kind of difference than ``earlier`` counts say."""
        return any(getattr(self, kind) > earlier[kind] for kind in DIFFERENCES)

    def _named(self, kind: str) -> str:
        told = self.samples.get(kind, [])[:SAMPLES_TOLD]
        return f": {', '.join(told)}" if told else ""
