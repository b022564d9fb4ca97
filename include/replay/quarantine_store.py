"""Quarantine in S3: list objects, add to their history, and move them to quarantine-resolved/.

Functions write the records of a batch into one object.  ``unpack`` gives each an object of its own; the other methods
are for these.

Every write is conditional on the version that was read, so replays at the same time keep each other's changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import msgspec
from botocore.exceptions import ClientError

from include import names
from include.contracts.quarantine import (
    Attempt,
    Quarantined,
    decode,
    decode_all,
    encode,
    hour_prefix,
    object_key,
)
from include.s3_objects import (
    CHANGED_CODES,
    GONE_CODES,
    MAX_CONFLICTS,
    ConflictError,
    UnreadableObjectError,
    error_code,
    list_objects,
)

T = TypeVar("T")


class QuarantineObject(NamedTuple):
    """The object of one record as it was read."""

    key: str
    etag: str
    record: Quarantined


class QuarantineStore:
    """One bucket's quarantine.  Thread-safe."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.bucket = bucket

    def keys(self, stream: str, first_hour: str | None, last_hour: str | None) -> Iterator[str]:
        """Keys of a stream's objects, by hour of arrival, then shard and sequence number.

        Args:
            first_hour, last_hour: canonical times; only their hours and those between.  None leaves that end open.
        """
        prefix = f"{names.QUARANTINE_PREFIX}{stream}/"
        # Keys sort as their hours do.
        after = hour_prefix(names.QUARANTINE_PREFIX, stream, first_hour) if first_hour else prefix
        last = hour_prefix(names.QUARANTINE_PREFIX, stream, last_hour) if last_hour else None
        return (entry["Key"] for entry in list_objects(self._s3, self.bucket, prefix, after=after, last=last))

    def abandoned_batches(self) -> list[str]:
        """Keys of the batches that a mapping gave up on and that are not in quarantine yet."""
        prefix, bucket = names.ON_FAILURE_PREFIX, names.abandoned_bucket(self.bucket)
        return [entry["Key"] for entry in list_objects(self._s3, bucket, prefix, after=prefix)]

    def read(self, key: str) -> QuarantineObject | None:
        """The object of one record, or None if it is gone.

        Raises:
            UnreadableObjectError: it is not the object of one record.
        """
        found = self._read(key, decode)
        return QuarantineObject(key, *found) if found else None

    def records(self, key: str) -> list[Quarantined]:
        """The records of any object, one or several; none if it is gone.

        Raises:
            UnreadableObjectError: it is not a quarantine object.
        """
        found = self._read(key, decode_all)
        return found[1] if found else []

    def unpack(self, key: str, pool: ThreadPoolExecutor | None = None) -> list[str]:
        """Give each record of a batch's object an object of its own, and delete the batch's.

        A record whose own object is there but damaged has no other copy: then the batch stays, and this returns the
        keys of such objects.  A run that is stopped in between leaves the batch too; unpacking it again leaves what was
        unpacked before as it is.

        Args:
            pool: writes several objects at a time.

        Raises:
            UnreadableObjectError: the batch's object is not a quarantine object.
            ConflictError: an object kept changing.
        """
        found = self._read(key, decode_all)
        if found is None:
            return []
        etag, records = found
        written = pool.map(self._add_own, records) if pool else map(self._add_own, records)
        if damaged := [each for each in written if each]:
            return damaged
        try:
            self._s3.delete_object(Bucket=self.bucket, Key=key, IfMatch=etag)
        except ClientError as error:
            # Another run has unpacked it, or an erasure has just taken a record out: the next run unpacks the rest.
            if error_code(error) not in CHANGED_CODES | GONE_CODES:
                raise
        return []

    def amend(self, found: QuarantineObject, change: Callable[[Quarantined], Quarantined]) -> bool:
        """Replace the object with ``change`` of it; False if another replay has moved it.

        Raises:
            ConflictError: it kept changing.
        """
        return self._write(found, lambda current: self._put(found.key, change(current.record), IfMatch=current.etag))

    def resolve(self, found: QuarantineObject, attempt: Attempt) -> None:
        """Move the object to quarantine-resolved/, with ``attempt`` in its history.

        The copy is durable before the object goes.  A run that is stopped in between leaves both; resolving again
        leaves one, and its history has all attempts.  An object that another replay has moved has its own copy.

        Raises:
            ConflictError: it kept changing.
        """

        def move(current: QuarantineObject) -> None:
            resolved = current.record.tried(attempt)
            self._add(resolved_key(resolved), resolved)
            self._s3.delete_object(Bucket=self.bucket, Key=found.key, IfMatch=current.etag)

        self._write(found, move)

    def _write(self, found: QuarantineObject, write: Callable[[QuarantineObject], None]) -> bool:
        """Repeat ``write`` with the object as it is now until no other writer comes first; False if it is gone."""
        current: QuarantineObject | None = found
        for _ in range(MAX_CONFLICTS):
            if current is None:
                return False
            try:
                write(current)
            except ClientError as error:
                if error_code(error) in GONE_CODES:
                    return False
                if error_code(error) not in CHANGED_CODES:
                    raise
                current = self.read(found.key)
            else:
                return True
        raise ConflictError(f"{found.key} changed {MAX_CONFLICTS} times before it could be written")

    def _read(self, key: str, decoded: Callable[[bytes], T]) -> tuple[str, T] | None:
        """The ETag and the content of an object, or None if it is gone."""
        try:
            answer = self._s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error_code(error) in GONE_CODES:
                return None
            raise
        try:
            return answer["ETag"], decoded(answer["Body"].read())
        except msgspec.DecodeError as error:
            raise UnreadableObjectError(f"{key}: {error}") from error

    def _add_own(self, record: Quarantined) -> str | None:
        """Give the record an object of its own; return its key if a damaged one is there."""
        key = object_key(names.QUARANTINE_PREFIX, record.envelope)
        try:
            self._add(key, record)
        except UnreadableObjectError:
            return key
        return None

    def _add(self, key: str, record: Quarantined) -> None:
        """Write an object of one record, or join the record with the one that is there."""
        try:
            self._put(key, record, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) not in CHANGED_CODES:
                raise
        else:
            return
        # A replay was stopped before the delete, or the record was quarantined again after a move.
        earlier = self.read(key)
        if earlier is not None and earlier.record.joined(record) == earlier.record:
            return
        if earlier is None or not self.amend(earlier, lambda found: found.joined(record)):
            raise ConflictError(f"{key} was gone before it could be changed")

    def _put(self, key: str, record: Quarantined, **condition: str) -> None:
        self._s3.put_object(
            Bucket=self.bucket, Key=key, Body=encode(record), ContentType="application/json", **condition
        )


def resolved_key(record: Quarantined) -> str:
    """The key of a resolved record: its key in quarantine, with the other prefix."""
    return object_key(names.RESOLVED_PREFIX, record.envelope)
