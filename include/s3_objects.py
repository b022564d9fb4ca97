"""Objects in S3: listing a range of keys, and the errors of reading and of conditional writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

# Error codes of S3: another writer came first, or is writing now; the object is gone.
CHANGED_CODES = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
GONE_CODES = frozenset({"NoSuchKey", "NoSuchVersion", "404"})

# Each conflict means that another writer came in between; more than a few on one object are no coincidence.
MAX_CONFLICTS = 10


class ConflictError(RuntimeError):
    """An object changes faster than it can be read and written."""


class UnreadableObjectError(ValueError):
    """An object that no part of this pipeline wrote, or a damaged one."""


def error_code(error: ClientError) -> str:
    """The code that AWS answered with, such as ``NoSuchKey``."""
    return str(error.response.get("Error", {}).get("Code"))


def read_if_there(s3: Any, bucket: str, key: str) -> bytes | None:
    """The bytes of an object that was listed, or None if it is gone: a replay moves objects meanwhile."""
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error_code(error) in GONE_CODES:
            return None
        raise
    return body


def list_objects(
    s3: Any, bucket: str, prefix: str, *, after: str | None = None, last: str | None = None
) -> Iterator[dict[str, Any]]:
    """Entries of ListObjectsV2 (``Key``, ``LastModified``, ``Size``) below ``prefix``, in the order of their keys.

    Args:
        after: the listing starts behind this key; None starts with the first.
        last: the listing ends behind the keys that begin with this prefix; None ends with the last.
    """
    start = {} if after is None else {"StartAfter": after}
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **start)
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        if last is not None and entry["Key"] > last and not entry["Key"].startswith(last):
            return
        yield entry
