"""Selecting the quarantined records of a plan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from include import names
from include.contracts.quarantine import Quarantined, is_batch, object_key
from include.contracts.times import to_canonical
from include.replay.plan import ReplayPlan
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
    """The records of a plan.

    ``unreadable`` has the keys below quarantine/ that are no quarantine objects.  ``is_limited`` says whether there
    are more records than the plan's limit.
    """

    records: list[SelectedRecord]
    unreadable: list[str]
    is_limited: bool


def select(store: QuarantineStore, plan: ReplayPlan, pool: ThreadPoolExecutor, *, unpack: bool = False) -> Selection:
    """Read the objects of the plan's streams and hours, and select the records that it takes.

    Args:
        unpack: give the records of a batch objects of their own, if the plan takes any of them.  Otherwise nothing is
            changed, and ``key`` names objects that do not exist yet.
    """
    records: dict[tuple[str, str, str], SelectedRecord] = {}
    unreadable: list[str] = []
    since, until = (to_canonical(bound) if bound else None for bound in (plan.since, plan.until))
    keys = chain.from_iterable(store.keys(stream, since, until) for stream in plan.streams or FUNCTIONS)
    read = partial(_read, store, plan, unpack)
    while page := list(islice(keys, PAGE)):
        for key, found in zip(page, pool.map(read, page), strict=True):
            if isinstance(found, UnreadableObjectError):
                unreadable.append(key)
                continue
            for record in found:
                # A batch that was cut in another way, or was just unpacked, has records twice.
                if record.identity in records:
                    continue
                if plan.limit is not None and len(records) == plan.limit:
                    return Selection(list(records.values()), unreadable, is_limited=True)
                records[record.identity] = _selected(record)
    return Selection(list(records.values()), unreadable, is_limited=False)


def _read(
    store: QuarantineStore, plan: ReplayPlan, unpack: bool, key: str
) -> list[Quarantined] | UnreadableObjectError:
    """The records of an object that the plan takes."""
    try:
        taken = [record for record in store.records(key) if plan.takes(record)]
        if taken and unpack and is_batch(key):
            store.unpack(key)
    except UnreadableObjectError as error:
        return error
    return taken


def _selected(record: Quarantined) -> SelectedRecord:
    envelope = record.envelope
    return SelectedRecord(
        key=object_key(names.QUARANTINE_PREFIX, envelope),
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
