"""Records in quarantine/ and quarantine-resolved/, as the ledger reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from include import names
from include.contracts.envelope import read_number
from include.contracts.quarantine import decode, hour_prefix
from include.contracts.times import to_canonical
from include.ledger.hour_database import QUARANTINE, RESOLVED
from include.s3_objects import list_objects

PREFIXES = ((QUARANTINE, names.QUARANTINE_PREFIX), (RESOLVED, names.RESOLVED_PREFIX))


def held_rows(s3: Any, bucket: str, stream: str, hour: datetime) -> Iterator[tuple[str, str, int, str, str]]:
    """Rows of the table ``held``.  An object's name has the envelope, so no object is read."""
    for place, prefix in PREFIXES:
        hour_keys = hour_prefix(prefix, stream, to_canonical(hour))
        for entry in list_objects(s3, bucket, hour_keys):
            key = entry["Key"]
            shard_id, _, number = key.removeprefix(hour_keys).removesuffix(".json").rpartition("-")
            yield shard_id, *read_number(number), place, key


def reason_of(s3: Any, bucket: str, key: str) -> str:
    """Why the record of a quarantine object was quarantined."""
    return decode(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).reason
