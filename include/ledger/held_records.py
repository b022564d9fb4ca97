"""Records in quarantine/ and quarantine-resolved/, as the ledger reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from include import names
from include.contracts.envelope import Envelope, read_number
from include.contracts.quarantine import decode, decode_all, hour_prefix, is_batch
from include.contracts.times import to_canonical
from include.ledger.hour_database import QUARANTINE, RESOLVED
from include.s3_objects import list_objects, read_if_there

PREFIXES = ((QUARANTINE, names.QUARANTINE_PREFIX), (RESOLVED, names.RESOLVED_PREFIX))


def held_rows(s3: Any, bucket: str, stream: str, hour: datetime) -> Iterator[tuple[str, str, int, str, str]]:
    """Rows of the table ``held``.  The name of a record's object has its envelope; only those of batches are read."""
    for place, prefix in PREFIXES:
        hour_keys = hour_prefix(prefix, stream, to_canonical(hour))
        for entry in list_objects(s3, bucket, hour_keys):
            key = entry["Key"]
            if is_batch(key):
                yield from ((*each, place, key) for each in _batch(s3, bucket, key))
            else:
                shard_id, _, number = key.removeprefix(hour_keys).removesuffix(".json").rpartition("-")
                yield shard_id, *read_number(number), place, key


def reason_of(s3: Any, bucket: str, key: str) -> str:
    """Why the record of an object in quarantine-resolved/, which has one, was quarantined."""
    return decode(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).reason


def _batch(s3: Any, bucket: str, key: str) -> Iterator[tuple[str, str, int]]:
    """The envelopes of a batch's object; none if it is gone: a replay has unpacked it."""
    body = read_if_there(s3, bucket, key)
    if body is None:
        return
    try:
        envelopes = [record.envelope for record in decode_all(body)]
    except msgspec.DecodeError:
        # No function wrote it: no archived record is named so, and the ledger names the object.
        envelopes = [Envelope("", "", key, "", "")]
    for envelope in envelopes:
        yield envelope.shard_id, envelope.sequence_number, envelope.sub_sequence_number
