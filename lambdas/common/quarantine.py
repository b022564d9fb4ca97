"""What is invalid is kept whole: one object a record, with the reason, the envelope and the raw bytes."""

from __future__ import annotations

from collections.abc import Iterable

from include.contracts.quarantine import Quarantined, encode, object_key
from lambdas.common.aws import in_parallel
from lambdas.common.batch import Rejected
from lambdas.common.deadline import Deadline
from lambdas.common.object_store import Bucket


class QuarantineWriter:
    """The quarantine of one function.

    The first object of a record stands: written again it stays as it is, with what replay has added to its history
    (docs/adr/0009).
    """

    def __init__(self, bucket: Bucket, prefix: str, function: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._function = function

    def write(self, rejected: Iterable[Rejected], deadline: Deadline) -> None:
        """Durable when it returns.

        Raises:
            StoreError: at least one object is not confirmed.
        """
        self.keep([quarantined(each, self._function) for each in rejected], deadline)

    def keep(self, records: Iterable[Quarantined], deadline: Deadline) -> None:
        """As ``write``, of records whose reason is known."""
        in_parallel(self._put, records, deadline)

    def _put(self, record: Quarantined) -> None:
        self._bucket.put_new(object_key(self._prefix, record.envelope), encode(record), "application/json")


def quarantined(rejected: Rejected, function: str) -> Quarantined:
    """The quarantine object of one rejected record; the same record rejected again gives the same bytes."""
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
