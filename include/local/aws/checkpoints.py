"""How far a driver has come with each shard of a stream: one JSON file per follower of the stream.

A follower is an event source mapping or a delivery stream.  The file belongs to one follower and one stream: if one of
them is deleted and created again under the same name, the file starts afresh.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from include.local.aws import status_files
from include.local.aws.shard_reader import Position

# How often progress in reading alone is written, in seconds.
STATUS_INTERVAL = 0.5


class ShardStatus(msgspec.Struct):
    """How far one shard is processed."""

    # Reading continues here after a restart: everything before it is done.
    position: Position
    finished: bool = False
    # Records that were read and are not done yet.
    waiting: int = 0
    # When the shard was last read up to its tip, in seconds since the epoch.
    tip_read_at: float | None = None


ShardStatusT = TypeVar("ShardStatusT", bound=ShardStatus)


class StreamStatus(msgspec.Struct, Generic[ShardStatusT], kw_only=True):
    """How far one follower of a stream has come: the content of its file."""

    stream_arn: str
    stream_created: float
    shards: dict[str, ShardStatusT] = {}

    @property
    def source(self) -> tuple[str | float, ...]:
        """Identify what the positions belong to."""
        return (self.stream_created,)

    def caught_up(self, since: float) -> bool:
        """Whether all records that arrived before ``since`` (seconds since the epoch) are done."""
        return bool(self.shards) and all(
            shard.waiting == 0 and (shard.finished or (shard.tip_read_at or 0.0) > since)
            for shard in self.shards.values()
        )


class CheckpointFile(Generic[ShardStatusT]):
    """The file of one follower, shared by the threads of its shards.

    Args:
        path: of the file.
        fresh: the status to start with where the file is missing, unreadable or about another source.
        new_shard: makes the status of a shard that starts at a position.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        path: Path,
        fresh: StreamStatus[ShardStatusT],
        new_shard: Callable[[Position], ShardStatusT],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._new_shard = new_shard
        self._clock = clock
        self._lock = threading.RLock()
        self._written_at = 0.0
        found = status_files.load(path, type(fresh))
        self._status = found if found and found.source == fresh.source else fresh

    @property
    def shards(self) -> Mapping[str, ShardStatusT]:
        """A copy of the status of every shard that has begun."""
        with self._lock:
            return dict(self._status.shards)

    def begin(self, shard_ids: Iterable[str], position: Position) -> None:
        """Record where new shards start, before anything of them is read.

        All in one write: the first shards of a follower start elsewhere than those that appear later, and a process
        that is killed between two writes would take its second shard for one of these.
        """
        with self._lock:
            if new := {shard_id: self._new_shard(position) for shard_id in shard_ids}:
                self._status.shards |= new
                self._write()

    def finish(self, shard_id: str) -> None:
        """Record that the shard is closed and done: its children may start."""
        with self._lock:
            shard = self._status.shards[shard_id]
            shard.finished, shard.waiting = True, 0
            self._write()

    def observe(self, shard_id: str, *, waiting: int, tip_read_at: float | None) -> None:
        """Note a read; ``tip_read_at`` is None unless it reached the shard's tip.

        It is written immediately when the shard starts or stops having records that wait, else every STATUS_INTERVAL.
        """
        with self._lock:
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
