"""One replay: select records, send them to their functions shard by shard, and store each outcome."""

from __future__ import annotations

import logging
import threading
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from typing import Any
from urllib.parse import quote_plus

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from include import names
from include.aws_clients import S3_WORKERS, ReprocessingClients
from include.batches import batched
from include.contracts.kinesis_event import KinesisEvent, kinesis_event
from include.contracts.quarantine import QUARANTINED, Quarantined, Verdict
from include.parallel import for_each
from include.replay import legacy_aggregates
from include.replay.outcomes import OutcomeStore, Verdicts
from include.replay.plan import ReplayLimits, ReplayPlan
from include.replay.quarantine_store import QuarantineObject, QuarantineStore
from include.replay.results import NOT_TRIED, RAISED, REFUSED, ReplayResults, ReplaySummary, summarize
from include.replay.selection import SelectedRecord, select
from include.stream_functions import (
    FUNCTIONS,
    FunctionError,
    InvocationFailedError,
    Processed,
    Raised,
    Refused,
    StreamFunctions,
    invoke,
)

logger = logging.getLogger("replay")

# Attempts on a batch that the function's stores refuse.
MAX_ATTEMPTS = 5


def replay(
    clients: ReprocessingClients,
    bucket: str,
    plan: ReplayPlan,
    *,
    by: str,
    dry_run: bool = True,
    limits: ReplayLimits | None = None,
    on_selected: Callable[[SelectedRecord], None] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ReplaySummary:
    """Replay the records of ``plan``, or only count them.

    Records of a shard are processed in order of their sequence numbers, batch by batch.  A record moves to
    quarantine-resolved/ when its function answers that it is durable in its sink.  Otherwise it stays, with the attempt
    in its history.  A run can be stopped at any moment and repeated any number of times, also beside another run.

    Args:
        by: who replays, for the histories.
        on_selected: called with each selected record before anything is sent.

    Raises:
        FunctionError: a function is missing, or is too old to report what it quarantined.
        ConflictError: an object kept changing.
        ClientError, BotoCoreError: S3 failed although boto3 repeated the request.
    """
    store = QuarantineStore(clients.s3, bucket)
    abandoned = store.abandoned_batches()
    not_taken_in = {} if dry_run else _take_in(clients.lambda_, abandoned)
    results = ReplayResults()
    with ThreadPoolExecutor(S3_WORKERS, thread_name_prefix="replay-s3") as pool:
        selection = select(store, plan, pool, unpack=not dry_run)
        if on_selected:
            for record in selection.records:
                on_selected(record)
        if not dry_run:
            functions = StreamFunctions(clients.lambda_, attempts=MAX_ATTEMPTS)
            outcomes = OutcomeStore(store, pool, results, by, clock)
            _Replay(functions, outcomes, plan, limits or ReplayLimits(), by).replay(selection.records)
    return summarize(selection, results, dry_run=dry_run, abandoned=len(abandoned), not_taken_in=not_taken_in)


def replay_event(records: Sequence[Quarantined], by: str) -> KinesisEvent:
    """The event of an event source mapping with these records, and who replays them."""
    event = kinesis_event((record.envelope, b64encode(record.payload).decode()) for record in records)
    for record, entry in zip(records, event["Records"], strict=True):
        if legacy_aggregates.is_whole(record):
            # Without it, the function takes the aggregate apart.
            del entry["kinesis"]["subSequenceNumber"]
    event["replay"] = {"by": by}
    return event


def _take_in(lambda_: Any, keys: Iterable[str]) -> dict[str, str]:
    """Have the intake function move abandoned batches into quarantine; return those that it did not, with the error.

    The bucket's notification invokes it within seconds, but a notification can be lost.
    """
    failed = {}
    for key in keys:
        # S3 encodes the keys in its events as a form does.
        event = {"Records": [{"s3": {"object": {"key": quote_plus(key, safe="/")}}}]}
        try:
            invoke(lambda_, names.INTAKE_FUNCTION, event)
        except InvocationFailedError as error:
            failed[key] = str(error)
        except (ClientError, BotoCoreError) as error:
            failed[key] = f"{type(error).__name__}: {error}"
    return failed


class _Replay:
    """The shards of one run, some at a time."""

    def __init__(
        self, functions: StreamFunctions, outcomes: OutcomeStore, plan: ReplayPlan, limits: ReplayLimits, by: str
    ) -> None:
        self.outcomes = outcomes
        self.plan = plan
        self.limits = limits
        self.stop = threading.Event()
        self._functions = functions
        self._by = by

    def replay(self, records: Iterable[SelectedRecord]) -> None:
        def shard(record: SelectedRecord) -> tuple[str, str]:
            return record.stream, record.shard_id

        ordered = sorted(
            records, key=lambda record: (*shard(record), int(record.sequence_number), record.sub_sequence_number)
        )
        shards = [list(records) for _, records in groupby(ordered, shard)]
        for_each(
            lambda records: _Shard(self).replay(records), shards, workers=self.limits.shards_at_once, stop=self.stop
        )

    def send(self, stream: str, batch: Sequence[QuarantineObject]) -> Processed | Raised | Refused:
        return self._functions.process(stream, replay_event([each.record for each in batch], self._by))


class _Shard:
    """The batches of one shard, one after the other, until sending more is pointless."""

    def __init__(self, run: _Replay) -> None:
        self._run = run
        self._outcomes = run.outcomes
        self._raised_in_a_row = 0
        self._is_given_up = False

    def replay(self, records: Sequence[SelectedRecord]) -> None:
        limits = self._run.limits
        batches = batched(
            records, lambda record: record.size, max_records=limits.batch_records, max_bytes=limits.batch_bytes
        )
        for batch in batches:
            if self._run.stop.is_set():
                return
            if self._is_given_up:
                self._outcomes.results.count(NOT_TRIED, len(batch))
            elif found := self._outcomes.read([record.key for record in batch], self._run.plan):
                self._send(batch[0].stream, found)
                logger.info("%s %s: %s", batch[0].stream, batch[0].shard_id, dict(self._outcomes.results.outcomes))

    def _send(self, stream: str, batch: Sequence[QuarantineObject]) -> None:
        """Halve a batch that makes the function raise until the record that does is alone, as mappings do."""
        pieces = [batch]  # A stack, the earliest records on top.
        while pieces:
            piece = pieces.pop()
            if self._run.stop.is_set():
                return
            if self._is_given_up:
                self._outcomes.results.count(NOT_TRIED, len(piece))
                continue
            match self._run.send(stream, piece):
                case Processed(response):
                    self._raised_in_a_row = 0
                    self._outcomes.resolve_or_keep(piece, _verdicts(stream, response))
                case Raised() if len(piece) > 1:
                    half = len(piece) // 2
                    pieces += [piece[half:], piece[:half]]
                case Raised(detail):
                    self._outcomes.keep(piece, RAISED, detail)
                    self._raised_in_a_row += 1
                    self._is_given_up = self._raised_in_a_row >= self._run.limits.raised_in_a_row
                case Refused(detail):
                    self._outcomes.keep(piece, REFUSED, detail)
                    self._is_given_up = True


def _verdicts(stream: str, response: dict[str, Any]) -> Verdicts:
    """The records that the function found invalid again."""
    try:
        verdicts = msgspec.convert(response[QUARANTINED], list[Verdict])
    except (LookupError, msgspec.ValidationError) as error:
        raise FunctionError(
            f"{FUNCTIONS[stream]} does not report what it quarantined, so no record can be resolved: "
            "publish the present bundles with provision_resources"
        ) from error
    return {(verdict.shard_id, verdict.number): verdict for verdict in verdicts}
