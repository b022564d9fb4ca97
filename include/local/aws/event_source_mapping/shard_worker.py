"""Delivers one shard of one mapping: reads, filters, batches, processes and acknowledges, in its own threads."""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.local.aws.event_source_mapping.batcher import EventRecord, to_event_record
from include.local.aws.event_source_mapping.checkpoints import MappingCheckpoints
from include.local.aws.event_source_mapping.failure_destination import (
    Discarded,
    FailureDestination,
    UnknownDestinationError,
)
from include.local.aws.event_source_mapping.invoker import Invoker, Outcome
from include.local.aws.event_source_mapping.iterator_age import IteratorAge
from include.local.aws.event_source_mapping.lane import Lane
from include.local.aws.event_source_mapping.processor import BatchProcessor, StoppedError
from include.local.aws.event_source_mapping.progress import LaneProgress, lane_of
from include.local.aws.event_source_mapping.settings import MappingSettings
from include.local.aws.rate_limited_log import RateLimitedLogger
from include.local.aws.shard_reader import KinesisStream, Position, ShardGoneError, ShardReader
from include.retry import Backoff

logger = logging.getLogger(__name__)

# Shortest and longest pause between reads at the shard's tip, in seconds.
POLL_SHORTEST, POLL_LONGEST = 0.1, 0.5
# The more a stream retains, the longer a read takes MiniStack: at the tip, reads take at most a third of the time.
POLL_REST = 2.0
# Reading stops while this many records, or bytes of events, wait for the function: its delay must not fill the memory.
READ_AHEAD_RECORDS, READ_AHEAD_BYTES = 20_000, 32 * 1024 * 1024
# How long after a failure a shard is started again, in seconds.
RESTART_PAUSE = 5.0


class Ending(enum.Enum):
    """Why a worker's thread ended."""

    STOPPED = enum.auto()
    FAILED = enum.auto()  # the next worker starts from the last checkpoint
    FINISHED = enum.auto()  # the shard is closed and done
    GONE = enum.auto()  # the shard or the stream no longer exists


@dataclass(frozen=True, slots=True)
class MappingClients:
    """The boto3 clients that the driver uses; each is safe to share between threads."""

    kinesis: Any
    lambda_: Any
    s3: Any
    sqs: Any
    sns: Any
    cloudwatch: Any


class ShardWorker(threading.Thread):
    """Delivers one shard's records to the function, in as many lanes as the mapping's ParallelizationFactor.

    This thread reads and forms batches; the lanes' threads process them.  Records of one partition key share a lane.

    Args:
        settings: returns the mapping's current settings.
        position: where to start.
        lanes: how far the lanes came beyond ``position`` before a restart; see LaneProgress.
    """

    def __init__(
        self,
        *,
        clients: MappingClients,
        settings: Callable[[], MappingSettings],
        stream: KinesisStream,
        shard_id: str,
        position: Position,
        lanes: Sequence[str | None],
        checkpoints: MappingCheckpoints,
        iterator_age: IteratorAge,
    ) -> None:
        name = f"{settings().function_name}/{shard_id}"
        super().__init__(name=name, daemon=True)
        self.shard_id = shard_id
        self.ending = Ending.FAILED
        self._settings = settings
        self._checkpoints = checkpoints
        self._iterator_age = iterator_age
        self._log = RateLimitedLogger(name)
        self._reader = ShardReader(clients.kinesis, stream, shard_id, position)
        self._invoker = Invoker(clients.lambda_)
        self._destination = FailureDestination(s3=clients.s3, sqs=clients.sqs, sns=clients.sns)
        self._role_arn: str | None = None
        # Set to end all of this worker's threads.
        self._halt = threading.Event()
        # Set when there may be something to do: a lane has become idle, or everything ends.
        self._wake = threading.Event()
        # Guards progress and checkpoints, which the lanes advance.
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        factor = settings().parallelization_factor
        # With another number of lanes, each had other records: those beyond the position are delivered again.
        self._progress = LaneProgress(lanes if len(lanes) == factor else [None] * factor)
        self._lanes: list[Lane] = []

    def stop(self) -> None:
        """Ask it to end after the batches in flight; do not wait for it."""
        self._halt.set()
        self._wake.set()

    def run(self) -> None:
        self._lanes = self._make_lanes(len(self._progress.lanes))
        try:
            self.ending = self._deliver()
        except OSError as error:
            logger.error("%s: can't write the checkpoints: %s", self.name, error)
        except Exception:
            logger.exception("%s: ended by an unexpected error", self.name)
        if self.ending is Ending.FAILED:
            self._halt.wait(RESTART_PAUSE)
        self._halt.set()
        self._end_lanes()

    def _deliver(self) -> Ending:
        gone = False
        backoff = Backoff()
        next_read = 0.0
        while not self._halt.is_set():
            self._wake.clear()
            settings = self._settings()
            closed = gone or self._reader.finished
            due = self._hand_out(settings, closed)
            if closed:
                if not self._progress.waiting:
                    if gone:
                        return Ending.GONE
                    self._checkpoints.finish(self.shard_id)
                    return Ending.FINISHED
                self._wake.wait(min(POLL_LONGEST, due))
                continue
            pause = next_read - time.monotonic()
            if pause > 0 or self._is_far_ahead():
                self._wake.wait(min(pause if pause > 0 else POLL_LONGEST, due))
                continue
            started = time.monotonic()
            try:
                read = self._read(settings)
            except ShardGoneError:
                gone = True
            except (ClientError, BotoCoreError) as error:
                self._log.failed(str(error))
                next_read = time.monotonic() + backoff.next()
            else:
                backoff.reset()
                if not read and not self._progress.waiting:
                    self._log.recovered()
                if not (read and self._reader.millis_behind):
                    took = time.monotonic() - started
                    next_read = time.monotonic() + min(POLL_LONGEST, max(POLL_SHORTEST, POLL_REST * took))
        return Ending.STOPPED

    def _read(self, settings: MappingSettings) -> int:
        if self._role_arn is None:
            self._role_arn = self._invoker.role_arn(settings.function_arn)
        records = self._reader.read()
        # Records that are filtered out, or were delivered before a restart, are done as soon as all before them are.
        passed_over: list[str] = []
        events: list[list[EventRecord]] = [[] for _ in self._lanes]
        for record in records:
            lane = lane_of(record.partition_key, len(self._lanes))
            if self._progress.is_done(lane, record.sequence_number) or not (
                settings.filter is None or settings.filter.passes(record.data)
            ):
                passed_over.append(record.sequence_number)
            else:
                event = to_event_record(
                    record,
                    shard_id=self.shard_id,
                    stream_arn=settings.stream_arn,
                    region=settings.region,
                    role_arn=self._role_arn,
                )
                events[lane].append(event)
        with self._lock:
            self._progress.add(record.sequence_number for record in records)
            self._waiting_bytes += sum(len(event.json) for lane in events for event in lane)
            self._checkpoints.observe(
                self.shard_id, waiting=self._progress.waiting, tip_read_at=self._reader.tip_read_at
            )
            if passed_over:
                self._advance(passed_over)
        now = time.monotonic()
        for each, batch in zip(self._lanes, events, strict=True):
            each.batcher.add(batch, now)
        return len(records)

    def _is_far_ahead(self) -> bool:
        return self._progress.waiting >= READ_AHEAD_RECORDS or self._waiting_bytes >= READ_AHEAD_BYTES

    def _hand_out(self, settings: MappingSettings, closed: bool) -> float:
        """Give idle lanes their next batch; return the seconds until another may be due."""
        for lane in self._lanes:
            if lane.error:
                raise lane.error
        if settings.parallelization_factor != len(self._lanes):
            if not all(lane.idle for lane in self._lanes):
                return POLL_LONGEST
            self._change_lanes(settings.parallelization_factor)
        soonest = POLL_LONGEST
        now = time.monotonic()
        for lane in self._lanes:
            if not lane.idle:
                continue
            if batch := lane.batcher.take(settings, now, closed=closed):
                lane.hand_over(batch)
            elif (due := lane.batcher.due_in(settings, now)) is not None:
                soonest = min(soonest, due)
        return soonest

    def _make_lanes(self, count: int) -> list[Lane]:
        lanes = [self._make_lane(index) for index in range(count)]
        for lane in lanes:
            lane.start()
        return lanes

    def _make_lane(self, index: int) -> Lane:
        processor = BatchProcessor(
            settings=self._settings,
            invoke=self._invoke,
            discard=self._discard,
            acknowledge=lambda records: self._acknowledge(records, index),
            wait=self._wait,
            clock=time.time,
            log=self._log,
        )
        return Lane(f"{self.name}/{index}", processor.process, self._wake.set)

    def _change_lanes(self, count: int) -> None:
        """Distribute the waiting records over another number of lanes; all lanes are idle."""
        now = time.monotonic()
        waiting = [event for lane in self._lanes for event in lane.batcher.drain()]
        waiting.sort(key=lambda event: int(event.record.sequence_number))
        self._end_lanes()
        with self._lock:
            self._progress.lanes = [None] * count
        self._lanes = self._make_lanes(count)
        for event in waiting:
            self._lanes[lane_of(event.record.partition_key, count)].batcher.add([event], now)

    def _end_lanes(self) -> None:
        """End the lanes' threads and wait for them: their successors must not overtake a batch in flight."""
        for lane in self._lanes:
            lane.end()
        for lane in self._lanes:
            lane.join()

    def _wait(self, seconds: float) -> None:
        if self._halt.wait(seconds):
            raise StoppedError

    def _invoke(self, settings: MappingSettings, records: Sequence[EventRecord]) -> Outcome:
        self._iterator_age.observe(settings.function_name, time.time() - records[-1].record.arrival.timestamp())
        return self._invoker.invoke(settings, records)

    def _acknowledge(self, records: Sequence[EventRecord], lane: int) -> None:
        with self._lock:
            self._waiting_bytes -= sum(len(record.json) for record in records)
            self._advance((record.record.sequence_number for record in records), lane)

    def _advance(self, sequence_numbers: Iterable[str], lane: int | None = None) -> None:
        """Checkpoint after these records; the caller holds the lock."""
        position = self._progress.finish(sequence_numbers, lane)
        lanes = self._progress.lanes if len(self._progress.lanes) > 1 else ()
        self._checkpoints.acknowledge(self.shard_id, position, self._progress.waiting, lanes)

    def _discard(self, settings: MappingSettings, discarded: Discarded) -> None:
        """Send records to the on-failure destination, and retry until that succeeds; AWS would drop them."""
        first, last = (discarded.records[i].record.sequence_number for i in (0, -1))
        summary = f"{len(discarded.records)} records, {first} to {last} ({discarded.condition})"
        if settings.on_failure is None:
            logger.error("%s: dropped %s: the mapping has no on-failure destination", self.name, summary)
            return
        backoff = Backoff()
        while True:
            try:
                self._destination.send(self._settings(), self.shard_id, discarded, datetime.now(UTC))
            except (ClientError, BotoCoreError, UnknownDestinationError) as error:
                self._log.failed(f"on-failure destination {settings.on_failure}: {error}")
                self._wait(backoff.next())
            else:
                logger.warning("%s: sent %s to %s", self.name, summary, settings.on_failure)
                return
