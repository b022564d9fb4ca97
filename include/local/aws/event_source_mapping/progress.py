"""What of a shard was read and is not done yet, where several batches of it are processed side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from zlib import crc32


def lane_of(partition_key: str, lanes: int) -> int:
    """Which of so many lanes takes a partition key's records: always the same one, so they stay in order."""
    return crc32(partition_key.encode()) % lanes


class Progress:
    """A shard's sequence numbers between reading and acknowledgement.  Not safe to share between threads unlocked.

    Lanes finish in any order, so two things are remembered: up to where **everything** is done (where reading resumes
    after a crash), and for each lane the last record that it finished (what it need not get again then).

    Attributes:
        lanes: for each lane the sequence number up to which all its records are done, None at its start.
    """

    def __init__(self, lanes: Sequence[str | None]) -> None:
        self.lanes = list(lanes)
        self._read: deque[str] = deque()
        self._done: set[str] = set()

    @property
    def waiting(self) -> int:
        """Records read and not done."""
        return len(self._read) - len(self._done)

    def add(self, sequence_numbers: Iterable[str]) -> None:
        """These were read, in the shard's order."""
        self._read.extend(sequence_numbers)

    def is_done(self, lane: int, sequence_number: str) -> bool:
        """Whether the lane had this record already, before a restart."""
        last = self.lanes[lane]
        return last is not None and int(sequence_number) <= int(last)

    def finish(self, sequence_numbers: Iterable[str], lane: int | None = None) -> str | None:
        """These are done, by the lane if one is given; returns up to where everything is, None where it was before."""
        finished = list(sequence_numbers)
        if finished and lane is not None:
            self.lanes[lane] = finished[-1]
        self._done.update(finished)
        position = None
        while self._read and self._read[0] in self._done:
            position = self._read.popleft()
            self._done.remove(position)
        return position
