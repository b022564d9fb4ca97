"""One replay: choose records, have them processed again shard by shard, and put each where it then belongs."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from itertools import chain, groupby, islice
from typing import Annotated

import msgspec

from include.contracts.quarantine import Attempt, Quarantined, Verdict
from include.contracts.times import to_canonical
from include.replay.clients import S3_WORKERS, Clients
from include.replay.invoker import FUNCTIONS, Answered, Invoker, Raised, Refused
from include.replay.store import Held, QuarantineStore, UnreadableObjectError

logger = logging.getLogger("replay")

# How an attempt can end, as histories and summaries say it.
RESOLVED, STILL_INVALID, RAISED, REFUSED = "resolved", "still_invalid", "raised", "refused"
# Another replay moved it first; and: not come to, because too much before it failed.
GONE, NOT_TRIED = "gone", "not_tried"

# Valid when replayed alone, which would overwrite the click that was kept: only on request (docs/adr/0010).
ON_REQUEST_ONLY = frozenset({"key_conflict"})

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Which records; empty or None means any.

    ``reasons`` empty leaves out those of ON_REQUEST_ONLY.  Arrival: ``since`` <= arrival < ``until`` (aware).
    ``limit``: so many at most, the earliest hours of each stream first.
    """

    streams: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    limit: Positive | None = None

    def takes(self, record: Quarantined) -> bool:
        arrival = record.envelope.arrival_time
        return (
            (record.reason in self.reasons if self.reasons else record.reason not in ON_REQUEST_ONLY)
            and (self.since is None or arrival >= to_canonical(self.since))
            and (self.until is None or arrival < to_canonical(self.until))
        )


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once.  A synchronous invocation takes 6 MB, of which payloads are 4/3 in base64."""

    batch_records: Positive = 100
    batch_bytes: Positive = 3_000_000
    shards_at_once: Positive = 4
    # A shard is left alone when so many of its records in a row made the function raise: it is not the records.
    raised_in_a_row: Positive = 25


class Chosen(msgspec.Struct, frozen=True):
    """One record of a plan, without its payload."""

    key: str
    stream: str
    shard_id: str
    sequence_number: str
    arrival_time: str
    size: int
    reason: str
    field: str | None
    rule: str
    attempts: int


class Summary(msgspec.Struct, kw_only=True):
    """What was chosen and what became of it."""

    dry_run: bool
    # stream -> reason -> records.
    chosen: dict[str, dict[str, int]]
    oldest: str | None
    newest: str | None
    # There are more than ``Plan.limit``.
    limited: bool
    # How many ended how; their sum is that of ``chosen``.  Empty for a dry run.
    outcomes: dict[str, int]
    # Reasons of those still invalid, as they are now.
    still: dict[str, int]
    # Keys below quarantine/ that are no quarantine objects.
    unreadable: list[str]
    # Batches a mapping gave up on that were not in quarantine yet; those that could not be taken in, and why.
    abandoned: int
    not_taken_in: dict[str, str]
    # What raised or was refused, in words: at most one a batch, the first ten.
    errors: list[str]

    @property
    def total(self) -> int:
        return sum(chain.from_iterable(reasons.values() for reasons in self.chosen.values()))

    @property
    def failed(self) -> bool:
        """Whether somebody must act: still being invalid is an answer, this is none."""
        return bool(
            self.not_taken_in
            or self.unreadable
            or any(self.outcomes.get(outcome) for outcome in (RAISED, REFUSED, NOT_TRIED))
        )


def run(
    clients: Clients,
    bucket: str,
    plan: Plan,
    *,
    by: str,
    dry_run: bool = True,
    limits: Limits | None = None,
    tell: Callable[[Chosen], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Summary:
    """Replays what ``plan`` chooses, or only says what that would be.

    Records of a shard are processed in order of their sequence numbers, batch by batch.  A record is moved to
    quarantine-resolved/ when its function answers that it is durable in its sink; otherwise it stays, with the attempt
    in its history.  Can be stopped at any moment and run any number of times, also beside another one.

    Args:
        by: who replays, for the histories.
        tell: is called with each chosen record before anything is tried.

    Raises:
        ReplayError: the functions can't be replayed to.
        ClientError, BotoCoreError: S3 failed although boto3 repeated what could be repeated.
    """
    store = QuarantineStore(clients.s3, bucket)
    invoker = Invoker(clients.lambda_, by)
    abandoned = store.abandoned()
    not_taken_in = {} if dry_run else _take_in(invoker, bucket, abandoned)
    with ThreadPoolExecutor(S3_WORKERS, thread_name_prefix="replay-s3") as pool:
        chosen, unreadable, limited = _choose(store, plan, pool)
        if tell:
            for each in chosen:
                tell(each)
        replay = _Replay(store, invoker, pool, limits or Limits(), partial(_attempt, by, clock))
        if not dry_run:
            replay.all(chosen)
    arrivals = [each.arrival_time for each in chosen]
    return Summary(
        dry_run=dry_run,
        chosen={
            stream: dict(Counter(each.reason for each in chosen if each.stream == stream).most_common())
            for stream in dict.fromkeys(each.stream for each in chosen)
        },
        oldest=min(arrivals, default=None),
        newest=max(arrivals, default=None),
        limited=limited,
        outcomes=dict(replay.outcomes),
        still=dict(replay.still.most_common()),
        unreadable=unreadable,
        abandoned=len(abandoned),
        not_taken_in=not_taken_in,
        errors=replay.errors,
    )


def _attempt(by: str, clock: Callable[[], datetime], outcome: str, detail: str | None = None) -> Attempt:
    return Attempt(to_canonical(clock()), by, outcome, detail)


def _take_in(invoker: Invoker, bucket: str, keys: Iterable[str]) -> dict[str, str]:
    """The bucket's notification does it within seconds, but can be lost.  Returns what is left, and why."""
    return {key: error for key in keys if (error := invoker.take_in(bucket, key)) is not None}


def _choose(store: QuarantineStore, plan: Plan, pool: ThreadPoolExecutor) -> tuple[list[Chosen], list[str], bool]:
    """The records of ``plan``, what could not be read, and whether there are more."""
    chosen: list[Chosen] = []
    unreadable: list[str] = []
    bounds = [to_canonical(bound) if bound else None for bound in (plan.since, plan.until)]
    keys = chain.from_iterable(store.keys(stream, *bounds) for stream in plan.streams or FUNCTIONS)
    while page := list(islice(keys, 500)):
        for key, found in zip(page, pool.map(partial(_look, store), page), strict=True):
            if isinstance(found, UnreadableObjectError):
                unreadable.append(key)
            elif found is not None and plan.takes(found.record):
                if plan.limit is not None and len(chosen) == plan.limit:
                    return chosen, unreadable, True
                chosen.append(_chosen(found))
    return chosen, unreadable, False


def _look(store: QuarantineStore, key: str) -> Held | UnreadableObjectError | None:
    try:
        return store.read(key)
    except UnreadableObjectError as error:
        return error


def _chosen(held: Held) -> Chosen:
    record = held.record
    envelope = record.envelope
    return Chosen(
        key=held.key,
        stream=envelope.stream,
        shard_id=envelope.shard_id,
        sequence_number=envelope.sequence_number,
        arrival_time=envelope.arrival_time,
        size=len(record.payload),
        reason=record.reason,
        field=record.field,
        rule=record.rule,
        attempts=len(record.history),
    )


class _Replay:
    """The shards of one run, some at once; counts what became of each record."""

    def __init__(
        self,
        store: QuarantineStore,
        invoker: Invoker,
        pool: ThreadPoolExecutor,
        limits: Limits,
        attempt: Callable[..., Attempt],
    ) -> None:
        self.outcomes: Counter[str] = Counter()
        self.still: Counter[str] = Counter()
        self.errors: list[str] = []
        self._store = store
        self._invoker = invoker
        self._pool = pool
        self._limits = limits
        self._attempt = attempt
        self._counting = threading.Lock()
        self._stop = threading.Event()

    def all(self, chosen: Iterable[Chosen]) -> None:
        def shard(each: Chosen) -> tuple[str, str]:
            return each.stream, each.shard_id

        ordered = sorted(chosen, key=lambda each: (*shard(each), int(each.sequence_number)))
        with ThreadPoolExecutor(self._limits.shards_at_once, thread_name_prefix="replay-shard") as shards:
            lanes = [shards.submit(self._shard, list(records)) for _, records in groupby(ordered, shard)]
            try:
                done, _ = wait(lanes, return_when=FIRST_EXCEPTION)
            finally:
                # An error, or Ctrl-C: what is in flight ends, nothing more is begun.
                self._stop.set()
                for lane in lanes:
                    lane.cancel()
        for lane in done:
            lane.result()

    def _shard(self, records: Sequence[Chosen]) -> None:
        lane = _Lane(self, records[0].stream)
        for batch in _batches(records, self._limits):
            if self.stopping:
                return
            if lane.broken:
                self.count(NOT_TRIED, len(batch))
                continue
            found = [held for held in self._pool.map(self._store.read, [each.key for each in batch]) if held]
            self.count(GONE, len(batch) - len(found))
            if found:
                lane.process(found)
                logger.info("%s %s: %s", lane.stream, records[0].shard_id, dict(self.outcomes))

    def process(self, stream: str, batch: Sequence[Held]) -> Answered | Raised | Refused:
        return self._invoker.process(stream, [held.record for held in batch])

    def resolve_or_keep(self, batch: Sequence[Held], verdicts: dict[tuple[str, str], Verdict]) -> None:
        def place(held: Held) -> tuple[str, str | None]:
            envelope = held.record.envelope
            verdict = verdicts.get((envelope.shard_id, envelope.sequence_number))
            if verdict is None:
                self._store.resolve(held, self._attempt(RESOLVED))
                return RESOLVED, None
            attempt = self._attempt(STILL_INVALID, f"{verdict.reason}: {verdict.rule}")
            stayed = self._store.amend(held, lambda record: _judged(record, verdict).tried(attempt))
            return (STILL_INVALID, verdict.reason) if stayed else (GONE, None)

        for outcome, reason in self._pool.map(place, batch):
            self.count(outcome, 1)
            if reason:
                with self._counting:
                    self.still[reason] += 1

    def keep(self, batch: Sequence[Held], outcome: str, detail: str) -> None:
        attempt = self._attempt(outcome, detail)
        stayed = list(self._pool.map(lambda held: self._store.amend(held, lambda r: r.tried(attempt)), batch))
        self.count(outcome, stayed.count(True))
        self.count(GONE, stayed.count(False))
        with self._counting:
            if len(self.errors) < 10:
                first = batch[0].record.envelope
                self.errors.append(f"{first.stream} {first.shard_id} {first.sequence_number}: {outcome}: {detail}")

    def count(self, outcome: str, records: int) -> None:
        if records:
            with self._counting:
                self.outcomes[outcome] += records

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    @property
    def raised_in_a_row(self) -> int:
        return self._limits.raised_in_a_row


class _Lane:
    """One shard's batches, one after the other, and whether it is of any use to go on."""

    def __init__(self, replay: _Replay, stream: str) -> None:
        self.stream = stream
        self.broken = False
        self._replay = replay
        self._raised = 0

    def process(self, batch: Sequence[Held]) -> None:
        """A batch that makes the function raise is halved until the record is found that does, as mappings do."""
        pieces = [batch]  # A stack: the earliest records on top.
        while pieces:
            piece = pieces.pop()
            if self._replay.stopping:
                return
            if self.broken:
                self._replay.count(NOT_TRIED, len(piece))
                continue
            match self._replay.process(self.stream, piece):
                case Answered(verdicts):
                    self._raised = 0
                    self._replay.resolve_or_keep(piece, verdicts)
                case Raised() if len(piece) > 1:
                    half = len(piece) // 2
                    pieces += [piece[half:], piece[:half]]
                case Raised(detail):
                    self._replay.keep(piece, RAISED, detail)
                    self._raised += 1
                    self.broken = self._raised >= self._replay.raised_in_a_row
                case Refused(detail):
                    self._replay.keep(piece, REFUSED, detail)
                    self.broken = True


def _batches(records: Sequence[Chosen], limits: Limits) -> Iterator[list[Chosen]]:
    """In order, no larger than the limits; a single record may be."""
    batch: list[Chosen] = []
    size = 0
    for record in records:
        if batch and (len(batch) == limits.batch_records or size + record.size > limits.batch_bytes):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += record.size
    if batch:
        yield batch


def _judged(record: Quarantined, verdict: Verdict) -> Quarantined:
    """The record with the function's newest word on it."""
    return msgspec.structs.replace(
        record, reason=verdict.reason, field=verdict.field, value=verdict.value, rule=verdict.rule
    )
