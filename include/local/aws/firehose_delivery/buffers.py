"""Collects records until a size or an interval is reached, as a buffering hint says."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

from include.local.aws.firehose_delivery.transformation import SourceRecord


class TransformationBuffer:
    """Records that were read and are not transformed yet, in order.  Times are seconds of one clock."""

    def __init__(self) -> None:
        self._records: deque[SourceRecord] = deque()
        self._bytes = 0
        self._since = 0.0

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: SourceRecord, now: float) -> None:
        """Append a record."""
        if not self._records:
            self._since = now
        self._records.append(record)
        self._bytes += len(record.record.data)

    def take(self, limit: int, interval: float, now: float, *, flush: bool = False) -> list[SourceRecord]:
        """Take a batch of at most ``limit`` bytes (or one record); return none while more records may come."""
        if not self._records or (self._bytes < limit and now - self._since < interval and not flush):
            return []
        batch = [self._records.popleft()]
        size = len(batch[0].record.data)
        while self._records and size + len(self._records[0].record.data) <= limit:
            batch.append(self._records.popleft())
            size += len(batch[-1].record.data)
        self._bytes -= size
        return batch


@dataclass
class DeliveryBuffer:
    """The content of the next objects, and the records that will be done when these are stored."""

    data: list[bytes] = field(default_factory=list)
    data_bytes: int = 0
    failed: list[bytes] = field(default_factory=list)
    # Arrival of the oldest record in each; it names the objects.
    oldest: datetime | None = None
    oldest_failed: datetime | None = None
    # Shard -> its last record that is whole in here; shard -> how many of its (user) records are in here.
    last: dict[str, str] = field(default_factory=dict)
    records: Counter[str] = field(default_factory=Counter)
    since: float = 0.0

    def note(self, batch: list[SourceRecord], now: float) -> None:
        """Note that these records are in here, or were dropped by the processor."""
        if not self.records:
            self.since = now
        for each in batch:
            if each.is_last:
                self.last[each.shard_id] = each.record.sequence_number
            self.records[each.shard_id] += 1

    def is_due(self, limit: int, interval: float, now: float, *, flush: bool = False) -> bool:
        """Whether it is time to store the content."""
        return bool(self.records) and (flush or self.data_bytes >= limit or now - self.since >= interval)
