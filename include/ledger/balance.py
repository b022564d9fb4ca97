"""The balance of one stream and arrival hour: where its records are, and which differ."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

HOUR = timedelta(hours=1)
# Samples of a kind of difference in the ledger, and in an alert.
SAMPLES_KEPT = 20
SAMPLES_SHOWN = 5

# Kind of difference -> meaning, in the order of the flow.
DIFFERENCES = {
    "missing": "archived, but neither in the sink nor in quarantine",
    "unexpected": "in the sink or in quarantine, but not archived",
    "conflicts": "keys or event ids of clicks that arrived with more than one content",
    "overdue": "readings in RAW that have waited too long for a merge",
    "uncovered": "readings in RAW that the history does not have",
}


class Balance(msgspec.Struct, kw_only=True):
    """Counts of distinct envelopes that arrived in ``stream`` in the hour that begins at ``hour`` (aware).

    archived = landed + duplicates + quarantined + resolved + expired + missing: each archived envelope is counted once.
    """

    stream: str
    hour: datetime
    # Counted before every record could have reached its place.
    is_open: bool
    archived: int = 0
    # In the sink.  For clicks: rows of ClickStreamData with an envelope of this hour.
    landed: int = 0
    # Of the landed readings, those with a metric that was sent outside its range and is NULL.  No difference.
    nulled: int = 0
    # More envelopes of clicks that have their row.
    duplicates: int = 0
    quarantined: int = 0
    # In quarantine-resolved/ but in no sink: probes.
    resolved: int = 0
    # Of clicks that are older than ClickStreamData keeps them, and have no row.  No difference: the archive has them.
    expired: int = 0
    missing: int = 0
    # Missing readings that are in a landing object: Snowpipe did not load them.
    not_loaded: int = 0
    unexpected: int = 0
    conflicts: int = 0
    # Readings in RAW: in the history (or superseded at their instant), waiting for a merge (overdue: too long), or
    # neither.
    covered: int = 0
    waiting: int = 0
    overdue: int = 0
    uncovered: int = 0
    # Kind of difference -> at most SAMPLES_KEPT texts that name files or sequence numbers.
    samples: dict[str, list[str]] = {}

    @property
    def balanced(self) -> bool:
        return not any(getattr(self, kind) for kind in DIFFERENCES)

    def differences(self) -> list[str]:
        """One text per kind of difference, with the first samples; empty when balanced."""
        return [
            f"{self.stream} {self.hour:%Y-%m-%dT%H}: {count:,} {kind} ({meaning}){self._named(kind)}"
            for kind, meaning in DIFFERENCES.items()
            if (count := getattr(self, kind))
        ]

    def counts(self) -> dict[str, int]:
        """Kind of difference -> records."""
        return {kind: getattr(self, kind) for kind in DIFFERENCES}

    def grew_since(self, earlier: Mapping[str, int]) -> bool:
        """Whether any kind of difference has more records than in the ``earlier`` counts."""
        return any(getattr(self, kind) > earlier.get(kind, 0) for kind in DIFFERENCES)

    def _named(self, kind: str) -> str:
        shown = self.samples.get(kind, [])[:SAMPLES_SHOWN]
        return f": {', '.join(shown)}" if shown else ""
