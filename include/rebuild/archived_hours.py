"""The archive by hour of arrival.  Each object is read once; what it has of later hours waits for them on disk.

An object is under the hour of its oldest record: when all objects up to an hour's are read, the hour is complete.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from include import archive
from include.archive import ArchiveObject
from include.archive.archive_objects import CLOCK_DIFFERENCE, LONGEST_DELIVERY, hour_of
from include.contracts import probe
from include.contracts.archive import ArchivedRecord
from include.contracts.times import to_canonical
from include.rebuild.sorted_records import SortedRecords

HOUR = timedelta(hours=1)
# Records in memory: Firehose's objects have up to 64 MB, which are several times as much as Python's objects.
RECORDS_AT_ONCE = 20_000


def holding(objects: Sequence[ArchiveObject], start: datetime, end: datetime) -> Sequence[ArchiveObject]:
    """Those of ``objects``, which are sorted by key, that can have records of ``start`` <= arrival < ``end``.

    Records arrived between the hour in their object's key and its storing.  Firehose stores nothing later than
    LONGEST_DELIVERY: an object with a later date was rewritten by an erasure.
    """
    stored = start - CLOCK_DIFFERENCE
    oldest = stored - LONGEST_DELIVERY - HOUR
    first, behind = (bisect_left(objects, hour, key=lambda each: hour_of(each.key)) for hour in (oldest, end))
    return [each for each in objects[first:behind] if each.modified >= stored]


class ArchivedHour(NamedTuple):
    """What the archive has of one hour: its records, and how many lines were "archived", "duplicates", "probes"."""

    records: SortedRecords
    counts: Counter[str]


class ArchivedHours:
    """The hours of one stream's archive."""

    def __init__(self, s3: Any, bucket: str, directory: Path, until: datetime | None) -> None:
        """Args:
        directory: an empty one, for an hour's records and those of later hours that were read with them.
        until: records that arrived then or later are left out (aware).
        """
        self._s3 = s3
        self._bucket = bucket
        self._directory = directory
        self._until = to_canonical(until) if until else None
        # By "<date>T<hour>".
        self._hours: dict[str, ArchivedHour] = {}
        self._last_key = ""

    def take(self, start: datetime, objects: Sequence[ArchiveObject]) -> ArchivedHour | None:
        """What arrived in the hour of ``start``, from ``start`` on; None if nothing did.  The hours before are dropped.

        Call it in order of time.

        Args:
            objects: see ``holding``.  Those that were read for an earlier hour are not read again.
        """
        first = to_canonical(start)
        hour = first[:13]
        for earlier in [each for each in self._hours if each < hour]:
            self._hours.pop(earlier).records.delete()
        for each in objects:
            if each.key > self._last_key:
                self._read(each, first)
                self._last_key = each.key
        return self._hours.get(hour)

    def _read(self, each: ArchiveObject, first: str) -> None:
        records = self._arrived(each, first)
        while part := list(islice(records, RECORDS_AT_ONCE)):
            by_hour: dict[str, list[ArchivedRecord]] = {}
            for record in part:
                by_hour.setdefault(record.arrival_time[:13], []).append(record)
            for hour, found in by_hour.items():
                self._add(hour, found)

    def _arrived(self, each: ArchiveObject, first: str) -> Iterator[ArchivedRecord]:
        for record in archive.read(self._s3, self._bucket, each.key):
            if first <= record.arrival_time and (self._until is None or record.arrival_time < self._until):
                yield record

    def _add(self, hour: str, found: Sequence[ArchivedRecord]) -> None:
        if hour not in self._hours:
            self._hours[hour] = ArchivedHour(SortedRecords(self._directory / f"{hour}.sqlite"), Counter())
        records, counts = self._hours[hour]
        # Probes were resolved long ago; their function would quarantine them again.
        data = [each for each in found if not probe.is_sent_as_probe(each.partition_key, each.payload)]
        archived, new = records.add(data)
        counts.update(archived=archived, duplicates=archived - new, probes=len(found) - len(data))
