"""A record in quarantine: what it was, why it is there, and what was tried since.

Functions write it, replay reads it and adds to its history.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from include.contracts.envelope import Envelope
from include.contracts.errors import ContractError

# The reason of a record that no function has judged: the mapping gave its batch up.
NOT_PROCESSED = "not_processed"

# A replay says in its event, under this key, who it is; the function then tells under that one what it quarantined.
REPLAY, QUARANTINED = "replay", "quarantined"


class Attempt(msgspec.Struct, frozen=True):
    """One replay of a record: when (canonical UTC text), by whom, how it ended, and what was said about it."""

    at: str
    by: str
    outcome: str
    detail: str | None = None


class Quarantined(msgspec.Struct, frozen=True, kw_only=True):
    """A quarantine object.  ``history`` is empty when a function writes it, and grows with every replay.

    ``reason``, ``field``, ``value`` and ``rule`` are those of ContractError, or NOT_PROCESSED and why.
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
        """The same, with ``attempts`` in its history: each one once, in order of time."""
        history = dict.fromkeys((*self.history, *attempts))
        return msgspec.structs.replace(self, history=tuple(sorted(history, key=lambda attempt: attempt.at)))


class Verdict(msgspec.Struct, frozen=True):
    """What a function tells a replay of a record that it found invalid again."""

    shard_id: str
    sequence_number: str
    reason: str
    field: str | None
    value: str | None
    rule: str

    @classmethod
    def of(cls, envelope: Envelope, error: ContractError) -> Verdict:
        return cls(envelope.shard_id, envelope.sequence_number, error.reason, error.field, error.value, error.rule)


def object_key(prefix: str, envelope: Envelope) -> str:
    """``<prefix><stream>/<yyyy>/<mm>/<dd>/<HH>/<shard>-<sequence number>.json``, the hour being that of arrival."""
    hour = hour_prefix(prefix, envelope.stream, envelope.arrival_time)
    return f"{hour}{envelope.shard_id}-{envelope.sequence_number}.json"


def hour_prefix(prefix: str, stream: str, arrival_time: str) -> str:
    """What the keys of a stream's records of that hour (of a canonical time) begin with."""
    return f"{prefix}{stream}/{arrival_time[:10].replace('-', '/')}/{arrival_time[11:13]}/"


def encode(quarantined: Quarantined) -> bytes:
    """The object's bytes; the same record and history give the same bytes."""
    return msgspec.json.encode(quarantined)


def decode(body: bytes) -> Quarantined:
    """What ``encode`` encoded.

    Raises:
        msgspec.DecodeError: not a quarantine object (a ValueError).
    """
    return msgspec.json.decode(body, type=Quarantined)


def answer_to_replay(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """What a function adds to its answer when its event is a replay."""
    return {QUARANTINED: [msgspec.structs.asdict(verdict) for verdict in verdicts]}
