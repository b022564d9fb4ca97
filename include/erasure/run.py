"""One erasure: store after store along the flow, and again, until a look finds nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import NamedTuple

import msgspec

from include import names
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from include.contracts.times import to_canonical
from include.erasure import formats
from include.erasure.attribution import attribution
from include.erasure.clients import S3_WORKERS, Clients
from include.erasure.formats import Format, UnreadableObjectError
from include.erasure.versions import Version, VersionedBucket

# The first look finds what is there; more are needed only for what was written meanwhile.
MAX_LOOKS = 5
PAGE = 500
UNREADABLE_KEPT = 100


class Store(NamedTuple):
    """Where objects with a truck's records are, and what they look like."""

    prefix: str
    format: Format


class Erased(msgspec.Struct, kw_only=True):
    """What was found of the truck in one store, and what became of it (nothing, in a dry run)."""

    # Versions of objects that were read, current or not.
    read: int = 0
    # The truck's records in current versions, and the noncurrent versions that hold any of it.
    records: int = 0
    outdated: int = 0
    # Current objects that were stored anew without it, or deleted because nothing else was in them.
    rewritten: int = 0
    deleted: int = 0
    # Records in current versions of which nobody can tell whose they are: they stay.
    unattributable: int = 0
    # Keys of objects that can't be read: they stay, and somebody must look at them.  The first hundred.
    unreadable: list[str] = msgspec.field(default_factory=list)

    @property
    def found(self) -> int:
        return self.records + self.outdated


class Summary(msgspec.Struct, kw_only=True):
    """What one run has found and done."""

    truck_id: str
    dry_run: bool
    # Canonical UTC text: what a later run must look at was stored after this.
    started_at: str
    # By prefix, in the order of the flow.
    stores: dict[str, Erased]
    # Whether TruckLatestState had the truck.
    state: bool = False
    looks: int = 0
    # The last look found nothing.  Never after a dry run that found something.
    is_clean: bool = False

    @property
    def found(self) -> int:
        return sum(store.found for store in self.stores.values()) + self.state

    @property
    def unreadable(self) -> list[str]:
        return [key for store in self.stores.values() for key in store.unreadable]

    @property
    def failed(self) -> bool:
        """Whether somebody must act before the truck can be called erased."""
        return bool(self.unreadable) or not (self.dry_run or self.is_clean)


def run(
    clients: Clients,
    bucket: str,
    truck_id: str,
    *,
    dry_run: bool = True,
    since: datetime | None = None,
    tell: Callable[[str], None] = lambda text: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Summary:
    """Erases the truck from the bucket and from TruckLatestState, or only says what there is of it.

    Can be stopped at any moment and run any number of times: what it has come to is done, and a run looks at all.

    Args:
        since: look only at what was stored since then (aware): the start of an earlier run that was clean.
        tell: is called with a line for each store and look.

    Raises:
        ValueError: as check_truck_id.
        ConflictError: an object kept changing.
        ClientError, BotoCoreError: a store failed although boto3 repeated what could be repeated.
    """
    check_truck_id(truck_id)
    versioned = VersionedBucket(clients.s3, bucket)
    stores = _stores(truck_id)
    summary = Summary(
        truck_id=truck_id,
        dry_run=dry_run,
        started_at=to_canonical(clock()),
        stores={store.prefix: Erased() for store in stores},
    )
    for look in range(1, 2 if dry_run else MAX_LOOKS + 1):
        began = clock()
        before = summary.found
        for store in stores:
            erased = summary.stores[store.prefix]
            _Look(versioned, store, erased, dry_run, look == 1).all(since)
            tell(f"{store.prefix}: {erased.read:,} read, {erased.found:,} of {truck_id}")
        had_state = _state(clients, truck_id, dry_run)
        summary.state |= had_state
        summary.looks = look
        if summary.found == before and not had_state:
            summary.is_clean = True
            break
        since = began
    return summary


def check_truck_id(truck_id: str) -> str:
    """The same.

    Raises:
        ValueError: no truck can be called that.
    """
    if not 1 <= len(truck_id) <= MAX_TRUCK_ID_LENGTH:
        raise ValueError(f"{truck_id!r} is no truck's id: that has 1 to {MAX_TRUCK_ID_LENGTH} characters")
    return truck_id


def _stores(truck_id: str) -> list[Store]:
    """In the order in which records move from one to the next, so that nothing comes back into one that is done."""
    belongs = attribution(truck_id)
    stream = f"{names.TRUCK_STREAM}/"
    return [
        Store(names.ON_FAILURE_PREFIX, formats.abandoned_batches(belongs)),
        Store(names.QUARANTINE_PREFIX + stream, formats.quarantine(belongs)),
        Store(names.RESOLVED_PREFIX + stream, formats.quarantine(belongs)),
        Store(names.ARCHIVE_PREFIX + stream, formats.archive(belongs)),
        Store(names.ARCHIVE_ERROR_PREFIX + stream, formats.archive_errors(belongs)),
        Store(names.LANDING_PREFIX, formats.landing(truck_id)),
    ]


class _Look:
    """One look at one store, some objects at once."""

    def __init__(self, bucket: VersionedBucket, store: Store, erased: Erased, dry_run: bool, is_first: bool) -> None:
        self._bucket = bucket
        self._store = store
        self._erased = erased
        self._dry_run = dry_run
        self._is_first = is_first
        self._counting = threading.Lock()

    def all(self, since: datetime | None) -> None:
        versions = self._bucket.versions(self._store.prefix, since)
        with ThreadPoolExecutor(S3_WORKERS, thread_name_prefix="erasure-s3") as pool:
            for page in iter(partial(_page, versions), []):
                futures = [pool.submit(self._version, version) for version in page]
                try:
                    for future in futures:
                        future.result()
                finally:
                    # An error, or Ctrl-C: what is in flight ends, nothing more is begun.
                    for future in futures:
                        future.cancel()

    def _version(self, version: Version) -> None:
        with self._bucket.read(version) as read:
            if read is None:
                return
            try:
                counts = self._store.format(read.body, None)
            except UnreadableObjectError:
                self._unreadable(version)
                return
            ending = None
            if counts.truck and not self._dry_run:
                ending = self._bucket.take_out(version, read, self._store.format)
        with self._counting:
            erased = self._erased
            erased.read += 1
            if version.is_current:
                erased.records += counts.truck
                # A later look sees again what an earlier one kept.
                erased.unattributable += counts.unattributable if self._is_first else 0
            else:
                erased.outdated += bool(counts.truck)
            erased.rewritten += ending == "rewritten"
            erased.deleted += ending == "deleted"

    def _unreadable(self, version: Version) -> None:
        with self._counting:
            self._erased.read += 1
            known = self._erased.unreadable
            if version.key not in known and len(known) < UNREADABLE_KEPT:
                known.append(version.key)


def _page(versions: Iterator[Version]) -> list[Version]:
    return list(islice(versions, PAGE))


def _state(clients: Clients, truck_id: str, dry_run: bool) -> bool:
    """Whether TruckLatestState had the truck, which it has no more unless this is a dry run."""
    row = {"TableName": names.TRUCK_STATE_TABLE, "Key": {"Truck_ID": {"S": truck_id}}}
    if dry_run:
        return "Item" in clients.dynamodb.get_item(**row, ConsistentRead=True, ProjectionExpression="Truck_ID")
    return "Attributes" in clients.dynamodb.delete_item(**row, ReturnValues="ALL_OLD")
