"""The batch that an event source mapping of a Kinesis stream hands over, and the function's answer."""

from __future__ import annotations

from binascii import a2b_base64
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NotRequired, TypedDict

import msgspec

from include.contracts import ContractError, Envelope, probe
from include.contracts.kinesis_event import KinesisEvent, envelope_of, user_records
from include.contracts.quarantine import REPLAY, Verdict, answer_to_replay


class BatchItemFailure(TypedDict):
    """The sequence number of a record from which on nothing counts as done."""

    itemIdentifier: str


class BatchAnswer(TypedDict):
    """An answer as ReportBatchItemFailures expects it.  To a replay it also is an AnswerToReplay."""

    batchItemFailures: list[BatchItemFailure]
    quarantined: NotRequired[list[dict[str, str | int | None]]]


class BatchRecord(msgspec.Struct, frozen=True, gc=False):
    """One record: the bytes that the device sent, and their identity."""

    payload: bytes
    envelope: Envelope
    # When the stream accepted the record.  Times in the payload are compared with this, not with the moment of
    # processing: the result is the same however often and however late the record is processed.
    arrival: datetime


class Rejected(msgspec.Struct, frozen=True):
    """A record that breaks the contract, and how."""

    record: BatchRecord
    error: ContractError


def records(event: KinesisEvent) -> list[BatchRecord]:
    """The user records of a Kinesis mapping's event, in order: aggregates are taken apart (docs/adr/0047)."""
    return [
        BatchRecord(
            a2b_base64(record["kinesis"]["data"]),
            envelope_of(record),
            datetime.fromtimestamp(record["kinesis"]["approximateArrivalTimestamp"], UTC),
        )
        for record in user_records(event["Records"])
    ]


def answer(event: KinesisEvent, batch: Sequence[BatchRecord], done: int, rejected: Iterable[Rejected]) -> BatchAnswer:
    """Report that the first ``done`` records are durable, and with them everything before the next sequence number.

    The mapping sets its checkpoint there and delivers the rest again.  If nothing is left, a replay also learns which
    of its records are in quarantine again.
    """
    if done < len(batch):
        return {"batchItemFailures": [{"itemIdentifier": batch[done].envelope.sequence_number}]}
    if REPLAY not in event:
        return {"batchItemFailures": []}
    return {
        "batchItemFailures": [],
        **answer_to_replay(Verdict.of(each.record.envelope, each.error) for each in rejected),
    }


def by_reason(rejected: Iterable[Rejected]) -> dict[str, int]:
    """The number of rejected records by reason, without the probes that provisioning sends: they are no alarm's."""
    return dict(
        Counter(
            each.error.reason
            for each in rejected
            if not probe.is_sent_as_probe(each.record.envelope.partition_key, each.record.payload)
        )
    )


def lag_seconds(event: KinesisEvent, batch: Sequence[BatchRecord]) -> float | None:
    """The age of the batch's oldest record; None for an empty batch, and for one that no stream delivered."""
    if not batch or event.get("is_stored", False):
        return None
    return round((datetime.now(UTC) - min(record.arrival for record in batch)).total_seconds(), 3)
