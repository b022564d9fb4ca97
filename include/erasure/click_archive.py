"""The click archive: which of its objects an erasure reads.

It is large, and has a reading only where a producer sent one to the wrong stream: a stray.  The click stream rejects
each stray, so its quarantine says in which hours they arrived.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from include import names
from include.archive.archive_objects import LONGEST_DELIVERY
from include.contracts.envelope import Envelope
from include.contracts.times import parse
from include.erasure.versions import ObjectVersion, VersionedBucket
from include.s3_objects import UnreadableObjectError

PREFIX = f"{names.ARCHIVE_PREFIX}{names.CLICK_STREAM}/"
HOUR = timedelta(hours=1)


class ClickArchive:
    """The objects to read in one run: those of the hours noted so far, and all if ``is_whole``.  Thread-safe."""

    def __init__(self, *, is_whole: bool) -> None:
        self._is_whole = is_whole
        # Hour of arrival -> the first hour under which the archive can have its records.
        self._noted: dict[datetime, datetime] = {}
        self._read: set[datetime] = set()

    def note(self, stray: Envelope) -> None:
        """Note the hour in which a stray arrived.

        Raises:
            UnreadableObjectError: no record arrived then; a person has changed it.
        """
        try:
            hour = parse(stray.arrival_time).replace(minute=0, second=0, microsecond=0)
            self._noted[hour] = hour - LONGEST_DELIVERY
        except (ValueError, OverflowError) as error:
            raise UnreadableObjectError(f"arrival: {error}") from error

    def versions(self, bucket: VersionedBucket, since: datetime | None) -> Iterator[ObjectVersion]:
        """Every version, once, that can have a record of the noted hours; all stored ``since`` if ``is_whole``.

        For an hour that an earlier pass has read, ``since`` counts, too.  For others it does not: the archive may have
        had a stray long before the quarantine.
        """
        noted = self._noted.copy()
        if self._is_whole and since is None:
            yield from bucket.versions(PREFIX, None)
        else:
            listings = [bucket.versions(PREFIX, since)] if self._is_whole else []
            listings += [bucket.versions(prefix, time) for prefix, time in self._stored_since(noted, since).items()]
            yield from dict.fromkeys(chain.from_iterable(listings))
        self._read = set(noted)

    def _stored_since(self, noted: dict[datetime, datetime], since: datetime | None) -> dict[str, datetime]:
        """Where records of the noted hours can be: prefix -> when they were stored at the earliest.

        An object is under the hour of its oldest record, and has nothing that arrived after it was stored.
        """
        earliest: dict[str, datetime] = {}
        for hour, first in noted.items():
            time = max(hour, since) if since and hour in self._read else hour
            for hours_later in range(LONGEST_DELIVERY // HOUR + 1):
                prefix = f"{PREFIX}{first + hours_later * HOUR:%Y/%m/%d/%H}/"
                earliest[prefix] = min(time, earliest.get(prefix, time))
        return earliest
