"""Which quarantined records a replay takes, and how many at a time."""

from __future__ import annotations

from datetime import datetime

import msgspec

from include.contracts.quarantine import Quarantined
from include.contracts.times import to_canonical
from include.settings import Positive

# Valid when replayed alone, and would then overwrite the click that was kept: only on request (docs/adr/0008).
ON_REQUEST_ONLY = frozenset({"key_conflict"})


class ReplayPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Which records to replay; empty or None means any.

    Arrival: ``since`` <= arrival < ``until`` (aware).  Without ``reasons``, records of ON_REQUEST_ONLY are left out.
    ``limit`` is the largest number of records; each stream's earliest hours come first.
    """

    streams: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    limit: Positive | None = None

    def takes(self, record: Quarantined) -> bool:
        arrival = record.envelope.arrival_time
        return (
            (record.reason in self.reasons if self.reasons else record.reason not in ON_REQUEST_ONLY)
            and (self.since is None or arrival >= to_canonical(self.since))
            and (self.until is None or arrival < to_canonical(self.until))
        )


class ReplayLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is sent at a time.  A synchronous invocation takes 6 MB, and base64 makes payloads 4/3 as large."""

    batch_records: Positive = 100
    batch_bytes: Positive = 3_000_000
    shards_at_once: Positive = 4
    # After so many records in a row that made the function raise, the rest of the shard is not tried: the records are
    # not the cause.
    raised_in_a_row: Positive = 25
