"""Count what Firehose could not archive: it keeps the payloads in objects of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from include import names
from include.archive.archive_objects import LONGEST_DELIVERY
from include.s3_objects import list_objects


def error_objects_since(s3: Any, bucket: str, since: datetime) -> int:
    """How many objects were stored under raw-archive-errors/ at or after ``since`` (aware).

    An object is under the stream, the kind of error, and the hour in which its oldest record arrived.
    """
    return sum(
        entry["LastModified"] >= since
        for stream in (names.CLICK_STREAM, names.TRUCK_STREAM)
        for kind in _kinds(s3, bucket, f"{names.ARCHIVE_ERROR_PREFIX}{stream}/")
        for entry in list_objects(s3, bucket, kind, after=f"{kind}{since - LONGEST_DELIVERY:%Y/%m/%d/%H}/")
    )


def _kinds(s3: Any, bucket: str, prefix: str) -> list[str]:
    """The prefixes of the kinds of error; Firehose has less than ten."""
    answer = s3.list_objects_v2(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [each["Prefix"] for each in answer.get("CommonPrefixes", [])]
