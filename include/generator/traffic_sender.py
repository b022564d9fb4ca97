"""Sends a plan's traffic in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import msgspec

from include.contracts.times import to_canonical
from include.generator.event_times import to_datetime, to_microseconds
from include.generator.manifest import ManifestRecord, ManifestWriter
from include.generator.producer import AcceptedRecord, Producer, ProducerClient
from include.generator.state_file import kept_state
from include.generator.traffic import Traffic, TrafficPlan, TrafficRecord

# Records that fall due within this time are sent together.
_TICK = 100_000  # µs
_PROGRESS_EVERY = 1_000_000  # µs
# A run that is killed loses at most this much of its trucks' way.
_SAVE_EVERY = 5_000_000  # µs
# Records that are due are sent in calls of at most this many records a stream, so that progress and manifest keep up.
_AT_ONCE = 500


class StreamSummary(msgspec.Struct):
    """The records that a stream accepted: ``sent`` = ``valid`` + ``duplicate`` + all of ``malformed`` (by kind).

    ``field`` counts the field cases among them, by name.
    """

    sent: int = 0
    valid: int = 0
    duplicate: int = 0
    malformed: dict[str, int] = {}
    late: int = 0
    out_of_order: int = 0
    nested: int = 0
    field: dict[str, int] = {}

    def count(self, record: TrafficRecord) -> None:
        self.sent += 1
        self.late += record.late
        self.out_of_order += record.out_of_order
        self.nested += record.shape == "nested"
        if record.field_case:
            self.field[record.field_case] = self.field.get(record.field_case, 0) + 1
        if record.kind == "valid":
            self.valid += 1
        elif record.kind == "duplicate":
            self.duplicate += 1
        else:
            kind = record.malformed_kind or "unknown"
            self.malformed[kind] = self.malformed.get(kind, 0) + 1


class TrafficSummary(msgspec.Struct):
    """The records that a run has sent so far.

    Attributes:
        started_at, finished_at: canonical UTC text; ``finished_at`` is None while it runs.
        planned: records to send.
        streams: what each stream accepted, by its name.
        resent: records sent again because Kinesis had refused them.
        unanswered: calls repeated although their answer was lost: their records may be in the stream twice, once
            without a line in the manifest (include/generator/manifest.py).
    """

    started_at: str
    planned: int
    streams: dict[str, StreamSummary]
    seconds: float = 0.0
    finished_at: str | None = None
    resent: int = 0
    unanswered: int = 0

    @property
    def sent(self) -> int:
        return sum(stream.sent for stream in self.streams.values())

    @property
    def per_second(self) -> float:
        return self.sent / self.seconds if self.seconds > 0 else 0.0


def generate(
    plan: TrafficPlan,
    kinesis_client: ProducerClient,
    on_progress: Callable[[TrafficSummary], None] | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> TrafficSummary:
    """Send the traffic of ``plan`` through ``kinesis_client``, each record when it is due.

    Args:
        on_progress: called about once a second, and at the end, with the summary so far (always the same object).
        clock, sleep: the current time, aware, and a function that lets it pass.

    Raises:
        ProducerError: Kinesis did not accept all records.  State and manifest are saved and correct.
        StateError: the state file is in use or not a state.
        botocore.exceptions.ClientError: an error that a retry can't fix (no such stream, access denied).
        OSError: state or manifest can't be read or written.
    """
    with kept_state(plan.state) as (state, save), _manifest(plan) as manifest:
        start = to_microseconds(clock())
        traffic = Traffic(plan, start, state)
        run = _Run(plan, start, Producer(kinesis_client, sleep=sleep), manifest)
        report = on_progress or (lambda _: None)
        reported = saved = start
        try:
            for batch in _when_due(iter(traffic), clock, sleep):
                for stream, records in batch.items():
                    run.send(stream, records, to_canonical(clock()))
                now = to_microseconds(clock())
                if now - saved >= _SAVE_EVERY:
                    saved = now
                    save(traffic.state())
                if now - reported >= _PROGRESS_EVERY:
                    reported = now
                    report(run.summary_at(now))
        finally:
            save(traffic.state())
        now = to_microseconds(clock())
        summary = run.summary_at(now)
        summary.finished_at = to_canonical(to_datetime(now))
        report(summary)
        return summary


def _when_due(
    records: Iterator[TrafficRecord], clock: Callable[[], datetime], sleep: Callable[[float], None]
) -> Iterator[dict[str, list[TrafficRecord]]]:
    """The records by stream as they fall due, in batches of about a tick."""
    record = next(records, None)
    while record is not None:
        now = to_microseconds(clock())
        if record.due > now:
            # Wait for the record, and a tick longer for others to go with it.
            sleep((record.due - now + _TICK) / 1e6)
            now = to_microseconds(clock())
        batch: dict[str, list[TrafficRecord]] = {}
        while record is not None and record.due <= now:
            of_stream = batch.setdefault(record.stream, [])
            of_stream.append(record)
            record = next(records, None)
            if len(of_stream) == _AT_ONCE:
                break
        if batch:
            yield batch


class _Manifest:
    """The plan's manifest, if it has one."""

    def __init__(self, writer: ManifestWriter | None) -> None:
        self._writer = writer

    def note(self, sent_at: str, records: list[TrafficRecord]) -> None:
        """Keep the records of a call that is about to be made."""
        if self._writer:
            self._writer.sending(_lines([AcceptedRecord(record, "", "") for record in records], sent_at))

    def write(self, results: list[AcceptedRecord[TrafficRecord]], sent_at: str) -> None:
        """Append accepted records."""
        if self._writer:
            self._writer.append(_lines(results, sent_at))


class _Run:
    """One run's records on their way to Kinesis, the manifest and the summary."""

    def __init__(self, plan: TrafficPlan, start: int, producer: Producer, manifest: _Manifest) -> None:
        self._start = start
        self._producer = producer
        self._manifest = manifest
        self._summary = TrafficSummary(
            started_at=to_canonical(to_datetime(start)),
            planned=plan.clicks + plan.readings,
            streams={plan.click_stream: StreamSummary(), plan.truck_stream: StreamSummary()},
        )

    def send(self, stream: str, records: list[TrafficRecord], sent_at: str) -> None:
        def accepted(results: list[AcceptedRecord[TrafficRecord]]) -> None:
            self._manifest.write(results, sent_at)
            for result in results:
                self._summary.streams[stream].count(result.record)

        self._producer.send(stream, records, accepted, partial(self._manifest.note, sent_at))

    def summary_at(self, now: int) -> TrafficSummary:
        """Return the summary as of ``now`` in microseconds, always the same object."""
        self._summary.seconds = (now - self._start) / 1e6
        self._summary.resent, self._summary.unanswered = self._producer.resent, self._producer.unanswered
        return self._summary


@contextmanager
def _manifest(plan: TrafficPlan) -> Iterator[_Manifest]:
    if plan.manifest is None:
        yield _Manifest(None)
        return
    writer = ManifestWriter(plan.manifest)
    try:
        yield _Manifest(writer)
    finally:
        writer.close()


def _lines(results: list[AcceptedRecord[TrafficRecord]], sent_at: str) -> Iterator[ManifestRecord]:
    return (
        _manifest_record(event, shard_id, sequence_number, position, sent_at)
        for record, shard_id, sequence_number in results
        for position, event in enumerate(record.parts or (record,))
    )


def _manifest_record(
    event: TrafficRecord, shard_id: str, sequence_number: str, position: int, sent_at: str
) -> ManifestRecord:
    return ManifestRecord(
        stream=event.stream,
        kind=event.kind,
        malformed_kind=event.malformed_kind,
        shape=event.shape,
        late=event.late,
        out_of_order=event.out_of_order,
        key=event.key,
        payload=event.data,
        shard_id=shard_id,
        sequence_number=sequence_number,
        sent_at=sent_at,
        field_case=event.field_case,
        expected_reason=event.expected_reason,
        sub_sequence_number=position,
        warned_by=event.warned_by,
    )
