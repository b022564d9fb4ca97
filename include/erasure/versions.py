"""The versions of a bucket's objects: read each one, and take a truck's records out of it.

A version never changes.  To rewrite an object, store a new version under its key, if the version that was read is still
the current one, and then delete the old version for good.  A noncurrent version is only deleted: S3 keeps it for a
while as a copy.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import IO, Any, Literal, NamedTuple

from botocore.exceptions import ClientError, HTTPClientError, IncompleteReadError

from include.erasure.formats import Format
from include.retry import backoff
from include.s3_objects import CHANGED_CODES, GONE_CODES, MAX_CONFLICTS, ConflictError, error_code

# An object of up to this size stays in memory while it is read and written; a larger one goes to disk.
SPOOLED_BYTES = 8 * 1024**2
# How far S3's clock may be behind ours.
CLOCK_DIFFERENCE = timedelta(minutes=5)

# boto3 repeats requests, not the download of a response's body.
MAX_DOWNLOADS = 4
# Waits after a conflict or a broken download, with full jitter.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 8.0

# What became of a version: it was current, and its key now has a version without the truck, or none; or it was not.
Ending = Literal["rewritten", "deleted", "outdated"]


class ObjectVersion(NamedTuple):
    """One version of an object, as listed."""

    key: str
    id: str
    etag: str
    is_current: bool
    storage_class: str


class VersionContent(NamedTuple):
    """A version's content: a seekable file, and the headers to store with it."""

    body: IO[bytes]
    headers: dict[str, Any]


class VersionedBucket:
    """One bucket.  Thread-safe."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self.name = bucket

    def versions(self, prefix: str, since: datetime | None) -> Iterator[ObjectVersion]:
        """Every version below ``prefix``, current or not, stored at or after ``since`` (aware; None: all)."""
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=prefix)
        for entry in (entry for page in pages for entry in page.get("Versions", [])):
            if since is None or entry["LastModified"] >= since - CLOCK_DIFFERENCE:
                yield ObjectVersion(
                    entry["Key"],
                    entry["VersionId"],
                    entry["ETag"],
                    entry["IsLatest"],
                    entry.get("StorageClass", "STANDARD"),
                )

    @contextmanager
    def read(self, version: ObjectVersion) -> Iterator[VersionContent | None]:
        """The version, read once and kept while the block runs; None if it is gone."""
        with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as body:
            for failures in range(1, MAX_DOWNLOADS + 1):
                try:
                    answer = self._s3.get_object(Bucket=self.name, Key=version.key, VersionId=version.id)
                    with answer["Body"] as source:
                        shutil.copyfileobj(source, body, 1024**2)
                except ClientError as error:
                    if error_code(error) not in GONE_CODES:
                        raise
                    yield None
                    return
                except (HTTPClientError, IncompleteReadError):
                    if failures == MAX_DOWNLOADS:
                        raise
                    _wait(failures)
                    body.seek(0)
                    body.truncate()
                else:
                    break
            body.seek(0)
            kept = ("ContentType", "ContentEncoding", "Metadata")
            yield VersionContent(body, {name: answer[name] for name in kept if answer.get(name)})

    def take_out(self, version: ObjectVersion, content: VersionContent, format_: Format) -> Ending:
        """Delete the version; if it is the current one, first store the records of others in a new version.

        A run that is stopped in between leaves the old version, and the next run finds it again.

        Raises:
            ConflictError: other writers always came first, but none of them succeeded.
        """
        ending: Ending = "outdated"
        replaced_by = None
        if version.is_current:
            with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as rest:
                content.body.seek(0)
                kept = format_(content.body, rest).kept
                replaced_by = self._replace(version, rest if kept else None, content.headers)
            if replaced_by:
                ending = "rewritten" if kept else "deleted"
        # Without versioning, the new version has replaced the old one and has its id: "null".
        if replaced_by != version.id:
            self._s3.delete_object(Bucket=self.name, Key=version.key, VersionId=version.id)
        return ending

    def _replace(self, version: ObjectVersion, rest: IO[bytes] | None, headers: dict[str, Any]) -> str | None:
        """Replace the version with ``rest`` or, without one, with a delete marker; return the new version's id.

        None if another version is current by now: it was stored since, so the next pass reads it.
        """
        for failures in range(1, MAX_CONFLICTS + 1):
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
                if error_code(error) not in CHANGED_CODES | GONE_CODES:
                    raise
                if not self._is_current(version):
                    return None
                # Another writer was at work, and did not succeed.
                _wait(failures)
            else:
                return _version_id(answer)
        raise ConflictError(
            f"{version.key} was being written by others {MAX_CONFLICTS} times before it could be changed"
        )

    def _is_current(self, version: ObjectVersion) -> bool:
        try:
            current = self._s3.head_object(Bucket=self.name, Key=version.key)
        except ClientError as error:
            if error_code(error) in GONE_CODES:
                return False
            raise
        return _version_id(current) == version.id


def _version_id(answer: dict[str, str]) -> str:
    return answer.get("VersionId", "null")


def _wait(failures: int) -> None:
    time.sleep(backoff(failures, first=FIRST_WAIT_SECONDS, longest=LONGEST_WAIT_SECONDS))
