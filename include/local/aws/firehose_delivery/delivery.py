"""Delivers one delivery stream: reads its shards, transforms, buffers, stores and checkpoints, in its own thread."""

from __future__ import annotations

import gzip
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from include.local.aws.firehose_delivery import objects
from include.local.aws.firehose_delivery.buffers import DeliveryBuffer, TransformationBuffer
from include.local.aws.firehose_delivery.checkpoints import DeliveryCheckpoints
from include.local.aws.firehose_delivery.settings import DeliverySettings, Processor
from include.local.aws.firehose_delivery.transformation import (
    InvocationError,
    RecordError,
    SourceRecord,
    Transformed,
    invoke,
    source_records,
)
from include.local.aws.rate_limited_log import RateLimitedLogger
from include.local.aws.shard_reader import (
    KinesisStream,
    Position,
    ShardGoneError,
    ShardReader,
    describe_stream,
    list_shards,
)
from include.retry import Backoff

logger = logging.getLogger(__name__)

# Shortest and longest pause between two rounds of reads at the tips, in seconds.
POLL_SHORTEST, POLL_LONGEST = 0.25, 0.5
# The more a stream retains, the longer a read takes MiniStack: at the tips, reads take at most a third of the time.
POLL_REST = 2.0
# How often the stream's shards are listed, in seconds.
SHARDS_INTERVAL = 1.0
# How long after an unexpected failure a delivery is started again, in seconds.
RESTART_PAUSE = 5.0


class DeliveryStoppedError(Exception):
    """The delivery was asked to end while it waited."""


@dataclass(frozen=True, slots=True)
class DeliveryClients:
    """The boto3 clients in use; each is safe to share between threads."""

    firehose: Any
    kinesis: Any
    lambda_: Any
    s3: Any


class Delivery(threading.Thread):
    """Delivers one delivery stream's records at least once: a shard's checkpoint moves after its objects are stored.

    Args:
        settings: returns the delivery stream's current settings.
        stop: set to make it end; the records that were read are stored first, if that works immediately.
    """

    def __init__(
        self, clients: DeliveryClients, state: Path, settings: Callable[[], DeliverySettings], stop: threading.Event
    ) -> None:
        super().__init__(name=settings().name, daemon=True)
        self._clients = clients
        self._state = state
        self._settings = settings
        self._stop_event = stop
        self._log = RateLimitedLogger(f"delivery stream {self.name}")
        self._stream: KinesisStream | None = None
        self._checkpoints: DeliveryCheckpoints | None = None
        self._readers: dict[str, ShardReader] = {}
        self._shards_listed = float("-inf")
        self._reset()

    def _reset(self) -> None:
        self._untransformed = TransformationBuffer()
        self._buffer = DeliveryBuffer()
        self._waiting: Counter[str] = Counter()

    def run(self) -> None:
        try:
            self._deliver()
        except DeliveryStoppedError:
            pass
        except OSError as error:
            logger.error("%s: can't write the checkpoints: %s", self.name, error)
            self._stop_event.wait(RESTART_PAUSE)
        except Exception:
            logger.exception("%s: ended by an unexpected error", self.name)
            self._stop_event.wait(RESTART_PAUSE)

    def _deliver(self) -> None:
        backoff = Backoff()
        while not self._stop_event.is_set():
            started = time.monotonic()
            try:
                behind = self._read()
            except (ShardGoneError, ClientError, BotoCoreError) as error:
                self._log.failed(str(error))
                self._wait(backoff.next())
                continue
            backoff.reset()
            self._log.recovered()
            took = time.monotonic() - started
            self._pass_on()
            if not behind:
                self._stop_event.wait(min(POLL_LONGEST, max(POLL_SHORTEST, POLL_REST * took)))
        self._pass_on(flush=True)

    # --- Reading -----------------------------------------------------------------------------------------------------

    def _read(self) -> bool:
        """Read each shard once; return whether one of them has more."""
        if time.monotonic() - self._shards_listed >= SHARDS_INTERVAL:
            self._find_shards()
        behind = False
        for shard_id, reader in list(self._readers.items()):
            try:
                records = reader.read()
            except ShardGoneError:
                # Like a shard whose retention has passed.  MiniStack drops a shard as soon as it is split or merged.
                logger.warning("%s: %s no longer exists", self.name, shard_id)
                reader.finished = True
                records = []
            now = time.monotonic()
            for each in chain.from_iterable(source_records(shard_id, record) for record in records):
                self._untransformed.add(each, now)
                self._waiting[shard_id] += 1
            self._progress.observe(shard_id, waiting=self._waiting[shard_id], tip_read_at=reader.tip_read_at)
            behind = behind or bool(records and reader.tip_read_at is None)
        self._close_finished()
        return behind

    @property
    def _progress(self) -> DeliveryCheckpoints:
        if self._checkpoints is None:
            raise RuntimeError("the delivery has no stream yet")
        return self._checkpoints

    def _find_shards(self) -> None:
        settings = self._settings()
        stream = describe_stream(self._clients.kinesis, settings.stream_arn)
        if self._stream is None or self._stream.created != stream.created:
            self._stream, self._readers = stream, {}
            self._reset()
            self._checkpoints = DeliveryCheckpoints(self._state, settings, stream)
            logger.info("delivering %s to s3://%s/%s", settings.stream_arn, settings.bucket, settings.prefix)
        known = self._progress.shards
        # At first from where the delivery stream begins; a shard that appears later is read from its oldest record.
        first = Position(at_timestamp=settings.start) if not known else Position()
        shards = list_shards(self._clients.kinesis, settings.stream_arn)
        self._progress.begin((shard.shard_id for shard in shards if shard.shard_id not in known), first)
        for shard_id, status in self._progress.shards.items():
            if not status.finished and shard_id not in self._readers:
                self._readers[shard_id] = ShardReader(self._clients.kinesis, stream, shard_id, status.position)
        self._shards_listed = time.monotonic()

    def _close_finished(self) -> None:
        for shard_id, reader in list(self._readers.items()):
            if reader.finished and not self._waiting[shard_id]:
                self._progress.finish(shard_id)
                del self._readers[shard_id]

    # --- Transforming and storing ------------------------------------------------------------------------------------

    def _pass_on(self, *, flush: bool = False) -> None:
        settings = self._settings()
        processor = settings.processor
        limit, interval = (
            (processor.buffer_bytes, processor.buffer_seconds) if processor else (settings.buffer_bytes, 0.0)
        )
        while batch := self._untransformed.take(limit, interval, time.monotonic(), flush=flush):
            self._transform(settings, batch)
            if self._buffer.is_due(settings.buffer_bytes, settings.buffer_seconds, time.monotonic()):
                self._store(settings)
        if self._buffer.is_due(settings.buffer_bytes, settings.buffer_seconds, time.monotonic(), flush=flush):
            self._store(settings)

    def _transform(self, settings: DeliverySettings, batch: list[SourceRecord]) -> None:
        attempts = 0
        if settings.processor:
            transformed, attempts = self._invoke(settings, settings.processor, batch)
        else:
            transformed = Transformed([each.record.data for each in batch], [])
        buffer = self._buffer
        buffer.note(batch, time.monotonic())
        if transformed.data:
            oldest = min(each.record.arrival for each in batch)
            buffer.oldest = min(buffer.oldest or oldest, oldest)
            buffer.data += transformed.data
            buffer.data_bytes += sum(map(len, transformed.data))
        if transformed.failed and settings.processor:
            self._set_aside(settings.processor, transformed.failed, attempts)

    def _invoke(
        self, settings: DeliverySettings, processor: Processor, batch: list[SourceRecord]
    ) -> tuple[Transformed, int]:
        """Return the outcome and the number of invocations.  Records that the last one did not transform failed."""
        backoff = Backoff()
        attempts = 0
        while True:
            try:
                attempts += 1
                return invoke(self._clients.lambda_, settings, processor.function_arn, batch), attempts
            except InvocationError as error:
                self._log.failed(f"processor {processor.function_arn}: {error}")
                if attempts > processor.retries:
                    return Transformed([], [(each, error.error) for each in batch]), attempts
            except BotoCoreError as error:
                # Lambda could not be reached: that is no invocation, and no fault of the records.
                attempts -= 1
                self._log.failed(str(error))
            self._wait(backoff.next())

    def _set_aside(self, processor: Processor, failed: list[tuple[SourceRecord, RecordError]], attempts: int) -> None:
        ended = datetime.now(UTC)
        oldest = min(source.record.arrival for source, _ in failed)
        self._buffer.oldest_failed = min(self._buffer.oldest_failed or oldest, oldest)
        self._buffer.failed += [
            objects.failed_record(
                data=source.record.data,
                arrival=source.record.arrival,
                attempts=attempts,
                ended=ended,
                error=error,
                function_arn=processor.function_arn,
            )
            for source, error in failed
        ]
        _, (code, message) = failed[0]
        logger.error("%s: %d records were not transformed (%s: %s)", self.name, len(failed), code, message)

    def _store(self, settings: DeliverySettings) -> None:
        """Store the buffer, retrying until that succeeds, and then checkpoint it."""
        buffer = self._buffer
        if buffer.data and buffer.oldest:
            self._put(settings, objects.evaluate(settings.prefix, buffer.oldest), buffer.oldest, buffer.data)
        if buffer.failed and buffer.oldest_failed:
            prefix = settings.error_prefix or settings.prefix + objects.PROCESSING_FAILED + "/"
            prefix = objects.evaluate(prefix, buffer.oldest_failed, objects.PROCESSING_FAILED)
            self._put(settings, prefix, buffer.oldest_failed, buffer.failed)
        self._waiting -= buffer.records
        self._progress.stored(buffer.last, self._waiting)
        self._buffer = DeliveryBuffer()

    def _put(self, settings: DeliverySettings, prefix: str, moment: datetime, data: list[bytes]) -> None:
        key = prefix + objects.object_name(settings.name, settings.version, moment, gzip=settings.gzip)
        body = b"".join(data)
        if settings.gzip:
            body = gzip.compress(body, compresslevel=6, mtime=0)
        backoff = Backoff()
        while True:
            try:
                self._clients.s3.put_object(
                    Bucket=settings.bucket, Key=key, Body=body, ContentType="application/octet-stream"
                )
            except (ClientError, BotoCoreError) as error:
                self._log.failed(f"s3://{settings.bucket}/{key}: {error}")
                self._wait(backoff.next())
            else:
                return

    def _wait(self, seconds: float) -> None:
        if self._stop_event.wait(seconds):
            raise DeliveryStoppedError
