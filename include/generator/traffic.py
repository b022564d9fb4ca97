"""The records to send, and when: both simulations, with shares of records that are late, broken, sent again and so on.

Pure: the records follow from the plan, the start and the state.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import chain, cycle
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import UUID

import msgspec

from include import names
from include.contracts.click import row_timestamp
from include.contracts.times import to_canonical
from include.generator import event_times, payloads
from include.generator.aggregates import aggregate
from include.generator.catalogue import items
from include.generator.clicks import ClickSimulation
from include.generator.event_times import Slots, to_datetime
from include.generator.field_cases import FieldCase, FieldEvent, FieldTraffic, Selection
from include.generator.trucks import FleetSimulation, Truck

# A duplicate repeats one of this many records before it.
_REMEMBERED = 1000
_SHARES = ("duplicated", "late", "out_of_order", "malformed", "field")
# Those that are not repeated.
_NOT_REPEATED = ("duplicated", "malformed", "field")

Kind = Literal["valid", "duplicate", "malformed"]

# (number, slot, event time) -> (document, partition key, key of the event)
_EventMaker = Callable[[int, int, int], tuple[dict[str, Any], str, tuple[str, str]]]


class TrafficPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How much traffic of which kind.  A share is a fraction of a stream's records, 0 to 1.

    Attributes:
        clicks, readings: records to send, of all kinds together; 0 for none.
        clicks_per_second, readings_per_second: the pace of each stream, at most 15,625.
        trucks, items: size of fleet and catalogue.
        seed: the seed of all random choices.
        duplicated: the same bytes sent before, again.
        late: events that happened 1 to 20 minutes before they are sent.
        out_of_order: events that are sent after younger ones, displaced by seconds.
        malformed: records that break the contract.
        field: records as real devices and other producers send them, right and wrong (``field_cases``).
        field_cases: which of the cases: "all", or only those that are "passing" (``FieldCase.passes``).
        nested: readings in the nested shape.
        event_ids: clicks with an event id, about this share of those that are neither malformed nor from the field.
            Their times are in milliseconds, so several can share one.
        manifest: file to which each accepted record is appended; None writes none.
        state: file that keeps trucks and used event times between runs; None starts from the beginning.
        click_stream, truck_stream: the streams' names.

    Raises:
        ValueError: a field is out of its range, or the shares leave nothing to duplicate.
    """

    clicks: int = 0
    readings: int = 0
    clicks_per_second: float = 10
    readings_per_second: float = 10
    trucks: int = 3
    items: int = 3
    seed: int = 1
    duplicated: float = 0.0
    late: float = 0.0
    out_of_order: float = 0.0
    malformed: float = 0.0
    field: float = 0.0
    field_cases: Selection = "all"
    nested: float = 0.0
    event_ids: float = 0.0
    manifest: Path | None = None
    state: Path | None = None
    click_stream: str = names.CLICK_STREAM
    truck_stream: str = names.TRUCK_STREAM

    def __post_init__(self) -> None:
        for name in ("clicks", "readings", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0, not {getattr(self, name)}")
        for name in ("trucks", "items"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("clicks_per_second", "readings_per_second"):
            if not 0 < getattr(self, name) <= event_times.MAX_EVENTS_PER_SECOND:
                limit = event_times.MAX_EVENTS_PER_SECOND
                raise ValueError(f"{name} must be above 0 and at most {limit:,}, not {getattr(self, name)}")
        for name in (*_SHARES, "nested", "event_ids"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be a share from 0 to 1, not {getattr(self, name)}")
        if sum(getattr(self, name) for name in _SHARES) > 1 + 1e-9:
            raise ValueError(f"the shares of {', '.join(_SHARES)} must not add up to more than 1")
        if self.field_cases not in (selections := get_args(Selection)):
            raise ValueError(f"field_cases must be one of {', '.join(selections)}, not {self.field_cases!r}")
        if self.duplicated and sum(getattr(self, name) for name in _NOT_REPEATED) >= 1:
            raise ValueError(f"{', '.join(_NOT_REPEATED)} must leave some records to duplicate")


class State(msgspec.Struct):
    """The state between runs: the last event times used (µs since 1970), and the trucks by id."""

    last_click: int = 0
    last_reading: int = 0
    trucks: dict[str, Truck] = {}


class TrafficRecord(msgspec.Struct, frozen=True):
    """One record to send at ``due`` (µs since 1970).

    ``key`` is what identifies the event: the key of a click's row (timestamp, with the event id if there is one, and
    item id), or (truck id, event time); None of a malformed record.
    ``field_case`` is the name of a field case.  One that the contract refuses, for ``expected_reason``, is of the kind
    "malformed"; of one that it accepts, the quality rules ``warned_by`` warn.  An aggregated record has its events in
    ``parts``.
    """

    stream: str
    data: bytes
    partition_key: str
    due: int
    kind: Kind = "valid"
    malformed_kind: str | None = None
    shape: payloads.Shape = "flat"
    late: bool = False
    out_of_order: bool = False
    key: tuple[str, str] | None = None
    field_case: str | None = None
    expected_reason: str | None = None
    warned_by: tuple[str, ...] = ()
    parts: tuple[TrafficRecord, ...] = ()


class Traffic:
    """The records of a plan from ``start`` (µs since 1970) on, in the order they are due; iterate once."""

    def __init__(self, plan: TrafficPlan, start: int, state: State) -> None:
        self._plan = plan
        self._start = start
        self._click_slots = Slots(state.last_click)
        self._reading_slots = Slots(state.last_reading)
        self._others = state.trucks
        first = max(start, self._reading_slots.last)
        self._fleet = FleetSimulation(plan.seed, plan.trucks if plan.readings else 0, first, state.trucks)

    def __iter__(self) -> Iterator[TrafficRecord]:
        return heapq.merge(self._clicks(), self._readings(), key=lambda record: record.due)

    def state(self) -> State:
        """The state for the next run; trucks that took no part in this run are unchanged."""
        trucks = {**self._others, **self._fleet.rest()}
        return State(self._click_slots.last, self._reading_slots.last, trucks)

    def _clicks(self) -> Iterator[TrafficRecord]:
        plan = self._plan
        shop = ClickSimulation(plan.seed, items(plan.items), self._start)

        def event(number: int, slot: int, at: int) -> tuple[dict[str, Any], str, tuple[str, str]]:
            item, counts = shop.click(slot)
            time = to_canonical(to_datetime(at))
            return payloads.click_document(item, time, counts), item.item_id, (time, item.item_id)

        records = self._mix(
            plan.click_stream, plan.clicks, plan.clicks_per_second, self._click_slots, event, payloads.CLICK_FIELDS, 0.0
        )
        return (_with_event_id(record, plan) for record in records) if plan.event_ids else records

    def _readings(self) -> Iterator[TrafficRecord]:
        plan = self._plan

        def event(number: int, slot: int, at: int) -> tuple[dict[str, Any], str, tuple[str, str]]:
            index = number % plan.trucks
            truck_id, values = self._fleet.reading(index, at)
            time = to_canonical(to_datetime(at))
            if number in nested:
                document = payloads.nested_document(truck_id, time, values)
            else:
                # Every other truck has a device that writes its keys in upper case.
                document = payloads.flat_document(truck_id, time, values, upper=index % 2 == 0)
            return document, truck_id, (truck_id, time)

        choice = random.Random(f"nested:{plan.seed}:{self._start}")
        nested = frozenset(choice.sample(range(plan.readings), round(plan.readings * plan.nested)))
        period = plan.trucks / plan.readings_per_second
        return self._mix(
            plan.truck_stream,
            plan.readings,
            plan.readings_per_second,
            self._reading_slots,
            event,
            payloads.READING_FIELDS,
            period,
            nested,
        )

    def _mix(
        self,
        stream: str,
        count: int,
        rate: float,
        slots: Slots,
        event: _EventMaker,
        fields: payloads.Fields,
        period: float,
        nested: frozenset[int] = frozenset(),
    ) -> Iterator[TrafficRecord]:
        """``count`` records of one stream.  ``period``: seconds between two events of one device."""
        rng = random.Random(f"mix:{stream}:{self._plan.seed}:{self._start}")
        broken = _malformed_kinds(rng)
        field = FieldTraffic("clicks" if fields is payloads.CLICK_FIELDS else "readings", self._plan.field_cases, rng)
        recent: deque[TrafficRecord] = deque(maxlen=_REMEMBERED)
        # Displaced by more than a period, an event is sent after younger ones of its own device, where 31 s allow it.
        least = min(event_times.MAX_SECONDS_OUT_OF_ORDER, int(period) + 1)
        most = min(event_times.MAX_SECONDS_OUT_OF_ORDER, least + 9)
        for number, kind in enumerate(_deck(count, self._plan, rng)):
            due = self._start + int(number * 1_000_000 / rate)
            if kind == "duplicated":
                original = rng.choice(recent)
                yield msgspec.structs.replace(original, due=due, kind="duplicate")
                continue
            slot = at = slots.at(due)
            if kind == "late":
                at = event_times.late(slot, rng.randint(1, event_times.MAX_MINUTES_LATE))
            elif kind == "out_of_order":
                at = event_times.out_of_order(slot, rng.randint(least, most))
            document, partition_key, key = event(number, slot, at)
            shape: payloads.Shape = "nested" if number in nested else "flat"
            if kind == "malformed":
                name = next(broken)
                data = payloads.malformed(name, document, fields, partition_key, rng)
                yield TrafficRecord(stream, data, partition_key, due, "malformed", name, shape)
                continue
            if kind == "field" or (kind == "on_time" and field.lasts(partition_key)):
                sent = FieldEvent(document, partition_key, at, rng)
                yield _field_record(field.case_of(sent, is_new=kind == "field"), sent, stream, due, shape)
                continue
            record = TrafficRecord(
                stream,
                payloads.encode(document),
                partition_key,
                due,
                shape=shape,
                late=kind == "late",
                out_of_order=kind == "out_of_order",
                key=key,
            )
            recent.append(record)
            yield record


def _with_event_id(record: TrafficRecord, plan: TrafficPlan) -> TrafficRecord:
    """The click, or the same with an event id and its time in milliseconds; a duplicate gets what its original got."""
    if record.key is None or record.field_case is not None:
        return record
    chance = blake2b(f"{plan.seed} {record.key}".encode(), digest_size=24).digest()
    if int.from_bytes(chance[16:]) >= plan.event_ids * 2**64:
        return record
    time, item_id = record.key
    # As JavaScript's Date.toISOString and crypto.randomUUID write them.
    milliseconds, event_id = time[:23], str(UUID(bytes=chance[:16], version=4))
    document = msgspec.json.decode(record.data) | {"Timestamp": f"{milliseconds}Z", "Event_ID": event_id}
    key = row_timestamp(f"{milliseconds}000", event_id), item_id
    return msgspec.structs.replace(record, data=payloads.encode(document), key=key)


def _deck(count: int, plan: TrafficPlan, rng: random.Random) -> list[str]:
    """One card per record, shuffled: the shares are exact to the record."""
    special = [name for name in _SHARES for _ in range(round(count * getattr(plan, name)))][:count]
    deck = special + ["on_time"] * (count - len(special))
    rng.shuffle(deck)
    # Nothing can be repeated before the first record.
    first = next((position for position, card in enumerate(deck) if card not in _NOT_REPEATED), None)
    if first is None:
        return ["on_time" if card == "duplicated" else card for card in deck]
    deck[0], deck[first] = deck[first], deck[0]
    return deck


def _field_record(case: FieldCase, event: FieldEvent, stream: str, due: int, shape: payloads.Shape) -> TrafficRecord:
    device = event.identity
    if case.parts:
        parts = []
        for number, part in enumerate(case.parts):
            later = event.copy()
            later.move(event_times.aggregated(event.at, number) - event.at)
            parts.append(msgspec.structs.replace(_field_record(part, later, stream, due, shape), field_case=case.name))
        data = aggregate((part.partition_key, part.data) for part in parts)
        return TrafficRecord(stream, data, device, due, shape=shape, field_case=case.name, parts=tuple(parts))
    record = TrafficRecord(stream, case.make(event), device, due, shape=shape, field_case=case.name)
    if case.reason:
        return msgspec.structs.replace(record, kind="malformed", malformed_kind=case.name, expected_reason=case.reason)
    key = (event.identity, event.time) if event.is_reading else (event.time, event.identity)
    return msgspec.structs.replace(record, partition_key=event.identity, key=key, warned_by=case.warned_by)


def _malformed_kinds(rng: random.Random) -> Iterator[str]:
    """Every kind in turn, in any order; the big one once, after all others."""
    kinds = [kind for kind in payloads.MALFORMED if kind != "megabyte_noise"]
    rng.shuffle(kinds)
    return chain(kinds, ["megabyte_noise"], cycle(kinds))
