"""One rebuild: hour by hour of arrival, each shard in order, several shards at a time."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from include import archive
from include.archive import ArchiveObject
from include.archive.archive_objects import CLOCK_DIFFERENCE, hour_of
from include.aws_clients import ReprocessingClients
from include.batches import batched
from include.contracts.archive import ArchivedRecord
from include.contracts.kinesis_event import kinesis_event
from include.contracts.times import to_canonical
from include.parallel import for_each
from include.rebuild.archived_hours import HOUR, ArchivedHour, ArchivedHours, holding
from include.rebuild.rebuild_progress import RebuildError, RebuildProgress
from include.rebuild.sorted_records import SortedRecords
from include.stream_functions import FUNCTIONS, Processed, StreamFunctions

# As in the event source mappings.  Payloads in base64 leave room for the envelopes within Lambda's 6 MB.
BATCH_RECORDS = 500
BATCH_BYTES = 3_000_000
# Attempts on a batch that the function's stores refuse, or that makes the function raise.
MAX_ATTEMPTS = 6


class RebuildPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What to rebuild: ``since`` <= arrival < ``until`` (aware; None: from the first, to the last)."""

    streams: tuple[str, ...] = tuple(FUNCTIONS)
    since: datetime | None = None
    until: datetime | None = None
    # Shards processed at the same time.  The records of one shard are processed batch after batch, in order.
    shards_at_once: int = 4


class RebuildSummary(msgspec.Struct):
    """Counts of one stream's rebuild."""

    hours: int = 0  # with records in them
    skipped_hours: int = 0  # finished by an earlier run
    archived: int = 0  # lines read
    duplicates: int = 0  # lines that Firehose delivered again
    probes: int = 0  # lines that are probes, not data
    processed: int = 0  # records
    batches: int = 0


def rebuild(
    clients: ReprocessingClients,
    bucket: str,
    plan: RebuildPlan,
    *,
    progress: RebuildProgress | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> dict[str, RebuildSummary]:
    """Have the functions process every archived record of ``plan`` again; return stream -> summary.

    Idempotent, because everything that the functions write is.  A run can be stopped at any moment and repeated any
    number of times.

    Args:
        report: called with one line per finished hour.

    Raises:
        RebuildError: a function did not process a batch.
        FunctionError: a function is missing, or its response is not understood.
        ArchiveError: an archived object cannot be read.
        ClientError, BotoCoreError: S3 failed although boto3 repeated the request.
    """
    progress = progress or RebuildProgress(None)
    return {
        stream: _StreamRebuild(clients, bucket, plan, stream, progress, report).rebuild() for stream in plan.streams
    }


class _StreamRebuild:
    """The rebuild of one stream."""

    def __init__(
        self,
        clients: ReprocessingClients,
        bucket: str,
        plan: RebuildPlan,
        stream: str,
        progress: RebuildProgress,
        report: Callable[[str], None],
    ) -> None:
        self._s3 = clients.s3
        self._functions = StreamFunctions(clients.lambda_, attempts=MAX_ATTEMPTS, retries_raised=True)
        self._bucket = bucket
        self._plan = plan
        self._stream = stream
        self._progress = progress
        self._report = report
        self._summary = RebuildSummary()
        self._counting = threading.Lock()

    def rebuild(self) -> RebuildSummary:
        plan = self._plan
        objects = list(archive.objects(self._s3, self._bucket, self._stream, plan.since, plan.until))
        with tempfile.TemporaryDirectory(prefix="rebuild-") as directory:
            archived = ArchivedHours(self._s3, self._bucket, Path(directory), plan.until)
            for start, end in self._hours(objects):
                self._rebuild_hour(archived, start, end, holding(objects, start, end))
        return self._summary

    def _hours(self, objects: Sequence[ArchiveObject]) -> Iterator[tuple[datetime, datetime]]:
        """Hours (UTC) in which records of the objects can have arrived, cut to the plan's range."""
        if not objects:
            return
        since = max(filter(None, (self._plan.since, hour_of(objects[0].key))))
        last = max(each.modified for each in objects) + CLOCK_DIFFERENCE
        until = min(filter(None, (self._plan.until, last)))
        start = since.astimezone(UTC)
        while start < until:
            end = min(start.replace(minute=0, second=0, microsecond=0) + HOUR, until)
            yield start, end
            start = end

    def _rebuild_hour(
        self, archived: ArchivedHours, start: datetime, end: datetime, objects: Sequence[ArchiveObject]
    ) -> None:
        # With its end: a later run may ask for more of the hour, from the same objects.
        name = f"{self._stream} {to_canonical(start)} {to_canonical(end)}"
        # With its bucket: a copy of the archive in another one has the same objects.
        in_progress = f"{self._bucket} {name}"
        if objects and self._progress.is_finished(in_progress, objects):
            self._summary.skipped_hours += 1
            return
        if hour := archived.take(start, objects):
            self._process_hour(name, hour)
        if objects:
            self._progress.finish(in_progress, objects)

    def _process_hour(self, name: str, hour: ArchivedHour) -> None:
        records, counts = hour
        stop = threading.Event()
        work = partial(self._rebuild_shard, records, stop)
        for_each(work, records.shards(), workers=self._plan.shards_at_once, stop=stop)
        self._summary.hours += counts["archived"] > 0
        self._summary.archived += counts["archived"] + counts["probes"]
        self._summary.duplicates += counts["duplicates"]
        self._summary.probes += counts["probes"]
        if counts["archived"]:
            self._report(f"{name}: {counts['archived'] - counts['duplicates']:,} records")

    def _rebuild_shard(self, records: SortedRecords, stop: threading.Event, shard_id: str) -> None:
        batches = batched(
            records.of_shard(shard_id),
            lambda record: len(record.payload_base64),
            max_records=BATCH_RECORDS,
            max_bytes=BATCH_BYTES,
        )
        for batch in batches:
            if stop.is_set():
                return
            self._process(batch)
            with self._counting:
                self._summary.processed += len(batch)
                self._summary.batches += 1

    def _process(self, batch: Sequence[ArchivedRecord]) -> None:
        event = kinesis_event((record.envelope, record.payload_base64) for record in batch)
        outcome = self._functions.process(self._stream, event)
        if not isinstance(outcome, Processed):
            first, last = batch[0], batch[-1]
            raise RebuildError(
                f"{FUNCTIONS[self._stream]} did not process {self._stream} {first.shard_id}, {first.envelope.number} "
                f"({first.arrival_time}) to {last.envelope.number}: {outcome.detail}"
            )
