"""The versions of a bucket's objects: reading each one, and taking a truck's records out of it.

A version never changes.  So an object is rewritten by storing a new version under its key, if the one that was read is
still the current one, and by deleting the old one for good; and of an object that is not current any more the version
is deleted, as it is only a copy that S3 keeps for a while.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import IO, Any, Literal, NamedTuple

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from include.erasure.formats import Format

# So much of an object is in memory, the rest of it on disk.
SPOOLED_BYTES = 8 * 1024**2
# By how much S3's clock may be behind ours.
CLOCK_DIFFERENCE = timedelta(minutes=5)

# What S3 answers when another writer came first, or is at it.
_CHANGED = {"PreconditionFailed", "ConditionalRequestConflict"}
_GONE = {"NoSuchKey", "NoSuchVersion", "404"}

# Each means that somebody else wrote in between; more than a few of one object are no coincidence.
MAX_CONFLICTS = 10
# boto3 repeats requests, not the reading of an answer's body.
MAX_DOWNLOADS = 4
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 8.0

# What became of a version: a new one without the truck, or none, stands under its key; or it was no longer current.
Ending = Literal["rewritten", "deleted", "outdated"]


class ConflictError(RuntimeError):
    """An object changes faster than it can be read and written."""


class Version(NamedTuple):
    """One version of an object, as listed."""

    key: str
    id: str
    etag: str
    is_current: bool
    storage_class: str


class Read(NamedTuple):
    """A version's content: a seekable file, and what must be stored with it."""

    body: IO[bytes]
    headers: dict[str, Any]


class VersionedBucket:
    """One bucket.  Thread-safe."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.name = bucket

    def versions(self, prefix: str, since: datetime | None) -> Iterator[Version]:
        """Every version below ``prefix``, current or not, that was stored at or after ``since`` (aware; None: all)."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=prefix)
        for entry in (entry for page in pages for entry in page.get("Versions", [])):
            if since is None or entry["LastModified"] >= since - CLOCK_DIFFERENCE:
                yield Version(
                    entry["Key"],
                    entry["VersionId"],
                    entry["ETag"],
                    entry["IsLatest"],
                    entry.get("StorageClass", "STANDARD"),
                )

    @contextmanager
    def read(self, version: Version) -> Iterator[Read | None]:
        """The version, read once and kept while the block runs; None where it is gone."""
        with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as body:
            for attempt in range(MAX_DOWNLOADS):
                try:
                    answer = self._s3.get_object(Bucket=self.name, Key=version.key, VersionId=version.id)
                    with answer["Body"] as source:
                        shutil.copyfileobj(source, body, 1024**2)
                except ClientError as error:
                    if _code(error) not in _GONE:
                        raise
                    yield None
                    return
                except (HTTPClientError, IncompleteReadError):
                    if attempt == MAX_DOWNLOADS - 1:
                        raise
                    _wait(attempt)
                    body.seek(0)
                    body.truncate()
                else:
                    break
            body.seek(0)
            kept = ("ContentType", "ContentEncoding", "Metadata")
            yield Read(body, {name: answer[name] for name in kept if answer.get(name)})

    def take_out(self, version: Version, read: Read, format_: Format) -> Ending:
        """Ends the version: what it holds of others is in a new one, if it was the current one, and it is no more.

        Stopped in between, the old version is still there, and found again by the next run.

        Raises:
            ConflictError: other writers were always quicker, though none of them succeeded.
        """
        ending: Ending = "outdated"
        replaced_by = None
        if version.is_current:
            with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as rest:
                read.body.seek(0)
                kept = format_(read.body, rest).kept
                replaced_by = self._replace(version, rest if kept else None, read.headers)
            if replaced_by:
                ending = "rewritten" if kept else "deleted"
        # Without versioning the new one has taken the old one's place, and its id: "null".
        if replaced_by != version.id:
            self._s3.delete_object(Bucket=self.name, Key=version.key, VersionId=version.id)
        return ending

    def _replace(self, version: Version, rest: IO[bytes] | None, headers: dict[str, Any]) -> str | None:
        """The id of what now stands in the version's place (of a delete marker where ``rest`` is None).

        None where it is not the current version any more: what is, was stored since, and will be looked at.
        """
        for attempt in range(MAX_CONFLICTS):
            try:
                if rest is None:
                    answer = self._s3.delete_object(Bucket=self.name, Key=version.key, IfMatch=version.etag)
                else:
                    rest.seek(0)
                    answer = self._s3.put_object(
                        Bucket=self.name,
                        Key=version.key,
                        Body=rest,
                        IfMatch=version.etag,
                        StorageClass=version.storage_class,
                        **headers,
                    )
            except ClientError as error:
                if _code(error) not in _CHANGED | _GONE:
                    raise
                if not self._is_current(version):
                    return None
                # Somebody else was writing, and has not succeeded.
                _wait(attempt)
            else:
                return answer.get("VersionId", "null")
        raise ConflictError(f"{version.key} was being written {MAX_CONFLICTS} times while it was to be changed")

    def _is_current(self, version: Version) -> bool:
        try:
            current = self._s3.head_object(Bucket=self.name, Key=version.key)
        except ClientError as error:
            if _code(error) in _GONE:
                return False
            raise
        return current.get("VersionId", "null") == version.id


def _wait(attempt: int) -> None:
    wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**attempt)
    time.sleep(random.uniform(0, wait))  # noqa: S311


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code"))
