"""One shard of one mapping: read, batch, process, acknowledge, in a thread of its own."""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.local.event_source_mapping.backoff import Backoff, Complaints
from include.local.event_source_mapping.batcher import Batcher, EventRecord, to_event_record
from include.local.event_source_mapping.checkpoints import Checkpoints
from include.local.event_source_mapping.failure_destination import (
    Discarded,
    FailureDestination,
    UnknownDestinationError,
)
from include.local.event_source_mapping.invoker import Invoker
from include.local.event_source_mapping.processor import BatchProcessor, StoppedError
from include.local.event_source_mapping.settings import MappingSettings
from include.local.shard_reader import Position, ShardGoneError, ShardReader, Stream

logger = logging.getLogger("event_source_mapping")

# Longest and shortest pause between reads at the shard's tip, in seconds.
POLL_SHORTEST, POLL_LONGEST = 0.1, 0.5
# MiniStack's reads take longer the more a stream retains: at the tip, reading takes at most a third of the time.
POLL_REST = 2.0
# How long a worker that failed keeps its shard from being started again, in seconds.
RESTART_PAUSE = 5.0


class Ending(enum.Enum):
    """Why a worker's thread ended."""

    STOPPED = enum.auto()
    FAILED = enum.auto()  # by an error; the next worker starts from the last checkpoint
    FINISHED = enum.auto()  # the shard is closed and done
    GONE = enum.auto()  # the shard or the stream does not exist any more


@dataclass(frozen=True, slots=True)
class Clients:
    """The boto3 clients that the driver uses; each is safe to share between threads."""

    kinesis: Any
    lambda_: Any
    s3: Any
    sqs: Any
    sns: Any


class ShardWorker(threading.Thread):
    """Delivers one shard's records to the function.

    Args:
        settings: gives the mapping's settings now.
        position: where to start.
        stop: set to make it end; a batch in flight is finished first.
    """

    def __init__(
        self,
        *,
        clients: Clients,
        settings: Callable[[], MappingSettings],
        stream: Stream,
        shard_id: str,
        position: Position,
        checkpoints: Checkpoints,
        stop: threading.Event,
    ) -> None:
        name = f"{settings().function_name}/{shard_id}"
        super().__init__(name=name, daemon=True)
        self.shard_id = shard_id
        self.ending = Ending.FAILED
        self._settings = settings
        self._checkpoints = checkpoints
        self._stop_event = stop
        self._complaints = Complaints(name)
        self._reader = ShardReader(clients.kinesis, stream, shard_id, position)
        self._invoker = Invoker(clients.lambda_)
        self._destination = FailureDestination(s3=clients.s3, sqs=clients.sqs, sns=clients.sns)
        self._batcher = Batcher()
        self._role_arn: str | None = None
        self._waiting = 0
        self._processor = BatchProcessor(
            settings=settings,
            invoke=self._invoker.invoke,
            discard=self._discard,
            acknowledge=self._acknowledge,
            wait=self._wait,
            clock=time.time,
            complaints=self._complaints,
        )

    def run(self) -> None:
        try:
            self.ending = self._deliver()
        except StoppedError:
            self.ending = Ending.STOPPED
        except OSError as error:
            logger.error("%s: can't write the checkpoints: %s", self.name, error)
            self._stop_event.wait(RESTART_PAUSE)
        except Exception:
            logger.exception("%s: ended by an unexpected error", self.name)
            self._stop_event.wait(RESTART_PAUSE)

    def _deliver(self) -> Ending:
        gone = False
        backoff = Backoff()
        while not self._stop_event.is_set():
            settings = self._settings()
            if batch := self._batcher.take(settings, time.monotonic(), closed=gone or self._reader.finished):
                self._processor.process(batch)
                continue
            if gone:
                return Ending.GONE
            if self._reader.finished:
                self._checkpoints.finish(self.shard_id)
                return Ending.FINISHED
            started = time.monotonic()
            try:
                read = self._read(settings)
            except ShardGoneError:
                gone = True
                continue
            except (ClientError, BotoCoreError) as error:
                self._complaints.trouble(str(error))
                self._wait(backoff.next())
                continue
            backoff.reset()
            if not read:
                self._complaints.over()
            if not (read and self._reader.millis_behind):
                self._pause(settings, time.monotonic() - started)
        return Ending.STOPPED

    def _read(self, settings: MappingSettings) -> int:
        if self._role_arn is None:
            self._role_arn = self._invoker.role_arn(settings.function_arn)
        records = self._reader.read()
        events = [
            to_event_record(
                record,
                shard_id=self.shard_id,
                stream_arn=settings.stream_arn,
                region=settings.region,
                role_arn=self._role_arn,
            )
            for record in records
        ]
        self._batcher.add(events, time.monotonic())
        self._waiting += len(events)
        self._checkpoints.observe(
            self.shard_id,
            waiting=self._waiting,
            read_at=self._reader.read_at,
            millis_behind=self._reader.millis_behind,
        )
        return len(events)

    def _pause(self, settings: MappingSettings, read_took: float) -> None:
        pause = min(POLL_LONGEST, max(POLL_SHORTEST, POLL_REST * read_took))
        due = self._batcher.due_in(settings, time.monotonic())
        self._wait(pause if due is None else min(pause, due))

    def _wait(self, seconds: float) -> None:
        if self._stop_event.wait(seconds):
            raise StoppedError

    def _acknowledge(self, records: Sequence[EventRecord]) -> None:
        self._waiting -= len(records)
        self._checkpoints.acknowledge(self.shard_id, records[-1].record.sequence_number, self._waiting)

    def _discard(self, settings: MappingSettings, discarded: Discarded) -> None:
        """Hand records to the on-failure destination, for as long as that takes: AWS would drop them where it fails."""
        first, last = (discarded.records[i].record.sequence_number for i in (0, -1))
        what = f"{len(discarded.records)} records, {first} to {last} ({discarded.condition})"
        if settings.on_failure is None:
            logger.error("%s: dropped %s: the mapping has no on-failure destination", self.name, what)
            return
        backoff = Backoff()
        while True:
            try:
                self._destination.send(self._settings(), self.shard_id, discarded, datetime.now(UTC))
            except (ClientError, BotoCoreError, UnknownDestinationError) as error:
                self._complaints.trouble(f"on-failure destination {settings.on_failure}: {error}")
                self._wait(backoff.next())
            else:
                logger.warning("%s: sent %s to %s", self.name, what, settings.on_failure)
                return
