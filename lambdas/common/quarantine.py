"""Writing to quarantine: each invalid record with its reason, its envelope and its raw bytes, one object per batch."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from include.contracts.quarantine import Quarantined, batch_objects
from lambdas.common.aws import in_parallel
from lambdas.common.batch import Rejected
from lambdas.common.deadline import Deadline
from lambdas.common.object_store import Bucket


class QuarantineWriter:
    """Writes the quarantine objects of one function.

    It never overwrites an object, which may hold a history that replays have added (docs/adr/0059).
    """

    def __init__(self, bucket: Bucket, prefix: str, function: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._function = function

    def write(self, rejected: Iterable[Rejected], deadline: Deadline, *, one_each: bool = False) -> None:
        """Write the rejected records.  All are durable when this returns.

        Args:
            one_each: give each record an object of its own, which is where a record is that was quarantined before.

        Raises:
            StoreError: at least one object is not confirmed.
        """
        self.keep([quarantined(each, self._function) for each in rejected], deadline, one_each=one_each)

    def keep(self, records: Iterable[Quarantined], deadline: Deadline, *, one_each: bool = False) -> None:
        """As ``write``, for records that already have their reason."""
        objects = (
            chain.from_iterable(batch_objects(self._prefix, [record]) for record in records)
            if one_each
            else batch_objects(self._prefix, records)
        )
        in_parallel(lambda each: self._bucket.put_new(*each, "application/json"), objects, deadline)


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
