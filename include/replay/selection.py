"""Selecting the quarantined records of a plan."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from include import names
from include.contracts.quarantine import NOT_PROCESSED, Quarantined, is_batch, object_key
from include.contracts.times import to_canonical
from include.replay.plan import ON_REQUEST_ONLY, ReplayPlan
from include.replay.quarantine_store import QuarantineStore
from include.s3_objects import UnreadableObjectError
from include.stream_functions import FUNCTIONS

# Objects read before the next ones are listed.
PAGE = 500


class SelectedRecord(msgspec.Struct, frozen=True):
    """One record of a plan, without its payload."""

    # Of its own object.
    key: str
    stream: str
    shard_id: str
    sequence_number: str
    sub_sequence_number: int
    arrival_time: str
    # Bytes of the payload.
    size: int
    reason: str
    field: str | None
    rule: str
    attempts: int


class Selection(NamedTuple):
    """The records of a plan, each once.

    ``unreadable`` has the keys below quarantine/ that are no quarantine objects, or damaged ones.  ``is_limited`` says
    whether there are more records than the plan's limit.
    """

    records: list[SelectedRecord]
    unreadable: list[str]
    is_limited: bool


def select(store: QuarantineStore, plan: ReplayPlan, pool: ThreadPoolExecutor, *, unpack: bool = False) -> Selection:
    """Read the objects of the plan's streams and hours, and select the records that it takes.

    Args:
        unpack: give the records of a batch objects of their own, if any of them is selected.  Otherwise nothing is
            changed, and ``key`` names objects that do not exist yet.
    """
    choice = _Choice(plan.limit)
    keys = _keys(store, plan, choice)
    read = partial(_read, store, plan)
    while page := list(islice(keys, PAGE)):
        for key, found in zip(page, pool.map(read, page), strict=True):
            choice.add(key, found)
    if unpack:
        for batch in choice.batches():
            choice.unreadable += store.unpack(batch, pool)
    return choice.selection()


class _Found(NamedTuple):
    """What an object has for a plan: the records that it takes, and the keys of those that it takes only if named."""

    taken: list[SelectedRecord]
    on_request: list[str]


class _Choice:
    """The records chosen from the objects read so far.

    A record may be in several objects of its hour: its own, and the batches of several deliveries.
    """

    def __init__(self, limit: int | None) -> None:
        self.unreadable: list[str] = []
        self.is_limited = False
        # Once the limit is reached: the hour whose unread batches may have a verdict on a record that is chosen.
        self.unjudged_hour: str | None = None
        self._limit = limit
        # By key.
        self._records: dict[str, SelectedRecord] = {}
        self._on_request: set[str] = set()
        # Batch -> the keys of its records that were chosen.
        self._batches: dict[str, list[str]] = {}

    def add(self, key: str, found: _Found | UnreadableObjectError) -> None:
        if isinstance(found, UnreadableObjectError):
            self.unreadable.append(key)
            return
        self._on_request.update(found.on_request)
        for own_key in found.on_request:
            self._records.pop(own_key, None)
        for record in found.taken:
            self._add_record(record)
        if is_batch(key):
            self._batches[key] = [record.key for record in found.taken if record.key in self._records]

    def batches(self) -> list[str]:
        """The batches that have a chosen record."""
        return [batch for batch, keys in self._batches.items() if any(key in self._records for key in keys)]

    def selection(self) -> Selection:
        # A record can't be replayed while its own object is damaged.
        damaged = set(self.unreadable)
        records = [record for key, record in self._records.items() if key not in damaged]
        return Selection(records, list(dict.fromkeys(self.unreadable)), self.is_limited)

    def _add_record(self, record: SelectedRecord) -> None:
        if record.key in self._on_request:
            return
        known = self._records.get(record.key)
        if known is None:
            if len(self._records) == self._limit and not self.is_limited:
                self._close()
            if self.is_limited:
                return
        elif known.reason != NOT_PROCESSED:
            return
        # A verdict counts before NOT_PROCESSED.
        self._records[record.key] = record

    def _close(self) -> None:
        """Choose no other record: the limit is reached."""
        self.is_limited = True
        if any(record.reason == NOT_PROCESSED for record in self._records.values()):
            self.unjudged_hour = _hour(next(reversed(self._records)))


def _keys(store: QuarantineStore, plan: ReplayPlan, choice: _Choice) -> Iterator[str]:
    """The keys to read: all of the plan's streams and hours, until the limit is reached."""
    since, until = (to_canonical(bound) if bound else None for bound in (plan.since, plan.until))
    for key in chain.from_iterable(store.keys(stream, since, until) for stream in plan.streams or FUNCTIONS):
        if choice.is_limited:
            if _hour(key) != choice.unjudged_hour:
                return
            if not is_batch(key):
                # Its verdict counts when the record is read to be sent.
                continue
        yield key


def _hour(key: str) -> str:
    return key.rpartition("/")[0]


def _read(store: QuarantineStore, plan: ReplayPlan, key: str) -> _Found | UnreadableObjectError:
    try:
        records = store.records(key)
    except UnreadableObjectError as error:
        return error
    taken = [_selected(record) for record in records if plan.takes(record)]
    on_request = [_own_key(record) for record in records if record.reason in ON_REQUEST_ONLY and not plan.takes(record)]
    return _Found(taken, on_request)


def _own_key(record: Quarantined) -> str:
    return object_key(names.QUARANTINE_PREFIX, record.envelope)


def _selected(record: Quarantined) -> SelectedRecord:
    envelope = record.envelope
    return SelectedRecord(
        key=_own_key(record),
        stream=envelope.stream,
        shard_id=envelope.shard_id,
        sequence_number=envelope.sequence_number,
        sub_sequence_number=envelope.sub_sequence_number,
        arrival_time=envelope.arrival_time,
        size=len(record.payload),
        reason=record.reason,
        field=record.field,
        rule=record.rule,
        attempts=len(record.history),
    )
