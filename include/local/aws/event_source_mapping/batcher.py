"""Cuts a shard's records into batches: by count, by payload size, by time."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from include.local.aws.event_source_mapping.settings import MappingSettings
from include.local.aws.shard_reader import StreamRecord

# A synchronous invocation's payload is at most 6 MB.
PAYLOAD_LIMIT = 6 * 1024 * 1024
_EVENT_START, _EVENT_END = b'{"Records":[', b"]}"


@dataclass(frozen=True, slots=True)
class EventRecord:
    """A record, and its JSON text in a Lambda event."""

    record: StreamRecord
    json: bytes


def to_event_record(record: StreamRecord, *, shard_id: str, stream_arn: str, region: str, role_arn: str) -> EventRecord:
    """Build the entry of ``Records`` that Lambda makes of a Kinesis record."""
    entry = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record.partition_key,
            "sequenceNumber": record.sequence_number,
            "data": base64.b64encode(record.data).decode("ascii"),
            "approximateArrivalTimestamp": record.arrival.timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{record.sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role_arn,
        "awsRegion": region,
        "eventSourceARN": stream_arn,
    }
    return EventRecord(record, json.dumps(entry, separators=(",", ":")).encode())


def event_payload(records: Sequence[EventRecord]) -> bytes:
    """Build the Lambda event for a batch."""
    return _EVENT_START + b",".join(record.json for record in records) + _EVENT_END


class Batcher:
    """Holds the records that are in no batch yet, in order.  Times are seconds of one clock."""

    def __init__(self) -> None:
        self._waiting: deque[EventRecord] = deque()
        self._window_started = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, records: Sequence[EventRecord], now: float) -> None:
        """Append records; the batching window starts with the first one that waits."""
        if records and not self._waiting:
            self._window_started = now
        self._waiting.extend(records)

    def due_in(self, settings: MappingSettings, now: float) -> float | None:
        """Return the seconds until the batching window ends, 0 if it has ended, None if nothing waits."""
        if not self._waiting:
            return None
        return max(0.0, self._window_started + settings.batching_window - now)

    def take(self, settings: MappingSettings, now: float, *, closed: bool = False) -> list[EventRecord]:
        """Take the next batch; return an empty list while it may still grow.

        A batch is complete when it has batch_size records, when the next one does not fit into the payload, when the
        window has ended, or when no more records can come (``closed``).
        """
        batch, complete = self._next(settings)
        if not (batch and (complete or closed or self.due_in(settings, now) == 0.0)):
            return []
        for _ in batch:
            self._waiting.popleft()
        self._window_started = now
        return batch

    def drain(self) -> list[EventRecord]:
        """Take all records."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def _next(self, settings: MappingSettings) -> tuple[list[EventRecord], bool]:
        batch: list[EventRecord] = []
        size = len(_EVENT_START) + len(_EVENT_END)
        for record in self._waiting:
            size += len(record.json) + 1
            if batch and size > PAYLOAD_LIMIT:
                return batch, True
            batch.append(record)
            if len(batch) >= settings.batch_size:
                return batch, True
        return batch, False
