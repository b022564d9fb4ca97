"""The landing zone as the ledger reads it: which objects can have an hour's readings, and which envelopes they have."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from include import names
from include.ledger.reading_balance import LandingObject
from include.s3_objects import list_objects

# A landing object is under the hour in which its first record arrived.  In a stream with few records, a batch after an
# outage can span hours, but not more than the mapping keeps trying.
LONGEST_BATCH = timedelta(hours=24)


class _Line(msgspec.Struct):
    """The envelope in a line of a landing object."""

    shard_id: str
    sequence_number: str
    sub_sequence_number: int | None = None


_decoder = msgspec.json.Decoder(_Line)


class S3LandingZone:
    """The landing objects of a bucket."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def objects(self, hour: datetime) -> Iterator[LandingObject]:
        """Objects that can have readings that arrived in ``hour``."""
        after, last = (f"{names.LANDING_PREFIX}{moment:%Y/%m/%d/%H}/" for moment in (hour - LONGEST_BATCH, hour))
        for entry in list_objects(self._s3, self._bucket, names.LANDING_PREFIX, after=after, last=last):
            key = entry["Key"]
            # <shard>-<first>-<last>-<digest>.json.gz, as lambdas/truck_data names it.
            parts = key.rpartition("/")[2].rsplit("-", 3)
            if len(parts) == 4:
                yield LandingObject(key, *parts[:3])

    def envelopes(self, key: str) -> tuple[list[tuple[str, str, int]], str | None]:
        """The envelope of each line of an object, as in HourDatabase, and the error that ended reading it, if any."""
        envelopes: list[tuple[str, str, int]] = []
        body = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]
        with body, gzip.open(body) as lines:
            try:
                for line in lines:
                    found = _decoder.decode(line)
                    envelopes.append((found.shard_id, found.sequence_number, found.sub_sequence_number or 0))
            except (msgspec.MsgspecError, gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
                return envelopes, f"line {len(envelopes) + 1}: {error}"
        return envelopes, None
