"""How a batch is processed: what is written, what is quarantined, and up to which record all is durable.

Which failures quarantine a record and which hold the shard is in docs/adr/0058.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Generic, Protocol, TypeVar

import msgspec

from include.contracts import ContractError, Envelope
from include.contracts.errors import short_repr
from include.contracts.kinesis_event import KinesisEvent
from include.contracts.quarantine import INTERNAL_ERROR, REPLAY
from lambdas.common.batch import BatchRecord, Rejected
from lambdas.common.deadline import Deadline, StoreError
from lambdas.common.quarantine import QuarantineWriter


class Prepared(Protocol):
    """A batch that is ready to be written.  Preparing it calls no store."""

    @property
    def rejected(self) -> list[Rejected]:
        """The records that break the contract."""

    @property
    def together(self) -> list[tuple[Envelope, Envelope]]:
        """(Earlier, later): the later record is judged by the earlier one, so both are delivered again or neither."""


class Written(msgspec.Struct):
    """How writing a batch ended."""

    # The records that are not durable, because a store failed or had no time.
    undone: list[Envelope] = []
    # The records that a store refuses for their content, with its words, although it accepts others.
    refused: list[tuple[Envelope, str]] = []
    error: str | None = None
    # Rows that were left alone because they are newer.
    older: int = 0
    # The object in S3 that holds what was written, if one does: its key follows the records through all that comes.
    landed_as: str | None = None


P = TypeVar("P", bound=Prepared)


class Outcome(msgspec.Struct, Generic[P]):
    """What became of a batch.  ``done`` of its records, from the first on, are durable: written or in quarantine."""

    done: int
    # Of the records that are done, or of all if none is.
    prepared: P
    rejected: list[Rejected]
    written: Written

    @property
    def faults(self) -> list[Exception]:
        """The exceptions of our own code, one per record that it fails on."""
        causes = (each.error.__cause__ for each in self.rejected if each.error.reason == INTERNAL_ERROR)
        return [cause for cause in causes if isinstance(cause, Exception)]


def process(
    event: KinesisEvent,
    records: Sequence[BatchRecord],
    prepare: Callable[[Sequence[BatchRecord]], P],
    write: Callable[[P, Deadline], Written],
    quarantine: QuarantineWriter,
    deadline: Deadline,
) -> Outcome[P]:
    """Write the batch, and quarantine what can't be written, up to the first record that a store did not take.

    Rejected records after that one are left for the next delivery, so none is quarantined twice.

    Args:
        prepare: pure.  Of the first records of a batch it must say what it says of them in the whole batch.
        write: reports failures of stores in its result.

    Raises:
        Exception: ``prepare`` fails on no record alone, but on all of them together.
    """
    prepared, faulty = _prepared(prepare, records)
    written = write(prepared, deadline)
    rejected = [*prepared.rejected, *faulty, *_refused(records, written)]
    done = _before(records, written.undone, prepared.together)
    taken = _within(records[:done], rejected) if done < len(records) else rejected
    try:
        quarantine.write(taken, deadline, one_each=event.get("is_stored", False))
    except StoreError as error:
        written.error = written.error or str(error)
        done = _before(records[:done], [each.record.envelope for each in taken], prepared.together)
    if done < len(records):
        # A replay or a rebuild sends everything again.
        done = 0 if REPLAY in event else done
        if done:
            prepared, _ = _prepared(prepare, records[:done])
            rejected = _within(records[:done], rejected)
    return Outcome(done, prepared, rejected, written)


def _prepared(
    prepare: Callable[[Sequence[BatchRecord]], P], records: Sequence[BatchRecord]
) -> tuple[P, list[Rejected]]:
    """The prepared batch without the records on which our own code fails, and those records."""
    try:
        return prepare(records), []
    except Exception:  # noqa: BLE001 - a bug of ours, of any kind: found by trying each record alone
        faulty = [fault for record in records if (fault := _fault(prepare, record))]
        left_out = {id(fault.record) for fault in faulty}
        return prepare([record for record in records if id(record) not in left_out]), faulty


def _fault(prepare: Callable[[Sequence[BatchRecord]], P], record: BatchRecord) -> Rejected | None:
    try:
        prepare([record])
    except Exception as error:  # noqa: BLE001
        where = traceback.extract_tb(error.__traceback__)[-1]
        rule = f"our code handles it; it fails with {type(error).__name__} in {PurePath(where.filename).name}"
        found = ContractError(INTERNAL_ERROR, None, short_repr(str(error)), f"{rule}, line {where.lineno}")
        found.__cause__ = error
        return Rejected(record, found)
    return None


def _refused(records: Sequence[BatchRecord], written: Written) -> list[Rejected]:
    if not written.refused:
        return []
    # A record may need several rows; the first refusal says enough.
    words_of = dict(reversed(written.refused))
    return [
        Rejected(
            record,
            ContractError(INTERNAL_ERROR, None, None, f"its store takes it; it answers: {words_of[record.envelope]}"),
        )
        for record in records
        if record.envelope in words_of
    ]


def _within(records: Sequence[BatchRecord], rejected: Sequence[Rejected]) -> list[Rejected]:
    known = {record.envelope for record in records}
    return [each for each in rejected if each.record.envelope in known]


def _before(
    records: Sequence[BatchRecord], undone: Sequence[Envelope], together: Sequence[tuple[Envelope, Envelope]]
) -> int:
    """How many records, from the first on, can count as done: no ``undone`` one, no half aggregate, no half pair."""
    if not undone:
        return len(records)
    position = {record.envelope: number for number, record in enumerate(records)}
    done = min(position[envelope] for envelope in undone)
    pairs = [(position[one], position[other]) for one, other in together if one in position and other in position]
    while True:
        found = done
        # A checkpoint is a sequence number: an aggregate is delivered whole.
        number = records[done].envelope.sequence_number
        while done and records[done - 1].envelope.sequence_number == number:
            done -= 1
        done = min([done, *(earlier for earlier, later in pairs if earlier < done <= later)])
        if done == found:
            return done
