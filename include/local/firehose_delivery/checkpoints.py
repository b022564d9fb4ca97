"""How far each shard has been delivered, on disk: one JSON file a delivery stream, replaced whole.

A delivery stream or a Kinesis stream that was deleted and created again under its name starts anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from include.local import status_files
from include.local.firehose_delivery.settings import DeliverySettings
from include.local.shard_reader import Position, Stream

# How often what was merely read, and not stored, is written.
STATUS_INTERVAL = 0.5


class ShardStatus(msgspec.Struct):
    """Where one shard stands."""

    # Reading continues here after a restart: everything before it is in stored objects.
    position: Position
    finished: bool = False
    # Records read and not yet stored.
    waiting: int = 0
    # When the shard was last read up to its tip, in seconds since the epoch.
    tip_read_at: float | None = None


class DeliveryStatus(msgspec.Struct):
    """Where one delivery stream stands; what its file holds."""

    name: str
    created: float
    stream_arn: str
    stream_created: float
    shards: dict[str, ShardStatus] = {}

    def caught_up(self, since: float) -> bool:
        """Whether all records that arrived before ``since`` (seconds since the epoch) are in stored objects."""
        return bool(self.shards) and all(
            shard.waiting == 0 and (shard.finished or (shard.tip_read_at or 0.0) > since)
            for shard in self.shards.values()
        )


def read_status(state: Path) -> list[DeliveryStatus]:
    """The status of every delivery stream followed with the state directory ``state``; empty if there is none."""
    return status_files.load_all(state, DeliveryStatus)


class Checkpoints:
    """One delivery stream's file; used by its thread alone."""

    def __init__(
        self, state: Path, settings: DeliverySettings, stream: Stream, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = state / f"{settings.name}.json"
        self._clock = clock
        self._written_at = 0.0
        fresh = DeliveryStatus(settings.name, settings.created, settings.stream_arn, stream.created)
        self._status = status_files.load(self._path, DeliveryStatus) or fresh
        if (self._status.created, self._status.stream_created) != (settings.created, stream.created):
            self._status = fresh

    @property
    def shards(self) -> Mapping[str, ShardStatus]:
        """Every shard that was begun."""
        return self._status.shards

    def begin(self, shard_id: str, position: Position) -> None:
        """Remember where a new shard starts before anything of it is read."""
        self._status.shards[shard_id] = ShardStatus(position)
        self._write()

    def stored(self, sequence_numbers: Mapping[str, str], waiting: Mapping[str, int]) -> None:
        """Of each shard named, everything up to the sequence number is stored; ``waiting`` more were read."""
        for shard_id, sequence_number in sequence_numbers.items():
            shard = self._status.shards[shard_id]
            shard.position = Position(after_sequence_number=sequence_number)
            shard.waiting = waiting.get(shard_id, 0)
        self._write()

    def finish(self, shard_id: str) -> None:
        """The shard is closed and all of it stored."""
        shard = self._status.shards[shard_id]
        shard.finished, shard.waiting = True, 0
        self._write()

    def observe(self, shard_id: str, *, waiting: int, tip_read_at: float | None) -> None:
        """Note a read; written at once when the shard starts to have records waiting, else now and then."""
        shard = self._status.shards[shard_id]
        changed = bool(shard.waiting) != bool(waiting)
        shard.waiting = waiting
        if tip_read_at is not None:
            shard.tip_read_at = tip_read_at
        if changed or self._clock() - self._written_at >= STATUS_INTERVAL:
            self._write()

    def _write(self) -> None:
        status_files.save(self._path, self._status)
        self._written_at = self._clock()
