"""What is invalid is kept whole: one object a record, with the reason, the envelope and the raw bytes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence

import msgspec

from include.contracts import Envelope
from lambdas.common.aws import in_parallel
from lambdas.common.batch import Rejected
from lambdas.common.deadline import Deadline
from lambdas.common.object_store import Bucket


def object_key(prefix: str, envelope: Envelope) -> str:
    """``<prefix><stream>/<yyyy>/<mm>/<dd>/<HH>/<shard>-<sequence number>.json``, the hour being that of arrival."""
    day, hour = envelope.arrival_time[:10].replace("-", "/"), envelope.arrival_time[11:13]
    return f"{prefix}{envelope.stream}/{day}/{hour}/{envelope.shard_id}-{envelope.sequence_number}.json"


def document(rejected: Rejected, function: str) -> bytes:
    """The object of one rejected record; the same record rejected again gives the same bytes."""
    error, envelope = rejected.error, rejected.record.envelope
    return msgspec.json.encode(
        {
            "reason": error.reason,
            "field": error.field,
            "value": error.value,
            "rule": error.rule,
            "envelope": {
                "stream": envelope.stream,
                "shard_id": envelope.shard_id,
                "sequence_number": envelope.sequence_number,
                "arrival_time": envelope.arrival_time,
                "partition_key": envelope.partition_key,
            },
            "payload_base64": b64encode(rejected.record.payload).decode(),
            "function": function,
        }
    )


class Quarantine:
    """The quarantine of one function."""

    def __init__(self, bucket: Bucket, prefix: str, function: str) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._function = function

    def write(self, rejected: Sequence[Rejected], deadline: Deadline) -> None:
        """Durable when it returns.

        Raises:
            StoreError: at least one object is not confirmed.
        """
        in_parallel(self._put, rejected, deadline)

    def _put(self, rejected: Rejected) -> None:
        key = object_key(self._prefix, rejected.record.envelope)
        self._bucket.put(key, document(rejected, self._function), "application/json")
