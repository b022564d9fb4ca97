"""Storing the outcome of a batch: a record is resolved, or stays in quarantine with the attempt in its history."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec

from include.contracts.quarantine import Attempt, Quarantined, Verdict
from include.contracts.times import to_canonical
from include.replay import legacy_aggregates
from include.replay.plan import ReplayPlan
from include.replay.quarantine_store import QuarantineObject, QuarantineStore
from include.replay.results import GONE, LEFT_OUT, RESOLVED, STILL_INVALID, ReplayResults

#: (shard, number as Envelope.number has it) -> why the function found the record invalid again.
Verdicts = Mapping[tuple[str, str], Verdict]


class OutcomeStore:
    """Writes outcomes to quarantine, several objects at a time, and counts them.  Thread-safe."""

    def __init__(
        self,
        store: QuarantineStore,
        pool: ThreadPoolExecutor,
        results: ReplayResults,
        by: str,
        clock: Callable[[], datetime],
    ) -> None:
        self.results = results
        self._store = store
        self._pool = pool
        self._by = by
        self._clock = clock

    def read(self, keys: Sequence[str], plan: ReplayPlan) -> list[QuarantineObject]:
        """The objects as they are now, without those that another replay has moved.

        Also without those that have a verdict that the plan does not take: from their batch, or of another replay.
        """
        found = [each for each in self._pool.map(self._store.read, keys) if each]
        taken = [each for each in found if plan.takes(each.record)]
        self.results.count(GONE, len(keys) - len(found))
        self.results.count(LEFT_OUT, len(found) - len(taken))
        return taken

    def resolve_or_keep(self, batch: Sequence[QuarantineObject], verdicts: Verdicts) -> None:
        """Resolve what is valid now; keep what has a verdict."""

        def store_outcome(each: QuarantineObject) -> None:
            envelope = each.record.envelope
            verdict = verdicts.get((envelope.shard_id, envelope.number))
            if verdict is None:
                self._store.resolve(each, self._attempt(RESOLVED))
                self.results.count(RESOLVED)
                return
            attempt = self._attempt(STILL_INVALID, f"{verdict.reason}: {verdict.rule}")
            if self._store.amend(each, lambda record: _judged(record, verdict).tried(attempt)):
                self.results.count_still_invalid(verdict.reason)
            else:
                self.results.count(GONE)

        for _ in self._pool.map(store_outcome, batch):
            pass

    def keep(self, batch: Sequence[QuarantineObject], outcome: str, detail: str) -> None:
        """Add an attempt that did not answer for the records."""
        attempt = self._attempt(outcome, detail)
        stayed = list(self._pool.map(lambda each: self._store.amend(each, lambda record: record.tried(attempt)), batch))
        self.results.count(outcome, stayed.count(True))
        self.results.count(GONE, stayed.count(False))
        first = batch[0].record.envelope
        self.results.add_error(f"{first.stream} {first.shard_id} {first.number}: {outcome}: {detail}")

    def _attempt(self, outcome: str, detail: str | None = None) -> Attempt:
        return Attempt(to_canonical(self._clock()), self._by, outcome, detail)


def _judged(record: Quarantined, verdict: Verdict) -> Quarantined:
    """The record with the function's latest verdict."""
    if legacy_aggregates.is_whole(record):
        # The verdict is on that one; the function has stored what became of the others.
        record = legacy_aggregates.first_user_record(record)
    return msgspec.structs.replace(
        record, reason=verdict.reason, field=verdict.field, value=verdict.value, rule=verdict.rule
    )
