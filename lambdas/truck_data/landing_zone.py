"""The landing zone in S3: one object per batch, for Snowpipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from include.contracts import Envelope
from lambdas.common.object_store import Bucket
from lambdas.truck_data.logic import AcceptedReading, landing_key, landing_object


class LandingZone:
    """Writes landing objects.  Create it once per container: it remembers readings that will be delivered again."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._landed: frozenset[Envelope] = frozenset()

    def land(self, accepted: Sequence[AcceptedReading], body: bytes) -> str | None:
        """Land the readings, of which ``body`` is the landing object.  They are durable when this returns.

        Returns:
            the key of the object; None if all of them had landed before.

        Raises:
            StoreError: S3 did not confirm the object.
        """
        landed, self._landed = self._landed, frozenset()
        missing = [each for each in accepted if each.envelope not in landed] if landed else accepted
        if not missing:
            return None
        rest = body if len(missing) == len(accepted) else landing_object(missing)
        key = landing_key(self._prefix, missing)
        self._bucket.put(key, rest, "application/gzip")
        return key

    def remember(self, accepted: Iterable[AcceptedReading]) -> None:
        """These readings have landed, and some of them are delivered again: do not land them twice.

        Another container does, under another name; the history then skips them.
        """
        self._landed = frozenset(each.envelope for each in accepted)
