"""One erasure: pass after pass through the stores, in the order of the flow, until a pass finds nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, NamedTuple

from include import names
from include.aws_clients import S3_WORKERS, StoreClients
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from include.contracts.times import to_canonical
from include.erasure import formats
from include.erasure.attribution import attribution, stray_attribution
from include.erasure.click_archive import ClickArchive
from include.erasure.formats import Format
from include.erasure.summary import ErasedRecords, ErasureSummary
from include.erasure.versions import ObjectVersion, VersionContent, VersionedBucket
from include.parallel import for_each
from include.s3_objects import UnreadableObjectError

# The first pass finds what is there; more are needed only for what is written meanwhile.
MAX_PASSES = 5
# Versions read before the next ones are listed.
PAGE = 500
UNREADABLE_KEPT = 100


class ErasedStore(NamedTuple):
    """A prefix of a bucket with records of trucks, and the format of its objects.

    ``names_strays``: what it holds of the truck says which objects of the click archive have to be read.  ``versions``
    lists what has to be read; None: all below the prefix.
    """

    bucket: str
    prefix: str
    format: Format
    names_strays: bool = False
    versions: Callable[[VersionedBucket, datetime | None], Iterator[ObjectVersion]] | None = None


def erase(
    clients: StoreClients,
    bucket: str,
    truck_id: str,
    *,
    dry_run: bool = True,
    since: datetime | None = None,
    whole_click_archive: bool = False,
    report: Callable[[str], None] = lambda text: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ErasureSummary:
    """Erase the truck from the buckets and from TruckLatestState, or only count its records.

    A run can be stopped at any moment and repeated any number of times: it keeps what it has done, and the next run
    reads everything.

    Args:
        since: read only what was stored since then (aware): the start of an earlier clean run.  That includes all of
            the click archive: what names its strays may be erased, while Firehose stored them later.
        whole_click_archive: read all of the click archive, not only the hours in which the click stream rejected the
            truck's readings.
        report: called with one line per store and pass.

    Raises:
        ValueError: no truck can have this id.
        ConflictError: an object kept changing.
        ClientError, BotoCoreError: a store failed although boto3 repeated the request.
    """
    check_truck_id(truck_id)
    stores = _stores(bucket, truck_id, ClickArchive(is_whole=whole_click_archive or since is not None))
    summary = ErasureSummary(
        truck_id=truck_id,
        dry_run=dry_run,
        started_at=to_canonical(clock()),
        stores={store.prefix: ErasedRecords() for store in stores},
    )
    for number in range(1, 2 if dry_run else MAX_PASSES + 1):
        began = clock()
        found_before = summary.found
        passes = [_StorePass(clients.s3, store, summary, is_first=number == 1) for store in stores]
        _one_pass(passes, since, report)
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


def _one_pass(passes: list[_StorePass], since: datetime | None, report: Callable[[str], None]) -> None:
    """Read first what names strays, and erase it only when the click archive has none of them any more.

    So a run that is killed, or meets an archive object that a person has to repair, finds them again.
    """
    for each in passes:
        if each.store.names_strays:
            each.find(since)
    is_archive_readable = True
    for each in passes:
        if is_archive_readable or not each.store.names_strays:
            each.erase(since)
        if each.store.versions:
            is_archive_readable = not each.has_unreadable
        report(str(each))


def _stores(bucket: str, truck_id: str, click_archive: ClickArchive) -> list[ErasedStore]:
    """In the order in which records move from one to the next, so that none returns to a store that is done.

    But the click archive is before those that name its strays.
    """
    belongs, is_stray, note = attribution(truck_id), stray_attribution(truck_id), click_archive.note
    trucks, clicks = f"{names.TRUCK_STREAM}/", f"{names.CLICK_STREAM}/"
    batches = formats.abandoned_batches(belongs, is_stray, note)
    strays = formats.quarantine(is_stray, note)
    return [
        ErasedStore(bucket, names.ARCHIVE_PREFIX + clicks, formats.archive(is_stray), versions=click_archive.versions),
        ErasedStore(names.abandoned_bucket(bucket), names.ON_FAILURE_PREFIX, batches, names_strays=True),
        ErasedStore(bucket, names.QUARANTINE_PREFIX + clicks, strays, names_strays=True),
        ErasedStore(bucket, names.RESOLVED_PREFIX + clicks, strays, names_strays=True),
        ErasedStore(bucket, names.ARCHIVE_ERROR_PREFIX + clicks, formats.archive_errors(is_stray)),
        ErasedStore(bucket, names.QUARANTINE_PREFIX + trucks, formats.quarantine(belongs)),
        ErasedStore(bucket, names.RESOLVED_PREFIX + trucks, formats.quarantine(belongs)),
        ErasedStore(bucket, names.ARCHIVE_PREFIX + trucks, formats.archive(belongs)),
        ErasedStore(bucket, names.ARCHIVE_ERROR_PREFIX + trucks, formats.archive_errors(belongs)),
        ErasedStore(bucket, names.LANDING_PREFIX, formats.landing(truck_id)),
    ]


class _StorePass:
    """One pass through one store, several objects at a time."""

    def __init__(self, s3: Any, store: ErasedStore, summary: ErasureSummary, *, is_first: bool) -> None:
        self.store = store
        self._bucket = VersionedBucket(s3, store.bucket)
        self._erased = summary.stores[store.prefix]
        self._truck_id = summary.truck_id
        self._dry_run = summary.dry_run
        self._is_first = is_first
        # What find() found.
        self._found: list[ObjectVersion] | None = None
        self._counting = threading.Lock()

    def __str__(self) -> str:
        erased = self._erased
        found = f"{erased.records:,} records and {erased.outdated:,} old versions of {self._truck_id}"
        return f"{self.store.prefix}: {erased.read:,} versions read, {found}"

    @property
    def has_unreadable(self) -> bool:
        return bool(self._erased.unreadable)

    def find(self, since: datetime | None) -> None:
        """Read and count, and change nothing: erase() then erases exactly what this found."""
        self._found = []
        self._for_each(self._find_in, self._versions(since))

    def erase(self, since: datetime | None) -> None:
        if self._found is None:
            self._for_each(self._erase_in, self._versions(since))
        elif not self._dry_run:
            self._for_each(self._erase_found, iter(self._found))

    def _versions(self, since: datetime | None) -> Iterator[ObjectVersion]:
        if self.store.versions:
            return self.store.versions(self._bucket, since)
        return self._bucket.versions(self.store.prefix, since)

    def _for_each(self, work: Callable[[ObjectVersion], None], versions: Iterator[ObjectVersion]) -> None:
        while page := list(islice(versions, PAGE)):
            for_each(work, page, workers=S3_WORKERS)

    def _find_in(self, version: ObjectVersion) -> None:
        with self._bucket.read(version) as content:
            if self._count(version, content) and self._found is not None:
                self._found.append(version)

    def _erase_in(self, version: ObjectVersion) -> None:
        with self._bucket.read(version) as content:
            if self._count(version, content) and content and not self._dry_run:
                self._take_out(version, content)

    def _erase_found(self, version: ObjectVersion) -> None:
        with self._bucket.read(version) as content:
            if content:
                self._take_out(version, content)

    def _count(self, version: ObjectVersion, content: VersionContent | None) -> bool:
        """Count what the version holds; return whether it has records of the truck."""
        if content is None:
            return False
        try:
            counts = self.store.format(content.body, None)
        except UnreadableObjectError:
            self._count_unreadable(version)
            return False
        with self._counting:
            erased = self._erased
            erased.read += 1
            if version.is_current:
                erased.records += counts.truck
                # A later pass reads again what an earlier one kept.
                erased.unattributable += counts.unattributable if self._is_first else 0
            else:
                erased.outdated += bool(counts.truck)
        return bool(counts.truck)

    def _take_out(self, version: ObjectVersion, content: VersionContent) -> None:
        ending = self._bucket.take_out(version, content, self.store.format)
        with self._counting:
            self._erased.rewritten += ending == "rewritten"
            self._erased.deleted += ending == "deleted"

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
