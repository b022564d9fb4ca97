"""Quarantine in S3: finding objects, adding to their history, and moving them to quarantine-resolved/.

Every write is conditional on what was read, so that two replays at once lose nothing of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from botocore.exceptions import ClientError

from include import names
from include.contracts.quarantine import Attempt, Quarantined, decode, encode, hour_prefix, object_key

# What S3 answers when another writer came first.
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}
_GONE = {"NoSuchKey", "404"}

# Each means that somebody else wrote in between; more than a few of one object are no coincidence.
MAX_CONFLICTS = 10


class UnreadableObjectError(ValueError):
    """An object below quarantine/ that no function wrote."""


class ConflictError(RuntimeError):
    """An object changes faster than it can be read and written."""


class Held(NamedTuple):
    """One object as it was read."""

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
            first_hour, last_hour: canonical times; only the hours that they are in and those between, None for all.
        """
        prefix = f"{names.QUARANTINE_PREFIX}{stream}/"
        # Keys sort as their hours do: what comes before is skipped by the server, what comes after ends the listing.
        after = hour_prefix(names.QUARANTINE_PREFIX, stream, first_hour) if first_hour else prefix
        last = hour_prefix(names.QUARANTINE_PREFIX, stream, last_hour) if last_hour else None
        for page in self._pages(prefix, after):
            for key in page:
                if last is not None and key > last and not key.startswith(last):
                    return
                yield key

    def abandoned(self) -> list[str]:
        """Keys of the batches that a mapping gave up on and nobody has taken in yet."""
        return [key for page in self._pages(names.ON_FAILURE_PREFIX, names.ON_FAILURE_PREFIX) for key in page]

    def read(self, key: str) -> Held | None:
        """The object, or None where it is gone.

        Raises:
            UnreadableObjectError: it is not a quarantine object.
        """
        try:
            answer = self._s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if _code(error) in _GONE:
                return None
            raise
        try:
            return Held(key, answer["ETag"], decode(answer["Body"].read()))
        except msgspec.DecodeError as error:
            raise UnreadableObjectError(f"{key}: {error}") from error

    def amend(self, held: Held, change: Callable[[Quarantined], Quarantined]) -> bool:
        """Replaces the object by ``change`` of it; False where it is gone, moved by another replay.

        Raises:
            ConflictError: it kept changing.
        """
        current: Held | None = held
        for _ in range(MAX_CONFLICTS):
            if current is None:
                return False
            try:
                self._put(held.key, change(current.record), IfMatch=current.etag)
            except ClientError as error:
                if _code(error) in _GONE:
                    return False
                if _code(error) not in _CHANGED:
                    raise
                current = self.read(held.key)
            else:
                return True
        raise ConflictError(f"{held.key} changed {MAX_CONFLICTS} times while it was to be changed")

    def resolve(self, held: Held, attempt: Attempt) -> None:
        """Moves the object to quarantine-resolved/, with ``attempt`` in its history.

        The copy is durable before the object goes: stopped in between there are both, and resolving again ends with
        one, whose history has all attempts.

        Raises:
            ConflictError: it kept changing.
        """
        current: Held | None = held
        for _ in range(MAX_CONFLICTS):
            if current is None:
                return  # Another replay has moved it; its copy, if not this one's, has its own attempt.
            self._copy(current.record.tried(attempt))
            try:
                self._s3.delete_object(Bucket=self.bucket, Key=held.key, IfMatch=current.etag)
            except ClientError as error:
                if _code(error) in _GONE:
                    return
                if _code(error) not in _CHANGED:
                    raise
                current = self.read(held.key)
            else:
                return
        raise ConflictError(f"{held.key} changed {MAX_CONFLICTS} times while it was to be moved")

    def _copy(self, record: Quarantined) -> None:
        key = resolved_key(record)
        try:
            self._put(key, record, IfNoneMatch="*")
        except ClientError as error:
            if _code(error) not in _CHANGED:
                raise
        else:
            return
        # Resolved before: by a replay that was stopped before the delete, or quarantined anew after a move.
        earlier = self.read(key)
        if earlier is None or not self.amend(earlier, lambda found: record.tried(*found.history)):
            raise ConflictError(f"{key} was there, and was gone when it was to be changed")

    def _put(self, key: str, record: Quarantined, **condition: str) -> None:
        self._s3.put_object(
            Bucket=self.bucket, Key=key, Body=encode(record), ContentType="application/json", **condition
        )

    def _pages(self, prefix: str, after: str) -> Iterator[list[str]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix, StartAfter=after)
        for page in pages:
            yield [entry["Key"] for entry in page.get("Contents", [])]


def resolved_key(record: Quarantined) -> str:
    """Where a resolved record is: under its key in quarantine, with the other prefix."""
    return object_key(names.RESOLVED_PREFIX, record.envelope)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))
