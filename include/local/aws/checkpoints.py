"""How far each shard of a stream that a driver follows has come: one JSON file a follower.

A file belongs to one follower of one stream; either, created again under its name, starts afresh.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from include.local.aws import status_files
from include.local.aws.shard_reader import Position

# How often what was merely read, and not done, is written, in seconds.
STATUS_INTERVAL = 0.5


class ShardStatus(msgspec.Struct):
    """Where one shard stands."""

    # Reading continues here after a restart: everything before it is done.
    position: Position
    finished: bool = False
    # Records read and not yet done.
    waiting: int = 0
    # When the shard was last read up to its tip, in seconds since the epoch.
    tip_read_at: float | None = None


class StreamStatus(msgspec.Struct, kw_only=True):
    """Where one follower of a stream stands; what its file holds."""

    stream_arn: str
    stream_created: float
    shards: dict[str, ShardStatus] = {}

    @property
    def source(self) -> tuple[Any, ...]:
        """What the positions are about."""
        return (self.stream_created,)

    def caught_up(self, since: float) -> bool:
        """Whether all records that arrived before ``since`` (seconds since the epoch) are done."""
        return bool(self.shards) and all(
            shard.waiting == 0 and (shard.finished or (shard.tip_read_at or 0.0) > since)
            for shard in self.shards.values()
        )


class CheckpointFile:
    """The file of one follower, shared by the threads of its shards.

    Args:
        path: of the file.
        fresh: the status where there is no file, or one that is unreadable or about another source.
        clock: seconds since the epoch.
    """

    def __init__(self, path: Path, fresh: StreamStatus, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._written_at = 0.0
        found = status_files.load(path, type(fresh))
        self._status = found if found and found.source == fresh.source else fresh

    @property
    def shards(self) -> Mapping[str, Any]:
        """Every shard that was begun; a copy."""
        with self._lock:
            return dict(self._status.shards)

    def begin(self, shard_id: str, position: Position) -> None:
        """Remember where a new shard starts before anything of it is read."""
        with self._lock:
            self._status.shards[shard_id] = self._new_shard(position)
            self._write()

    def finish(self, shard_id: str) -> None:
        """The shard is closed and done: its children may start."""
        with self._lock:
            shard = self._status.shards[shard_id]
            shard.finished, shard.waiting = True, 0
            self._write()

    def observe(self, shard_id: str, *, waiting: int, tip_read_at: float | None) -> None:
        """Note a read, up to the tip at ``tip_read_at`` or not up to it (None).

        Written at once when the shard starts or stops to have records waiting, else now and then.
        """
        with self._lock:
            shard = self._status.shards[shard_id]
            changed = bool(shard.waiting) != bool(waiting)
            shard.waiting = waiting
            if tip_read_at is not None:
                shard.tip_read_at = tip_read_at
            if changed or self._clock() - self._written_at >= STATUS_INTERVAL:
                self._write()

    @staticmethod
    def _new_shard(position: Position) -> ShardStatus:
        return ShardStatus(position)

    def _write(self) -> None:
        status_files.save(self._path, self._status)
        self._written_at = self._clock()
