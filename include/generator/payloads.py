"""Events as devices write them, and as they arrive broken."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from include.contracts import METRICS
from include.contracts.times import parse, to_canonical
from include.generator.catalogue import CatalogueItem

Shape = Literal["flat", "nested"]

# Kinesis' limit of a record, data and partition key together.
MAX_RECORD_BYTES = 1_048_576

_encode = msgspec.json.Encoder().encode
_LOWER = tuple(metric.name for metric in METRICS)
_UPPER = tuple(metric.name.upper() for metric in METRICS)


def click_document(item: CatalogueItem, timestamp: str, counts: int) -> dict[str, Any]:
    return {"Item_ID": item.item_id, "Item_Name": item.name, "Timestamp": timestamp, "Click_Counts": counts}


def flat_document(truck_id: str, timestamp: str, values: list[float | str], *, upper: bool) -> dict[str, Any]:
    """The flat shape; a device writes all its keys in upper or all in lower case."""
    if upper:
        return {"TRUCK_ID": truck_id, **dict(zip(_UPPER, values, strict=True)), "TIMESTAMP": timestamp}
    return {"truck_id": truck_id, **dict(zip(_LOWER, values, strict=True)), "timestamp": timestamp}


def nested_document(truck_id: str, timestamp: str, values: list[float | str]) -> dict[str, Any]:
    document: dict[str, Any] = {"truck_id": truck_id}
    for metric, value in zip(METRICS, values, strict=True):
        group = document
        for key in metric.nested_path[:-1]:
            group = group.setdefault(key, {})
        group[metric.nested_path[-1]] = value
    document["timestamp"] = timestamp
    return document


def encode(document: dict[str, Any]) -> bytes:
    return _encode(document)


# --- Broken ones -----------------------------------------------------------------------------------------------------


class Fields(NamedTuple):
    """The fields of one kind of event that are worth breaking, in lower case."""

    identity: str
    time: str
    number: str
    wrong_types: tuple[Any, ...]
    out_of_range: tuple[Any, ...]


CLICK_FIELDS = Fields("item_id", "timestamp", "click_counts", ("3", 3.5, True, [3]), (-1, 2**53 + 1))
READING_FIELDS = Fields("truck_id", "timestamp", "vehicle_speed", ("55.2", True, [55.2], {}), (-0.1, 200.5, 1e6))


class _Event(NamedTuple):
    document: dict[str, Any]
    fields: Fields
    partition_key: str
    rng: random.Random

    def key(self, field: str) -> str:
        """The key under which this event writes ``field``."""
        return next(key for key in self.document if key.lower() == field)

    def with_value(self, field: str, value: Any) -> bytes:
        return _encode({**self.document, self.key(field): value})


def _truncated_json(event: _Event) -> bytes:
    data = _encode(event.document)
    return data[: event.rng.randint(1, len(data) - 1)]


def _not_json(event: _Event) -> bytes:
    return b"<html>502 Bad Gateway " + event.rng.randbytes(event.rng.randint(0, 64)).hex().encode()


def _wrong_type(event: _Event) -> bytes:
    return event.with_value(event.fields.number, event.rng.choice(event.fields.wrong_types))


def _out_of_range(event: _Event) -> bytes:
    return event.with_value(event.fields.number, event.rng.choice(event.fields.out_of_range))


def _nan(event: _Event) -> bytes:
    constant = event.rng.choice((b"NaN", b"Infinity", b"-Infinity"))
    return event.with_value(event.fields.number, "?").replace(b'"?"', constant)


def _missing_field(event: _Event) -> bytes:
    missing = event.key(event.rng.choice((event.fields.identity, event.fields.time)))
    return _encode({key: value for key, value in event.document.items() if key != missing})


def _empty(event: _Event) -> bytes:
    return b""


def _bad_utf8(event: _Event) -> bytes:
    return event.with_value(event.fields.identity, "?").replace(b'"?"', b'"TR\xc3\x28\xff"')


def _deep_nesting(event: _Event) -> bytes:
    return _encode(event.document)[:-1] + b',"extra":' + b"[" * 5000 + b"]" * 5000 + b"}"


def _not_an_object(event: _Event) -> bytes:
    return event.rng.choice((_encode([event.document]), b"null", b"42", b'"' + event.partition_key.encode() + b'"'))


def _bad_time(event: _Event) -> bytes:
    time = event.document[event.key(event.fields.time)]
    return event.with_value(event.fields.time, event.rng.choice((time[:10], "yesterday", 1_742_225_754, time + "1234")))


def _in_future(event: _Event) -> bytes:
    """Decades ahead, so that it still is when it is replayed."""
    time = parse(event.document[event.key(event.fields.time)])
    return event.with_value(
        event.fields.time, to_canonical(time + timedelta(days=365 * event.rng.randint(20, 80), seconds=1))
    )


def _megabyte_noise(event: _Event) -> bytes:
    return b"\x00" + event.rng.randbytes(MAX_RECORD_BYTES - 1 - len(event.partition_key.encode()))


MALFORMED: dict[str, Callable[[_Event], bytes]] = {
    "truncated_json": _truncated_json,
    "not_json": _not_json,
    "wrong_type": _wrong_type,
    "out_of_range": _out_of_range,
    "nan": _nan,
    "missing_field": _missing_field,
    "empty": _empty,
    "bad_utf8": _bad_utf8,
    "deep_nesting": _deep_nesting,
    "not_an_object": _not_an_object,
    "bad_time": _bad_time,
    "in_future": _in_future,
    # Sent at most once a run and stream: it is as big as a record can be.
    "megabyte_noise": _megabyte_noise,
}


def malformed(kind: str, document: dict[str, Any], fields: Fields, partition_key: str, rng: random.Random) -> bytes:
    """``document`` broken in the way that ``kind``, a key of ``MALFORMED``, names; never valid by the contract."""
    return MALFORMED[kind](_Event(document, fields, partition_key, rng))
