"""The batch that an event source mapping of a Kinesis stream hands over, and the answer to it."""

from __future__ import annotations

from binascii import a2b_base64
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from include.contracts import ContractError, Envelope
from include.contracts.kinesis_event import envelope_of
from include.contracts.quarantine import REPLAY, Verdict, answer_to_replay

Answer = dict[str, list[dict[str, Any]]]

# Everything is durable: checkpoint behind the batch.
ALL_DONE: Answer = {"batchItemFailures": []}


class BatchRecord(msgspec.Struct, frozen=True, gc=False):
    """One record as the device sent it, and who it is."""

    payload: bytes
    envelope: Envelope
    # When the stream took it.  Times in the payload are judged against this, not against the moment of processing:
    # a record gets the same verdict however often and however late it is processed.
    arrival: datetime


class Rejected(msgspec.Struct, frozen=True):
    """A record that breaks the contract, and how."""

    record: BatchRecord
    error: ContractError


def records(event: dict[str, Any]) -> list[BatchRecord]:
    """The records of a Lambda event of a Kinesis mapping, in order of their sequence numbers."""
    return [
        BatchRecord(
            a2b_base64(record["kinesis"]["data"]),
            envelope_of(record),
            datetime.fromtimestamp(record["kinesis"]["approximateArrivalTimestamp"], UTC),
        )
        for record in event["Records"]
    ]


def nothing_done(batch: Sequence[BatchRecord]) -> Answer:
    """Nothing counts as done: the mapping checkpoints before the lowest sequence number and delivers all again."""
    return {"batchItemFailures": [{"itemIdentifier": batch[0].envelope.sequence_number}]}


def all_done(event: dict[str, Any], rejected: Iterable[Rejected]) -> Answer:
    """Everything is durable.  A replay, which says so in its event, is told what of it went to quarantine again."""
    if REPLAY not in event:
        return ALL_DONE
    return ALL_DONE | answer_to_replay(Verdict.of(each.record.envelope, each.error) for each in rejected)


def by_reason(rejected: Iterable[Rejected]) -> dict[str, int]:
    """How many records were rejected for which reason."""
    return dict(Counter(each.error.reason for each in rejected))


def lag_seconds(event: dict[str, Any], batch: Sequence[BatchRecord]) -> float | None:
    """How long the oldest record has been on its way; None of no record, and of a replay, which was not in a stream."""
    if not batch or REPLAY in event:
        return None
    return round((datetime.now(UTC) - min(record.arrival for record in batch)).total_seconds(), 3)
