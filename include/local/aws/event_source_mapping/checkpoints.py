"""How far each shard of a mapping has been processed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from include.local.aws import checkpoints, status_files
from include.local.aws.checkpoints import CheckpointFile, StreamStatus
from include.local.aws.event_source_mapping.settings import MappingSettings
from include.local.aws.shard_reader import Position, Stream


class ShardStatus(checkpoints.ShardStatus):
    """Where one shard stands; what is done was acknowledged or sent to the on-failure destination."""

    # With several lanes (ParallelizationFactor), what each has done beyond the position; see Progress.lanes.
    lanes: list[str | None] = msgspec.field(default_factory=list)


class MappingStatus(StreamStatus, kw_only=True):
    """Where one mapping stands."""

    uuid: str
    function_arn: str
    shards: dict[str, ShardStatus] = msgspec.field(default_factory=dict)

    @property
    def source(self) -> tuple[Any, ...]:
        return (self.uuid, self.stream_created)


def read_status(state: Path) -> list[MappingStatus]:
    """The status of every mapping that a driver with the state directory ``state`` follows; empty if there is none."""
    return status_files.load_all(state, MappingStatus)


class Checkpoints(CheckpointFile):
    """One mapping's file."""

    def __init__(
        self, state: Path, settings: MappingSettings, stream: Stream, *, clock: Callable[[], float] = time.time
    ) -> None:
        fresh = MappingStatus(
            uuid=settings.uuid,
            function_arn=settings.function_arn,
            stream_arn=settings.stream_arn,
            stream_created=stream.created,
        )
        super().__init__(state / f"{settings.uuid}.json", fresh, clock)

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

    @staticmethod
    def _new_shard(position: Position) -> ShardStatus:
        return ShardStatus(position)
