"""Processes a batch: invocation, partial success, bisection, retries, record age, discarding.

Every record of a batch ends in exactly one of two ways: the function processed it, or it was discarded (sent to the
on-failure destination, if there is one).  Either way it is acknowledged, in order.  A stop leaves the other records
unacknowledged; they are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from include.local.aws.event_source_mapping.batcher import EventRecord
from include.local.aws.event_source_mapping.failure_destination import (
    RECORD_AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    Discarded,
)
from include.local.aws.event_source_mapping.invoker import Failed, NotInvoked, Outcome, Succeeded
from include.local.aws.event_source_mapping.settings import UNLIMITED, MappingSettings
from include.local.aws.rate_limited_log import RateLimitedLogger
from include.retry import Backoff


class StoppedError(Exception):
    """The driver is stopping; unacknowledged records will be read again."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A contiguous part of a batch.  Bisection splits it without counting as a retry."""

    records: Sequence[EventRecord]
    retries: int = 0
    invocations: int = 0
    last_failure: Failed | None = None


class BatchProcessor:
    """Processes a shard's batches, one at a time.

    Args:
        settings: returns the mapping's current settings; they may change between attempts.
        invoke: invokes the function.
        discard: sends records to the on-failure destination, or drops them where there is none.
        acknowledge: called with the records of each part that is done, in order.
        wait: waits for a number of seconds; raises StoppedError when the driver stops.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        settings: Callable[[], MappingSettings],
        invoke: Callable[[MappingSettings, Sequence[EventRecord]], Outcome],
        discard: Callable[[MappingSettings, Discarded], None],
        acknowledge: Callable[[Sequence[EventRecord]], None],
        wait: Callable[[float], None],
        clock: Callable[[], float],
        log: RateLimitedLogger,
    ) -> None:
        self._settings = settings
        self._invoke = invoke
        self._discard = discard
        self._acknowledge = acknowledge
        self._wait = wait
        self._clock = clock
        self._log = log
        self._backoff = Backoff()

    def process(self, batch: Sequence[EventRecord]) -> None:
        """Process the batch to its end.

        Raises:
            StoppedError: the driver stops; a part may be left unacknowledged.
        """
        pieces = [Piece(batch)]  # A stack: the earliest records on top.
        while pieces:
            settings = self._settings()
            piece = self._discard_expired(settings, pieces.pop())
            if not piece.records:
                continue
            outcome = self._invoke(settings, piece.records)
            match outcome:
                case Succeeded():
                    self._backoff.reset()
                    self._log.recovered()
                    self._acknowledge(piece.records)
                case NotInvoked(reason):
                    # Nothing ran, so no retry is used up; only the record age ends this.
                    pieces.append(piece)
                    self._retry_later(reason)
                case Failed():
                    pieces.extend(reversed(self._after_failure(settings, piece, outcome)))

    def _after_failure(self, settings: MappingSettings, piece: Piece, failure: Failed) -> list[Piece]:
        """Return the pieces that remain to be processed, in order."""
        piece = replace(piece, invocations=piece.invocations + 1, last_failure=failure)
        size = len(piece.records)
        if failure.first_failed:
            # Partial success: continue at the lowest failed sequence number, with a fresh count of retries.
            self._acknowledge(piece.records[: failure.first_failed])
            return [Piece(piece.records[failure.first_failed :])]
        # A function that reports the batch's first record wants the same batch again: there is nothing to split off.
        if settings.bisect and size > 1 and failure.first_failed is None:
            return [
                replace(piece, records=piece.records[: size // 2]),
                replace(piece, records=piece.records[size // 2 :]),
            ]
        if settings.maximum_retry_attempts != UNLIMITED and piece.retries >= settings.maximum_retry_attempts:
            self._give_up(settings, piece, RETRIES_EXHAUSTED)
            return []
        self._retry_later(f"a batch of {size} failed: {failure.reason}")
        return [replace(piece, retries=piece.retries + 1)]

    def _discard_expired(self, settings: MappingSettings, piece: Piece) -> Piece:
        if settings.maximum_record_age == UNLIMITED:
            return piece
        oldest = self._clock() - settings.maximum_record_age
        expired = 0
        while expired < len(piece.records) and piece.records[expired].record.arrival.timestamp() < oldest:
            expired += 1
        if expired:
            self._give_up(settings, replace(piece, records=piece.records[:expired]), RECORD_AGE_EXCEEDED)
        return replace(piece, records=piece.records[expired:])

    def _give_up(self, settings: MappingSettings, piece: Piece, condition: str) -> None:
        self._discard(settings, Discarded(piece.records, condition, piece.invocations, piece.last_failure))
        self._backoff.reset()
        self._acknowledge(piece.records)

    def _retry_later(self, reason: str) -> None:
        self._log.failed(reason)
        self._wait(self._backoff.next())
