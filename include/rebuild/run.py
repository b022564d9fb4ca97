"""One rebuild: hour by hour of arrival, each shard in order, some shards at once."""

from __future__ import annotations

import json
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore.config import Config

from include import archive, names
from include.archive import ArchiveObject
from include.archive.probe import PARTITION_KEY, is_probe
from include.archive.reader import CLOCK_DIFFERENCE
from include.contracts.archive import ArchivedRecord
from include.contracts.times import to_canonical
from include.rebuild.invoker import RebuildError, process
from include.rebuild.sorted_records import SortedRecords
from include.replay.invoker import FUNCTIONS

HOUR = timedelta(hours=1)
# As the mappings have it; the payloads of a batch in base64 leave room for the envelopes within Lambda's 6 MB.
BATCH_RECORDS = 500
BATCH_BYTES = 3_000_000

S3_CONFIG = Config(connect_timeout=3, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5})
# The functions' own timeout is 60 s.  Standard mode waits with backoff and jitter after throttling, 5xx, timeouts.
LAMBDA_CONFIG = Config(connect_timeout=3, read_timeout=70, retries={"mode": "standard", "total_max_attempts": 5})


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to rebuild: ``since`` <= arrival < ``until`` (aware; None: from the first, to the last)."""

    streams: tuple[str, ...] = tuple(FUNCTIONS)
    since: datetime | None = None
    until: datetime | None = None
    # Shards processed at once.  A shard's records are processed one batch after the other, in order.
    shards_at_once: int = 4


class Summary(msgspec.Struct):
    """What one stream's rebuild has done."""

    hours: int = 0  # with records in them
    skipped_hours: int = 0  # done by an earlier run
    archived: int = 0  # lines read
    duplicates: int = 0  # of these delivered more than once by Firehose
    probes: int = 0  # of these probes, which are no data
    processed: int = 0
    batches: int = 0


class Progress:
    """Which hours are done, in a file, so that a run that was stopped continues.

    An hour is known by the objects that it was rebuilt from: if others have come since, it is done again.
    """

    def __init__(self, path: Path | None) -> None:
        """Args:
        path: of the file, made when missing; None keeps nothing.

        Raises:
            RebuildError: the file is no progress file.
        """
        self._path = path
        self._done: dict[str, str] = {}
        if path and path.exists():
            try:
                self._done = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            except msgspec.MsgspecError as error:
                raise RebuildError(f"{path} is no progress file: {error}") from error

    def is_done(self, hour: str, objects: Sequence[ArchiveObject]) -> bool:
        return self._done.get(hour) == _digest(objects)

    def done(self, hour: str, objects: Sequence[ArchiveObject]) -> None:
        self._done[hour] = _digest(objects)
        if self._path:
            temporary = self._path.with_name(self._path.name + ".tmp")
            temporary.write_bytes(json.dumps(self._done, indent=0).encode())
            temporary.replace(self._path)


def make_clients(client: Callable[..., Any] = boto3.client, *, at_once: int = 4) -> tuple[Any, Any]:
    """S3 and Lambda, by ``client(service, config=…)``; boto3's own reads the standard AWS_* environment."""
    pool = Config(max_pool_connections=at_once + 2)
    return client("s3", config=S3_CONFIG.merge(pool)), client("lambda", config=LAMBDA_CONFIG.merge(pool))


def run(
    clients: tuple[Any, Any],
    bucket: str,
    plan: Plan,
    *,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> dict[str, Summary]:
    """Has the functions process every archived record of ``plan`` again; returns stream -> what was done.

    Idempotent, as all that the functions write is; can be stopped at any moment and run any number of times.

    Raises:
        RebuildError: a function did not process a batch.
        ArchiveError: an archived object can't be read.
        ClientError, BotoCoreError: S3 failed although boto3 repeated what could be repeated.
    """
    progress = progress or Progress(None)
    return {stream: _Stream(clients, bucket, plan, stream, progress, tell).rebuild() for stream in plan.streams}


class _Stream:
    """The rebuild of one stream."""

    def __init__(
        self,
        clients: tuple[Any, Any],
        bucket: str,
        plan: Plan,
        stream: str,
        progress: Progress,
        tell: Callable[[str], None],
    ) -> None:
        self._s3, self._lambda = clients
        self._bucket = bucket
        self._plan = plan
        self._stream = stream
        self._progress = progress
        self._tell = tell
        self._summary = Summary()
        self._counting = threading.Lock()

    def rebuild(self) -> Summary:
        plan = self._plan
        objects = list(archive.objects(self._s3, self._bucket, self._stream, plan.since, plan.until))
        for start, end in self._hours(objects):
            self._hour(start, end, [each for each in objects if self._may_hold(each, start, end)])
        return self._summary

    def _hours(self, objects: Sequence[ArchiveObject]) -> Iterator[tuple[datetime, datetime]]:
        """Hours in which records of the objects may have arrived, cut to what is asked for."""
        if not objects:
            return
        since = max(filter(None, (self._plan.since, _hour_of(objects[0].key))))
        last = max(each.modified for each in objects) + CLOCK_DIFFERENCE
        until = min(filter(None, (self._plan.until, last)))
        start = since
        while start < until:
            end = min(start.replace(minute=0, second=0, microsecond=0) + HOUR, until)
            yield start, end
            start = end

    @staticmethod
    def _may_hold(each: ArchiveObject, start: datetime, end: datetime) -> bool:
        """An object's records arrived between the hour in its name and its storing."""
        return _hour_of(each.key) < end and each.modified + CLOCK_DIFFERENCE >= start

    def _hour(self, start: datetime, end: datetime, objects: Sequence[ArchiveObject]) -> None:
        first, last = to_canonical(start), to_canonical(end)
        name = f"{self._stream} {first}"
        if not objects or self._progress.is_done(name, objects):
            self._summary.skipped_hours += bool(objects)
            return
        with tempfile.TemporaryDirectory(prefix="rebuild-") as directory:
            records = SortedRecords(Path(directory) / "records.sqlite")
            counts: Counter[str] = Counter()
            for each in objects:
                found, new = records.add(self._data(each, first, last, counts))
                counts["archived"] += found
                counts["duplicates"] += found - new
            self._process(records)
        self._summary.hours += counts["archived"] > 0
        self._summary.archived += counts["archived"] + counts["probes"]
        self._summary.duplicates += counts["duplicates"]
        self._summary.probes += counts["probes"]
        self._progress.done(name, objects)
        if counts["archived"]:
            self._tell(f"{name}: {counts['archived'] - counts['duplicates']:,} records")

    def _data(self, each: ArchiveObject, first: str, last: str, counts: Counter[str]) -> Iterator[ArchivedRecord]:
        """The records of an object that arrived in time and are data."""
        for record in archive.read(self._s3, self._bucket, each.key):
            if first <= record.arrival_time < last:
                # Long resolved; processed again it would be quarantined again.
                if record.partition_key == PARTITION_KEY and is_probe(record.payload):
                    counts["probes"] += 1
                else:
                    yield record

    def _process(self, records: SortedRecords) -> None:
        stop = threading.Event()
        with ThreadPoolExecutor(self._plan.shards_at_once, thread_name_prefix="rebuild") as shards:
            lanes = [shards.submit(self._shard, records, shard_id, stop) for shard_id in records.shards()]
            try:
                done, _ = wait(lanes, return_when=FIRST_EXCEPTION)
            finally:
                # An error, or Ctrl-C: what is in flight ends, nothing more is begun.
                stop.set()
                for lane in lanes:
                    lane.cancel()
        for lane in done:
            lane.result()

    def _shard(self, records: SortedRecords, shard_id: str, stop: threading.Event) -> None:
        for batch in records.batches(shard_id, BATCH_RECORDS, BATCH_BYTES):
            if stop.is_set():
                return
            process(self._lambda, self._stream, batch)
            with self._counting:
                self._summary.processed += len(batch)
                self._summary.batches += 1


def _hour_of(key: str) -> datetime:
    """The hour in an object's key.

    Raises:
        ArchiveError: it has none.
    """
    year, month, day, hour = key.removeprefix(names.ARCHIVE_PREFIX).split("/")[1:5]
    return datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC)


def _digest(objects: Sequence[ArchiveObject]) -> str:
    return sha256("\n".join(sorted(each.key for each in objects)).encode()).hexdigest()
