"""A record in quarantine: its bytes, the reason it is there, and every replay since.

The functions write it; a replay reads it and adds to its history.  An object has the records that one invocation
rejected, one line of JSON per record: an object ``<shard>-<number>.json`` has one, an object of a batch
(``<shard>-<first>-<last>-<records>-<digest>.jsonl``) has several.  A replay first gives each record of a batch an
object of its own (docs/adr/0059).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import groupby
from typing import Final, TypedDict

import msgspec

from include.contracts.envelope import Envelope, by_value, numbered
from include.contracts.errors import ContractError

# The reason of a record that no function has processed: the event source mapping gave up on its batch.
NOT_PROCESSED = "not_processed"

# The reason of a record on which our own code fails.
INTERNAL_ERROR: Final = "internal_error"

# The key in a function's event that marks a replay (see ReplayedBy).  The function then adds an AnswerToReplay to its
# answer, under the second key.
REPLAY: Final = "replay"
QUARANTINED: Final = "quarantined"


class Attempt(msgspec.Struct, frozen=True):
    """One replay of a record: when (canonical UTC text), by whom, how it ended, and details."""

    at: str
    by: str
    outcome: str
    detail: str | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A quarantine object.  ``history`` is empty when a function writes it and grows with every replay.

    ``reason``, ``field``, ``value`` and ``rule`` come from the ContractError.  Where ``reason`` is NOT_PROCESSED, only
    ``rule`` is set: it says why the mapping gave up.
    """

    reason: str
    field: str | None
    value: str | None
    rule: str
    envelope: Envelope
    # Base64 in JSON.
    payload: bytes = msgspec.field(name="payload_base64")
    function: str
    history: tuple[Attempt, ...] = ()

    def tried(self, *attempts: Attempt) -> Quarantined:
        """The record with ``attempts`` added to its history: each attempt once, in order of time."""
        history = dict.fromkeys((*self.history, *attempts))
        return msgspec.structs.replace(self, history=tuple(sorted(history, key=lambda attempt: attempt.at)))

    @property
    def identity(self) -> tuple[str, str, str]:
        """The record's stream, shard and number (see Envelope.number)."""
        return self.envelope.stream, self.envelope.shard_id, self.envelope.number

    def joined(self, other: Quarantined) -> Quarantined:
        """The record, from two objects that have it: a verdict counts before NOT_PROCESSED, and no attempt is lost."""
        if self.reason == NOT_PROCESSED and other.reason != NOT_PROCESSED:
            return other.tried(*self.history)
        return self.tried(*other.history)


class Verdict(msgspec.Struct, frozen=True):
    """A replayed record that the function found invalid again, and why."""

    shard_id: str
    sequence_number: str
    reason: str
    field: str | None
    value: str | None
    rule: str
    sub_sequence_number: int = 0

    @classmethod
    def of(cls, envelope: Envelope, error: ContractError) -> Verdict:
        return cls(
            envelope.shard_id,
            envelope.sequence_number,
            error.reason,
            error.field,
            error.value,
            error.rule,
            envelope.sub_sequence_number,
        )

    @property
    def number(self) -> str:
        """As Envelope.number."""
        return numbered(self.sequence_number, self.sub_sequence_number)


class AnswerToReplay(TypedDict):
    """What a function adds to its answer when its event is a replay: the verdicts, as objects."""

    quarantined: list[dict[str, str | int | None]]


# msgspec resolves the types of a struct's fields when it first reads one, and ends the process by a segmentation fault
# if two threads do that at the same time.  Replay and erasure read in several threads, so it is done here, on import.
_decode = msgspec.json.Decoder(Quarantined).decode
_encode_lines = msgspec.json.Encoder().encode_lines
msgspec.convert([], list[Verdict])

# The end of the key of an object with several records: how many, and a digest.
_BATCH_KEY = re.compile(r"-(\d+)-[0-9a-f]{16}\.jsonl$")


def batch_objects(prefix: str, records: Iterable[Quarantined]) -> Iterator[tuple[str, bytes]]:
    """The fewest objects for ``records``, by their numbers: (key, bytes) for each shard and hour of arrival.

    The same records always give the same objects.
    """

    def place(record: Quarantined) -> tuple[str, str]:
        envelope = record.envelope
        return hour_prefix(prefix, envelope.stream, envelope.arrival_time), envelope.shard_id

    # By number, so that a name has the least and the greatest: those on which our code fails come last in ``records``.
    in_order = sorted(records, key=lambda record: (place(record), by_value(record.envelope.number)))
    for (hour, shard_id), group in groupby(in_order, place):
        held = list(group)
        if len(held) == 1:
            yield object_key(prefix, held[0].envelope), encode(held[0])
        else:
            yield f"{hour}{shard_id}-{_batch_name(held)}.jsonl", _encode_lines(held)


def is_batch(key: str) -> bool:
    """Whether the object of this key has several records."""
    return _BATCH_KEY.search(key) is not None


def records_in(key: str) -> int:
    """How many records the functions wrote into the object of this key.  An erasure may have left fewer."""
    found = _BATCH_KEY.search(key)
    return int(found[1]) if found else 1


def object_key(prefix: str, envelope: Envelope) -> str:
    """``<prefix><stream>/<yyyy>/<mm>/<dd>/<HH>/<shard>-<number>.json``, by hour of arrival (see Envelope.number)."""
    hour = hour_prefix(prefix, envelope.stream, envelope.arrival_time)
    return f"{hour}{envelope.shard_id}-{envelope.number}.json"


def hour_prefix(prefix: str, stream: str, arrival_time: str) -> str:
    """The prefix of the keys of a stream's records that arrived in the hour of ``arrival_time`` (canonical)."""
    return f"{prefix}{stream}/{arrival_time[:10].replace('-', '/')}/{arrival_time[11:13]}/"


def encode(quarantined: Quarantined) -> bytes:
    """The object's bytes.  The same record with the same history always has the same bytes."""
    return msgspec.json.encode(quarantined)


def decode(body: bytes) -> Quarantined:
    """Decode the bytes of ``encode``.

    Raises:
        msgspec.DecodeError: ``body`` is not a quarantine object (a ValueError).
    """
    try:
        return _decode(body)
    except (UnicodeDecodeError, RecursionError) as error:  # msgspec's own, of bytes that a person has changed
        raise msgspec.DecodeError(str(error)) from error


def decode_all(body: bytes) -> list[Quarantined]:
    """The records of any quarantine object, one or several.

    Raises:
        msgspec.DecodeError: ``body`` is not a quarantine object (a ValueError).
    """
    try:
        return [decode(body)]
    except msgspec.DecodeError:
        if b"\n" not in body.strip():
            raise
    return [decode(line) for line in body.splitlines()]


def answer_to_replay(verdicts: Iterable[Verdict]) -> AnswerToReplay:
    """The answer that reports ``verdicts`` to a replay."""
    return {QUARANTINED: [msgspec.structs.asdict(verdict) for verdict in verdicts]}


def _batch_name(records: Sequence[Quarantined]) -> str:
    numbers = [record.envelope.number for record in records]
    digest = sha256("\n".join(numbers).encode()).hexdigest()[:16]
    return f"{numbers[0]}-{numbers[-1]}-{len(records)}-{digest}"
