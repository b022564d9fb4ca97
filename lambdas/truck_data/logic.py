"""The rules for readings: which records of a batch land, the landing object, and the newest state of each truck."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from operator import attrgetter

import msgspec

from include.contracts import (
    METRICS,
    ContractError,
    Envelope,
    MetricPolicy,
    TelemetryReading,
    TimeLimits,
    decode_reading,
)
from include.contracts.metric_policy import DEFAULT_METRIC_POLICY
from lambdas.common.batch import BatchRecord, Rejected
from lambdas.common.dynamodb import DynamoItem

# DynamoDB refuses numbers closer to zero; the contract accepts them.
_SMALLEST_NUMBER = 1e-130

_encode_lines = msgspec.json.Encoder().encode_lines


class AcceptedReading(msgspec.Struct, frozen=True, gc=False):
    """A valid reading and the identity of its record."""

    reading: TelemetryReading
    envelope: Envelope

    @property
    def recency(self) -> str:
        """A text that sorts the readings of one truck by event time, arrival, sequence and sub-sequence number.

        Canonical times sort as text.  A sequence number is decimal without leading zeros; its length in front makes
        the numbers sort by value.  A record of the largest size, 10 MiB, has fewer than ten million user records.
        """
        envelope = self.envelope
        number, sub_number = envelope.sequence_number, envelope.sub_sequence_number
        recency = f"{self.reading.event_time}#{envelope.arrival_time}#{len(number):03}{number}"
        return f"{recency}#{sub_number:07}" if sub_number else recency


class ReadingBatch(msgspec.Struct):
    """A sorted batch: received = accepted + rejected."""

    accepted: list[AcceptedReading]
    rejected: list[Rejected]
    # No reading is judged by another one.
    together: list[tuple[Envelope, Envelope]] = []
    # The accepted readings as a landing object, and the newest of each truck as rows of TruckLatestState.
    landing: bytes = b""
    states: list[tuple[DynamoItem, Envelope]] = []

    @property
    def duplicates(self) -> int:
        """The number of accepted readings that repeat a truck's instant.  They land too: RAW has every envelope."""
        instants = {(each.reading.truck_id, each.reading.event_time) for each in self.accepted}
        return len(self.accepted) - len(instants)

    @property
    def nulled(self) -> dict[str, int]:
        """The number of accepted readings by metric that was nulled in them."""
        return dict(Counter(metric for each in self.accepted for metric, _sent in each.reading.nulled))


def prepare(
    records: Iterable[BatchRecord], limits: TimeLimits, policy: MetricPolicy, *, ingested_at: str
) -> ReadingBatch:
    """Sort out the records, and make the landing object and the states of those that are accepted."""
    readings = sort_out(records, limits, policy)
    if readings.accepted:
        readings.landing = landing_object(readings.accepted)
        readings.states = [
            (state_item(each, ingested_at=ingested_at), each.envelope) for each in newest(readings.accepted)
        ]
    return readings


def sort_out(
    records: Iterable[BatchRecord], limits: TimeLimits, policy: MetricPolicy = DEFAULT_METRIC_POLICY
) -> ReadingBatch:
    """Decode and validate every record.  Data never raises an error."""
    readings = ReadingBatch([], [])
    for record in records:
        try:
            reading = decode_reading(record.payload, now=record.arrival, limits=limits, policy=policy)
        except ContractError as error:
            readings.rejected.append(Rejected(record, error))
        else:
            readings.accepted.append(AcceptedReading(reading, record.envelope))
    return readings


def landing_key(prefix: str, accepted: Sequence[AcceptedReading]) -> str:
    """``<prefix><yyyy>/<mm>/<dd>/<HH>/<shard>-<first>-<last>-<digest>.json.gz`` for the records in the object.

    The hour is that of the first record's arrival.  The digest covers every number (Envelope.number).  The same records
    always have the same key, so a retry overwrites its own object; other records, as after a bisect, have another key.
    """
    first, last = accepted[0].envelope, accepted[-1].envelope
    every = "\n".join(f"{each.envelope.shard_id} {each.envelope.number}" for each in accepted)
    day, hour = first.arrival_time[:10].replace("-", "/"), first.arrival_time[11:13]
    digest = sha256(every.encode()).hexdigest()[:16]
    return f"{prefix}{day}/{hour}/{first.shard_id}-{first.sequence_number}-{last.sequence_number}-{digest}.json.gz"


def landing_object(accepted: Iterable[AcceptedReading]) -> bytes:
    """Gzipped NDJSON, one line per reading with its envelope.  The same readings always have the same bytes."""
    return gzip.compress(_encode_lines([_line(each) for each in accepted]), compresslevel=6, mtime=0)


def newest(accepted: Iterable[AcceptedReading]) -> list[AcceptedReading]:
    """The newest reading of each truck."""
    latest: dict[str, AcceptedReading] = {}
    for each in accepted:
        known = latest.get(each.reading.truck_id)
        if known is None or each.recency > known.recency:
            latest[each.reading.truck_id] = each
    return list(latest.values())


def state_item(accepted: AcceptedReading, *, ingested_at: str) -> DynamoItem:
    """The row of TruckLatestState for a reading; a metric that is NULL has no attribute.

    Of two readings of a truck, the one with the greater ``Recency`` wins.
    """
    reading, envelope = accepted.reading, accepted.envelope
    item = {
        "Truck_ID": {"S": reading.truck_id},
        "Recency": {"S": accepted.recency},
        "Event_Time": {"S": reading.event_time},
        "Ingested_At": {"S": ingested_at},
        "Stream": {"S": envelope.stream},
        "Shard_ID": {"S": envelope.shard_id},
        "Sequence_Number": {"S": envelope.sequence_number},
        "Arrival_Time": {"S": envelope.arrival_time},
    }
    if envelope.sub_sequence_number:
        item["Sub_Sequence_Number"] = {"N": str(envelope.sub_sequence_number)}
    for metric in METRICS:
        value = getattr(reading, metric.name)
        if value is not None:
            item[metric.name] = {"N": _number(value)} if metric.kind == "number" else {"S": value}
    return item


# A line has the same keys in every reading, null where there is nothing to say: such lines load in half the time.  They
# are structs because these are made and encoded faster than dicts.
_READING_FIELDS = ("truck_id", "event_time", *(metric.name for metric in METRICS))
_LINE_ENVELOPE = ("stream_name", "shard_id", "sequence_number", "arrival_time", "partition_key", "sub_sequence_number")
_LandedReading: Callable[..., msgspec.Struct] = msgspec.defstruct(
    "_LandedReading", [*_READING_FIELDS, *_LINE_ENVELOPE, "nulled_metrics"], gc=False
)
_reading_values = attrgetter(*_READING_FIELDS)


def _line(accepted: AcceptedReading) -> msgspec.Struct:
    reading, envelope = accepted.reading, accepted.envelope
    return _LandedReading(
        *_reading_values(reading),
        envelope.stream,
        envelope.shard_id,
        envelope.sequence_number,
        envelope.arrival_time,
        envelope.partition_key,
        envelope.sub_sequence_number or None,
        dict(reading.nulled) if reading.nulled else None,
    )


def _number(value: float) -> str:
    return repr(value) if abs(value) >= _SMALLEST_NUMBER else "0"
