"""How far each shard of a mapping has been processed, kept in one JSON file a mapping.

A file belongs to one mapping and one stream: a stream created later under the same name starts afresh.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from include.local import status_files
from include.local.event_source_mapping.settings import MappingSettings
from include.local.shard_reader import Position, Stream

# How often what was merely read, and not acknowledged, is written.
STATUS_INTERVAL = 0.5


class ShardStatus(msgspec.Struct):
    """Where one shard stands."""

    # Reading continues here; everything before it was acknowledged or sent to the on-failure destination.
    position: Position
    finished: bool = False
    # With several lanes (ParallelizationFactor), what each has done beyond the position; see Progress.lanes.
    lanes: list[str | None] = []
    # Records read and not yet acknowledged.
    waiting: int = 0
    # When the shard was last read up to its tip, in seconds since the epoch.
    tip_read_at: float | None = None
    millis_behind: int | None = None


class MappingStatus(msgspec.Struct):
    """Where one mapping stands; what its file holds."""

    uuid: str
    stream_arn: str
    function_arn: str
    stream_created: float
    shards: dict[str, ShardStatus] = {}

    def caught_up(self, since: float) -> bool:
        """Whether all records that arrived before ``since`` (seconds since the epoch) have been acknowledged."""
        return bool(self.shards) and all(
            shard.waiting == 0 and (shard.finished or (shard.tip_read_at or 0.0) > since)
            for shard in self.shards.values()
        )


def read_status(state: Path) -> list[MappingStatus]:
    """The status of every mapping that a driver with the state directory ``state`` follows; empty if there is none."""
    return status_files.load_all(state, MappingStatus)


class Checkpoints:
    """One mapping's file, shared by the threads of its shards."""

    def __init__(
        self, state: Path, settings: MappingSettings, stream: Stream, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._path = state / f"{settings.uuid}.json"
        self._clock = clock
        self._lock = threading.Lock()
        self._written_at = 0.0
        self._status = status_files.load(self._path, MappingStatus) or MappingStatus("", "", "", 0.0)
        if (self._status.uuid, self._status.stream_created) != (settings.uuid, stream.created):
            self._status = MappingStatus(settings.uuid, settings.stream_arn, settings.function_arn, stream.created)

    @property
    def shards(self) -> dict[str, ShardStatus]:
        """Every shard that was begun; a copy."""
        with self._lock:
            return dict(self._status.shards)

    def begin(self, shard_id: str, position: Position) -> None:
        """Remember where a new shard starts before anything of it is read."""
        with self._lock:
            self._status.shards[shard_id] = ShardStatus(position)
            self._write()

    def acknowledge(
        self, shard_id: str, sequence_number: str | None, waiting: int, lanes: Sequence[str | None] = ()
    ) -> None:
        """Everything up to this record is done (None: as before); ``waiting`` more were read; lanes as in Progress."""
        with self._lock:
            shard = self._status.shards[shard_id]
            if sequence_number is not None:
                shard.position = Position(after_sequence_number=sequence_number)
            shard.waiting = waiting
            shard.lanes = list(lanes)
            self._write()

    def finish(self, shard_id: str) -> None:
        """The shard is closed and done: its children may start."""
        with self._lock:
            shard = self._status.shards[shard_id]
            shard.finished, shard.waiting, shard.lanes = True, 0, []
            self._write()

    def observe(self, shard_id: str, *, waiting: int, read_at: float, millis_behind: int | None) -> None:
        """Note a read; written at once when the shard starts or stops to have records waiting, else now and then."""
        with self._lock:
            shard = self._status.shards[shard_id]
            changed = bool(shard.waiting) != bool(waiting)
            shard.waiting, shard.millis_behind = waiting, millis_behind
            if millis_behind == 0:
                shard.tip_read_at = read_at
            if changed or self._clock() - self._written_at >= STATUS_INTERVAL:
                self._write()

    def _write(self) -> None:
        status_files.save(self._path, self._status)
        self._written_at = self._clock()
