"""Writing to quarantine: one object per invalid record, with the reason, the envelope and the raw bytes."""

from __future__ import annotations

from collections.abc import Iterable

from include.contracts.quarantine import Quarantined, encode, object_key
from lambdas.common.aws import in_parallel
from lambdas.common.batch import Rejected
from lambdas.common.deadline import Deadline
from lambdas.common.object_store import Bucket


class QuarantineWriter:
    """Writes the quarantine objects of one function.

    It never overwrites an object, which may hold a history that replays have added (docs/adr/0009).
    """

    def __init__(self, bucket: Bucket, prefix: str, function: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._function = function

    def write(self, rejected: Iterable[Rejected], deadline: Deadline) -> None:
        """Write the rejected records.  All are durable when this returns.

        Raises:
            StoreError: at least one object is not confirmed.
        """
        self.keep([quarantined(each, self._function) for each in rejected], deadline)

    def keep(self, records: Iterable[Quarantined], deadline: Deadline) -> None:
        """As ``write``, for records that already have their reason."""
        in_parallel(self._put, records, deadline)

    def _put(self, record: Quarantined) -> None:
        self._bucket.put_new(object_key(self._prefix, record.envelope), encode(record), "application/json")


def quarantined(rejected: Rejected, function: str) -> Quarantined:
    """The quarantine object of a rejected record.  The same record, rejected again, has the same bytes."""
    error = rejected.error
    return Quarantined(
        reason=error.reason,
        field=error.field,
        value=error.value,
        rule=error.rule,
        envelope=rejected.record.envelope,
        payload=rejected.record.payload,
        function=function,
    )
