"""How far each shard of a delivery stream's source has been delivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from include.local.aws import status_files
from include.local.aws.checkpoints import CheckpointFile, StreamStatus
from include.local.aws.firehose_delivery.settings import DeliverySettings
from include.local.aws.shard_reader import Position, Stream


class DeliveryStatus(StreamStatus, kw_only=True):
    """Where one delivery stream stands; what is done is in stored objects."""

    name: str
    created: float

    @property
    def source(self) -> tuple[Any, ...]:
        return (self.created, self.stream_created)


def read_status(state: Path) -> list[DeliveryStatus]:
    """The status of every delivery stream followed with the state directory ``state``; empty if there is none."""
    return status_files.load_all(state, DeliveryStatus)


class Checkpoints(CheckpointFile):
    """One delivery stream's file."""

    def __init__(
        self, state: Path, settings: DeliverySettings, stream: Stream, *, clock: Callable[[], float] = time.time
    ) -> None:
        fresh = DeliveryStatus(
            name=settings.name,
            created=settings.created,
            stream_arn=settings.stream_arn,
            stream_created=stream.created,
        )
        super().__init__(state / f"{settings.name}.json", fresh, clock)

    def stored(self, sequence_numbers: Mapping[str, str], waiting: Mapping[str, int]) -> None:
        """Of each shard named, everything up to the sequence number is stored; ``waiting`` more were read."""
        with self._lock:
            for shard_id, sequence_number in sequence_numbers.items():
                shard = self._status.shards[shard_id]
                shard.position = Position(after_sequence_number=sequence_number)
                shard.waiting = waiting.get(shard_id, 0)
            self._write()
