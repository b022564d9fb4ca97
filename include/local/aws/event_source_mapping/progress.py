"""Tracks a shard's records between reading and acknowledgement, while several batches are processed side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from zlib import crc32


def lane_of(partition_key: str, lanes: int) -> int:
    """Choose the lane of a partition key's records: always the same one, so that they stay in order."""
    return crc32(partition_key.encode()) % lanes


class LaneProgress:
    """A shard's sequence numbers between reading and acknowledgement.  Threads that share it need a lock.

    Lanes finish in any order.  Therefore it keeps two kinds of position: up to where **everything** is done (reading
    resumes there after a crash), and the last record that each lane finished (the lane does not receive it again).

    Attributes:
        lanes: for each lane, the sequence number up to which all its records are done; None at its start.
    """

    def __init__(self, lanes: Sequence[str | None]) -> None:
        self.lanes = list(lanes)
        self._read: deque[str] = deque()
        self._done: set[str] = set()

    @property
    def waiting(self) -> int:
        """How many records were read and are not done."""
        return len(self._read) - len(self._done)

    def add(self, sequence_numbers: Iterable[str]) -> None:
        """Add records that were read, in the shard's order."""
        self._read.extend(sequence_numbers)

    def is_done(self, lane: int, sequence_number: str) -> bool:
        """Whether the lane finished this record before a restart."""
        last = self.lanes[lane]
        return last is not None and int(sequence_number) <= int(last)

    def finish(self, sequence_numbers: Iterable[str], lane: int | None = None) -> str | None:
        """Mark records as done, by ``lane`` if given; return how far everything is done, None if unchanged."""
        finished = list(sequence_numbers)
        if finished and lane is not None:
            self.lanes[lane] = finished[-1]
        self._done.update(finished)
        position = None
        while self._read and self._read[0] in self._done:
            position = self._read.popleft()
            self._done.remove(position)
        return position
