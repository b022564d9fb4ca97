"""Follows the account's event source mappings and their streams' shards, and runs a worker for each shard."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.local.aws import status_files
from include.local.aws.event_source_mapping.checkpoints import MappingCheckpoints
from include.local.aws.event_source_mapping.iterator_age import IteratorAge
from include.local.aws.event_source_mapping.settings import (
    MappingSettings,
    UnsupportedMappingError,
    is_kinesis,
    read_mapping,
)
from include.local.aws.event_source_mapping.shard_worker import Ending, MappingClients, ShardWorker
from include.local.aws.rate_limited_log import RateLimitedLogger
from include.local.aws.shard_reader import KinesisStream, Position, Shard, ShardGoneError, describe_stream, list_shards

logger = logging.getLogger(__name__)

# How often mappings and shards are listed, in seconds.
REFRESH_INTERVAL = 0.5
# How long a stop waits for the batches in flight, in seconds.
STOP_DEADLINE = 2.0


def make_clients() -> MappingClients:
    """Make clients from the standard AWS_* environment.  The driver retries by itself, so boto's retries are off."""
    once = {"total_max_attempts": 1}
    config = Config(connect_timeout=3, read_timeout=10, retries=once, max_pool_connections=50)
    # A function may run for 15 minutes.
    invoking = Config(connect_timeout=3, read_timeout=905, retries=once, max_pool_connections=50)
    return MappingClients(
        kinesis=boto3.client("kinesis", config=config),
        lambda_=boto3.client("lambda", config=invoking),
        s3=boto3.client("s3", config=config),
        sqs=boto3.client("sqs", config=config),
        sns=boto3.client("sns", config=config),
        # A metric must not delay the delivery.
        cloudwatch=boto3.client("cloudwatch", config=Config(connect_timeout=1, read_timeout=2, retries=once)),
    )


class MappingRunner:
    """Delivers one mapping's stream: a worker for each shard, parents before children."""

    def __init__(
        self, clients: MappingClients, state: Path, settings: MappingSettings, iterator_age: IteratorAge
    ) -> None:
        self.settings = settings
        self._iterator_age = iterator_age
        self._clients = clients
        self._state = state
        self._workers: dict[str, ShardWorker] = {}
        self._stream: KinesisStream | None = None
        self._checkpoints: MappingCheckpoints | None = None
        self._log = RateLimitedLogger(f"mapping of {settings.function_name}")

    def refresh(self, settings: MappingSettings) -> None:
        """Take over changed settings, and start a worker for every shard that can start."""
        if settings.emulator_delivers and not self.settings.emulator_delivers:
            logger.warning(
                "mapping %s is enabled: MiniStack delivers its records too, so each arrives twice", settings.uuid
            )
        self.settings = settings
        try:
            stream = describe_stream(self._clients.kinesis, settings.stream_arn)
            if self._stream is None or stream.created != self._stream.created:
                self._begin(stream)
            shards = list_shards(self._clients.kinesis, settings.stream_arn)
        except (ShardGoneError, ClientError, BotoCoreError) as error:
            self._log.failed(str(error))
            return
        self._log.recovered()
        self._start_workers(stream, shards)

    def stop(self) -> None:
        """Ask the workers to end; do not wait for them."""
        for worker in self._workers.values():
            worker.stop()

    def join(self, deadline: float) -> None:
        """Wait for the workers until ``deadline`` (of time.monotonic)."""
        for worker in self._workers.values():
            worker.join(max(0.0, deadline - time.monotonic()))

    def _begin(self, stream: KinesisStream) -> None:
        """Start on a stream: at the first refresh, and when it was deleted and created again."""
        self.stop()
        self.join(time.monotonic() + STOP_DEADLINE)
        self._workers = {}
        self._stream = stream
        self._checkpoints = MappingCheckpoints(self._state, self.settings, stream)
        logger.info("delivering %s to %s", self.settings.stream_arn, self.settings.function_name)

    def _start_workers(self, stream: KinesisStream, shards: list[Shard]) -> None:
        checkpoints = self._checkpoints
        if checkpoints is None:
            raise RuntimeError("the mapping has no stream yet")
        existing = {shard.shard_id for shard in shards}
        self._reap(checkpoints, existing)
        known = checkpoints.shards
        first = self._first_position(is_first=not known)
        checkpoints.begin((shard.shard_id for shard in shards if shard.shard_id not in known), first)
        known = checkpoints.shards
        parents = {shard.shard_id: shard.parents for shard in shards}
        for shard_id, status in known.items():
            ready = all(known[parent].finished for parent in parents.get(shard_id, ()) if parent in known)
            if not status.finished and ready and shard_id not in self._workers:
                self._workers[shard_id] = ShardWorker(
                    clients=self._clients,
                    settings=lambda: self.settings,
                    stream=stream,
                    shard_id=shard_id,
                    position=status.position,
                    lanes=status.lanes,
                    checkpoints=checkpoints,
                    iterator_age=self._iterator_age,
                )
                self._workers[shard_id].start()

    def _reap(self, checkpoints: MappingCheckpoints, existing: set[str]) -> None:
        """Drop ended workers; an unfinished shard gets a new one afterwards."""
        for shard_id, worker in list(self._workers.items()):
            if worker.is_alive():
                continue
            del self._workers[shard_id]
            if worker.ending is Ending.GONE and shard_id not in existing:
                # Like a shard whose retention has passed.  MiniStack drops a shard as soon as it is split or merged.
                logger.warning("%s: the shard no longer exists; the records that it still held are lost", worker.name)
                checkpoints.finish(shard_id)

    def _first_position(self, *, is_first: bool) -> Position:
        """Where a new shard starts: first as the mapping says, later (a split or merge) at its oldest record."""
        if not is_first or self.settings.starting_position == "TRIM_HORIZON":
            return Position()
        if self.settings.starting_position == "AT_TIMESTAMP":
            return Position(at_timestamp=self.settings.starting_timestamp)
        # LATEST, as a time to which a restart can return.
        return Position(at_timestamp=time.time())


class MappingDriver:
    """Runs every Kinesis mapping of the account until it is stopped."""

    def __init__(self, clients: MappingClients, state: Path) -> None:
        self._clients = clients
        self._state = state
        # A plain flag: a signal handler that sets an Event can deadlock with the thread that waits for the Event.
        self._stopping = False
        self._runners: dict[str, MappingRunner] = {}
        self._log = RateLimitedLogger("event source mappings")
        self._refused: set[str] = set()
        self._iterator_age = IteratorAge(clients.cloudwatch)

    def stop(self) -> None:
        """Make ``run`` return; may be called from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Follow the mappings until ``stop``; return within three seconds of it."""
        while not self._stopping:
            try:
                listed = self._list_mappings()
            except (ClientError, BotoCoreError) as error:
                self._log.failed(str(error))
            else:
                self._log.recovered()
                self._refresh(listed)
            self._iterator_age.publish()
            time.sleep(REFRESH_INTERVAL)
        self._finish(list(self._runners.values()))

    def _list_mappings(self) -> list[dict[str, Any]]:
        pages = self._clients.lambda_.get_paginator("list_event_source_mappings").paginate()
        return [entry for page in pages for entry in page["EventSourceMappings"] if is_kinesis(entry)]

    def _refresh(self, listed: list[dict[str, Any]]) -> None:
        deleted = self._runners.keys() - {entry["UUID"] for entry in listed}
        self._finish([self._runners.pop(mapping) for mapping in deleted])
        status_files.forget_others(self._state, [entry["UUID"] for entry in listed])
        for entry in listed:
            try:
                settings = read_mapping(entry)
            except UnsupportedMappingError as error:
                if entry["UUID"] not in self._refused:
                    self._refused.add(entry["UUID"])
                    logger.error("%s: its records are not delivered", error)
                continue
            if settings.uuid not in self._runners:
                self._runners[settings.uuid] = MappingRunner(self._clients, self._state, settings, self._iterator_age)
            self._runners[settings.uuid].refresh(settings)

    def _finish(self, runners: list[MappingRunner]) -> None:
        for runner in runners:
            runner.stop()
        deadline = time.monotonic() + STOP_DEADLINE
        for runner in runners:
            runner.join(deadline)
