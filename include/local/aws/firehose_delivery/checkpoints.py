"""How far each shard of a delivery stream's source has been delivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from include.local.aws import status_files
from include.local.aws.checkpoints import CheckpointFile, ShardStatus, StreamStatus
from include.local.aws.firehose_delivery.settings import DeliverySettings
from include.local.aws.shard_reader import KinesisStream, Position


class DeliveryStatus(StreamStatus[ShardStatus], kw_only=True):
    """How far one delivery stream has come.  The records that are done are in stored objects."""

    name: str
    created: float

    @property
    def source(self) -> tuple[str | float, ...]:
        return (self.created, self.stream_created)


def read_status(state: Path) -> list[DeliveryStatus]:
    """Read the status of every delivery stream that a driver with the state directory ``state`` follows."""
    return status_files.load_all(state, DeliveryStatus)


class DeliveryCheckpoints(CheckpointFile[ShardStatus]):
    """One delivery stream's file."""

    def __init__(
        self, state: Path, settings: DeliverySettings, stream: KinesisStream, *, clock: Callable[[], float] = time.time
    ) -> None:
        fresh = DeliveryStatus(
            name=settings.name,
            created=settings.created,
            stream_arn=settings.stream_arn,
            stream_created=stream.created,
        )
        super().__init__(state / f"{settings.name}.json", fresh, ShardStatus, clock)

    def stored(self, sequence_numbers: Mapping[str, str], waiting: Mapping[str, int]) -> None:
        """Record that each of these shards is stored up to its sequence number, and how many of its records wait."""
        with self._lock:
            for shard_id, sequence_number in sequence_numbers.items():
                shard = self._status.shards[shard_id]
                shard.position = Position(after_sequence_number=sequence_number)
                shard.waiting = waiting.get(shard_id, 0)
            self._write()
