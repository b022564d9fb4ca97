"""One erasure: pass after pass through the stores, in the order of the flow, until a pass finds nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from include import names
from include.aws_clients import S3_WORKERS, StoreClients
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from include.contracts.times import to_canonical
from include.erasure import formats
from include.erasure.attribution import attribution
from include.erasure.formats import Format
from include.erasure.summary import ErasedRecords, ErasureSummary
from include.erasure.versions import ObjectVersion, VersionedBucket
from include.parallel import for_each
from include.s3_objects import UnreadableObjectError

# The first pass finds what is there; more are needed only for what is written meanwhile.
MAX_PASSES = 5
# Versions read before the next ones are listed.
PAGE = 500
UNREADABLE_KEPT = 100


class ErasedStore(NamedTuple):
    """A prefix of a bucket with records of trucks, and the format of its objects."""

    bucket: str
    prefix: str
    format: Format


def erase(
    clients: StoreClients,
    bucket: str,
    truck_id: str,
    *,
    dry_run: bool = True,
    since: datetime | None = None,
    report: Callable[[str], None] = lambda text: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ErasureSummary:
    """Erase the truck from the buckets and from TruckLatestState, or only count its records.

    A run can be stopped at any moment and repeated any number of times: it keeps what it has done, and the next run
    reads everything.

    Args:
        since: read only what was stored since then (aware): the start of an earlier clean run.
        report: called with one line per store and pass.

    Raises:
        ValueError: no truck can have this id.
        ConflictError: an object kept changing.
        ClientError, BotoCoreError: a store failed although boto3 repeated the request.
    """
    check_truck_id(truck_id)
    stores = _stores(bucket, truck_id)
    summary = ErasureSummary(
        truck_id=truck_id,
        dry_run=dry_run,
        started_at=to_canonical(clock()),
        stores={store.prefix: ErasedRecords() for store in stores},
    )
    for number in range(1, 2 if dry_run else MAX_PASSES + 1):
        began = clock()
        found_before = summary.found
        for store in stores:
            erased = summary.stores[store.prefix]
            versioned = VersionedBucket(clients.s3, store.bucket)
            _StorePass(versioned, store, erased, dry_run=dry_run, is_first=number == 1).erase(since)
            found = f"{erased.records:,} records and {erased.outdated:,} old versions of {truck_id}"
            report(f"{store.prefix}: {erased.read:,} versions read, {found}")
        had_state = _erase_state(clients, truck_id, dry_run)
        summary.state |= had_state
        summary.passes = number
        if summary.found == found_before and not had_state:
            summary.is_clean = True
            break
        since = began
    return summary


def check_truck_id(truck_id: str) -> str:
    """Return ``truck_id``.

    Raises:
        ValueError: no truck can have this id.
    """
    if not 1 <= len(truck_id) <= MAX_TRUCK_ID_LENGTH:
        raise ValueError(f"{truck_id!r} is no truck's id: an id has 1 to {MAX_TRUCK_ID_LENGTH} characters")
    return truck_id


def _stores(bucket: str, truck_id: str) -> list[ErasedStore]:
    """In the order in which records move from one to the next, so that none returns to a store that is done."""
    belongs = attribution(truck_id)
    stream = f"{names.TRUCK_STREAM}/"
    return [
        ErasedStore(names.abandoned_bucket(bucket), names.ON_FAILURE_PREFIX, formats.abandoned_batches(belongs)),
        ErasedStore(bucket, names.QUARANTINE_PREFIX + stream, formats.quarantine(belongs)),
        ErasedStore(bucket, names.RESOLVED_PREFIX + stream, formats.quarantine(belongs)),
        ErasedStore(bucket, names.ARCHIVE_PREFIX + stream, formats.archive(belongs)),
        ErasedStore(bucket, names.ARCHIVE_ERROR_PREFIX + stream, formats.archive_errors(belongs)),
        ErasedStore(bucket, names.LANDING_PREFIX, formats.landing(truck_id)),
    ]


class _StorePass:
    """One pass through one store, several objects at a time."""

    def __init__(
        self, bucket: VersionedBucket, store: ErasedStore, erased: ErasedRecords, *, dry_run: bool, is_first: bool
    ) -> None:
        self._bucket = bucket
        self._store = store
        self._erased = erased
        self._dry_run = dry_run
        self._is_first = is_first
        self._counting = threading.Lock()

    def erase(self, since: datetime | None) -> None:
        versions = self._bucket.versions(self._store.prefix, since)
        while page := list(islice(versions, PAGE)):
            for_each(self._erase_version, page, workers=S3_WORKERS)

    def _erase_version(self, version: ObjectVersion) -> None:
        with self._bucket.read(version) as content:
            if content is None:
                return
            try:
                counts = self._store.format(content.body, None)
            except UnreadableObjectError:
                self._count_unreadable(version)
                return
            ending = None
            if counts.truck and not self._dry_run:
                ending = self._bucket.take_out(version, content, self._store.format)
        with self._counting:
            erased = self._erased
            erased.read += 1
            if version.is_current:
                erased.records += counts.truck
                # A later pass reads again what an earlier one kept.
                erased.unattributable += counts.unattributable if self._is_first else 0
            else:
                erased.outdated += bool(counts.truck)
            erased.rewritten += ending == "rewritten"
            erased.deleted += ending == "deleted"

    def _count_unreadable(self, version: ObjectVersion) -> None:
        with self._counting:
            self._erased.read += 1
            known = self._erased.unreadable
            if version.key not in known and len(known) < UNREADABLE_KEPT:
                known.append(version.key)


def _erase_state(clients: StoreClients, truck_id: str, dry_run: bool) -> bool:
    """Delete the truck's row of TruckLatestState unless this is a dry run; return whether there was one."""
    row = {"TableName": names.TRUCK_STATE_TABLE, "Key": {"Truck_ID": {"S": truck_id}}}
    if dry_run:
        return "Item" in clients.dynamodb.get_item(**row, ConsistentRead=True, ProjectionExpression="Truck_ID")
    return "Attributes" in clients.dynamodb.delete_item(**row, ReturnValues="ALL_OLD")
