"""How far each shard of a mapping has been processed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from include.local.aws import status_files
from include.local.aws.checkpoints import CheckpointFile, ShardStatus, StreamStatus
from include.local.aws.event_source_mapping.settings import MappingSettings
from include.local.aws.shard_reader import KinesisStream, Position


class MappingShardStatus(ShardStatus):
    """How far one shard is processed: its records were acknowledged, or sent to the on-failure destination."""

    # With several lanes (ParallelizationFactor), how far each is beyond the position; see LaneProgress.lanes.
    lanes: list[str | None] = msgspec.field(default_factory=list)


class MappingStatus(StreamStatus[MappingShardStatus], kw_only=True):
    """How far one mapping has come."""

    uuid: str
    function_arn: str

    @property
    def source(self) -> tuple[str | float, ...]:
        return (self.uuid, self.stream_created)


def read_status(state: Path) -> list[MappingStatus]:
    """Read the status of every mapping that a driver with the state directory ``state`` follows."""
    return status_files.load_all(state, MappingStatus)


class MappingCheckpoints(CheckpointFile[MappingShardStatus]):
    """One mapping's file."""

    def __init__(
        self, state: Path, settings: MappingSettings, stream: KinesisStream, *, clock: Callable[[], float] = time.time
    ) -> None:
        fresh = MappingStatus(
            uuid=settings.uuid,
            function_arn=settings.function_arn,
            stream_arn=settings.stream_arn,
            stream_created=stream.created,
        )
        super().__init__(state / f"{settings.uuid}.json", fresh, MappingShardStatus, clock)

    def acknowledge(
        self, shard_id: str, sequence_number: str | None, waiting: int, lanes: Sequence[str | None] = ()
    ) -> None:
        """Record that everything up to ``sequence_number`` is done (None: as before) and how many records wait.

        ``lanes`` is as in LaneProgress.
        """
        with self._lock:
            shard = self._status.shards[shard_id]
            if sequence_number is not None:
                shard.position = Position(after_sequence_number=sequence_number)
            shard.waiting = waiting
            shard.lanes = list(lanes)
            self._write()
